"""Rows of the page's tables, and what their numbers lead to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.diagnosis import mending, outcomes
from stages.page import contents, tables
from stages.page.document import Changed
from stages.page.kinds import BY_KEY, FOUND, KINDS, kind_of
from stages.page.pictures import source
from tests.stages.page.invented_document import document


def test_the_page_knows_every_kind_that_the_diagnosis_tells() -> None:
    assert tuple(kind.key for kind in KINDS) == (*outcomes.KINDS, mending.MISSED)
    assert tuple(BY_KEY) == (*outcomes.KINDS, mending.MISSED, FOUND.key)


def test_a_kind_that_the_page_does_not_know_is_refused() -> None:
    case = replace(document().timelines[0].cases[0], kind="shy")
    with pytest.raises(ValueError, match="a case of kind 'shy', expected one of correct, wrong_emotion"):
        kind_of(case)


def test_a_confusion_row_counts_the_detected_and_the_missed() -> None:
    told = document(classes=("anger", "fear"))
    figures = {
        "recognition": {
            "confusion": {"anger": {"anger": 3, "fear": 1}, "fear": {"anger": 0, "fear": 2}},
            "outcomes": {"missed": {"anger": 4, "fear": 0}, "false": {"anger": 0, "fear": 5}},
        }
    }
    rows = tables.confusion(replace(told, figures=figures), {"anger": 0, "fear": 1}, run=0)
    assert [(row.name, [cell.count for cell in row.cells], row.total) for row in rows] == [
        ("anger", [3, 1, 4], 8),
        ("fear", [0, 2, 0], 2),
        ("no expression", [0, 5], 5),
    ]
    assert rows[0].cells[1].jump == {"kinds": ("correct", "wrong_emotion"), "truth": 0, "detected": 1, "run": 0}
    assert rows[1].cells[0].jump is None


def test_gains_are_over_what_the_scores_are_now() -> None:
    told = replace(document(), gains={"now": {"spotting_f1": 0.5}, "missed": {"spotting_f1": 0.75}})
    gains = {row.kind.key: row.gains[0].get("spotting_f1") for row in tables.errors([told])}
    assert gains["missed"] == 0.25
    assert gains["double"] is None


def test_the_subject_that_scores_least_comes_first() -> None:
    told = replace(document(), figures={"per_subject": {"a": {"f1": 0.9}, "b": {"f1": 0.2}, "c": {"f1": 0.5}}})
    assert [name for name, _ in tables.subjects([told])] == ["b", "c", "a"]


def test_what_was_missed_of_a_group_leads_to_its_cases() -> None:
    groups = {
        "by length": ("15-30", {"length": [15, 30]}),
        "by emotion": ("fear", {"truth": 4}),
        "by subject": ("p01", {"subject": "p01"}),
        "by intensity": ("micro", {"strength": "micro"}),
        "by window": ("cut", {"cut": True}),
    }
    told = replace(document(), tallies={tally: [(label, 1, 1)] for tally, (label, _) in groups.items()})
    for tally, ((_, (row,)),) in tables.tallies([("", told)], {"fear": 4}).items():
        assert row.jump == {"kinds": ["missed"], "run": 0, **groups[tally][1]}


def test_misses_by_window_lead_nowhere_where_nobody_knows_the_windows() -> None:
    plain = replace(document(), tallies={"by window": [("cut", 1, 1)]})
    timelines = [
        replace(video, cases=[replace(case, cut_by_window=None) for case in video.cases]) for video in plain.timelines
    ]
    told = tables.tallies([("", plain), ("", replace(plain, timelines=timelines))], {})["by window"]
    assert [row.jump is None for _, (row,) in told] == [False, True]


def test_a_group_without_misses_leads_nowhere() -> None:
    told = replace(document(), tallies={"by length": [("120-", 4, 0)]})
    assert tables.tallies([("", told)], {})["by length"][0][1][0].jump is None


def test_a_parameter_that_one_run_changed_stands_beside_the_shipped_one() -> None:
    plain = document()
    first, second = (replace(plain, origin=replace(plain.origin, changed=rows)) for rows in ([], [Changed("a", 2, 1)]))
    assert tables.changed([first, second]) == [("a", 1, [None, Changed("a", 2, 1)])]


def test_a_warning_of_one_run_says_whose_it_is() -> None:
    plain = document()
    quiet = replace(plain, origin=replace(plain.origin, warnings=()))
    runs = [("quiet", quiet), ("loud", plain)]
    assert contents.warnings(runs, contents.videos(runs))[0].startswith("loud: The faces of this corpus are invented")


def test_a_picture_that_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="a picture starts with b'<svg', which is no JPEG, PNG or WebP"):
        source(b"<svg onload=alert(1)>")
