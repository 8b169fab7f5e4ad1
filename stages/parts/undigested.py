"""Detectors and manifests without a digest, of an earlier version: they are used, and it is said that nobody can check
them.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from cache.shards import manifest
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


def say_manifest(stage: str, folder: Path) -> None:
    """Say that the manifest of the features in use carries no digest, if so."""
    if not manifest.read(folder).has_digest:
        console.say(
            f"{stage}: {folder / manifest.NAME} is of an earlier version and carries no digest, so a changed bit would "
            "not be noticed. Run: dvc repro --single-item --force extract@CORPUS, which gives it one and keeps the rest"
        )
