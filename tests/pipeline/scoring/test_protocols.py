"""The published protocols: where each deviates from ours, on the smallest case that shows it."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.scoring.counts import Counts
from pipeline.scoring.protocols import PROTOCOLS
from tests.pipeline.invented_results import video

# Rows of a table: what is annotated, what is detected, and tp by protocol in the order of PROTOCOLS:
# one_to_one, megc_2020, softnet_mean_me_tst, lgsnet, auw_gcn, auw_gcn_2025, spotformer.
HAND_WORKED = {
    "a perfect detection": ([(0, 10, 0)], [(0, 10, 0, 0.9)], [1, 1, 1, 1, 1, 1, 1]),
    "nothing in common": ([(0, 10, 0)], [(50, 60, 0, 0.9)], [0, 0, 0, 0, 0, 0, 0]),
    "nothing annotated": ([], [(50, 60, 0, 0.9)], [0, 0, 0, 0, 0, 0, 0]),
    "nothing detected": ([(0, 10, 0)], [], [0, 0, 0, 0, 0, 0, 0]),
    # Inclusive 5/10 is enough; exclusive 4/9 is not.
    "half of ten frames": ([(0, 10, 0)], [(0, 5, 0, 0.9)], [1, 1, 1, 1, 0, 0, 0]),
    # Inclusive 4/8 and 8/16; exclusive 3/7 and 7/15.
    "half of eight frames": ([(0, 8, 0)], [(0, 4, 0, 0.9)], [1, 1, 1, 1, 0, 0, 0]),
    "eight frames detected twice as long": ([(0, 8, 0)], [(0, 16, 0, 0.9)], [1, 1, 1, 1, 0, 0, 0]),
    # Inclusive 6/10, exclusive 5/9; one frame further it is 5/11 and 4/10.
    "eight frames two too late": ([(0, 8, 0)], [(2, 10, 0, 0.9)], [1, 1, 1, 1, 1, 1, 1]),
    "eight frames three too late": ([(0, 8, 0)], [(3, 11, 0, 0.9)], [0, 0, 0, 0, 0, 0, 0]),
    # Exclusive lengths 8 and 4 share 4: exactly a half, which SpotFormer takes and AUW-GCN does not.
    "exclusive half": ([(0, 9, 0)], [(0, 5, 0, 0.9)], [1, 1, 1, 1, 0, 0, 1]),
    # [10, 20) begins where [0, 10) ends.
    "touching": ([(0, 10, 0)], [(10, 20, 0, 0.9)], [0, 0, 0, 0, 0, 0, 0]),
    # Inclusive 10/20 with each of the two; exclusive 9/19.
    "one detection on two touching truths": ([(0, 10, 0), (10, 20, 0)], [(0, 20, 0, 0.9)], [1, 2, 1, 2, 0, 0, 0]),
    # Two truths [0, 10) and [2, 12); [0, 12) overlaps each by 10/12, exclusive 9/11.
    "one detection on two overlapping truths": ([(0, 10, 0), (2, 12, 0)], [(0, 12, 0, 0.9)], [1, 2, 1, 2, 1, 1, 1]),
    # Both detections like [0, 20) best (20/20, 19/20); the second also fits [4, 20) by 16/19, exclusive 15/18, and
    # better than the first does (15/19).
    "two detections with one favourite": (
        [(0, 20, 0), (4, 20, 0)],
        [(0, 20, 0, 0.9), (1, 20, 0, 0.8)],
        [2, 2, 1, 2, 2, 2, 2],
    ),
    # Both truths like [0, 20) best: 18/20 and 16/20, exclusive 17/19 and 15/19; [0, 13) fits [0, 18) by 13/18.
    "two truths with one favourite": (
        [(0, 18, 0), (4, 20, 0)],
        [(0, 20, 0, 0.9), (0, 13, 0, 0.8)],
        [1, 2, 1, 2, 2, 1, 1],
    ),
    # [0, 100) with [0, 60) and [40, 100): 60/100 each.
    "two detections on one truth": ([(0, 100, 0)], [(0, 60, 0, 0.9), (40, 100, 0, 0.8)], [1, 1, 1, 1, 2, 1, 1]),
    "two as sure on one truth": ([(0, 100, 0)], [(0, 60, 0, 0.9), (40, 100, 0, 0.9)], [1, 1, 1, 1, 2, 1, 1]),
    # Exclusive lengths are 0, so nothing fits, not even itself; MEGC 2020 gives offset <= onset an IoU of 0, and LGSNet
    # adds a truth of one frame to neither kind.
    "single frames far apart": ([(0, 1, 0)], [(70, 71, 0, 0.9)], [0, 0, 0, 0, 0, 0, 0]),
    "the same single frame": ([(5, 6, 0)], [(5, 6, 0, 0.9)], [1, 0, 1, 0, 0, 0, 0]),
    # Inclusive 1/2; one of the two does not last. Exclusive 0/1.
    "a single frame detected in an event of two": ([(5, 7, 0)], [(5, 6, 0, 0.9)], [1, 0, 1, 1, 0, 0, 0]),
    "two frames detected around an event of one": ([(5, 6, 0)], [(5, 7, 0, 0.9)], [1, 0, 1, 0, 0, 0, 0]),
    # MEGC 2020 finds one frame in common where there is none: 1 of 2 + 2 - 1.
    "two frames each, apart": ([(0, 2, 0)], [(70, 72, 0, 0.9)], [0, 0, 0, 0, 0, 0, 0]),
    "the same two frames": ([(0, 2, 0)], [(0, 2, 0, 0.9)], [1, 1, 1, 1, 1, 1, 1]),
}


@pytest.mark.parametrize("case", HAND_WORKED)
def test_every_protocol_counts_as_worked_by_hand(case: str) -> None:
    truths, found, expected = HAND_WORKED[case]
    counts = [protocol.count([video("a", truths, found)]) for protocol in PROTOCOLS.values()]
    assert [each.tp for each in counts] == expected
    assert {(each.n, each.m) for each in counts} == {(len(found), len(truths))}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_says_in_prose_how_it_counts(name: str) -> None:
    told = asdict(PROTOCOLS[name])
    del told["count"]
    assert all(told.values())


def test_lgsnet_cuts_bounds_to_whole_frames() -> None:
    # The offset 19.5 becomes 19: 10/20 of [0, 9] is enough. As it stands it is 10/20.5.
    truth, found = np.array([[0, 10]]), np.array([[0, 20.5]])
    result = replace(video("a", [(0, 10, 0)], [(0, 20, 0, 0.9)]), truth_intervals=truth, intervals=found)
    assert [PROTOCOLS[name].count([result]).tp for name in ("one_to_one", "lgsnet")] == [0, 1]
    # What lasts less than a frame is one frame then, not none.
    instant = replace(result, intervals=np.array([[5.0, 5.5]]))
    assert PROTOCOLS["lgsnet"].count([instant]).tp == 0


def test_the_paper_s_row_of_205_detections_gives_its_f1() -> None:
    # 2 * 129 / (205 + 300) = 0.511: the column headed FP holds n.
    assert round(Counts(tp=129, n=205, m=300).f1, 3) == 0.511


def test_quotients_of_nothing_are_zero() -> None:
    assert Counts(0, 0, 0).figures() == {"tp": 0, "n": 0, "m": 0, "precision": 0.0, "recall": 0.0, "f1": 0.0}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_counts_are_summed_over_the_corpus(name: str) -> None:
    videos = [video("a", [(0, 20, 0)], [(0, 20, 0, 0.9), (90, 99, 0, 0.1)]), video("b", [(0, 9, 0)]), video("c", [])]
    assert PROTOCOLS[name].count(videos) == Counts(tp=1, n=2, m=2)
    assert PROTOCOLS[name].count(videos[::-1]) == Counts(tp=1, n=2, m=2)


@pytest.mark.parametrize("turn", [1, -1])
def test_spotformer_serves_truths_in_the_order_of_time_not_of_rows(turn: int) -> None:
    # [0, 20) takes [1, 21) by 18/20, though [0, 12) would do by 11/19; nothing is left for [2, 22) but 9/21.
    truths, found = [(0, 20, 0), (2, 22, 0)], [(1, 21, 0, 0.9), (0, 12, 0, 0.8)]
    assert PROTOCOLS["spotformer"].count([video("a", truths[::turn], found[::turn])]).tp == 1


@pytest.mark.parametrize("name", PROTOCOLS)
@settings(deadline=None)
@given(lengths=st.lists(st.integers(2, 60), min_size=1, max_size=8))
def test_the_truth_scores_one(name: str, lengths: list[int]) -> None:
    stops = np.cumsum(np.array(lengths) + 3)
    rows = [(int(stop) - length, int(stop), 0) for stop, length in zip(stops, lengths, strict=True)]
    assert PROTOCOLS[name].count([video("a", rows, [(*row, 0.5) for row in rows])]).f1 == 1.0


@settings(deadline=None)
@given(st.integers(0, 300).map(np.random.default_rng))
def test_where_truths_do_not_overlap_the_inclusive_protocols_agree(generator: np.random.Generator) -> None:
    starts = np.arange(0, 900, 100)
    truths = [(int(start), int(start) + int(generator.integers(3, 99)), 0) for start in starts]
    jitter = generator.integers(-9, 10, (len(truths), 2))
    found = [
        (start + int(early), max(stop + int(late), start + int(early) + 2), 0, 0.5)
        for (start, stop, _), (early, late) in zip(truths, jitter, strict=True)
    ]
    videos = [video("a", truths, found)]
    assert len({PROTOCOLS[name].count(videos) for name in ("one_to_one", "softnet_mean_me_tst", "lgsnet")}) == 1
