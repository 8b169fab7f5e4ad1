"""Stored detectors: where the store lies (below `.dvc` of the checkout), and those that carry no digest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from cache.weights import detector_card
from cache.weights.detector_store import Store
from stages.shell import console, params, places


@dataclass(frozen=True)
class StoreParameters:
    """How much of what was trained before is kept.

    Attributes:
        gigabytes: detectors used longest ago go first beyond it; 0 keeps none.
    """

    gigabytes: float

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        if self.gigabytes < 0:
            raise ValueError(f"gigabytes is {self.gigabytes}, expected at least 0")


def find(params_path: Path, folder: Path | None = None) -> Store | None:
    """Return the store, in the folder given or else below `.dvc`; None outside of a checkout that DVC knows.

    Raises:
        ParameterError: the section `store` of the parameters is missing or wrong.
    """
    bound = params.read(params_path, "store", StoreParameters)
    place = folder or places.remembered("detectors")
    return Store(place, round(bound.gigabytes * 1e9)) if place else None


def say_undigested(stage: str, detectors: Collection[Path]) -> None:
    """Say how many of the detectors in use carry no digest, if any: they are used, and nobody can check them."""
    older = detector_card.without_digest(detectors)
    if older:
        console.say(
            f"{stage}: {len(older)} of {len(detectors)} detectors ({older[0].name} for instance) are of an earlier "
            "version and carry no digest, so a changed bit would not be noticed. Run dvc repro, which gives them one"
        )
