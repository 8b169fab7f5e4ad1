"""What lies where is told by manifests alone, and what they say can be shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from cache.errors import InputError
from cache.shards import manifest
from cache.sharing import inventory
from tests.cache.sharing import invented


def test_folders_are_found_from_every_level(tmp_path: Path) -> None:
    made = invented.write_corpus(tmp_path / "data" / "demo")
    frames = tmp_path / "data" / "demo" / "frames"
    assert inventory.find(made) == [made]
    assert inventory.find(tmp_path / "data" / "demo") == [made, frames]
    assert inventory.find(tmp_path / "data") == [made, frames]
    assert inventory.find(tmp_path) == []
    with pytest.raises(InputError, match="is no folder"):
        inventory.find(tmp_path / "absent")


def test_a_summary_is_what_the_manifest_states_though_no_shard_is_there(tmp_path: Path) -> None:
    made = invented.write_corpus(tmp_path)
    size = sum(path.stat().st_size for path in made.glob("*.h5"))
    for path in made.glob("*.h5"):
        path.unlink()
    found = inventory.summarise(made)
    assert (found.kind, found.corpus, found.encoder) == ("features", "demo", "ferplus")
    assert (found.videos, found.frames, found.bytes, found.missing, found.stale) == (3, 18, size, 0, 0)


def test_tables_and_frames_are_found_beside_features_in_either_place(tmp_path: Path) -> None:
    made = invented.write_corpus(tmp_path)
    assert inventory.frames_beside(made) == tmp_path / "frames"
    assert inventory.videos_beside(made) == tmp_path / "videos.parquet"
    assert inventory.frames_beside(tmp_path / "frames") is None
    (tmp_path / "features" / "ferplus").rename(tmp_path / "moved")
    (tmp_path / "features").rmdir()
    (tmp_path / "moved").rename(tmp_path / "features")
    assert inventory.frames_beside(tmp_path / "features") == tmp_path / "frames"


def test_what_a_stranger_writes_into_a_manifest_cannot_move_the_cursor(tmp_path: Path) -> None:
    made = invented.write_corpus(tmp_path)
    held = manifest.read(made)
    held.run["corpus"], held.run["encoder"]["name"] = "\x1b[2Jdemo\n", "x" * 1000  # type: ignore[index]
    manifest.write(made, held)
    found = inventory.summarise(made)
    assert found.corpus == "?[2Jdemo?"
    assert len(found.encoder) == 83
