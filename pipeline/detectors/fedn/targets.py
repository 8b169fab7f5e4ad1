"""Label assignment: which predictions answer for which expression, by IoU and level ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.detectors.fedn.anchors import POINT, Anchors
from pipeline.detectors.fedn.classification import IGNORED, NEGATIVE
from pipeline.errors import DataError
from pipeline.windows.membership import Reach, belongs, visible_share
from pipeline.windows.recordings import NO_EMOTION


@dataclass(frozen=True)
class MatchParameters:
    """Thresholds of label assignment: when a prediction answers for an expression.

    Attributes:
        positive_overlap: an anchor is positive above this IoU.
        negative_overlap: an anchor is negative below this IoU; between the two it is ignored.
        whole_share: an expression belongs to a window when more than this share of it lies inside.
        cut_share: of an expression that does not belong, but of which more than this share lies inside, the
            predictions on the visible part are ignored; as great as `whole_share`, they are negative.
        point_ranges: per level, the least and greatest distance in frames from an anchor-free point to the farther
            end of the expression it may find, both inclusive.
    """

    positive_overlap: float
    negative_overlap: float
    whole_share: float
    cut_share: float
    point_ranges: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        """Raise ValueError for values that contradict each other."""
        if not 0 <= self.negative_overlap <= self.positive_overlap <= 1:
            raise ValueError(
                f"negative_overlap is {self.negative_overlap} and positive_overlap {self.positive_overlap}, "
                "expected 0 <= negative_overlap <= positive_overlap <= 1"
            )
        if not 0 <= self.cut_share <= self.whole_share < 1:
            raise ValueError(
                f"cut_share is {self.cut_share} and whole_share {self.whole_share}, "
                "expected 0 <= cut_share <= whole_share < 1"
            )


class Targets(NamedTuple):
    """Training targets of P predictions of B windows.

    `classes` ``(B, P)`` int64: the index of the emotion, NEGATIVE where there is none, IGNORED where either answer
    may stand. `intervals` ``(B, P, 2)`` float32 frames in the window: zeros unless there is an emotion.
    """

    classes: Tensor
    intervals: Tensor


class OrderedTruths(NamedTuple):
    """Expressions of B windows, the shortest first, so that the first that fits is the one that wins.

    `intervals` ``(B, G, 2)`` float32, clipped to the window; `emotions` ``(B, G)``; `whole` and `cut` ``(B, G)`` bool.
    """

    intervals: Tensor
    emotions: Tensor
    whole: Tensor
    cut: Tensor


def assign(
    intervals: Tensor,
    emotions: Tensor,
    reach: Reach,
    anchors: Anchors,
    length: int,
    parameters: MatchParameters,
    most: int,
) -> Targets:
    """Return the training targets of every prediction of a batch of windows; nothing is read back from a GPU.

    An expression cut by the window's edge is neither taught nor denied (`cut_share` says from when): its frames are
    those of an expression, and another window that overlaps this one teaches it whole, unless it is longer than any. So
    it is with an expression too short for a window of a coarse rate: a finer one teaches it. What a coarser window
    alone can hold is no expression here.

    Args:
        intervals: ``(B, G, 2)`` float32 frames in the window, with bounds outside it where expressions are.
        emotions: ``(B, G)`` int64, NO_EMOTION where a window has fewer than G.
        reach: which expressions are for each window to find.
        anchors: the P predictions' places.
        length: frames of a window.
        parameters: see MatchParameters.
        most: at least 1 and no fewer than any window sees (`sampling.most_seen`); what is beyond is not matched.

    Raises:
        DataError: there is not one range for each level of the anchors.
    """
    truths = _sort(intervals, emotions, reach, length, parameters, most)
    anchored = _match_anchors(truths, anchors, parameters)  # (B, P): the truth's position, NEGATIVE or IGNORED
    free = _match_points(truths, anchors, parameters)
    matched = torch.where(anchors.kind == POINT, free, anchored)
    truth = matched.clamp(min=0)
    classes = torch.where(matched >= 0, truths.emotions.gather(1, truth), matched)
    placed = truths.intervals.gather(1, truth[..., None].expand(-1, -1, 2))  # (B, P, 2)
    return Targets(classes, torch.where(matched[..., None] >= 0, placed, 0.0))


def _sort(
    intervals: Tensor,
    emotions: Tensor,
    reach: Reach,
    length: int,
    parameters: MatchParameters,
    most: int,
) -> OrderedTruths:
    """Return the truths by visible length, those of equal length as they came, and only the first `most`."""
    whole = belongs(intervals, emotions, reach.least, length, parameters.whole_share)
    # A piece of an expression that only a coarser window can hold is denied: told as one, it would be found many times.
    fits = (intervals[..., 1] - intervals[..., 0]) * parameters.whole_share < length
    told = (emotions != NO_EMOTION) & (fits | reach.coarsest[:, None])
    cut = (visible_share(intervals, length) > parameters.cut_share) & told & ~whole
    seen = intervals.clamp(0, length)
    duration = (seen[..., 1] - seen[..., 0]).masked_fill(~(whole | cut), float("inf"))
    order = duration.argsort(dim=1, stable=True)[:, :most]
    placed = seen.gather(1, order[..., None].expand(-1, -1, 2))
    return OrderedTruths(placed, *(values.gather(1, order) for values in (emotions, whole, cut)))


def _match_anchors(truths: OrderedTruths, anchors: Anchors, parameters: MatchParameters) -> Tensor:
    """Return ``(B, P)``: by IoU; then, the shortest first, each truth keeps the best anchor not yet kept."""
    overlap = _overlap(truths.intervals, anchors)  # (B, G, P)
    whole = overlap.masked_fill(~truths.whole[..., None], 0.0)
    cut = overlap.masked_fill(~truths.cut[..., None], 0.0).amax(dim=1)  # (B, P)
    best, truth = whole.max(dim=1)  # ties: the first, which is the shortest
    matched = torch.where(best.maximum(cut) < parameters.negative_overlap, NEGATIVE, IGNORED)
    matched = torch.where(best > parameters.positive_overlap, truth, matched)
    free = torch.ones_like(matched, dtype=torch.bool)
    for position in range(truths.whole.shape[1]):
        quality, anchor = whole[:, position].masked_fill(~free, 0.0).max(dim=1, keepdim=True)  # (B, 1)
        kept = quality > 0
        matched.scatter_(1, anchor, torch.where(kept, position, matched.gather(1, anchor)))
        free.scatter_(1, anchor, free.gather(1, anchor) & ~kept)
    return matched


def _match_points(truths: OrderedTruths, anchors: Anchors, parameters: MatchParameters) -> Tensor:
    """Return ``(B, P)``: the shortest truth around each point whose farther end lies in the range of its level."""
    given = len(parameters.point_ranges)
    if given != anchors.level_count:
        raise DataError(f"point_ranges has {given} ranges, expected one for each of the {anchors.level_count} levels")
    least, greatest = _ranges(anchors, parameters)
    before = anchors.center - truths.intervals[..., :1]  # (B, G, P)
    after = truths.intervals[..., 1:] - anchors.center
    farther = before.maximum(after)
    fits = (before > 0) & (after > 0) & (farther >= least) & (farther <= greatest)
    found, truth = (fits & truths.whole[..., None]).byte().max(dim=1)  # ties: the first, which is the shortest
    ignored = (fits & truths.cut[..., None]).any(dim=1)
    return torch.where(found.bool(), truth, torch.where(ignored, IGNORED, NEGATIVE))


def _ranges(anchors: Anchors, parameters: MatchParameters) -> tuple[Tensor, Tensor]:
    """Return the least and the greatest distance of each prediction's level, ``(P,)`` both."""
    least, greatest = torch.empty_like(anchors.center), torch.empty_like(anchors.center)
    for level, (near, far) in enumerate(parameters.point_ranges):
        # Filled in place: a tensor made from Python's numbers is copied to a GPU, which halts every step.
        here = anchors.level == level
        least.masked_fill_(here, near)
        greatest.masked_fill_(here, far)
    return least, greatest


def _overlap(intervals: Tensor, anchors: Anchors) -> Tensor:
    """Return the IoU ``(B, G, P)`` of ``(B, G, 2)`` intervals with every anchor; a point overlaps nothing."""
    start, stop = anchors.intervals.unbind(dim=-1)  # (P,)
    shared = (intervals[..., 1:].minimum(stop) - intervals[..., :1].maximum(start)).clamp(min=0)
    union = (intervals[..., 1:] - intervals[..., :1]) + anchors.width - shared
    return (shared / union.clamp(min=1e-6)).masked_fill(anchors.kind == POINT, 0.0)
