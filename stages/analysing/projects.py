"""Which project's parameters and encoders an analysis works with, wherever it is started."""

from __future__ import annotations

from pathlib import Path

from stages.shell import params


def configs_of(folder: Path) -> Path:
    """Return the configs of the project in which a folder lies, else those that facespan works with where you are."""
    for place in folder.resolve().parents:
        if (place / params.PARAMS).is_file():
            return place / params.PARAMS.parent
    return usual_configs()


def usual_configs() -> Path:
    """Return the configs of the project in which you are, else those of the checkout of this code."""
    here = params.PARAMS.parent
    return here if params.PARAMS.is_file() else Path(__file__).resolve().parents[2] / here
