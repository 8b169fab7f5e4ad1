"""Pretraining of the encoder: ResNet18 learns emotions from labelled faces; then its class layer is set apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models import resnet18

from pipeline.encoder import class_layer
from pipeline.encoder.augmentation import ImageAugmentParameters
from pipeline.encoder.class_layer import ClassLayer
from pipeline.encoder.labelled_images import (
    Faces,
    Images,
    batches,
    check,
    class_weights,
    in_turn,
    preprocessing_of,
)
from pipeline.encoder.preparation import Preparation, Preprocessing
from pipeline.encoder.resnet import IGNORED_SUFFIX
from pipeline.errors import DataError
from pipeline.schedules import warm_up_then

# Of images that are only looked at; of no consequence for the result.
BATCH_SIZE = 256


Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class PretrainParameters:
    """How an encoder is trained.

    Attributes:
        seed: of the first weights, of the order and of the augmentation.
        stages: pairs of an image size in pixels and the epochs at it; the last size is the encoder's.
        batch_size: images.
        learning_rate: of AdamW, at its highest.
        weight_decay: likewise (a step takes this share, times the rate, away); of convolutions and the classifier only.
        warm_up_share: of all steps, over which the learning rate rises; then it falls to 0 along a cosine.
        balance: images of a class count its frequency to the power of minus this in the loss; 0 counts all alike.
        patience: epochs at the last size without a better validation accuracy that end the training; 0 ends it never.
        precision: of convolutions and products while it learns; the weights and their sums are float32 in either.
    """

    seed: int
    stages: tuple[tuple[int, int], ...]
    batch_size: int
    learning_rate: float
    weight_decay: float
    warm_up_share: float
    balance: float
    patience: int
    precision: Precision

    @property
    def sizes(self) -> list[int]:
        """Return the image size of each epoch."""
        return [size for size, epochs in self.stages for _ in range(epochs)]

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        for size, epochs in self.stages or ((0, 0),):
            if size < 32 or epochs < 1:
                raise ValueError(f"stages is {self.stages}, expected image sizes from 32 with at least one epoch each")
        if self.batch_size < 2 or self.learning_rate <= 0:
            raise ValueError("expected batch_size of at least 2 and learning_rate above 0")
        if not 0 <= self.warm_up_share < 1:
            raise ValueError(f"warm_up_share is {self.warm_up_share}, expected 0 up to below 1")
        for name in ("seed", "weight_decay", "balance", "patience"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 0")


class Epoch(NamedTuple):
    """One row of the curve."""

    epoch: int  # from 1
    image_size: int
    learning_rate: float  # at the epoch's end
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    validation_mean_recall: float  # over the classes that have images: what is common and what is rare count alike


class Progress(NamedTuple):
    """All that training needs to go on after an epoch; the optimiser's moments are named `<kind>/<weight>`."""

    network: dict[str, Tensor]
    moments: dict[str, Tensor]
    best: dict[str, Tensor]
    curve: list[Epoch]


class Pretrained(NamedTuple):
    """The best epoch's weights at the last size, on the CPU, classifier included, and one row per epoch."""

    state: dict[str, Tensor]
    preprocessing: Preprocessing
    curve: list[Epoch]


Save = Callable[[Progress], None]
Advance = Callable[[int], None]


def pretrain(
    train: Faces,
    validation: Faces,
    parameters: PretrainParameters,
    augmentation: ImageAugmentParameters,
    device: torch.device,
    resume: Progress | None = None,
    save: Save | None = None,
    advance: Advance | None = None,
) -> Pretrained:
    """Return a ResNet18 that tells the classes apart; what validation shows decides when to stop, nothing else.

    On one device and number of threads the same seed gives the same weights, also when the run was resumed.

    Args:
        resume: what `save` was last given; None starts anew.
        save: called after every epoch.
        advance: called with the number of images after every step.

    Raises:
        DataError: a part is empty, targets are no shares, or the loss stops being finite.
    """
    check(train, "train")
    check(validation, "validation")
    network = on_device(start(parameters.seed, train.targets.shape[1]), device)
    optimiser = torch.optim.AdamW(_groups(network, parameters.weight_decay), fused=True)
    curve, best = list(resume.curve) if resume else [], dict(resume.best) if resume else {}
    if resume:
        network.load_state_dict(resume.network)
        _give_moments(network, optimiser, resume.moments)
    sizes = parameters.sizes
    weights = class_weights(train.targets, parameters.balance)
    while len(curve) < len(sizes) and not _is_over(curve, parameters):
        position = len(curve)
        preprocessing = preprocessing_of(train, sizes[position])
        rates = _rates(parameters, position, len(sizes), len(train.images))
        generator = torch.Generator().manual_seed(parameters.seed * 1_000_003 + position)
        steps = batches(train, parameters.batch_size, augmentation, preprocessing, generator, device)
        loss = _learn(network, optimiser, steps, rates, weights.to(device), parameters.precision, advance)
        logits = classify(network, validation.images, preprocessing, device, parameters.precision)
        curve.append(_row(position, sizes[position], rates[-1], loss, logits, validation.targets))
        if _best_epoch(curve) == len(curve) or not best:
            best = _on_cpu(network)
        if save:
            save(Progress(_on_cpu(network), _moments_of(network, optimiser), best, list(curve)))
    return Pretrained(best, preprocessing_of(train, parameters.stages[-1][0]), curve)


