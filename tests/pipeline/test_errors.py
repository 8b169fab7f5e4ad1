"""Data that nothing can be made of is a `DataError`; a call in which nobody may call is a plain `ValueError`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from pipeline import intervals
from pipeline.detectors.fedn.segments import Segments
from pipeline.encoder import resnet, rows
from pipeline.encoder.preparation import IMAGENET_DEVIATION, IMAGENET_MEAN, Preprocessing
from pipeline.errors import DataError
from pipeline.training import folds
from pipeline.windows import sliding


@pytest.mark.parametrize(
    "refused",
    [
        lambda: folds.leave_one_subject_out(["ann"]),
        lambda: folds.everyone([]),
        lambda: intervals.check(np.array([[5, 5]]), "truths"),
        lambda: rows.to_frames(np.zeros((3, 8), np.float32), 100, 0, 1),
        lambda: sliding.slide(100, 64, 65),
        lambda: resnet.check({}),
        lambda: Segments(window_frames=64, frames=8, stride=9),
    ],
)
def test_data_and_choices_that_nothing_can_be_made_of_are_refused(refused: Callable[[], object]) -> None:
    with pytest.raises(DataError):
        refused()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: intervals.check(np.zeros(3), "truths"),
        lambda: sliding.slide(0, 64, 8),
        lambda: resnet.build(
            resnet.random_weights(0),
            Preprocessing(32, "colour", IMAGENET_MEAN, IMAGENET_DEVIATION),
            torch.device("cpu"),
        )(torch.zeros(1, 32, 32, 3)),
    ],
)
def test_a_call_in_which_nobody_may_call_is_a_bug(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError) as caught:  # the kind alone is what matters here
        wrong()
    assert not isinstance(caught.value, DataError)
