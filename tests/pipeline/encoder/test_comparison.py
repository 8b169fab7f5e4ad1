"""How far two sets of features are apart is worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.encoder import comparison
from pipeline.encoder.comparison import Agreement, compare
from pipeline.errors import DataError


def test_the_largest_difference_and_the_cosines_are_those_worked_out_by_hand() -> None:
    first = np.array([[3, 4], [1, 0]], np.float16)
    second = np.array([[3, 4], [1, 1]], np.float16)
    found = compare(first, second)
    assert (found.frames, found.largest_difference, found.largest_value) == (2, 1, 4)
    assert found.smallest_cosine == pytest.approx(1 / np.sqrt(2))
    assert found.mean_cosine == pytest.approx((1 + 1 / np.sqrt(2)) / 2)


def test_equal_features_agree_and_zero_agrees_with_zero_alone() -> None:
    values = np.array([[0, 0], [1, 2]], np.float16)
    assert compare(values, values) == Agreement(2, 0, 2, 1, 1)
    assert compare(values, np.array([[1, 0], [1, 2]], np.float16)).smallest_cosine == 0


def test_nothing_agrees_with_nothing() -> None:
    assert compare(np.empty((0, 4), np.float16), np.empty((0, 4), np.float32)) == Agreement(0, 0, 0, 1, 1)


def test_large_values_do_not_overflow() -> None:
    largest = np.full((1, 512), 65504, np.float16)
    assert compare(largest, largest).smallest_cosine == pytest.approx(1)
    assert compare(largest, -largest).largest_difference == 131008


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    first, second = generator.random((7, 3)), generator.random((7, 3))
    whole = compare(first, second)
    monkeypatch.setattr(comparison, "BLOCK", 2)
    assert compare(first, second).mean_cosine == pytest.approx(whole.mean_cosine)
    assert compare(first, second).largest_difference == whole.largest_difference


@pytest.mark.parametrize(
    ("difference", "cosine", "within"), [(0.1, 0.99, True), (0.11, 0.99, False), (0.1, 0.98, False)]
)
def test_the_tolerance_is_a_share_of_the_largest_value_and_of_a_cosine(
    difference: float, cosine: float, within: bool
) -> None:
    assert Agreement(1, difference, 10, cosine, cosine).is_within(0.01) is within


def test_features_of_other_shapes_are_not_compared() -> None:
    with pytest.raises(DataError, match=r"\(2, 3\) and \(2, 4\)"):
        compare(np.zeros((2, 3)), np.zeros((2, 4)))