def start(seed: int, class_count: int) -> nn.Module:
    """Return a ResNet18 that has learned nothing yet; the process's own random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = resnet18(weights=None, num_classes=class_count)
        return network


def on_device(network: nn.Module, device: torch.device) -> nn.Module:
    """Return the network where it runs, in the layout in memory that is fastest there."""
    return network.to(device).to(memory_format=torch.channels_last)


@torch.inference_mode()
def classify(
    network: nn.Module,
    images: Tensor | Images,
    preprocessing: Preprocessing,
    device: torch.device,
    precision: Precision = "float32",
) -> Tensor:
    """Return ``(N, K)`` logits of undisturbed images, on the CPU."""
    network.eval()
    prepare, logits = Preparation(preprocessing, device), []
    runs = [torch.arange(first, min(first + BATCH_SIZE, len(images))) for first in range(0, len(images), BATCH_SIZE)]
    for found in in_turn(images, runs):
        batch = prepare(found.to(device))
        with _computing_in(precision, device):
            logits.append(network(batch).float().cpu())
    return torch.cat(logits)


def confusion(logits: Tensor, targets: Tensor) -> NDArray[np.int64]:
    """Return ``(K, K)`` counts: rows are the classes with the most votes, columns the predicted ones."""
    count = targets.shape[1]
    pairs = targets.argmax(dim=1) * count + logits.argmax(dim=1)
    return torch.bincount(pairs, minlength=count * count).view(count, count).numpy()


def mean_recall(table: NDArray[np.int64]) -> float:
    """Return the mean over the classes that have images of the share that was found, of the counts of a confusion."""
    counts = table.sum(axis=1)
    return float((table.diagonal()[counts > 0] / counts[counts > 0]).mean())


def soft_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the mean over images of the cross-entropy with the shares of votes, classes weighted."""
    return -(weights * targets * F.log_softmax(logits.float(), dim=1)).sum(dim=1).mean()


def _learn(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    steps: Iterator[tuple[Tensor, Tensor]],
    rates: list[float],
    weights: Tensor,
    precision: Precision,
    advance: Advance | None,
) -> float:
    """Return the mean loss of one pass, each step with its learning rate."""
    network.train()
    total, count = 0.0, 0
    for rate, (images, targets) in zip(rates, steps, strict=True):
        for group in optimiser.param_groups:
            group["lr"] = rate
        with _computing_in(precision, images.device):
            logits = network(images)
        loss = soft_cross_entropy(logits, targets, weights)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total, count = total + float(loss.detach()) * len(images), count + len(images)
        if not math.isfinite(total):
            raise DataError("pretraining diverged: the loss is not finite. Set a smaller pretrain.learning_rate")
        if advance:
            advance(len(images))
    return total / count


def _computing_in(precision: Precision, device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return the parameters in two groups: biases and batch-norms have nothing that should shrink."""
    kinds: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for parameter in network.parameters():
        kinds[parameter.ndim > 1].append(parameter)
    return [
        {"params": kinds[True], "weight_decay": weight_decay},
        {"params": kinds[False], "weight_decay": 0.0},
    ]


def _rates(parameters: PretrainParameters, epoch: int, epochs: int, images: int) -> list[float]:
    """Return the learning rate of every step of an epoch."""
    steps = images // min(parameters.batch_size, images)
    shares = [(epoch * steps + step + 1) / (epochs * steps) for step in range(steps)]
    # The last step of all has a rate of 0 and only moves the batch statistics.
    return [
        parameters.learning_rate * warm_up_then("cosine", share, parameters.warm_up_share, end=1) for share in shares
    ]


def _row(epoch: int, image_size: int, rate: float, loss: float, logits: Tensor, targets: Tensor) -> Epoch:
    table = confusion(logits, targets)
    validation_loss = float(soft_cross_entropy(logits, targets, torch.ones(targets.shape[1])))
    accuracy = float(table.trace() / table.sum())
    return Epoch(epoch + 1, image_size, rate, loss, validation_loss, accuracy, mean_recall(table))


def _best_epoch(curve: list[Epoch]) -> int:
    """Return the epoch of the highest validation accuracy at the latest image size, the later of equals."""
    rows = [row for row in curve if row.image_size == curve[-1].image_size]
    return max(rows, key=lambda row: (row.validation_accuracy, row.epoch)).epoch


def _is_over(curve: list[Epoch], parameters: PretrainParameters) -> bool:
    if not curve or not parameters.patience or curve[-1].image_size != parameters.stages[-1][0]:
        return False
    return len(curve) - _best_epoch(curve) >= parameters.patience


def _moments_of(network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{kind}/{name}": value.detach().cpu().clone()
        for name, weight in network.named_parameters()
        for kind, value in optimiser.state[weight].items()
    }


def _give_moments(network: nn.Module, optimiser: torch.optim.Optimizer, moments: Mapping[str, Tensor]) -> None:
    weights = dict(network.named_parameters())
    for place, value in moments.items():
        kind, _, name = place.partition("/")
        # As the weight lies in memory, or the same sums would be rounded in another order.
        like = torch.empty_like(weights[name] if value.ndim else value, device=weights[name].device)
        optimiser.state[weights[name]][kind] = like.copy_(value)


def _on_cpu(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def apart(state: Mapping[str, Tensor], names: Sequence[str]) -> tuple[dict[str, Tensor], ClassLayer]:
    """Return the encoder's part of a trained network's weights, and its class layer."""
    encoder, layer = class_layer.split({n: v for n, v in state.items() if not n.endswith(IGNORED_SUFFIX)})
    return encoder, class_layer.build(names, layer)
