"""Encoders by name: their weights, how their images are prepared, and the card that says what they are."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cache import files, weights
from cache.errors import InputError
from pipeline import encoder
from pipeline.encoder import Preprocessing
from pipeline.errors import DataError
from stages import params

FOLDER = Path("configs/weights")
RANDOM = "random"


def check_name(name: str) -> str:
    """Return a name that an encoder may have."""
    if name == RANDOM:
        raise InputError(f"an encoder cannot be called {RANDOM}: that is the one without training. Give another --name")
    return files.check_video_id(name)


def load(
    name: str, folder: Path, image_size: int, seed: int = 0
) -> tuple[dict[str, Tensor], Preprocessing, dict[str, Any]]:
    """Return an encoder's weights, preparation and card; only the random one heeds the image size and the seed given.

    Raises:
        InputError: there is no encoder of this name, or its file is damaged or holds other weights than a ResNet18's.
    """
    if name == RANDOM:
        chosen = Preprocessing(image_size, "colour", encoder.IMAGENET_MEAN, encoder.IMAGENET_DEVIATION)
        return encoder.random_weights(seed), chosen, {}
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        known = [RANDOM, *sorted(p.stem for p in folder.glob("*.safetensors"))]
        raise InputError(
            f"{path} does not exist: the encoder asked for is {name!r}, known are {', '.join(known)}. "
            "Run: facespan weights import FILE --name NAME, or set extract.imported to a folder of features"
        )
    arrays, card = weights.read(path)
    tensors = {key: torch.from_numpy(value) for key, value in arrays.items()}
    preprocessing = params.build(card.get("preprocessing", {}), Preprocessing, f"{path}: card")
    try:
        encoder.check(tensors)
    except DataError as error:
        raise InputError(f"{path}: {error} --name {name}") from error
    return tensors, preprocessing, card


def write(
    output: Path,
    name: str,
    state: Mapping[str, Tensor],
    preprocessing: Preprocessing,
    card: Mapping[str, Any],
) -> None:
    """Write an encoder, and its card once more where people can read it.

    Raises:
        DataError: these are not the weights of a ResNet18, or rounding made them infinite.
    """
    encoder.check(state)
    whole = {**card, "preprocessing": dataclasses.asdict(preprocessing), "sha256": encoder.digest_of(state)}
    weights.write(output / f"{name}.safetensors", {key: value.numpy() for key, value in state.items()}, whole)
    with files.write_atomically(output / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")
