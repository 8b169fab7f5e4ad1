"""Detectors from their files: the network that a card describes, built strictly, with the weights beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from cache.errors import ShardError
from cache.weights import detector_card
from cache.weights.detector_card import DetectorCard
from pipeline.detectors import registry
from pipeline.detectors.contract import Network, NetworkParameters
from pipeline.windows.cutting import Cutting
from pipeline.windows.normalisation import NORMALISATIONS
from stages.shell import params

REMEDY = "Remove the file and run: dvc repro"


def load(path: Path, card: DetectorCard) -> Network:
    """Return the detector of a file.

    Raises:
        ShardError: the card describes no network, or its tensors are those of another: seen by their shapes, before
            anything of the size that the card claims is made.
    """
    with _refused(path, card):
        parameters = _parameters_of(card)
        with torch.device("meta"):  # shapes alone
            shapes = _build(card, parameters).state_dict()
    if parameters.recognises != (card.emotions == card.classes):
        told = "every class" if parameters.recognises else "one name for all"
        raise ShardError(f"{path}: its card's emotions are {', '.join(card.emotions)}, expected {told}. {REMEDY}")
    implied = {name: (tuple(value.shape), str(value.dtype).removeprefix("torch.")) for name, value in shapes.items()}
    tensors = detector_card.read_tensors(path, implied)
    network = _build(card, parameters)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    return network


def cutting_of(path: Path, card: DetectorCard) -> Cutting:
    """Return how a detector wants a video cut; ShardError when its card describes no network."""
    with _refused(path, card):
        return _parameters_of(card).cutting


def normalisation_of(path: Path, card: DetectorCard) -> str:
    """Return the normalisation of features that a detector was trained with, a name in `NORMALISATIONS`."""
    told = card.parameters.get("train", {}).get("normalisation")
    if told not in list(NORMALISATIONS):
        raise ShardError(
            f"{path}: its card's train.normalisation is {told!r}, expected one of {', '.join(NORMALISATIONS)}. {REMEDY}"
        )
    return str(told)


@contextmanager
def _refused(path: Path, card: DetectorCard) -> Iterator[None]:
    """Turn what is wrong with a card's network and parameters into a ShardError that names the file."""
    if card.network not in registry.NETWORKS:
        known = ", ".join(registry.NETWORKS)
        raise ShardError(f"{path} is a detector of network {card.network!r}, known are {known}. Update facespan")
    try:
        yield
    except (RuntimeError, ValueError, TypeError) as error:
        raise ShardError(f"{path}: no network is built as its card says ({_first_line(error)}). {REMEDY}") from error


def _build(card: DetectorCard, parameters: NetworkParameters) -> Network:
    return registry.build(card.network, parameters, card.input_width, len(card.classes))


def _parameters_of(card: DetectorCard) -> NetworkParameters:
    """Return the network's own parameters, strictly; ValueError where the card has others."""
    parts = registry.parts_of(card.network)
    own = {name: _part(card.parameters.get(name, {}), kind, name) for name, kind in parts.items()}
    parameters: NetworkParameters = registry.NETWORKS[card.network].kind(**own)
    return parameters


def _part(values: Mapping[str, Any], kind: type[Any], name: str) -> Any:
    differing = sorted({field.name for field in dataclasses.fields(kind)} ^ values.keys())
    if differing:
        raise ValueError(f"{name} differs from this version of facespan in {', '.join(differing)}")
    return params.build(values, kind, name)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
