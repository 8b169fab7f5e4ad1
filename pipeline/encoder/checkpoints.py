"""Import of a ResNet18 checkpoint as an encoder: its weights, under whatever names frameworks put around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.encoder import class_layer, resnet
from pipeline.encoder.class_layer import BIAS, WEIGHT, ClassLayer
from pipeline.encoder.preparation import Preprocessing
from pipeline.errors import DataError

# Where frameworks nest the weights, in the order they are looked for.
NESTS = ("state_dict", "model_state_dict", "model", "network", "net", "encoder", "backbone", "weights")
OWN = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.")
MARKS = ("conv1.weight", "layer1.0.conv1.weight")
DEPTH = 4


class Taken(NamedTuple):
    """What was taken from a checkpoint, and what was not.

    Attributes:
        weights: by torchvision's names, without the classifier.
        nest: the keys it lay under, `state_dict` for instance; may be empty.
        prefix: what stood before every name, `module.` for instance; may be empty.
        ignored: names of which nothing was taken, a class layer without names of its classes for instance.
        classes: the class layer, where its classes are named.
        unnamed: linear layers on features that may be one, with the numbers of their classes.
    """

    weights: dict[str, Tensor]
    nest: str
    prefix: str
    ignored: tuple[str, ...]
    classes: ClassLayer | None
    unnamed: Mapping[str, int]


def take(content: object, names: Sequence[str] = ()) -> Taken:
    """Return the encoder in a checkpoint.

    Args:
        names: of the classes that its class layer tells apart, in the layer's order; empty takes none.

    Raises:
        DataError: there is no ResNet in it, or it is not a ResNet18 or not finite (see `resnet.check`), or no single
            layer tells as many classes apart as there are names.
    """
    state, nest = _find(content, ())
    prefix = _prefix(state)
    named = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    kept = {n: v for n, v in named.items() if n.startswith(OWN) and not n.endswith(resnet.IGNORED_SUFFIX)}
    used = {prefix + name for name in named if name.startswith(OWN)}
    resnet.check(kept)
    kept = {name: value if value.dtype == torch.float16 else value.float() for name, value in kept.items()}
    layers = _linear_layers(state, used)
    if not names:
        return Taken(kept, nest, prefix, tuple(sorted(set(state) - used)), None, layers)
    weight, bias = (f"{_place_of(layers, names)}.{part}" for part in ("weight", "bias"))
    classes = class_layer.build(names, {WEIGHT: state[weight], BIAS: state[bias]})
    return Taken(kept, nest, prefix, tuple(sorted(set(state) - used - {weight, bias})), classes, {})


def _linear_layers(state: Mapping[str, Tensor], used: set[str]) -> dict[str, int]:
    """Return the places of layers from a feature to two values or more, with their numbers."""
    found = {}
    for name in sorted(set(state) - used):
        place, _, part = name.rpartition(".")
        count, *width = state[name].shape or (0,)
        bias = state.get(f"{place}.bias")
        if part == "weight" and width == [resnet.WIDTH] and count > 1 and bias is not None and bias.shape == (count,):
            found[place] = count
    return found


def _place_of(layers: Mapping[str, int], names: Sequence[str]) -> str:
    """Return the place of the one layer that has as many classes as there are names."""
    fitting = [place for place, count in layers.items() if count == len(names)]
    if len(fitting) != 1:
        found = ", ".join(f"{place} of {count}" for place, count in layers.items()) or "none"
        raise DataError(f"{len(names)} classes are named, expected as many as one class layer has; found: {found}")
    return fitting[0]


def feature_statistics(weights: Mapping[str, Tensor], preprocessing: Preprocessing) -> dict[str, float]:
    """Return mean and deviation of features of eight images of noise, as a sign that the weights do something.

    Raises:
        DataError: the features are the same for every image, or not finite.
    """
    network = resnet.build(weights, preprocessing, torch.device("cpu"))
    size = preprocessing.image_size
    noise = torch.randint(0, 256, (8, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    features = network(noise)  # (8, 512)
    differences = float(features.std(dim=0).mean())
    if not torch.isfinite(features).all() or differences == 0:
        raise DataError(
            "these weights give the same or no finite features for every image; were they saved before training?"
        )
    return {"mean": float(features.mean()), "deviation": float(features.std()), "between_images": differences}


def _find(content: object, path: tuple[str, ...]) -> tuple[dict[str, Tensor], str]:
    if isinstance(content, Mapping) and len(path) <= DEPTH:
        tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
        if any(name.endswith(MARKS[0]) for name in tensors):
            return tensors, ".".join(path)
        for name in NESTS:
            if isinstance(content.get(name), Mapping):
                return _find(content[name], (*path, name))
    found = ", ".join(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
    where = f" under {'.'.join(path)}" if path else ""
    raise DataError(
        f"no ResNet was found{where}: there is {found[:200] or 'nothing'}, expected names such as {MARKS[1]}"
    )


def _prefix(state: Mapping[str, Tensor]) -> str:
    prefixes = [name.removesuffix(MARKS[0]) for name in state if name.endswith(MARKS[0])]
    whole = sorted(prefix for prefix in prefixes if prefix + MARKS[1] in state)
    if not whole:
        raise DataError(f"no ResNet was found: there is {', '.join(state)[:200]}, expected names such as {MARKS[1]}")
    outer = [prefix for prefix in whole if not any(prefix != other and prefix.startswith(other) for other in whole)]
    if len(outer) > 1:
        raise DataError(f"there are several ResNets: {', '.join(outer)}. Save the one that is meant by itself")
    return outer[0]
