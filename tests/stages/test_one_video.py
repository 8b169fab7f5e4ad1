"""One video's trouble stays its own; a full disk, memory that is used up, and bugs of ours stay clear."""

from __future__ import annotations

import csv
import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import h5py
import pytest

from cache.shards import manifest
from pipeline.errors import DataError
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
Fail = Callable[[str, Exception], None]
FRAMES = Path("data/frames")
FEATURES = Path("data/features")
BEFORE = {"align": "index", "extract": "align"}
FOLDERS = {"align": FRAMES, "extract": FEATURES}
# What a stage reads the frames of a video with.
PLACES = {"align": "cache.media.video_files._retrieve", "extract": "stages.parts.feature_sources._decoded"}
NATIVE: dict[str, Callable[[], Exception]] = {
    "OSError": lambda: OSError(errno.EIO, os.strerror(errno.EIO)),
    "cv2.error": lambda: cv2.error("OpenCV(4.10.0) color.cpp:196: error: (-215:Assertion failed)\n!_src.empty()"),
    "RuntimeError": lambda: RuntimeError("Node number 3 failed to invoke"),
}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Return a function that makes a stage raise an error when it reads or computes ben_1."""

    def fail(name: str, error: Exception) -> None:
        room, _, function = PLACES[name].rpartition(".")
        module = __import__(room, fromlist=[function])
        right = getattr(module, function)

        def wrong(*words: Any, **named: Any) -> Any:
            path = words[1] if name == "align" else words[0]._shard.path
            if "ben_1" in str(path):
                raise error
            return right(*words, **named)

        monkeypatch.setattr(module, function, wrong)

    return fail


def failures(folder: Path) -> dict[str, str]:
    """Return what failures.csv says of each video."""
    with (folder / "failures.csv").open(encoding="utf-8", newline="") as file:
        return {row["video"]: row["error"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", BEFORE)
@pytest.mark.parametrize("kind", NATIVE)
def test_an_error_of_the_system_or_a_library_fails_one_video(
    begin: Begin, stage: Run, failing: Fail, name: str, kind: str
) -> None:
    begin(BEFORE[name])
    failing(name, NATIVE[kind]())
    told = stage(name)
    assert told.code == ExitCode.PARTIAL
    assert "2 videos, 300 frames" in told.out
    assert sorted(manifest.read(FOLDERS[name]).shards) == ["ann_1", "cem_1"]
    found = failures(FOLDERS[name])
    assert list(found) == ["ben_1"]
    assert found["ben_1"].startswith(f"{kind}: ")
    place = "cache/media/video_files.py:" if name == "align" else "stages/parts/feature_sources.py:"
    assert f" (at {place}" in found["ben_1"]
    assert f"{name}: ben_1 failed: {found['ben_1']}" in told.err
    assert "\n" not in found["ben_1"]


def test_what_the_science_refuses_fails_one_video(begin: Begin, stage: Run, failing: Fail) -> None:
    begin("index")
    failing("align", DataError("there is no face 2: 1 were seen, counted from 0"))
    told = stage("align")
    assert told.code == ExitCode.PARTIAL
    assert failures(FRAMES) == {"ben_1": "there is no face 2: 1 were seen, counted from 0"}


def state(video: str) -> None:
    """State in the manifest what a frame shard is now."""
    held = manifest.read(FRAMES)
    entry = held.shards[video]
    told = manifest.describe(FRAMES, FRAMES / entry.file, entry.frames, entry.key)
    manifest.write(FRAMES, replace(held, shards={**held.shards, video: told}))


def damage_offsets(path: Path) -> None:
    """Let two images of a frame shard begin at the same byte."""
    with h5py.File(path, "r+") as file:
        file["offsets"][1] = file["offsets"][2]
    state(path.stem)


def damage_size(path: Path) -> None:
    """Cut a frame shard short."""
    path.write_bytes(path.read_bytes()[:-100])
    state(path.stem)


def damage_digest(path: Path) -> None:
    """Flip the last bit of a frame shard, which its manifest knows otherwise."""
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


def damage_image(path: Path) -> None:
    """Make the last image of a frame shard one that no decoder reads."""
    whole = bytearray(path.read_bytes())
    start = whole.rindex(b"\xff\xd8")
    whole[start : start + 2] = b"no"
    path.write_bytes(whole)
    state(path.stem)


@pytest.mark.parametrize("damage", [damage_offsets, damage_size, damage_digest, damage_image, Path.unlink])
def test_a_corrupt_frame_shard_fails_one_video(begin: Begin, stage: Run, damage: Callable[[Path], None]) -> None:
    begin("align")
    whole = (FRAMES / "ben_1.h5").read_bytes()
    damage(FRAMES / "ben_1.h5")
    told = stage("extract")
    assert told.code == ExitCode.PARTIAL
    assert "data/frames/ben_1.h5" in failures(FEATURES)["ben_1"]
    assert sorted(manifest.read(FEATURES).shards) == ["ann_1", "cem_1"]
    assert "Traceback" not in told.err
    assert stage("align", extra=("--force",)).code == ExitCode.DONE
    assert (FRAMES / "ben_1.h5").read_bytes() == whole
    told = stage("extract")
    assert told.code == ExitCode.DONE
    assert "(1 new, 2 kept)" in told.out
    assert not (FEATURES / "failures.csv").exists()


@pytest.mark.parametrize("name", BEFORE)
def test_a_key_that_cannot_be_told_fails_one_video(
    begin: Begin, stage: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    begin(BEFORE[name])
    module = __import__(f"stages.{name}", fromlist=["key_of"])
    right = module.key_of

    def wrong(*words: Any) -> str:
        if "ben_1" in str(words[1]):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return str(right(*words))

    with monkeypatch.context() as patched:
        patched.setattr(module, "key_of", wrong)
        told = stage(name)
    assert told.code == ExitCode.PARTIAL
    assert list(failures(FOLDERS[name])) == ["ben_1"]
    assert "(2 new, 0 kept)" in told.out
    assert "(1 new, 2 kept)" in stage(name).out


@pytest.mark.parametrize("name", BEFORE)
@pytest.mark.parametrize("bug", [TypeError("no len()"), ValueError("shapes (3,) and (4,)"), NotImplementedError("x")])
def test_a_bug_of_ours_is_no_videos_failure_and_keeps_what_is_finished(
    begin: Begin, stage: Run, failing: Fail, name: str, bug: Exception
) -> None:
    begin(BEFORE[name])
    failing(name, bug)
    with pytest.raises(type(bug)):
        stage(name)
    assert list(manifest.read(FOLDERS[name]).shards) == ["ann_1"]
    assert not (FOLDERS[name] / "failures.csv").exists()


OUT_OF_MEMORY = [
    ("align", MemoryError("Unable to allocate 3.1 GiB")),
    ("extract", MemoryError("Unable to allocate 3.1 GiB")),
    ("extract", OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))),
]


@pytest.mark.parametrize(("name", "error"), OUT_OF_MEMORY)
def test_memory_that_is_used_up_is_said_and_what_is_finished_is_kept(
    begin: Begin, stage: Run, failing: Fail, name: str, error: Exception
) -> None:
    begin(BEFORE[name])
    failing(name, error)
    told = stage(name)
    assert told.code == ExitCode.INPUT
    assert "error: memory ran out at ben_1 (" in told.err
    assert "What is finished is kept" in told.err
    assert list(manifest.read(FOLDERS[name]).shards) == ["ann_1"]


def test_a_batch_that_does_not_fit_into_memory_is_said(
    begin: Begin, stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("align")

    def forward(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory")

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.encoder.resnet.Encoder.forward", forward)
        told = stage("extract")
    assert told.code == ExitCode.INPUT
    assert "error: memory ran out at ann_1 (MemoryError: 64 frames at once do not fit" in told.err
    assert "--batch-size" in told.err
    assert stage("extract").code == ExitCode.DONE


@pytest.mark.parametrize("name", BEFORE)
def test_a_disk_that_is_full_stops_at_the_first_video(begin: Begin, stage: Run, failing: Fail, name: str) -> None:
    begin(BEFORE[name])
    failing(name, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    told = stage(name)
    assert told.code == ExitCode.INPUT
    assert "(No space left on device): the disk is full: free some space" in told.err
    assert list(manifest.read(FOLDERS[name]).shards) == ["ann_1"]
    assert not (FOLDERS[name] / "failures.csv").exists()
