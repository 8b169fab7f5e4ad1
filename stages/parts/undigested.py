"""Detectors without a digest, of an earlier version: they are used, and it is said that nobody can check them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from cache.weights import detector_card
from stages.shell import console


def say(stage: str, detectors: Collection[Path]) -> None:
    """Say how many of the detectors in use carry no digest, if any."""
    older = detector_card.without_digest(detectors)
    if older:
        console.say(
            f"{stage}: {len(older)} of {len(detectors)} detectors ({older[0].name} for instance) are of an earlier "
            "version and carry no digest, so a changed bit would not be noticed. Run dvc repro, which gives them one"
        )
