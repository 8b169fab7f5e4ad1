"""Training one fold: a network learns from the subjects of the fold and from nothing else."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from pipeline.detectors import registry
from pipeline.detectors.contract import Network, NetworkParameters
from pipeline.errors import DataError
from pipeline.precision import exact_float32
from pipeline.schedules import SCHEDULES, share_of_full_rate
from pipeline.training.folds import Fold
from pipeline.windows.augmentation import AugmentParameters, Noise, disturb, draw_noise, move
from pipeline.windows.cutting import see, tell
from pipeline.windows.membership import MOST_STRETCH
from pipeline.windows.normalisation import NORMALISATIONS
from pipeline.windows.recordings import NO_EMOTION, Corpus, Cuts, Recording, Stack, gather_in_memory, on_device, take
from pipeline.windows.sampling import Candidates, draw


@dataclass(frozen=True)
class TrainParameters:
    """Optimisation of a fold: epochs, steps, learning rate, weight decay and what steadies them.

    Attributes:
        seed: with the fold's name it decides all that is random in the fold.
        epochs: passes over the windows with an expression, or over all videos by a network that sees them whole.
        batch_size: windows, or videos.
        learning_rate: of Adam, after the warm-up.
        weight_decay: of Adam (added to the gradient).
        warm_up_epochs: the learning rate rises from 0 to its value over these; 0 starts with it.
        schedule: what follows the warm-up, a name in `SCHEDULES`.
        gradient_clip_norm: gradients whose norm over all weights is greater are scaled to it; 0 clips nothing.
        ema_decay: the detector's weights are an exponential moving average over steps with this decay; 0 takes the
            last step's.
        window_stride: frames between the starts of two training windows; videos seen whole have none.
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
    gradient_clip_norm: float
    ema_decay: float
    window_stride: int
    background_per_positive: float
    normalisation: Literal["none", "video", "subject"]

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        for name in ("epochs", "batch_size", "learning_rate", "window_stride"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0")
        for name in ("seed", "weight_decay", "warm_up_epochs", "gradient_clip_norm", "background_per_positive"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 0")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay is {self.ema_decay}, expected 0 up to below 1")
        for name, choices in (("schedule", list(SCHEDULES)), ("normalisation", list(NORMALISATIONS))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(choices)}")


@dataclass(frozen=True)
class FoldParameters:
    """All that a fold is trained with.

    Attributes:
        network: a name in `registry.NETWORKS`.
        own: that network's own parameters.
    """

    network: str
    own: NetworkParameters
    augment: AugmentParameters
    train: TrainParameters

    def __post_init__(self) -> None:
        """Raise ValueError for values of two parts that contradict each other."""
        if len(self.own.cutting.rates) > 1 and self.augment.stretch >= MOST_STRETCH:
            raise ValueError(
                f"stretch is {self.augment.stretch}, expected below {MOST_STRETCH} with several window_rates: "
                "a window would pass for one of another rate"
            )


class EpochLosses(NamedTuple):
    """Means over the steps of one epoch, on the subjects trained on; never on the held-out one."""

    epoch: int  # from 1
    windows: int  # or videos seen whole
    total: float
    parts: dict[str, float]  # by the network's `loss_names`

    def row(self) -> dict[str, float]:
        """Return the numbers by the names of `columns`."""
        return {"epoch": self.epoch, "windows": self.windows, "total": self.total, **self.parts}


def columns(network: str) -> tuple[str, ...]:
    """Return the names of an epoch's numbers, in order, of a network by name."""
    return ("epoch", "windows", "total", *registry.NETWORKS[network].loss_names)


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
    settings, device = parameters.train, corpus.stacked.features.device
    seed = fold_seed(settings.seed, fold.name)
    with _own_randomness(seed, device), exact_float32():
        width = corpus.stacked.features.shape[1]
        network = registry.build(parameters.network, parameters.own, width, class_count).to(device)
        generators = Generators.seeded(seed, device)
        lesson = _prepare(network, _choose(corpus, fold, class_count), fold, parameters)
        curve = list(_learn(network, lesson, parameters, generators, progress or _ignore))
    return Trained({name: value.detach().cpu().clone() for name, value in network.state_dict().items()}, curve)


def untrained(fold: Fold, parameters: FoldParameters, input_width: int, class_count: int) -> Network:
    """Return a network that learns nothing, on the CPU; what is random in it, the seed and the fold's name decide."""
    with _own_randomness(fold_seed(parameters.train.seed, fold.name), torch.device("cpu")):
        return registry.build(parameters.network, parameters.own, input_width, class_count)


class Lesson(NamedTuple):
    """What a fold learns from.

    `among`: the windows to draw from, on the CPU, so that which videos a batch holds is known without asking a GPU.
    `frame_counts`: of the V videos. `most`: no window meets more expressions.
    """

    stacked: Stack
    among: Candidates
    frame_counts: list[int]
    most: int


def _prepare(network: Network, stacked: Stack, fold: Fold, parameters: FoldParameters) -> Lesson:
    cutting = network.cutting
    among = cutting.candidates(stacked, parameters.train.window_stride)
    if not len(among.positive.starts):
        raise DataError(
            f"fold {fold.name!r}: no {cutting} holds a whole expression. "
            "Use longer windows, or check that onsets and offsets are in frames of these videos"
        )
    near = Candidates(*(Cuts(*(values.cpu() for values in cuts)) for cuts in among))
    return Lesson(stacked, near, stacked.frame_counts.tolist(), cutting.most_seen(stacked, parameters.augment.stretch))


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
    network: Network, lesson: Lesson, parameters: FoldParameters, generators: Generators, progress: Progress
) -> Iterator[EpochLosses]:
    """Yield each epoch's losses, read back once an epoch; at the end the network holds the weights to keep."""
    settings, stacked = parameters.train, lesson.stacked
    optimiser = torch.optim.Adam(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    averaged = [weights.detach().clone() for weights in network.parameters()]
    step, channels = 0, stacked.features.shape[1]
    network.train()
    for epoch in range(1, settings.epochs + 1):
        batches = _draw_batches(network, lesson, parameters, generators.windows)
        sums = torch.zeros(1 + len(network.loss_names), device=stacked.features.device)
        for cuts, rows in batches:
            steps, warm_up_steps = settings.epochs * len(batches), settings.warm_up_epochs * len(batches)
            share = share_of_full_rate(step, steps, warm_up_steps, settings.schedule)
            optimiser.param_groups[0]["lr"] = settings.learning_rate * share
            noise = draw_noise(len(cuts.starts), channels, parameters.augment, generators.noise)
            sums += _step(network, stacked, cuts, rows, noise, lesson.most, parameters, optimiser)
            _average(averaged, network, settings.ema_decay if step else 0.0)
            step += 1
        total, *parts = (sums / len(batches)).tolist()
        if not math.isfinite(total):
            raise DataError(f"The loss is {total} in epoch {epoch}. Lower learning_rate or set gradient_clip_norm")
        windows = sum(len(cuts.starts) for cuts, _ in batches)
        losses = EpochLosses(epoch, windows, total, dict(zip(network.loss_names, parts, strict=True)))
        progress(losses)
        yield losses
    for weights, mean in zip(network.parameters(), averaged, strict=True):
        weights.detach().copy_(mean)


def _draw_batches(
    network: Network, lesson: Lesson, parameters: FoldParameters, generator: torch.Generator
) -> list[tuple[Cuts, int]]:
    """Return one epoch's batches where the corpus lies, each with the rows that its longest video takes."""
    cutting, size, augment = network.cutting, parameters.train.batch_size, parameters.augment
    drawn = draw(lesson.among, parameters.train.background_per_positive, generator)
    # A video seen whole that is stretched is longer by so much; windows stay as long as they are.
    counts = [count / (1 - augment.stretch) for count in lesson.frame_counts]
    rows = [cutting.rows_of(videos, counts) for videos in torch.split(drawn.videos, size)]
    placed = Cuts(*(values.to(lesson.stacked.features.device) for values in drawn))
    placed = move(placed, lesson.stacked, max(rows) * cutting.row_frames, augment, generator)
    batches = zip(*(torch.split(values, size) for values in placed), strict=True)
    return [(Cuts(*batch), count) for batch, count in zip(batches, rows, strict=True)]


def _step(
    network: Network,
    stacked: Stack,
    cuts: Cuts,
    rows: int,
    noise: Noise,
    most: int,
    parameters: FoldParameters,
    optimiser: torch.optim.Optimizer,
) -> Tensor:
    """Change the weights by one batch and return its losses ``(1 + parts,)``: the total, then its parts.

    Nothing is read back: a GPU works through an epoch's steps without waiting for the processor.
    """
    features, mask = see(stacked, cuts, network.cutting, rows)
    features = disturb(features, noise)
    losses = network.loss(network(features, mask), tell(stacked, cuts, network.cutting, most), mask)
    optimiser.zero_grad()
    torch.autograd.backward(losses.total)
    if parameters.train.gradient_clip_norm:
        torch.nn.utils.clip_grad_norm_(network.parameters(), parameters.train.gradient_clip_norm)
    optimiser.step()
    return torch.stack([losses.total, *losses.parts]).detach()


def _average(averaged: Sequence[Tensor], network: torch.nn.Module, decay: float) -> None:
    """Move the averages, one of each of the network's weights, towards these in place; a decay of 0 takes them.

    Written out because torch's `AveragedModel` copies its count of steps to the GPU in each, and a copy waits.
    """
    for mean, weights in zip(averaged, network.parameters(), strict=True):
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
