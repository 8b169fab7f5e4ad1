"""Matching worked by hand on two levels of a window of 32 frames.

    frame          0       8       16      24      32
    level 0  points    4       12      20      28          range 0 to 8 frames
    (8)      ratio 1   [0,8]   [8,16]  [16,24] [24,32]
             ratio 2   [-4,12] [4,20]  [12,28] [20,36]
    level 1  points        8               24              range 6 to 16 frames
    (16)     ratio 1       [0,16]          [16,32]
             ratio 2       [-8,24]         [8,40]

A prediction is named here by its level and place: P12 the point at 12, or [8,16] the anchor.
"""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.detectors.fedn.anchors import POINT, Anchors
from pipeline.detectors.fedn.classification import IGNORED, NEGATIVE
from pipeline.detectors.fedn.targets import MatchParameters, Targets, assign
from pipeline.windows.membership import Reach
from pipeline.windows.recordings import NO_EMOTION

LENGTH = 32
ANCHORS = Anchors(LENGTH, [8, 16], [1.0, 2.0], 5.0)
PARAMETERS = MatchParameters(0.5, 0.4, 0.9, 0.5, ((0, 8), (6, 16)))
ONLY = Reach(torch.zeros(1), torch.tensor([True]))  # a window of the only rate: an expression may be of any length
Truth = tuple[float, float, int]


def run(*truths: Truth) -> Targets:
    """Return the targets of one window with these truths (start, stop, emotion)."""
    table = torch.tensor(truths).reshape(1, -1, 3).float()
    return assign(table[..., :2], table[..., 2].long(), ONLY, ANCHORS, LENGTH, PARAMETERS, len(truths))


def run_coarse(*truths: Truth) -> Targets:
    """Return the targets of one window of a coarser rate, to which expressions of 8 frames and more belong."""
    table = torch.tensor(truths).reshape(1, -1, 3).float()
    return assign(
        table[..., :2],
        table[..., 2].long(),
        Reach(torch.full((1,), 8.0), torch.tensor([True])),
        ANCHORS,
        LENGTH,
        PARAMETERS,
        len(truths),
    )


def named(targets: Targets, window: int = 0) -> dict[str, int]:
    """Return the class of every prediction that is not negative, by its name."""
    found = {}
    for place, answer in enumerate(targets.classes[window].tolist()):
        start, stop = ANCHORS.intervals[place].int().tolist()
        point = ANCHORS.kind[place] == POINT
        if answer != NEGATIVE:
            found[f"P{int(ANCHORS.center[place])}" if point else f"[{start},{stop}]"] = answer
    return found


def test_one_expression() -> None:
    # [8,18]: IoU with [8,16] 8/10, [4,20] 10/16: positive; [0,16] 8/18 = 0.44: ignored; [12,28] 6/20, [-8,24] 10/32 and
    # [8,40] 10/32: negative. P12 is 4 and 6 frames from the ends: 6 is in 0 to 8. P8 lies on the start, not inside.
    targets = run((8, 18, 3))
    assert named(targets) == {"P12": 3, "[8,16]": 3, "[4,20]": 3, "[0,16]": IGNORED}
    assert (targets.intervals[targets.classes == 3] == torch.tensor([8.0, 18.0])).all()
    assert (targets.intervals[targets.classes < 0] == 0).all()


def test_two_expressions_share_an_onset() -> None:
    # a = [8,18], b = [8,22]. [8,16]: a 8/10 beats b 8/14. [4,20]: b 12/18 beats a 10/16. [12,28]: b 10/20 is not above
    # 0.5: ignored. [0,16]: a 8/18; [-8,24] and [8,40]: b 14/32 = 0.44: ignored. [16,24]: b 6/16 = 0.375: negative.
    # P12 is 10 from b's stop, out of range: a. P20 is 12 from b's start, out of range: negative.
    targets = run((8, 22, 1), (8, 18, 3))
    ignored = dict.fromkeys(["[12,28]", "[0,16]", "[-8,24]", "[8,40]"], IGNORED)
    assert named(targets) == {"P12": 3, "[8,16]": 3, "[4,20]": 1} | ignored


def test_a_point_in_two_expressions_finds_the_shortest() -> None:
    # P12 in [6,19]: 6 and 7; in [8,18]: 4 and 6: both in range, the second is shorter.
    assert named(run((6, 19, 1), (8, 18, 3)))["P12"] == 3


def test_an_expression_that_fits_no_anchor_keeps_the_best() -> None:
    # [10,14]: IoU with [8,16] 4/8 is not above 0.5, all others less.
    assert named(run((10, 14, 2))) == {"P12": 2, "[8,16]": 2}


def test_of_two_expressions_with_one_best_anchor_the_shortest_keeps_it_and_the_other_the_next_best() -> None:
    # [10,14] and [9,14] both fit [8,16] best, 4/8 and 5/8. The longer one's next are [4,20] and [0,16], 5/16 both.
    assert named(run((9, 14, 1), (10, 14, 2))) == {"P12": 2, "[8,16]": 2, "[4,20]": 1}


def test_two_expressions_at_one_place_each_keep_an_anchor() -> None:
    # [8,16] twice: the first keeps [8,16], the second the first of [4,20] and [0,16], 8/16 both; 0.5 is ignored.
    assert named(run((8, 16, 0), (8, 16, 1))) == {"P12": 0, "[8,16]": 0, "[4,20]": 1, "[0,16]": IGNORED}


