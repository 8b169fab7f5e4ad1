"""What was merged stays: where there are no frames, `extract` keeps the features of every video of the table."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cache.shards import manifest
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
FEATURES, THEIRS = Path("data/features"), Path("theirs")


def lose(folder: Path, name: str) -> None:
    """Take a video out of a folder of features, as if it had never been there."""
    held = manifest.read(folder)
    (folder / held.shards[name].file).unlink()
    told = held.run["frames"]
    digests = {video: digest for video, digest in told["videos"].items() if video != name}
    shards = {video: entry for video, entry in held.shards.items() if video != name}
    manifest.write(
        folder, dataclasses.replace(held, shards=shards, run={**held.run, "frames": told | {"videos": digests}})
    )


@pytest.mark.parametrize("says_frames", [True, False])
def test_merged_features_outlive_the_next_extract_in_a_clone_without_frames(
    begin: Begin, words: Callable[[str], list[str]], facespan: Run, says_frames: bool
) -> None:
    begin("align")
    stated = ["--stated", "configs/frames/tiny.json"]
    extract = ["extract", *words("extract"), *stated]
    assert facespan("align", *words("align"), *stated).code == ExitCode.DONE
    assert facespan(*extract).code == ExitCode.DONE
    shutil.copytree(FEATURES, THEIRS)
    lose(FEATURES, "cem_1")
    if not says_frames:
        held = manifest.read(THEIRS)
        run = {name: value for name, value in held.run.items() if name != "frames"}
        manifest.write(THEIRS, dataclasses.replace(held, run=run))
    shutil.rmtree("data/frames")
    told = facespan("cache", "merge", str(FEATURES), str(THEIRS), "--quiet")
    assert told.code == ExitCode.DONE, told.err
    assert ("cem_1" in manifest.read(FEATURES).run["frames"]["videos"]) is says_frames
    told = facespan(*extract)
    assert told.code == ExitCode.DONE, told.err
    assert "(0 new, 3 kept)" in told.out
    assert (FEATURES / "cem_1.h5").read_bytes() == (THEIRS / "cem_1.h5").read_bytes()
    assert sorted(manifest.read(FEATURES).shards) == ["ann_1", "ben_1", "cem_1"]
