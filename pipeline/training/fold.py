"""Training loop of one fold: the detector learns from the subjects of the fold and from nothing else."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from pipeline.detectors.fedn.losses import LossParameters, detection_loss
from pipeline.detectors.fedn.network import Detector, DetectorParameters
from pipeline.detectors.fedn.targets import MatchParameters, assign
from pipeline.errors import DataError
from pipeline.precision import exact_float32
from pipeline.schedules import SCHEDULES, share_of_full_rate
from pipeline.training.folds import Fold
from pipeline.windows.augmentation import AugmentParameters, Noise, disturb, draw_noise, move
from pipeline.windows.membership import MOST_STRETCH, reach_of
from pipeline.windows.normalisation import NORMALISATIONS
from pipeline.windows.recordings import (
    NO_EMOTION,
    Corpus,
    Cuts,
    Recording,
    Stack,
    cut,
    gather_in_memory,
    on_device,
    take,
    truths_of,
)
from pipeline.windows.sampling import Candidates, candidates, draw, most_seen


@dataclass(frozen=True)
class TrainParameters:
    """Optimisation of a fold: epochs, steps, learning rate, weight decay and what steadies them.

    Attributes:
        seed: with the fold's name it decides all that is random in the fold.
        epochs: passes over the windows with an expression.
        batch_size: windows.
        learning_rate: of Adam, after the warm-up.
        weight_decay: of Adam (added to the gradient).
        warm_up_epochs: the learning rate rises from 0 to its value over these; 0 starts with it.
        schedule: what follows the warm-up, a name in `SCHEDULES`.
        gradient_limit: longer gradients (norm over all weights) are cut to this length; 0 leaves them.
        averaging: the detector's weights are an exponential moving average over steps with this decay; 0 takes the
            last step's.
        window_stride: frames between the starts of two training windows.
        background_per_positive: windows without a whole expression for each one with it.
        normalisation: a name in `NORMALISATIONS`; detection uses the same.
    """

    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warm_up_epochs: int
    schedule: Literal["constant", "cosine"]
    gradient_limit: float
    averaging: float
    window_stride: int
    background_per_positive: float
    normalisation: Literal["none", "video", "subject"]

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        for name in ("epochs", "batch_size", "learning_rate", "window_stride"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0")
        for name in ("seed", "weight_decay", "warm_up_epochs", "gradient_limit", "background_per_positive"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 0")
        if not 0 <= self.averaging < 1:
            raise ValueError(f"averaging is {self.averaging}, expected 0 up to below 1")
        for name, choices in (("schedule", list(SCHEDULES)), ("normalisation", list(NORMALISATIONS))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(choices)}")


@dataclass(frozen=True)
class FoldParameters:
    """All that a fold is trained with, one dataclass for each file that it controls."""

    detector: DetectorParameters
    loss: LossParameters
    match: MatchParameters
    augment: AugmentParameters
    train: TrainParameters

    def __post_init__(self) -> None:
        """Raise ValueError for values of two parts that contradict each other."""
        ranges, levels = len(self.match.point_ranges), len(self.detector.neck_widths)
        if ranges != levels:
            raise ValueError(f"point_ranges has {ranges} ranges, expected one for each of the {levels} levels")
        if len(self.detector.window_rates) > 1 and self.augment.stretch >= MOST_STRETCH:
            raise ValueError(
                f"stretch is {self.augment.stretch}, expected below {MOST_STRETCH} with several window_rates: "
                "a window would pass for one of another rate"
            )


# The kinds of FoldParameters' fields, in their order: a flat section of parameters is split over them.
PARTS = (DetectorParameters, LossParameters, MatchParameters, AugmentParameters, TrainParameters)


class EpochLosses(NamedTuple):
    """Means over the steps of one epoch, on the subjects trained on; never on the held-out one."""

    epoch: int  # from 1
    windows: int
    total: float
    interval: float
    classification: float


class Trained(NamedTuple):
    """The weights on the CPU, by name, and one row per epoch."""

    state: dict[str, Tensor]
    curve: list[EpochLosses]


Progress = Callable[[EpochLosses], None]


def train_fold(
    recordings: Sequence[Recording],
    fold: Fold,
    parameters: FoldParameters,
    class_count: int,
    device: torch.device,
    progress: Progress | None = None,
) -> Trained:
    """Return a detector trained on the fold's subjects; recordings of other subjects are not looked at.

    Of many folds of one corpus `train_gathered` spares each its copy of the features, with the same result.

    Args:
        recordings: of all subjects, or of the fold's only; their order is of no consequence.
        device: where to train.
        fold, parameters, class_count, progress: as in `train_gathered`.

    Raises:
        DataError: as in `train_gathered`, or a recording contradicts itself (see `gather`).
    """
    _check_subjects(fold, {recording.subject for recording in recordings})
    chosen = [recording for recording in recordings if recording.subject in fold.train_subjects]
    corpus = gather_in_memory(chosen, parameters.train.normalisation)
    return train_gathered(on_device(corpus, device), fold, parameters, class_count, progress)


def train_gathered(
    corpus: Corpus, fold: Fold, parameters: FoldParameters, class_count: int, progress: Progress | None = None
) -> Trained:
    """Return a detector trained on the fold's subjects, where the corpus lies; other subjects are not looked at.

    The order of the videos is of no consequence. On a CPU the same seed gives the same bytes in any process that has
    the same number of threads; the process's own random state is left as it was.

    Args:
        corpus: of all subjects, or of the fold's only, normalised as the parameters say.
        fold: whom to train on; its name and the seed decide all that is random.
        parameters: see FoldParameters.
        class_count: emotions are 0 up to below this.
        progress: called after every epoch.

    Raises:
        DataError: a subject has no video, no window holds a whole expression, an emotion is not below class_count,
            or a loss is not finite.
    """
    stacked = _choose(corpus, fold, class_count)
    settings, device = parameters.train, stacked.features.device
    seed = fold_seed(settings.seed, fold.name)
    generators = Generators.seeded(seed, device)
    length = parameters.detector.window_frames
    rates, share = parameters.detector.window_rates, parameters.match.whole_share
    among = candidates(stacked, length, settings.window_stride, rates, share)
    if not len(among.positive.starts):
        raise DataError(
            f"fold {fold.name!r}: no window of {length} frames holds a whole expression. "
            "Use longer windows, or check that onsets and offsets are in frames of these videos"
        )
    most = most_seen(stacked, length * rates[-1] * (1 + parameters.augment.stretch))
    with _own_randomness(seed, device), exact_float32():
        detector = Detector(parameters.detector, stacked.features.shape[1], class_count).to(device)
        curve = list(_learn(detector, stacked, among, most, parameters, generators, progress or _ignore))
    return Trained({name: value.detach().cpu().clone() for name, value in detector.state_dict().items()}, curve)


def fold_seed(seed: int, fold_name: str) -> int:
    """Return a seed of 63 bits of its own for every fold, the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{fold_name}".encode()).digest()[:8], "big") >> 1


