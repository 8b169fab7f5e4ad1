"""A flipped bit, time and size kept: `facespan cache verify` finds it, names it, and says what repairs that video.

A failing case prints its seed; `python -m tests.faults --kills 0 --flips 8 --seed N` tries it again.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults import flips
from tests.faults.harness import Project, differences

SHARDS = ("frames", "features")
MANIFESTS = ("manifest of frames", "manifest of features")
FOUND = (*SHARDS, *MANIFESTS, "tables", "detections", "detectors")
SEEDS = range(12)


@pytest.mark.parametrize("kind", FOUND)
def test_a_flipped_bit_is_found_and_named(made: Project, tmp_path: Path, kind: str) -> None:
    project = made.copy(tmp_path / "flipped")
    tried = [flips.attempt(project, kind, seed, repair=False) for seed in SEEDS]
    assert not [one for one in tried if one.problems]


@pytest.mark.whole_line
@pytest.mark.parametrize("seed", [11, 27])
@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_manifest_comes_back_by_what_verify_says_and_no_shard_is_made(
    made: Project, tmp_path: Path, kind: str, seed: int
) -> None:
    found = flips.attempt(made.copy(tmp_path / "flipped"), kind, seed, repair=True)
    assert found.is_repaired, found


@pytest.mark.whole_line
def test_dvc_repro_alone_makes_good_a_manifest_of_frames(made: Project, tmp_path: Path) -> None:
    project = made.copy(tmp_path / "flipped")
    flips.flip(project, "manifest of frames", random.Random(1))
    told = project.dvc("repro")
    assert told.code == 0, told
    assert "align: 4 videos" in told.text
    assert "(0 new, 4 kept)" in told.text
    assert not differences(project.contents(), made.contents())


@pytest.mark.whole_line
@pytest.mark.parametrize("kind", SHARDS)
def test_what_verify_says_repairs_that_video_alone(made: Project, tmp_path: Path, kind: str) -> None:
    project = made.copy(tmp_path / "flipped")
    found = flips.attempt(project, kind, 1, repair=True)
    assert found.is_repaired, found
