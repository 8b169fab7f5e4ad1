"""SIGKILL at moments told by a seed: the run after it ends with the bytes of one that nobody disturbed.

A failing case prints its seed; `python -m tests.faults --seed N --kills 1 --stages NAME` repeats it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import kills
from tests.faults.harness import LINE, Project


@pytest.mark.parametrize("seed", [3, 5, 6])
def test_align_killed_anywhere_comes_to_the_same_bytes_and_no_reader_sees_a_part(
    made: Project, tmp_path: Path, seed: int
) -> None:
    found = kills.course(made, tmp_path / "killed", "align", False, seed, clock=False)
    assert not found.problems, found
    assert found.kills > 0
    assert found.reads > 0


@pytest.mark.parametrize("seed", [100, 103])
def test_fingerprint_killed_before_a_renaming_leaves_nothing_that_git_would_track(
    made: Project, tmp_path: Path, seed: int
) -> None:
    found = kills.course(made, tmp_path / "killed", "fingerprint", True, seed, clock=False)
    assert not found.problems, found
    assert found.kills > 0


@pytest.mark.whole_line
@pytest.mark.parametrize("stage", ["extract", "train"])
def test_a_stage_killed_anywhere_goes_on_from_what_was_finished(made: Project, tmp_path: Path, stage: str) -> None:
    courses = [kills.course(made, tmp_path / f"killed-{seed}", stage, False, seed, clock=False) for seed in (1, 3)]
    assert not [found for found in courses if found.problems]
    assert any(found.kills and found.has_resumed for found in courses)


@pytest.mark.whole_line
@pytest.mark.parametrize("stage", LINE)
def test_dvc_killed_in_a_stage_or_with_it_comes_to_the_same_bytes(made: Project, tmp_path: Path, stage: str) -> None:
    courses = [kills.course(made, tmp_path / f"killed-{seed}", stage, True, seed, clock=False) for seed in (3, 100)]
    assert not [found for found in courses if found.problems]
    assert any(found.kills for found in courses)
