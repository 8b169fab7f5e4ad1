"""The tiny project, made once, and a folder for copies of it."""

from __future__ import annotations

import pytest

from tests.faults import harness
from tests.faults.harness import Project


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose stages all ran; copy it before changing it."""
    return harness.make(tmp_path_factory.mktemp("made"))
