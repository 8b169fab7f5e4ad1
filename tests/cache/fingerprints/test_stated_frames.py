"""What stands for a folder of frames: the same for the same shards, other for any other, and without a name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cache.errors import InputError
from cache.fingerprints import stated_frames
from cache.shards import manifest
from cache.shards.manifest import Manifest
from cache.shards.shard_entry import ShardEntry


def entry(video: str, digit: str = "0", key: str = "key") -> ShardEntry:
    return ShardEntry(f"{video}.h5", digit * 64, 4, 3, key)


def test_a_shard_of_other_bytes_or_another_key_is_another_statement() -> None:
    first = stated_frames.state({"ann_1": entry("ann_1"), "ben_1": entry("ben_1")})
    assert first == stated_frames.state({"ben_1": entry("ben_1"), "ann_1": entry("ann_1")})
    assert (first.videos, first.frames) == (2, 6)
    other_bytes = stated_frames.state({"ann_1": entry("ann_1", "1"), "ben_1": entry("ben_1")})
    assert (other_bytes.digest == first.digest, other_bytes.keys == first.keys) == (False, True)
    other_key = stated_frames.state({"ann_1": entry("ann_1", key="other"), "ben_1": entry("ben_1")})
    assert (other_key.digest == first.digest, other_key.keys == first.keys) == (False, False)


def test_what_is_written_is_read_again_and_names_nobody(tmp_path: Path) -> None:
    stated, path = stated_frames.state({"ann_1": entry("ann_1")}), tmp_path / "frames.json"
    assert stated_frames.write(path, stated)
    assert stated_frames.read(path) == stated
    assert "ann" not in path.read_text(encoding="ascii")
    before = path.stat()
    assert not stated_frames.write(path, stated)
    assert path.stat() == before


def test_only_shards_that_lie_there_are_present(tmp_path: Path) -> None:
    assert stated_frames.present(tmp_path / "nowhere") == {}
    shards = {video: entry(video) for video in ("ann_1", "ben_1", "cem_1")}
    manifest.write(tmp_path, Manifest("frames", shards, {}))
    (tmp_path / "ann_1.h5").write_bytes(b"1234")
    (tmp_path / "ben_1.h5").write_bytes(b"123")
    assert set(stated_frames.present(tmp_path)) == {"ann_1"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("format", 2), ("videos", -1), ("frames", True), ("digest", "0"), ("keys", None), ("more", 1)],
)
def test_a_damaged_statement_is_refused(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "frames.json"
    stated_frames.write(path, stated_frames.state({"ann_1": entry("ann_1")}))
    path.write_text(json.dumps(json.loads(path.read_text(encoding="ascii")) | {name: value}), encoding="ascii")
    with pytest.raises(InputError, match="does not say what the frames of a corpus are"):
        stated_frames.read(path)
