"""Encoders by name: their weights, how their images are prepared, and the card that says what they are."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cache import files
from cache.errors import InputError
from cache.weights import tensors as weights
from pipeline.encoder import class_layer, resnet
from pipeline.encoder.class_layer import ClassLayer
from pipeline.encoder.preparation import IMAGENET_DEVIATION, IMAGENET_MEAN, Preprocessing
from pipeline.errors import DataError
from stages.shell import params

FOLDER = Path("configs/weights")
RANDOM = "random"


class StoredEncoder(NamedTuple):
    """An encoder as it lies on disk."""

    tensors: dict[str, Tensor]  # of a ResNet18 without its class layer
    preprocessing: Preprocessing
    card: dict[str, Any]
    classes: ClassLayer | None  # None where nobody kept or fitted one
    digest: str  # of the tensors


def check_name(name: str) -> str:
    """Return a name that an encoder may have."""
    if name == RANDOM:
        raise InputError(f"an encoder cannot be called {RANDOM}: that is the one without training. Give another --name")
    return files.check_video_id(name)


def path_of(folder: Path, name: str) -> Path:
    """Return where an encoder's weights lie."""
    return folder / f"{name}.safetensors"


def load(name: str, folder: Path, image_size: int, seed: int = 0) -> StoredEncoder:
    """Return an encoder by its name; only the random one heeds the image size and the seed given.

    Raises:
        InputError: there is no encoder of this name, or its file is damaged, holds other weights than a ResNet18's, or
            others than its card was written for.
    """
    if name == RANDOM:
        chosen = Preprocessing(image_size, "colour", IMAGENET_MEAN, IMAGENET_DEVIATION)
        drawn = resnet.random_weights(seed)
        return StoredEncoder(drawn, chosen, {}, None, resnet.digest_of(drawn))
    path = path_of(folder, name)
    if not path.is_file():
        known = [RANDOM, *sorted(p.stem for p in folder.glob("*.safetensors"))]
        raise InputError(
            f"{path} does not exist: the encoder asked for is {name!r}, known are {', '.join(known)}. "
            "Run: facespan weights import FILE --name NAME, or set extract.imported to a folder of features"
        )
    arrays, card = weights.read(path)
    tensors, layer = class_layer.split({key: torch.from_numpy(value) for key, value in arrays.items()})
    preprocessing = _preprocessing(path, card)
    try:
        resnet.check(tensors)
    except DataError as error:
        raise InputError(f"{path}: {error} --name {name}") from error
    found = resnet.digest_of(tensors)
    if card.get("sha256") != found:
        raise InputError(
            f"{path} holds weights of SHA-256 {found}, its card says {card.get('sha256')}. Fetch or make it again."
        )
    if not weights.carries_digest(path):
        _check_beside(path, card)
    return StoredEncoder(tensors, preprocessing, card, _class_layer(path, card, layer), found)


def _class_layer(path: Path, card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> ClassLayer | None:
    """Return the class layer of a file, which may come from anybody; an InputError says what is wrong with it."""
    try:
        return class_layer.build(card.get("classes", ()), tensors) if tensors else None
    except DataError as error:
        raise InputError(f"{path}: {error}. Fetch or make it again.") from error


def _check_beside(path: Path, card: Mapping[str, Any]) -> None:
    """Raise InputError where the copy of a card for people says otherwise: the file carries no digest of its card."""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return
    try:
        told = json.loads(beside.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{beside} is no card ({error}). Take it from git again, or fetch it again.") from error
    if told != card:
        names = sorted(told.keys() | card.keys()) if isinstance(told, dict) else []
        differing = [name for name in names if told.get(name) != card.get(name)]
        raise InputError(
            f"{path} and {beside} hold one card, and differ in {', '.join(differing) or 'all of it'}. Take both from "
            "git again, or fetch them again."
        )


def _preprocessing(path: Path, card: Mapping[str, Any]) -> Preprocessing:
    """Return what a card, which may come from anybody, says of images; an InputError says what is wrong with it."""
    stated = card.get("preprocessing")
    if not isinstance(stated, dict):
        found = params.shown(stated)
        raise InputError(f"{path}: its card's preprocessing is {found}, expected a mapping. Fetch it again.")
    try:
        return params.build(stated, Preprocessing, f"{path}: preprocessing of its card")
    except params.ParameterError as error:
        raise InputError(f"{error}. Fetch it again.") from error


def write(
    output: Path,
    name: str,
    state: Mapping[str, Tensor],
    preprocessing: Preprocessing,
    card: Mapping[str, Any],
    classes: ClassLayer | None = None,
) -> None:
    """Write an encoder, and its card once more where people can read it; the card names the classes of its class layer.

    Raises:
        DataError: these are not the weights of a ResNet18, or of a class layer, or rounding made them infinite.
    """
    resnet.check(state)
    whole = {**card, "preprocessing": dataclasses.asdict(preprocessing), "sha256": resnet.digest_of(state)}
    layer = classes.tensors() if classes else {}
    if classes:
        class_layer.build(classes.names, layer)
        whole["classes"] = list(classes.names)
    weights.write(path_of(output, name), {key: value.numpy() for key, value in {**state, **layer}.items()}, whole)
    with files.write_atomically(output / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")
