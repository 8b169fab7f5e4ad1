"""The section `train` of the parameters: one flat section, split over the parts of the code that it controls.

`network` names what is trained. A network's own parameters, and what it wants to be trained with otherwise than others,
may stand in a block of its name (`train: {network: x, epochs: 30, x: {width: 256, epochs: 35}}`), which goes before the
flat keys; FEDN's stand among these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.detectors import registry
from pipeline.detectors.contract import FrameNetwork
from pipeline.training.fold import FoldParameters, TrainParameters
from pipeline.windows.augmentation import AugmentParameters
from stages.shell import console, params
from stages.shell.params import ParameterError, SectionOrigin

SECTION = "train"
COMMON = (AugmentParameters, TrainParameters)


@dataclass(frozen=True)
class Choice:
    """Which network is trained, and on which splits; the latter changes no detector, so no card states it.

    Attributes:
        network: a name in `registry.NETWORKS`.
        nested: whether there are also detectors without each two subjects, on which thresholds are chosen.
    """

    network: str
    nested: bool

    def __post_init__(self) -> None:
        """Raise ValueError for a network that there is not."""
        if self.network not in registry.NETWORKS:
            raise ValueError(f"network is {self.network!r}, expected one of {', '.join(registry.NETWORKS)}")


CHOSEN = tuple(field.name for field in dataclasses.fields(Choice))


def read(path: Path, corpus: Path) -> FoldParameters:
    """Return the section after a corpus' overrides; ParameterError also for parts of it that contradict each other."""
    values, plain = params.in_force(path, SECTION, corpus), params.load_section(path, SECTION)
    for name in registry.NETWORKS.keys() & plain.keys():
        if isinstance(plain[name], dict) and isinstance(values[name], dict):
            # A corpus overrides single values of a block, too; those of a network that is not trained concern nobody.
            for key in values[name] if name == values.get("network") else ():
                if values[name][key] != plain[name].get(key):
                    console.say(f"{SECTION}: {name}.{key} = {params.shown(values[name][key])} ({corpus})")
            values[name] = plain[name] | values[name]
    return build(values, params.origin(path, SECTION, corpus))


def is_nested(path: Path, corpus: Path) -> bool:
    """Return whether detectors without each two subjects are trained besides; ParameterError where it is not said."""
    # `read` says aloud what a corpus overrides; this need not.
    values = params.load_section(path, SECTION) | params.overrides_of(corpus).get(SECTION, {})
    return _choice(values, params.origin(path, SECTION, corpus)).nested


def build(values: Mapping[str, Any], where: str | SectionOrigin) -> FoldParameters:
    """Return the parameters that the values of the section mean.

    Raises:
        ParameterError: an unknown, missing or ill-typed key, a network that there is not, or values that contradict
            each other.
    """
    origin = where if isinstance(where, SectionOrigin) else SectionOrigin(where)
    known = {key for name in registry.NETWORKS for key in (name, *_keys(name))}
    params.refuse_unknown(values, sorted({*CHOSEN, *known}), str(origin))
    name = _choice(values, origin).network
    block = _block(values, name, origin)
    own = registry.parts_of(name)
    chosen = {key: value for key, value in {**values, **block}.items() if key in _keys(name)}
    if block:
        origin = SectionOrigin(origin.section, f"{origin.section}.{name}", frozenset(block))
    parts = params.build_parts(chosen, (*own.values(), *COMMON), origin)
    try:
        network = registry.NETWORKS[name].kind(**dict(zip(own, parts, strict=False)))
        _refuse_normalised(name, parts[-1])
        return FoldParameters(name, network, *parts[len(own) :])
    except ValueError as error:
        raise ParameterError(f"{origin.about(str(error))}: {error}") from error


def _refuse_normalised(name: str, train: TrainParameters) -> None:
    """Raise ValueError where a network that takes features as the encoder made them would get others."""
    if issubclass(registry.NETWORKS[name], FrameNetwork) and train.normalisation != "none":
        raise ValueError(
            f"normalisation is {train.normalisation!r}, expected 'none' for network {name}: the encoder's class layer "
            "knows its features as they are"
        )


def _choice(values: Mapping[str, Any], origin: SectionOrigin) -> Choice:
    return params.build({name: value for name, value in values.items() if name in CHOSEN}, Choice, origin)


def described(parameters: FoldParameters) -> dict[str, dict[str, Any]]:
    """Return parameters as a card holds them: the network's own parts by name, and those of all networks."""
    own = {name: getattr(parameters.own, name) for name in registry.parts_of(parameters.network)}
    parts = {**own, "augment": parameters.augment, "train": parameters.train}
    return {name: dataclasses.asdict(part) for name, part in parts.items()}


def _keys(name: str) -> set[str]:
    """Return the keys that matter to a network."""
    return {field.name for kind in (*registry.parts_of(name).values(), *COMMON) for field in dataclasses.fields(kind)}


def _block(values: Mapping[str, Any], name: str, origin: SectionOrigin) -> dict[str, Any]:
    """Return the network's own block, empty when there is none, and say where it goes before a flat key."""
    for other in registry.NETWORKS.keys() & values.keys():
        if not isinstance(values[other], dict):
            raise ParameterError(f"{origin.of(other)}: expected `key: value` lines, found {values[other]!r}")
        params.refuse_unknown(values[other], sorted(_keys(other)), origin.of(other))
    block: dict[str, Any] = values.get(name, {})
    for key in sorted(block.keys() & values.keys()):
        if block[key] != values[key]:
            console.say(f"{SECTION}: {key} = {block[key]} ({name}) instead of {values[key]}")
    return block
