"""Verification names every fault of a folder of shards by its video, and finds none in a sound one."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from cache.errors import ShardError
from cache.shards import features, manifest
from cache.sharing import integrity, inventory
from cache.tables import videos
from tests.cache.sharing import invented


def faults(folder: Path, *, alone: bool = False) -> list[tuple[str, str]]:
    """Return the videos with a fault, and which."""
    frames, table = inventory.frames_beside(folder), inventory.videos_beside(folder)
    compared = integrity.Beside() if alone else integrity.beside(frames, table)
    return [(fault.video, fault.problem) for fault in integrity.verify(folder, compared, lambda _: None)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of features, frames and tables beside it."""
    return invented.write_corpus(tmp_path)


def test_a_sound_corpus_has_no_fault(folder: Path) -> None:
    assert faults(folder) == []
    assert faults(inventory.corpus_folder(folder) / "frames") == []


def test_every_flipped_bit_is_found_though_the_time_is_kept(folder: Path) -> None:
    source = random.Random(0)
    for kept_in in (folder, inventory.corpus_folder(folder) / "frames"):
        path = kept_in / "anneliese-2.h5"
        whole = path.read_bytes()
        for _ in range(20):
            before = path.stat().st_mtime_ns
            invented.flip(path, source.randrange(len(whole)))
            assert path.stat().st_mtime_ns == before
            assert faults(kept_in) == [("anneliese-2", "damaged")]
            path.write_bytes(whole)


def test_what_is_missing_cut_short_or_a_link_is_named(folder: Path) -> None:
    (folder / "anneliese-1.h5").unlink()
    (folder / "anneliese-2.h5").write_bytes(b"short")
    (folder / "bartholomew-1.h5").rename(folder / "elsewhere")
    (folder / "bartholomew-1.h5").symlink_to("elsewhere")
    (folder / "stranger.h5").write_bytes(b"somebody's")
    assert faults(folder) == [
        ("anneliese-1", "missing"), ("anneliese-2", "damaged"), ("bartholomew-1", "damaged"), ("", "unstated")
    ]  # fmt: skip


def test_a_sparse_terabyte_is_refused_by_its_size_before_it_is_hashed(folder: Path) -> None:
    with (folder / "anneliese-1.h5").open("r+b") as file:
        file.truncate(1 << 40)
    assert faults(folder) == [("anneliese-1", "damaged")]


def test_another_length_than_the_table_or_the_frames_is_a_fault(folder: Path) -> None:
    table = inventory.corpus_folder(folder) / "videos.parquet"
    rows = videos.read(table)
    videos.write(table, [replace(rows[0], frame_count=7), *rows[1:]])
    assert faults(folder) == [("anneliese-1", "length")]
    invented.write_tables(table.parent, invented.PEOPLE)

    shard = features.read(folder / "anneliese-2.h5")
    fewer = {name: getattr(shard.columns, name)[:5] for name in integrity.COLUMNS}
    features.write(
        folder / "anneliese-2.h5", shard.features[:5], replace(shard.columns, **fewer), shard.key, shard.layer
    )
    invented.restate(folder, "anneliese-2", frames=5)
    assert faults(folder) == [("anneliese-2", "length"), ("anneliese-2", "length")]
    assert faults(folder, alone=True) == []
    invented.restate(folder, "anneliese-2", frames=6)
    assert faults(folder, alone=True) == [("anneliese-2", "length")]


@pytest.mark.parametrize("name", integrity.COLUMNS)
def test_columns_that_are_not_those_of_the_frames_are_a_fault(folder: Path, name: str) -> None:
    shard = features.read(folder / "anneliese-1.h5")
    column = getattr(shard.columns, name).copy()
    column[-1] = not column[-1] if name == "face_found" else column[-1] + 0.5 if name != "frame_label" else 9
    changed = replace(shard.columns, **{name: column})
    features.write(folder / "anneliese-1.h5", shard.features, changed, shard.key, shard.layer)
    invented.restate(folder, "anneliese-1")
    assert faults(folder) == [("anneliese-1", "columns")]


def test_features_of_other_frames_are_told_by_their_key(folder: Path) -> None:
    aligned = inventory.corpus_folder(folder) / "frames"
    other = (aligned / "bartholomew-1.h5").read_bytes()
    (aligned / "anneliese-1.h5").write_bytes(other)
    invented.restate(aligned, "anneliese-1")
    assert faults(folder) == [("anneliese-1", "key")]
    assert faults(aligned) == []


def test_a_key_that_the_manifest_does_not_state_is_a_fault(folder: Path) -> None:
    held = manifest.read(folder)
    entry = replace(held.shards["anneliese-1"], key="another")
    manifest.write(folder, replace(held, shards={**held.shards, "anneliese-1": entry}))
    assert faults(folder) == [("anneliese-1", "key")]


@pytest.mark.parametrize("value", [0, 1])
def test_features_that_are_all_zero_or_all_the_same_are_dead(folder: Path, value: float) -> None:
    shard = features.read(folder / "anneliese-1.h5")
    dead = np.full_like(shard.features, value)
    dead[~shard.columns.face_found] = 3  # which means nothing
    features.write(folder / "anneliese-1.h5", dead, shard.columns, shard.key, shard.layer)
    invented.restate(folder, "anneliese-1")
    assert faults(folder) == [("anneliese-1", "dead")]


def test_a_video_in_which_nobody_is_seen_is_not_dead() -> None:
    assert integrity.describe_dead(np.zeros((3, 4), np.float16), np.zeros(3, np.bool_)) is None
    assert integrity.describe_dead(np.ones((3, 4), np.float16), np.array([False, True, False])) is None


def test_a_person_who_holds_still_at_both_ends_is_not_dead() -> None:
    values = np.array([[1, 2], [1, 3], [1, 2]], np.float16)
    assert integrity.describe_dead(values, np.ones(3, np.bool_)) is None


def test_videos_of_the_corpus_without_a_shard_and_shards_without_a_video_are_named(folder: Path) -> None:
    invented.write_tables(inventory.corpus_folder(folder), ["anneliese-1", "anneliese-2", "constance-1"])
    assert faults(folder) == [("constance-1", "missing"), ("bartholomew-1", "orphan")]


def test_damaged_frames_are_the_frames_own_fault(folder: Path) -> None:
    aligned = inventory.corpus_folder(folder) / "frames"
    (aligned / "anneliese-1.h5").write_bytes(b"short")
    assert faults(folder) == []
    assert faults(aligned) == [("anneliese-1", "damaged")]


def test_what_a_stranger_calls_a_digest_cannot_move_the_cursor(folder: Path) -> None:
    aligned = inventory.corpus_folder(folder) / "frames"
    with h5py.File(aligned / "anneliese-1.h5", "r+") as file:
        file.attrs.modify("digest", np.bytes_(b"\x1b[2J\nsound"))
    invented.restate(aligned, "anneliese-1")
    found = integrity.verify(aligned, integrity.Beside(), lambda _: None)
    assert "expected ?[2J?sound" in found[0].detail


def test_a_damaged_manifest_is_no_folder_to_verify(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")
    with pytest.raises(ShardError, match="no manifest of format 1"):
        faults(folder)
