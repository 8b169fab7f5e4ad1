"""The drawing of a timeline: its rows, and how emotions are told apart."""

from __future__ import annotations

from itertools import pairwise

from stages.page import timeline_drawing


def test_a_second_run_adds_a_row_of_detections_and_one_of_scores() -> None:
    assert [row["what"] for row in timeline_drawing.lanes([""])] == ["truths", "cases", "curve", "faceless"]
    told = timeline_drawing.lanes(["narrow", "wide"])
    assert [(row["what"], row["label"]) for row in told[1:5]] == [
        ("cases", "narrow"),
        ("cases", "wide"),
        ("curve", "narrow"),
        ("curve", "wide"),
    ]
    assert all(upper["bottom"] < lower["top"] for upper, lower in pairwise(told))


def test_emotions_beyond_the_colours_differ_by_their_dashes() -> None:
    looks = [(timeline_drawing.colour(index), tuple(timeline_drawing.dash(index))) for index in range(20)]
    assert len(set(looks)) == 20
