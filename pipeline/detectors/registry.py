"""The networks by name: what `train.network` chooses from."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from pipeline.detectors.contract import Network
from pipeline.detectors.fedn.fedn import Fedn
from pipeline.detectors.framewise.framewise import Framewise

NETWORKS: dict[str, type[Network]] = {"fedn": Fedn, "framewise": Framewise}


def build(name: str, parameters: Any, input_width: int, class_count: int) -> Network:
    """Return a fresh network of a name in `NETWORKS`; see `contract.Network.build`."""
    return NETWORKS[name].build(parameters, input_width, class_count)


def parts_of(name: str) -> dict[str, type[Any]]:
    """Return the dataclasses that a network's parameters consist of, by field and in order."""
    kind = NETWORKS[name].kind
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}
