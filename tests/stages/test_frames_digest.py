"""What features depend on stands in the manifest of the frames: a shard of frames is read when it is used, and once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cache import files
from cache.shards import frames, manifest
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
FRAMES, FEATURES = Path("data/frames"), Path("data/features")
NAMES = ("ann_1", "ben_1", "cem_1")


@pytest.fixture
def read_whole(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return how often each shard of frames was read from its first byte to its last."""
    counted: Counter[str] = Counter()
    digest = files.sha256_of_descriptor

    def sha256_of_descriptor(descriptor: int) -> str:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.parent.name == FRAMES.name:
            counted[path.stem] += 1
        return digest(descriptor)

    monkeypatch.setattr(files, "sha256_of_descriptor", sha256_of_descriptor)
    return counted


def as_made_before() -> None:
    """Take the digests of the frames out of their manifest, as it was before there were any."""
    stored = as_stored()
    for entry in stored["shards"].values():
        del entry["digest"]
    (FRAMES / manifest.NAME).write_text(json.dumps(stored), encoding="ascii")


def as_stored() -> dict[str, Any]:
    """Return the frames' manifest as JSON has it, without its digest of itself."""
    stored: dict[str, Any] = json.loads((FRAMES / manifest.NAME).read_text(encoding="ascii"))
    del stored["run"]["own_digest"]
    return stored


def test_frames_are_read_once_for_their_features_and_not_at_all_where_those_are_current(
    begin: Begin, stage: Run, read_whole: Counter[str]
) -> None:
    begin("align")
    read_whole.clear()
    assert "(3 new, 0 kept)" in stage("extract").out
    assert read_whole == dict.fromkeys(NAMES, 1)
    read_whole.clear()
    assert "(0 new, 3 kept)" in stage("extract").out
    assert read_whole == {}


def test_the_manifest_states_the_digest_that_each_shard_states(begin: Begin) -> None:
    begin("extract")
    for entry in manifest.read(FRAMES).shards.values():
        with frames.open(FRAMES / entry.file) as shard:
            assert entry.digest == shard.digest
    assert all(entry.digest is None for entry in manifest.read(FEATURES).shards.values())
    assert '"digest": null' not in (FEATURES / manifest.NAME).read_text(encoding="ascii")


def test_a_manifest_without_digests_is_accepted_keeps_all_and_gets_them_when_it_is_aligned_again(
    begin: Begin, stage: Run
) -> None:
    begin("extract")
    whole, features = (FRAMES / manifest.NAME).read_bytes(), (FEATURES / manifest.NAME).read_bytes()
    as_made_before()
    assert "(0 new, 3 kept)" in stage("extract").out
    assert (FEATURES / manifest.NAME).read_bytes() == features
    assert "(0 new, 3 kept)" in stage("align").out
    assert (FRAMES / manifest.NAME).read_bytes() == whole
    assert "(0 new, 3 kept)" in stage("extract").out
    assert (FEATURES / manifest.NAME).read_bytes() == features


def test_damaged_frames_are_found_when_they_are_used(begin: Begin, stage: Run) -> None:
    begin("align")
    path = FRAMES / "ben_1.h5"
    damaged = bytearray(path.read_bytes())
    damaged[-5] ^= 1
    path.write_bytes(damaged)
    told = stage("extract")
    assert told.code == ExitCode.PARTIAL
    assert "ben_1 failed: data/frames/ben_1.h5: found SHA-256 " in told.err
    assert sorted(manifest.read(FEATURES).shards) == ["ann_1", "cem_1"]


def test_a_manifest_that_states_another_digest_than_its_shard_fails_that_video(begin: Begin, stage: Run) -> None:
    begin("align")
    stored = as_stored()
    stored["shards"]["ben_1"]["digest"] = "0" * 64
    (FRAMES / manifest.NAME).write_text(json.dumps(stored), encoding="ascii")
    told = stage("extract")
    assert told.code == ExitCode.PARTIAL
    assert f"expected {'0' * 64}, as the manifest says. Run: dvc repro, or facespan align CORPUS" in told.err


@pytest.mark.parametrize("digest", [None, 7, "", "0" * 63])
def test_what_is_no_digest_is_refused(begin: Begin, stage: Run, digest: object) -> None:
    begin("align")
    stored = as_stored()
    stored["shards"]["ben_1"]["digest"] = digest
    (FRAMES / manifest.NAME).write_text(json.dumps(stored), encoding="ascii")
    told = stage("extract")
    assert told.code == ExitCode.SHARD
    assert f"video ben_1: digest is {digest!r}" in told.err
