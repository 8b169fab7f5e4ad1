"""Comparison of two sets of features of the same frames: largest absolute difference and cosine similarity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError

# Rows compared at once, so that memory stays flat in the length of a video.
BLOCK = 4096


@dataclass(frozen=True)
class Agreement:
    """How far features of the same frames are from each other.

    Attributes:
        frames: how many were compared; with none, the differences are 0 and the cosines 1.
        largest_difference: of any value, absolute.
        largest_value: of either side, absolute: what the difference is to be seen against.
        smallest_cosine: of the frame where the two directions differ most.
        mean_cosine: over the frames.
    """

    frames: int
    largest_difference: float
    largest_value: float
    smallest_cosine: float
    mean_cosine: float

    def is_within(self, tolerance: float) -> bool:
        """Return whether no value differs by more than this share of the largest, and no cosine from 1 by more."""
        return self.largest_difference <= tolerance * self.largest_value and self.smallest_cosine >= 1 - tolerance


def compare(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> Agreement:
    """Return how far ``(N, C)`` features are from ``(N, C)`` others of the same frames, row by row.

    Raises:
        DataError: they differ in shape.
    """
    if first.ndim != 2 or first.shape != second.shape:
        raise DataError(f"features of shapes {first.shape} and {second.shape} cannot be compared, expected one (N, C)")
    difference = value = total = 0.0
    smallest = 1.0
    for start in range(0, len(first), BLOCK):
        one, other = (side[start : start + BLOCK].astype(np.float32) for side in (first, second))
        cosine = _cosines(one, other)
        difference = max(difference, float(np.abs(one - other).max(initial=0)))
        value = max(value, float(np.abs(one).max(initial=0)), float(np.abs(other).max(initial=0)))
        smallest, total = min(smallest, float(cosine.min(initial=1))), total + float(cosine.sum())
    return Agreement(len(first), difference, value, smallest, total / len(first) if len(first) else 1.0)


def _cosines(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return ``(B,)`` cosines; two zero features point the same way, a zero one and another do not."""
    products, squares, others = (
        np.einsum("bc,bc->b", left, right, dtype=np.float64)
        for left, right in ((one, other), (one, one), (other, other))
    )
    lengths = np.sqrt(squares * others)
    both_zero = (squares == 0) & (others == 0)
    return np.where(both_zero, 1.0, np.minimum(products / np.where(lengths > 0, lengths, 1.0), 1.0))