class Generators(NamedTuple):
    """Sources of randomness: for where windows lie, on the CPU, and for noise, on the device."""

    windows: torch.Generator
    noise: torch.Generator

    @classmethod
    def seeded(cls, seed: int, device: torch.device) -> Generators:
        """Return both, begun from one seed."""
        return cls(torch.Generator().manual_seed(seed), torch.Generator(device).manual_seed(seed + 1))


def _learn(
    detector: Detector,
    stacked: Stack,
    among: Candidates,
    most: int,
    parameters: FoldParameters,
    generators: Generators,
    progress: Progress,
) -> Iterator[EpochLosses]:
    """Yield each epoch's losses, read back once an epoch; at the end the detector holds the weights to keep."""
    settings = parameters.train
    optimiser = torch.optim.Adam(
        detector.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    averaged = [weights.detach().clone() for weights in detector.parameters()]
    step, channels = 0, stacked.features.shape[1]
    detector.train()
    for epoch in range(1, settings.epochs + 1):
        drawn = draw(among, settings.background_per_positive, generators.windows)
        drawn = move(drawn, stacked, parameters.detector.window_frames, parameters.augment, generators.windows)
        batches = list(zip(*(torch.split(values, settings.batch_size) for values in drawn), strict=True))
        sums = torch.zeros(3, device=stacked.features.device)
        for batch in batches:
            steps, warm_up_steps = settings.epochs * len(batches), settings.warm_up_epochs * len(batches)
            share = share_of_full_rate(step, steps, warm_up_steps, settings.schedule)
            optimiser.param_groups[0]["lr"] = settings.learning_rate * share
            noise = draw_noise(len(batch[0]), channels, parameters.augment, generators.noise)
            sums += _step(detector, stacked, Cuts(*batch), noise, most, parameters, optimiser)
            _average(averaged, detector, settings.averaging if step else 0.0)
            step += 1
        total, interval, classification = (sums / len(batches)).tolist()
        if not math.isfinite(total):
            raise DataError(f"The loss is {total} in epoch {epoch}. Lower learning_rate or set gradient_limit")
        losses = EpochLosses(epoch, len(drawn.starts), total, interval, classification)
        progress(losses)
        yield losses
    for weights, mean in zip(detector.parameters(), averaged, strict=True):
        weights.detach().copy_(mean)


def _step(
    detector: Detector,
    stacked: Stack,
    cuts: Cuts,
    noise: Noise,
    most: int,
    parameters: FoldParameters,
    optimiser: torch.optim.Optimizer,
) -> Tensor:
    """Change the weights by one batch and return its losses ``(3,)``: total, interval, classification.

    Nothing is read back: a GPU works through an epoch's steps without waiting for the processor.
    """
    length = parameters.detector.window_frames
    features, mask = cut(stacked, cuts, length)
    features = disturb(features, noise)
    reach = reach_of(cuts, length, parameters.detector.window_rates)
    targets = assign(*truths_of(stacked, cuts), reach, detector.anchors, length, parameters.match, most)
    losses = detection_loss(detector(features, mask), targets, parameters.loss)
    optimiser.zero_grad()
    torch.autograd.backward(losses.total)
    if parameters.train.gradient_limit:
        torch.nn.utils.clip_grad_norm_(detector.parameters(), parameters.train.gradient_limit)
    optimiser.step()
    return torch.stack([losses.total, losses.interval, losses.classification]).detach()


def _average(averaged: Sequence[Tensor], detector: Detector, decay: float) -> None:
    """Move the averages, one of each of the detector's weights, towards these in place; a decay of 0 takes them.

    Written out because torch's `AveragedModel` copies its count of steps to the GPU in each, and a copy waits.
    """
    for mean, weights in zip(averaged, detector.parameters(), strict=True):
        mean.lerp_(weights.detach(), 1 - decay)


def _choose(corpus: Corpus, fold: Fold, class_count: int) -> Stack:
    """Return the fold's videos by subject and name, or raise DataError where they cannot teach."""
    _check_subjects(fold, set(corpus.subjects))
    named = enumerate(zip(corpus.subjects, corpus.videos, strict=True))
    rows = [row for _, row in sorted((name, row) for row, name in named if name[0] in fold.train_subjects)]
    stacked = take(corpus.stacked, rows)
    if not (stacked.emotions != NO_EMOTION).any():
        raise DataError(
            f"fold {fold.name!r}: the {len(fold.train_subjects)} subjects to train on have no expressions. "
            "Check the expressions that the index stage found, and the kind and classes chosen"
        )
    places = zip(stacked.first.tolist(), stacked.frame_counts.tolist(), strict=True)
    if not any(stacked.face_found[first : first + count].any() for first, count in places):
        raise DataError(
            f"fold {fold.name!r}: no face in any frame of the {len(rows)} videos to train on. "
            "Look at the aligned frames, and align them again"
        )
    beyond = (stacked.emotions >= class_count).any(dim=1)
    if beyond.any():
        row = int(beyond.nonzero()[0, 0])
        found = sorted(set(stacked.emotions[row].tolist()) - {NO_EMOTION})
        raise DataError(f"video {corpus.videos[rows[row]]!r}: emotions are {found}, expected 0 to {class_count - 1}")
    return stacked


def _check_subjects(fold: Fold, present: set[str]) -> None:
    if missing := set(fold.train_subjects) - present:
        raise DataError(f"fold {fold.name!r}: no recording of {', '.join(sorted(missing))}. Extract their features")


@contextmanager
def _own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Seed what torch draws by itself (first weights, dropout) and put its state back afterwards."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _ignore(losses: EpochLosses) -> None:
    """Tell nobody."""
