"""SAMM Long Videos: notes before the headings, fractions, missing apexes, and every seventh of 200 frames a second."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openpyxl
import pytest
import yaml

from cache.corpora import readers
from cache.corpora.annotations import Expected, Labels
from cache.corpora.samm_lv import COLUMNS, Facts
from cache.errors import InputError
from stages.shell import params

ROOT = Path(__file__).resolve().parents[3]
LABELS = "SAMM_LongVideos_V2_Release.xlsx"


def read(root: Path, facts: Facts) -> readers.Tables:
    return readers.read(readers.READERS["samm_lv"], root, facts)


def read_labels(path: Path, facts: Facts) -> Labels:
    return readers.read_labels(readers.READERS["samm_lv"], path, facts)


@pytest.fixture
def facts() -> Facts:
    """Return the facts as configured, without totals: the corpora here are small."""
    return replace(configured(), expected=Expected(None, None, None))


def configured() -> Facts:
    document = yaml.safe_load((ROOT / "configs/corpora/samm_lv.yaml").read_text(encoding="utf-8"))
    return params.build(document["facts"], Facts, "samm_lv")


def row(
    onset: Any = 20, apex: Any = 40, offset: Any = 60, kind: str = "Macro", name: Any = "006_1_1", subject: Any = 6
) -> list[Any]:
    return [subject, name, 1, onset, apex, offset, 41, kind, "12", None]


def write_labels(folder: Path, rows: list[list[Any]], notes: int = 9, headings: Any = COLUMNS) -> Path:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    for number in range(notes):
        sheet.append([f"note {number}"] if number % 2 else [])
    for number, line in enumerate([list(headings), *rows], start=notes + 1):
        for column, cell in enumerate(line, start=1):
            sheet.cell(number, column, cell)
    folder.mkdir(parents=True, exist_ok=True)
    workbook.save(folder / LABELS)
    return folder / LABELS


def write_frames(folder: Path, count: int, video: str = "006_1") -> None:
    place = folder / video
    place.mkdir(parents=True)
    image = cv2.imencode(".jpg", np.full((12, 16, 3), 90, np.uint8))[1].tobytes()
    for number in range(1, count + 1):
        (place / f"{video}_{number:04d}.jpg").write_bytes(image)


def test_totals_and_faults_in_the_genuine_shape(tmp_path: Path) -> None:
    rows = []
    for i in range(343 + 159):
        onset, apex = 1 + 200 * (i // 30), 50 + 200 * (i // 30)
        onset = 0 if i < 10 else onset + 0.5 if i < 13 else onset
        apex = -1 if 20 <= i < 26 else apex
        kind = "Macro" if i < 343 else "Micro - 1/2"
        subject = i % 30 + 6
        rows.append(row(onset, apex, 90 + 200 * (i // 30), kind, f"{subject:03d}_1_{i // 30 + 1}", subject))
    labels = read_labels(write_labels(tmp_path, rows), configured())
    assert len(labels.used) == 343
    assert Counter(a.rule for a in labels.audit) == {
        "type_mapped": 159,
        "kind_not_selected": 159,
        "onset_zero": 10,
        "fraction": 3,
        "apex_missing": 6,
    }


def test_rows_are_numbered_as_in_the_spreadsheet(tmp_path: Path, facts: Facts) -> None:
    labels = read_labels(write_labels(tmp_path, [row(), row(100, 120, 150)]), facts)
    assert [(line.row, line.video, line.subject) for line in labels.used] == [
        (11, "006_1", "006"),
        (12, "006_1", "006"),
    ]


@pytest.mark.parametrize(("rule", "interval"), [("outward", (20, 61)), ("nearest", (21, 60))])
def test_a_fraction_follows_the_rule_chosen(tmp_path: Path, facts: Facts, rule: Any, interval: tuple[int, int]) -> None:
    chosen = replace(facts, rules=replace(facts.rules, fraction=rule))
    labels = read_labels(write_labels(tmp_path, [row(20.5, 40, 60.25)]), chosen)
    assert [(line.onset, line.offset) for line in labels.used] == [interval]
    assert [(a.field, a.before, a.after) for a in labels.audit] == [
        ("onset", "20.5", str(interval[0])),
        ("offset", "60.25", str(interval[1])),
    ]


def test_both_kinds_are_classes_when_both_are_selected(tmp_path: Path, facts: Facts) -> None:
    rows = [row(), row(100, 110, 120, "Micro - 1/2")]
    labels = read_labels(write_labels(tmp_path, rows), replace(facts, kinds=("macro", "micro")))
    assert [(line.kind, line.emotion) for line in labels.used] == [("macro", "macro"), ("micro", "micro")]


def test_the_inducement_can_be_the_class(tmp_path: Path, facts: Facts) -> None:
    chosen = replace(facts, label_set="inducement", class_map="inducement")
    labels = read_labels(write_labels(tmp_path, [row()]), chosen)
    assert [line.emotion for line in labels.used] == ["stimulus_1"]


def test_a_class_map_without_the_kinds_is_refused() -> None:
    with pytest.raises(ValueError, match="class map 'inducement' must give macro a class"):
        replace(configured(), class_map="inducement")


def test_headings_elsewhere_and_wrong_cells_are_named(tmp_path: Path, facts: Facts) -> None:
    with pytest.raises(InputError, match=r"row 10, column A: found 6, expected the heading 'Subject'"):
        read_labels(write_labels(tmp_path, [row()] * 3, notes=8), facts)
    with pytest.raises(InputError, match=r"has 0 sheets of 10 rows or more"):
        read_labels(write_labels(tmp_path, [row()], notes=0), facts)
    rows = [row(name="clip7"), row(subject=7), row(kind="Medium")]
    with pytest.raises(InputError) as refused:
        read_labels(write_labels(tmp_path, rows), facts)
    assert "row 11, column B (Filename): found 'clip7', expected a name such as 006_1_1" in str(refused.value)
    assert "row 12, column A (Subject): found 7, expected the subject that the file name begins" in str(refused.value)
    assert "row 13, column H (Type): found 'Medium'" in str(refused.value)


def test_every_seventh_frame_is_taken_and_intervals_are_of_these(tmp_path: Path, facts: Facts) -> None:
    write_frames(tmp_path, 100)
    write_labels(tmp_path, [row(20, 40, 60)])
    videos, expressions, _ = read(tmp_path, facts)
    # Positions 0, 7, ..., 98 of 100 are taken: 15 frames at 200 / 7 a second.
    assert (videos[0].frame_count, videos[0].frame_step, videos[0].first_label) == (15, 7, 1)
    assert videos[0].frame_rate == pytest.approx(28.571, abs=0.001)
    # Frames 20 to 60 are positions 19 to 59. Taken are 21 (the 4th, at 3), 28, ..., 56 (the 9th, at 8).
    # The apex, position 39, is nearest to 42, at 6.
    found = expressions[0]
    assert (found.start, found.stop, found.apex) == (3, 9, 6)
    assert (found.onset, found.offset) == (20, 60)


def test_every_taken_frame_of_an_expression_was_annotated_and_no_other(tmp_path: Path, facts: Facts) -> None:
    write_frames(tmp_path, 100)
    for step in (1, 2, 3, 6, 7, 50):
        for onset, offset in ((1, 100), (1, 1), (30, 90), (93, 100)):
            write_labels(tmp_path, [row(onset, onset, offset)])
            videos, expressions, _ = read(tmp_path, replace(facts, frame_step=step))
            inside = [p for p in range(videos[0].frame_count) if onset - 1 <= p * step <= offset - 1]
            taken = list(range(expressions[0].start, expressions[0].stop))
            assert taken == inside or (not inside and len(taken) == 1)


def test_an_expression_between_two_taken_frames_gets_the_nearest_aloud(tmp_path: Path, facts: Facts) -> None:
    write_frames(tmp_path, 100)
    # Positions 99 and 99: after the last taken frame, at 98.
    write_labels(tmp_path, [row(12, 12, 14), row(100, 100, 100)])
    _, expressions, audit = read(tmp_path, facts)
    # Positions 11 to 13 lie between 7 and 14, nearer to 14, which is the third taken.
    assert [(e.start, e.stop, e.apex) for e in expressions] == [(2, 3, 2), (14, 15, 14)]
    assert [(a.row, a.rule) for a in audit if a.rule == "between_taken_frames"] == [
        (11, "between_taken_frames"),
        (12, "between_taken_frames"),
    ]


def test_an_onset_of_0_begins_with_the_first_frame(tmp_path: Path, facts: Facts) -> None:
    write_frames(tmp_path, 100)
    write_labels(tmp_path, [row(0, -1, 60)])
    _, expressions, audit = read(tmp_path, facts)
    assert [(e.start, e.stop, e.apex) for e in expressions] == [(0, 9, -1)]
    assert {"onset_zero", "apex_missing"} <= {a.rule for a in audit}


def test_frames_that_are_missing_or_no_images_are_refused_together(tmp_path: Path, facts: Facts) -> None:
    write_labels(tmp_path, [row(), row(name="007_2_1", subject=7)])
    write_frames(tmp_path, 30)
    write_frames(tmp_path, 30, "008_1")
    (tmp_path / "006_1/006_1_0012.jpg").unlink()
    (tmp_path / "008_1/008_1_0001.jpg").write_bytes(b"not an image")
    with pytest.raises(InputError) as refused:
        read(tmp_path, facts)
    message = str(refused.value)
    assert "3 problems" in message
    assert "found no frames of subject 007" in message
    assert "found no frames 12 (1 missing)" in message
    assert "008_1_0001.jpg" in message
