"""What every test may use: the shared material beside the project, and a guard against foreign packages."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import cache
import pipeline
import stages

ROOT = Path(__file__).resolve().parents[1]
# Nothing may fail because the machine is busy; what hangs is ended by the one limit in pyproject.toml.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure() -> None:
    """Refuse packages named like ours that came from elsewhere: the names are common."""
    for package in (pipeline, cache, stages):
        found = Path(package.__file__ or "").resolve().parent
        if found != ROOT / package.__name__:
            raise pytest.UsageError(f"{package.__name__} was imported from {found}, expected {ROOT / package.__name__}")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real OpenFace output and real faces beside the project; skip where it is absent."""
    folder = ROOT.parent / "shared"
    if not (folder / "openface").is_dir():
        pytest.skip(f"real OpenFace output is not at {folder / 'openface'}: it may not be redistributed")
    return folder
