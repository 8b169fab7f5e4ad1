"""A fold learns to find expressions of a person it never saw, and the same seed gives the same weights anywhere."""

from __future__ import annotations

import dataclasses
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch

from pipeline.detectors import registry
from pipeline.detectors.decoding import Detections, detect
from pipeline.intervals import pairwise_iou
from pipeline.training import fold as training
from pipeline.training import folds
from pipeline.training.fold import FoldParameters, Trained, fold_seed, train_fold
from pipeline.training.folds import Fold
from pipeline.windows.recordings import Recording
from tests.pipeline.invented_features import CLASS_COUNT, DETECT, fold_parameters, record

CPU = torch.device("cpu")
SMALL = record(seed=5, subjects=3, videos=1, frame_count=200, width=8, expressions=2)
FOLD = Fold("without-s0", ("s1", "s2"), "s0")
QUICK = fold_parameters(8, epochs=2, warm_up_epochs=0)


def train(recordings: list[Recording], fold: Fold = FOLD, parameters: FoldParameters = QUICK) -> Trained:
    return train_fold(recordings, fold, parameters, CLASS_COUNT, CPU)


def as_bytes(trained: Trained) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in trained.state.items()}


def recall(recording: Recording, found: Detections) -> tuple[int, int]:
    """Return how many expressions overlap a confident detection by 0.5, and how many of these have its emotion."""
    sure = found.confidence >= 0.3
    overlap = pairwise_iou(recording.intervals, found.intervals[sure])
    if not sure.any():
        return 0, 0
    hit = overlap.max(axis=1) >= 0.5
    return int(hit.sum()), int((hit & (found.emotions[sure][overlap.argmax(axis=1)] == recording.emotions)).sum())


def test_expressions_of_a_person_never_seen_are_found() -> None:
    recordings = record(seed=3)
    fold = folds.leave_one_subject_out(recording.subject for recording in recordings)[0]
    parameters = fold_parameters()
    trained = train_fold(recordings, fold, parameters, CLASS_COUNT, CPU)
    detector = registry.build(parameters.network, parameters.own, 64, CLASS_COUNT)
    detector.load_state_dict(trained.state)
    unseen = [recording for recording in recordings if recording.subject in fold.held_out]
    found = detect(detector, unseen, parameters.train.normalisation, DETECT, CPU)
    hits, right = np.sum([recall(*pair) for pair in zip(unseen, found, strict=True)], axis=0)
    assert hits > 6  # of 10
    assert right > 3  # chance is 10 / 6
    assert sum((one.confidence >= 0.3).sum() for one in found) < 20
    assert trained.curve[-1].total < 0.7 * trained.curve[0].total


def test_the_same_seed_gives_the_same_bytes_in_another_process_and_in_any_order_of_videos() -> None:
    here = as_bytes(train(SMALL))
    # Sums come out in another order with another number of threads.
    threads, spawn = (torch.get_num_threads(),), multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=torch.set_num_threads, initargs=threads) as pool:
        there = pool.submit(train_fold, SMALL, FOLD, QUICK, CLASS_COUNT, CPU).result()
    assert as_bytes(there) == here
    assert as_bytes(train(SMALL[::-1])) == here


def test_another_seed_or_fold_name_gives_other_weights() -> None:
    other_seed = dataclasses.replace(QUICK, train=dataclasses.replace(QUICK.train, seed=2))
    renamed = dataclasses.replace(FOLD, name="other")
    weights = [as_bytes(trained) for trained in (train(SMALL), train(SMALL, FOLD, other_seed), train(SMALL, renamed))]
    assert weights[0] != weights[1] != weights[2] != weights[0]


def test_the_held_out_subject_changes_nothing() -> None:
    broken = dataclasses.replace(SMALL[0], features=np.full_like(SMALL[0].features, np.nan))
    assert as_bytes(train([broken, *SMALL[1:]])) == as_bytes(train(SMALL)) == as_bytes(train(SMALL[1:]))