def test_an_expression_hardly_cut_belongs_to_the_window_and_is_clipped_to_it() -> None:
    targets = run((-1, 18, 4))  # 18 / 19 = 0.95
    assert named(targets)["[0,16]"] == 4
    assert targets.intervals[0, ANCHORS.intervals.tolist().index([0.0, 16.0])].tolist() == [0, 18]


def test_the_seen_part_of_a_cut_expression_is_ignored() -> None:
    # [-2,18] is seen for 18/20, not more than 0.9. IoU of [0,18] with [0,8] and [8,16] 8/18, [-4,12] 12/22,
    # [4,20] 14/20, [0,16] 16/18, [-8,24] 18/32. P8 is 10 from the farther end, P4 and P12 14 and 12, out of range.
    assert named(run((-2, 18, 4))) == dict.fromkeys(
        ["[0,8]", "[8,16]", "[-4,12]", "[4,20]", "[0,16]", "[-8,24]", "P8"], IGNORED
    )


def test_a_whole_expression_wins_where_a_cut_one_is_seen() -> None:
    assert named(run((-2, 18, 4), (8, 16, 1)))["[8,16]"] == 1


def test_at_a_coarse_rate_an_expression_too_short_for_it_is_neither_taught_nor_denied() -> None:
    # [9,16] is 7 frames: IoU with [8,16] is 7/8, and P12 lies inside.
    assert {name for name, answer in named(run((9, 16, 3))).items() if answer == 3} == {"P12", "[8,16]"}
    answers = named(run_coarse((9, 16, 3)))
    assert {"P12", "[8,16]"} <= set(answers)
    assert set(answers.values()) == {IGNORED}
    assert named(run_coarse((8, 16, 3))) == named(run((8, 16, 3)))


def test_a_piece_of_what_only_a_coarser_window_holds_is_denied() -> None:
    # 0.9 of 36 frames do not fit into 32; of 34 they do, so another window of this rate teaches it.
    finer = Reach(torch.zeros(1), torch.tensor([False]))
    for stop, kept in ((24, True), (26, False)):
        table = torch.tensor([[[-10.0, stop]]])
        targets = assign(table, torch.zeros(1, 1).long(), finer, ANCHORS, LENGTH, PARAMETERS, 1)
        assert bool(named(targets)) == kept
        assert IGNORED in named(run((-10, stop, 0))).values()


@pytest.mark.parametrize("truth", [(-20.0, 10.0), (40.0, 60.0), (-10.0, 0.0)])
def test_an_expression_hardly_seen_or_outside_is_background(truth: tuple[float, float]) -> None:
    assert named(run((*truth, 0))) == {}


def test_a_place_without_an_expression_is_no_expression() -> None:
    assert named(run((8, 16, NO_EMOTION))) == {}


def test_windows_of_a_batch_do_not_touch_each_other() -> None:
    intervals = torch.tensor([[[8.0, 18.0], [0.0, 0.0]], [[9.0, 14.0], [10.0, 14.0]]])
    emotions = torch.tensor([[3, NO_EMOTION], [1, 2]])
    both = assign(intervals, emotions, Reach(*(values.expand(2) for values in ONLY)), ANCHORS, LENGTH, PARAMETERS, 2)
    assert named(both, 0) == named(run((8, 18, 3)))
    assert named(both, 1) == named(run((9, 14, 1), (10, 14, 2)))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 31), st.integers(1, 16), st.integers(0, 5)), min_size=1, max_size=5), st.data()
)
def test_every_expression_inside_is_answered_for_and_order_does_not_matter(
    rows: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    lengths = {length: (start, min(start + length, LENGTH), emotion) for start, length, emotion in rows}
    truths = list({stop - start: (start, stop, emotion) for start, stop, emotion in lengths.values()}.values())
    targets = run(*truths)
    answered = {tuple(row) for row in targets.intervals[targets.classes >= 0].tolist()}
    assert answered == {(start, stop) for start, stop, _ in truths}
    assert named(run(*data.draw(st.permutations(truths)))) == named(targets)


def test_places_beyond_what_any_window_sees_change_nothing() -> None:
    # Of six truths the window sees three; the others lie beyond it or are padding.
    rows = [(40, 60, 0), (8, 22, 1), (0, 0, NO_EMOTION), (8, 18, 3), (-30, -4, 2), (-2, 18, 4)]
    table = torch.tensor(rows).float()[None]
    three, six = (
        assign(table[..., :2], table[..., 2].long(), ONLY, ANCHORS, LENGTH, PARAMETERS, most) for most in (3, 6)
    )
    assert all(few.equal(many) for few, many in zip(three, six, strict=True))
    assert {1, 3, IGNORED} <= set(three.classes.flatten().tolist())


def test_every_level_needs_a_range() -> None:
    parameters = dataclasses.replace(PARAMETERS, point_ranges=((0, 8),))
    with pytest.raises(ValueError, match="1 ranges, expected one for each of the 2 levels"):
        assign(torch.zeros(1, 1, 2), torch.full((1, 1), NO_EMOTION), ONLY, ANCHORS, LENGTH, parameters, 1)


@pytest.mark.parametrize("change", [{"negative_overlap": 0.6}, {"cut_share": 0.95}, {"whole_share": 1.0}])
def test_thresholds_that_contradict_each_other_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected 0 <="):
        dataclasses.replace(PARAMETERS, **change)
