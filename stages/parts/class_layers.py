"""Class layers for networks that learn nothing: the one of the encoder that made a corpus' features."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cache.errors import InputError
from pipeline.detectors import registry
from pipeline.detectors.contract import FrameNetwork
from pipeline.encoder import resnet
from pipeline.encoder.class_layer import ClassLayer
from pipeline.errors import DataError
from pipeline.training.fold import FoldParameters, untrained
from pipeline.training.folds import nobody
from stages.parts import encoders
from stages.parts.encoders import StoredEncoder
from stages.shell import console


class Told(NamedTuple):
    """A class layer and the classes of the corpus that it is to name, for parameters that are settled for both."""

    layer: ClassLayer
    classes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """A hash over both: what is made of another layer is another detector."""
        parts = [self.layer.names, resnet.digest_of(self.layer.tensors()), self.classes]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def settle(
    parameters: FoldParameters, encoder: Mapping[str, Any], folder: Path, classes: Sequence[str]
) -> tuple[FoldParameters, Told | None]:
    """Return the parameters for the encoder of some features and for a corpus, and the layer; None where none is asked.

    Args:
        encoder: what the manifest of the features says of it.
        folder: of encoders.
        classes: of the corpus.

    Raises:
        InputError: the features are of no encoder in the folder, it has no class layer, or its classes are not mapped.
    """
    kind = registry.NETWORKS[parameters.network]
    if not issubclass(kind, FrameNetwork):
        return parameters, None
    return settle_for(parameters, kind, find(encoder, folder, parameters.network), classes)


def settle_for(
    parameters: FoldParameters, kind: type[FrameNetwork], layer: ClassLayer, classes: Sequence[str]
) -> tuple[FoldParameters, Told]:
    """Return the parameters settled for a class layer and the classes of a corpus, and both; errors as in `settle`."""
    try:
        own = kind.settle(parameters.own, layer.names, classes)
    except DataError as error:
        raise InputError(str(error)) from error
    return dataclasses.replace(parameters, own=own), Told(layer, tuple(classes))


def find(encoder: Mapping[str, Any], folder: Path, network: str) -> ClassLayer:
    """Return the class layer of the encoder that made some features; errors as in `settle`."""
    name = str(encoder.get("name"))
    path = encoders.path_of(folder, name)
    if name == encoders.RANDOM or not path.is_file():
        raise _not_there(name, folder, network)
    stored = encoders.load(name, folder, 0)
    if stored.digest != encoder.get("digest"):
        raise InputError(
            f"{path} holds weights of SHA-256 {stored.digest}, the features were made with {encoder.get('digest')}. "
            "Run: dvc repro, or facespan extract"
        )
    return of_stored(stored, name, folder, network)


def of_stored(stored: StoredEncoder, name: str, folder: Path, network: str) -> ClassLayer:
    """Return the class layer of an encoder that was loaded from a folder; InputError where it has none."""
    if name == encoders.RANDOM:
        raise _not_there(name, folder, network)
    if stored.classes is None:
        raise InputError(
            f"{encoders.path_of(folder, name)} has no class layer, which train.network {network} needs. Fit one on "
            f"labelled faces: facespan weights probe --images FOLDER --layout LAYOUT --weights {name} --without '' "
            "--record"
        )
    return stored.classes


def _not_there(name: str, folder: Path, network: str) -> InputError:
    return InputError(
        f"train.network is {network}, which needs the class layer of the encoder that made the features. They are of "
        f"{name!r}, and {encoders.path_of(folder, name)} does not exist. Set extract.weights to an encoder of {folder}"
    )


def build(parameters: FoldParameters, told: Told | None, input_width: int, class_count: int) -> Any:
    """Return a network that learns nothing, with the class layer where it asks for one."""
    network = untrained(nobody(), parameters, input_width, class_count)
    if told is not None and isinstance(network, FrameNetwork):
        network.take(told.layer, told.classes)
        if never := network.never_found(told.classes):
            console.say(f"{parameters.network}: no class of the encoder stands for {', '.join(never)}: never found")
    return network