def test_training_leaves_the_random_state_of_the_process_alone() -> None:
    before = torch.get_rng_state()
    train(SMALL)
    assert torch.get_rng_state().equal(before)


def test_every_epoch_is_reported() -> None:
    seen = []
    trained = train_fold(SMALL, FOLD, QUICK, CLASS_COUNT, CPU, progress=seen.append)
    assert seen == trained.curve
    assert [losses.epoch for losses in seen] == [1, 2]
    assert [tuple(losses.row()) for losses in seen] == [training.columns("fedn")] * 2
    assert all(math.isfinite(value) for losses in seen for value in losses.row().values())


def test_averaged_weights_lag_behind() -> None:
    averaged = dataclasses.replace(QUICK, train=dataclasses.replace(QUICK.train, ema_decay=0.9))
    assert as_bytes(train(SMALL, FOLD, averaged)) != as_bytes(train(SMALL))


def test_averages_take_the_first_step_s_weights_and_then_follow_them() -> None:
    # 3, then 3 + (5 - 3) / 4, then 3.5 + (1.5 - 3.5) / 4.
    layer, found = torch.nn.Linear(1, 1, bias=False), []
    averaged = [torch.tensor([[float("1e30")]])]
    for weight, decay in ((3.0, 0.0), (5.0, 0.75), (1.5, 0.75)):
        torch.nn.init.constant_(layer.weight, weight)
        training._average(averaged, layer, decay)
        found.append(averaged[0].item())
    assert found == [3.0, 3.5, 3.0]


def test_a_video_of_one_frame_can_be_trained_on() -> None:
    single = dataclasses.replace(
        without_expressions(SMALL[1]), video="one", features=SMALL[1].features[:1], face_found=np.array([True])
    )
    assert len(train([*SMALL, single]).curve) == 2


def test_seeds_of_folds_differ_and_stay() -> None:
    # python -c "import hashlib; print(int.from_bytes(hashlib.sha256(b'1/all').digest()[:8], 'big') >> 1)"
    assert fold_seed(1, "all") == 6372759050501611510
    assert len({fold_seed(seed, name) for seed in (1, 11) for name in ("all", "1/all", "without-s1")}) == 6


def without_expressions(recording: Recording) -> Recording:
    return dataclasses.replace(recording, intervals=np.empty((0, 2), np.int64), emotions=np.empty(0, np.int64))


def test_a_fold_without_expressions_is_refused() -> None:
    with pytest.raises(ValueError, match="'without-s0': the 2 subjects to train on have no expressions"):
        train([SMALL[0], *(without_expressions(recording) for recording in SMALL[1:])])


def test_a_fold_without_a_whole_expression_in_any_window_is_refused() -> None:
    long = [
        dataclasses.replace(without_expressions(r), intervals=np.array([[0, 200]]), emotions=np.array([0]))
        for r in SMALL
    ]
    with pytest.raises(ValueError, match="no window of 128 frames holds a whole expression"):
        train(long)


def test_a_subject_without_recordings_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no recording of s2"):
        train(SMALL[:2])


def test_an_emotion_beyond_the_classes_is_refused_by_video() -> None:
    wrong = dataclasses.replace(SMALL[1], emotions=np.array([0, CLASS_COUNT]))
    with pytest.raises(ValueError, match=r"video 's1_0': emotions are .*expected 0 to 5"):
        train([wrong, *SMALL[2:]])


def test_features_that_are_not_finite_are_refused_by_video() -> None:
    broken = dataclasses.replace(SMALL[1], features=np.full_like(SMALL[1].features, np.nan))
    with pytest.raises(ValueError, match="video 's1_0': the features of frame 0 are not finite"):
        train([SMALL[0], broken, SMALL[2]])


@pytest.mark.parametrize(
    "change",
    [{"epochs": 0}, {"ema_decay": 1.0}, {"schedule": "linear"}, {"normalisation": "z"}, {"weight_decay": -1.0}],
)
def test_parameters_out_of_range_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        dataclasses.replace(QUICK.train, **change)  # type: ignore[arg-type]
