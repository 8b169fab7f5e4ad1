"""Recovery of a damaged manifest: which shards are taken for ours, and which of them as current."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cache.columns import FrameColumns
from cache.shards import features, manifest, recovery, upkeep
from cache.shards.manifest import Manifest
from cache.shards.ownership import ShardFolder
from cache.shards.shard_entry import is_whole

FRAMES = 10
KEYS = {"ann": "1" * 64, "ben": "2" * 64}
LEFT = "cem"


def write_shard(path: Path, key: str) -> None:
    columns = FrameColumns(np.arange(FRAMES) / 30, np.arange(FRAMES), np.ones(FRAMES, bool), np.ones(FRAMES, "f4"))
    seed = int(key[0])
    features.write(path, np.random.default_rng(seed).random((FRAMES, 8)).astype("f2"), columns, key, "avgpool")


@pytest.fixture
def folder(tmp_path: Path) -> ShardFolder:
    """Return a folder of three shards, one of a video that left the corpus, and their manifest, which is whole."""
    entries = {}
    for video, key in {**KEYS, LEFT: "3" * 64}.items():
        path = tmp_path / f"{video}.h5"
        write_shard(path, key)
        entries[video] = manifest.describe(tmp_path, path, FRAMES, key)
    manifest.write(tmp_path, Manifest("features", entries, {"corpus": "tiny", "device": "cpu"}))
    return ShardFolder(tmp_path, "tiny", features.LAYOUT, is_whole)


def damage(folder: ShardFolder, found: str = '"device"', put: str = '"devise"') -> None:
    """Change one text of the manifest, once."""
    path = folder.path / manifest.NAME
    text = path.read_text(encoding="ascii")
    assert found in text
    path.write_text(text.replace(found, put, 1), encoding="ascii")


def test_shards_of_videos_of_the_corpus_are_current_and_that_of_one_that_left_is_stale(folder: ShardFolder) -> None:
    before = manifest.read(folder.path)
    damage(folder)
    found = recovery.recover(folder, KEYS, len(KEYS))
    assert found is not None
    assert found.shards == {video: before.shards[video] for video in KEYS}
    assert manifest.stale(found) == {LEFT: before.shards[LEFT]}
    assert set(found.run) == {"corpus", "stale"}


def test_what_left_the_corpus_is_removed_after_a_recovery_as_before_it(folder: ShardFolder) -> None:
    damage(folder)
    planned = upkeep.plan(folder, list(KEYS), KEYS.__getitem__, force=False)
    outcome = upkeep.keep_up(folder, planned, lambda *_: pytest.fail("a shard was made"), {})
    assert (outcome.kept, outcome.removed) == (list(KEYS), [folder.path / f"{LEFT}.h5"])
    assert manifest.list_shards(folder.path) == [folder.path / f"{video}.h5" for video in KEYS]
    assert "stale" not in manifest.read(folder.path).run


def test_a_shard_that_was_made_from_something_else_is_stale(folder: ShardFolder) -> None:
    damage(folder)
    found = recovery.recover(folder, KEYS | {"ben": "9" * 64}, len(KEYS))
    assert found is not None
    assert (list(found.shards), list(manifest.stale(found))) == (["ann"], ["ben", LEFT])


def test_shards_of_another_corpus_are_not_stated_so_that_none_is_removed(folder: ShardFolder) -> None:
    damage(folder)
    elsewhere = replace(folder, corpus="other")
    assert recovery.recover(elsewhere, {"dan": "4" * 64}, 1) is None
    found = recovery.recover(elsewhere, {"ann": KEYS["ann"]}, 1)
    assert found is not None
    assert (list(found.shards), found.run) == (["ann"], {"corpus": "other"})


def test_a_shard_that_the_text_does_not_name_is_not_taken(folder: ShardFolder) -> None:
    write_shard(folder.path / "dan.h5", "4" * 64)
    write_shard(folder.path / "ben.h5", "5" * 64)
    damage(folder)
    found = recovery.recover(folder, KEYS | {"dan": "4" * 64, "ben": "5" * 64}, 3)
    assert found is not None
    assert (list(found.shards), list(manifest.stale(found))) == (["ann"], [LEFT])


def test_a_shard_under_a_name_that_no_manifest_can_state_is_not_taken(folder: ShardFolder) -> None:
    (folder.path / "00").mkdir()
    for name in ("a shard.h5", "00/ann.h5"):
        shutil.copy(folder.path / "ann.h5", folder.path / name)
    damage(folder)
    found = recovery.recover(folder, KEYS, len(KEYS))
    assert found is not None
    assert (list(found.shards), list(manifest.stale(found))) == (["ann", "ben"], [LEFT])


@pytest.mark.parametrize("place", [0, 31, 32, 63])
def test_a_digit_changed_in_either_half_still_names_a_shard_and_one_in_each_does_not(
    folder: ShardFolder, place: int
) -> None:
    digits = manifest.read(folder.path).shards["ann"].sha256

    def other(text: str, place: int) -> str:
        return text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :]

    once = other(digits, place)
    damage(folder, digits, once)
    found = recovery.recover(folder, KEYS, len(KEYS))
    assert found is not None
    assert found.shards["ann"].sha256 == digits
    damage(folder, once, other(once, (place + 32) % 64))
    found = recovery.recover(folder, KEYS, len(KEYS))
    assert found is not None
    assert list(found.shards) == ["ben"]


def test_a_shard_that_the_journal_alone_names_is_taken(folder: ShardFolder) -> None:
    write_shard(folder.path / "dan.h5", "4" * 64)
    manifest.add(folder.path, "dan", manifest.describe(folder.path, folder.path / "dan.h5", FRAMES, "4" * 64))
    damage(folder)
    found = recovery.recover(folder, {"dan": "4" * 64}, 1)
    assert found is not None
    assert list(found.shards) == ["dan"]


def test_a_whole_manifest_and_one_without_a_digest_recover_nothing(folder: ShardFolder) -> None:
    assert recovery.recover(folder, KEYS, len(KEYS)) is None
    path = folder.path / manifest.NAME
    stored = json.loads(path.read_bytes())
    del stored["run"]["own_digest"]
    path.write_text(json.dumps(stored | {"kind": "neither"}), encoding="ascii")
    assert recovery.recover(folder, KEYS, len(KEYS)) is None


def test_a_damaged_manifest_that_names_nothing_that_lies_there_recovers_nothing(folder: ShardFolder) -> None:
    damage(folder)
    for path in manifest.list_shards(folder.path):
        path.unlink()
    assert recovery.recover(folder, KEYS, len(KEYS)) is None
