"""An entry vouches for its file to the last bit, and nothing is removed for which none does."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cache.shards import manifest, shard_entry
from cache.shards.shard_entry import ShardEntry

Entries = dict[str, ShardEntry]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of three files; what a shard holds does not matter here."""
    for video in ("a", "b", "c"):
        (tmp_path / f"{video}.h5").write_bytes(video.encode() * 1000)
    return tmp_path


@pytest.fixture
def entries(folder: Path) -> Entries:
    """Return the entries of these files, as they are before a test changes one."""
    return {video: manifest.describe(folder, folder / f"{video}.h5", 10, "key") for video in ("a", "b", "c")}


def test_every_flipped_bit_is_found(folder: Path, entries: Entries) -> None:
    path, source = folder / "a.h5", random.Random(0)
    entry, whole = entries["a"], path.read_bytes()
    assert shard_entry.is_whole(path, "key", entry)
    for _ in range(50):
        flipped = bytearray(whole)
        flipped[source.randrange(len(whole))] ^= 1 << source.randrange(8)
        path.write_bytes(flipped)
        assert not shard_entry.is_whole(path, "key", entry)


def test_a_link_in_the_place_of_a_shard_is_not_followed(folder: Path, entries: Entries, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "a.h5").rename(elsewhere / "a.h5")
    (folder / "a.h5").symlink_to(elsewhere / "a.h5")
    assert not shard_entry.is_whole(folder / "a.h5", "key", entries["a"])


def test_only_what_a_manifest_names_goes_and_only_as_it_was_made(folder: Path, entries: Entries) -> None:
    (folder / "d.h5").touch()
    (folder / "ab").mkdir()
    (folder / "ab" / "a.h5").touch()
    (folder / "c.h5").write_bytes(b"somebody's")
    assert shard_entry.remove(folder, [entries["b"], entries["c"]]) == ([folder / "b.h5"], [folder / "c.h5"])
    assert sorted(path.name for path in folder.rglob("*.h5")) == ["a.h5", "a.h5", "c.h5", "d.h5"]


def test_what_lies_behind_a_link_is_not_removed(folder: Path, entries: Entries, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "a.h5").rename(elsewhere / "a.h5")
    (folder / "ca").symlink_to(elsewhere)
    entry = replace(entries["a"], file="ca/a.h5")
    assert shard_entry.remove(folder, [entry]) == ([], [folder / "ca" / "a.h5"])
    assert (elsewhere / "a.h5").is_file()
