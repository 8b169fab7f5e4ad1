"""Location of the store of trained detectors: below `.dvc` of the checkout, for experiments in a copy of it as well."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cache.weights.detector_store import Store
from stages.shell import params, places


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
