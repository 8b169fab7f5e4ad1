"""What a timeline is filled with: curves binned, cases and truths by their numbers."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np

from stages.page import contents, timelines
from tests.stages.page.invented_document import SEVEN, document


def decoded(text: str) -> list[int]:
    return list(base64.b64decode(text))


def test_a_bin_tells_the_greatest_score_in_it() -> None:
    curve = np.array([[0.0, 1.0], [0.2, 0.0], [1.0, 0.4], [0.0, 0.0], [0.6, 0.0]], np.float16)
    width, (first, second) = timelines.binned(curve, most=3)
    assert width == 2
    assert decoded(first) == [51, 255, 153]
    assert decoded(second) == [255, 102, 0]


def test_a_short_curve_keeps_every_frame() -> None:
    width, (only,) = timelines.binned(np.full((4, 1), 0.2, np.float16))
    assert (width, decoded(only)) == (1, [51] * 4)


def test_a_long_curve_has_at_most_1500_points() -> None:
    width, (only,) = timelines.binned(np.zeros((3001, 1), np.float16))
    assert (width, len(decoded(only))) == (3, 1001)


def test_scores_that_are_no_number_or_outside_are_drawn_at_the_edge() -> None:
    _, (only,) = timelines.binned(np.array([[np.nan], [2.0], [-1.0]], np.float16))
    assert decoded(only) == [0, 255, 0]


def test_no_curve_is_no_line() -> None:
    assert timelines.binned(np.zeros((0, 3), np.float16)) == (1, [])


def test_many_videos_share_the_room_for_curves() -> None:
    few, many = ([("", document(videos=count, frames=3000, expressions=1, pictures=False))] for count in (1, 900))
    assert points(few) == 1500
    assert points(many) * 900 * 6 * 4 / 3 <= contents.CURVE_BYTES


def points(runs: contents.Runs) -> int:
    filling = contents.fillings(runs, contents.classes(runs), contents.videos(runs))[0]
    return len(decoded(filling["runs"][0]["curves"][0]))


def test_an_emotion_that_only_one_run_knows_has_a_number_of_its_own() -> None:
    first, second = document(classes=("anger", "fear")), document(classes=("fear", "surprise"))
    runs = [("first", first), ("second", second)]
    numbers = contents.classes(runs)
    assert numbers == {"anger": 0, "fear": 1, "surprise": 2}
    filling = contents.fillings(runs, numbers, contents.videos(runs))[0]
    assert [run["columns"] for run in filling["runs"]] == [[0, 1], [1, 2]]


def test_an_annotated_emotion_that_was_never_trained_is_named_too() -> None:
    told = document(videos=1, classes=SEVEN[:2])
    first = told.timelines[0]
    strange = replace(first, expressions=[replace(row, emotion="awe") for row in first.expressions])
    runs = [("", replace(told, timelines=[strange]))]
    assert contents.classes(runs)["awe"] == 2
