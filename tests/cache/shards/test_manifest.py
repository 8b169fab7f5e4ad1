"""A manifest finds every flipped bit, and cannot point outside its folder."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cache.errors import InputError, ShardError
from cache.shards import manifest
from cache.shards.manifest import Manifest
from cache.shards.shard_entry import ShardEntry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of three files and their manifest; what a shard holds does not matter here."""
    entries = {}
    for video in ("b", "a", "c"):
        path = tmp_path / f"{video}.h5"
        path.write_bytes(video.encode() * 1000)
        entries[video] = manifest.describe(tmp_path, path, 10, "key")
    manifest.write(tmp_path, Manifest("features", entries, {"device": "cpu", "batch_size": 64}))
    return tmp_path


def test_a_manifest_comes_back_sorted_and_with_the_same_bytes(folder: Path) -> None:
    found = manifest.read(folder)
    assert list(found.shards) == ["a", "b", "c"]
    assert found.shards["b"].file == "b.h5"
    assert (found.shards["b"].bytes, found.shards["b"].frames) == (1000, 10)
    assert found.run == {"batch_size": 64, "device": "cpu"}
    before = (folder / "manifest.json").read_bytes()
    manifest.write(folder, found)
    assert (folder / "manifest.json").read_bytes() == before


def test_a_manifest_of_ten_thousand_videos_is_read_in_a_few_times_its_size(tmp_path: Path) -> None:
    entries = {f"v{n:05d}": ShardEntry(f"v{n:05d}.h5", f"{n:064x}", 3_000_000, 2940, "key") for n in range(10_000)}
    manifest.write(tmp_path, Manifest("features", entries, {}))
    tracemalloc.start()
    found = manifest.read(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.shards) == 10_000
    assert peak < 8 * (tmp_path / "manifest.json").stat().st_size


def test_a_shard_that_was_added_is_in_the_manifest_before_it_is_written_anew(folder: Path) -> None:
    before = manifest.read(folder)
    (folder / "d.h5").write_bytes(b"shard")
    entry = manifest.describe(folder, folder / "d.h5", 1, "key")
    manifest.add(folder, "d", entry)
    manifest.add(folder, "a", replace(before.shards["a"], key="other"))
    found = manifest.read(folder)
    assert list(found.shards) == ["a", "b", "c", "d"]
    assert found.shards["d"] == entry
    assert found.shards["a"].key == "other"
    manifest.write(folder, found)
    assert manifest.read(folder) == found
    assert sorted(path.name for path in folder.glob(".*")) == []


def test_a_line_of_the_journal_that_was_cut_short_states_nothing(folder: Path) -> None:
    (folder / "d.h5").write_bytes(b"shard")
    manifest.add(folder, "d", manifest.describe(folder, folder / "d.h5", 1, "key"))
    with (folder / ".finished.jsonl").open("a", encoding="ascii") as file:
        file.write('{"video": "e", "file": "e.h5", "sha')
    manifest.add(folder, "f", replace(manifest.read(folder).shards["d"], file="f.h5"))
    assert list(manifest.read(folder).shards) == ["a", "b", "c", "d", "f"]


@pytest.mark.parametrize("line", ["[]", "{}", '{"video": 1}', '{"video": "../d"}', '{"video": "d"}', "[" * 100_000])
def test_a_hostile_line_of_the_journal_states_nothing(folder: Path, line: str) -> None:
    before = manifest.read(folder)
    (folder / ".finished.jsonl").write_text(line, encoding="ascii")
    assert manifest.read(folder) == before


def test_a_journal_that_is_a_link_is_refused(folder: Path, tmp_path_factory: Any) -> None:
    (folder / ".finished.jsonl").symlink_to(tmp_path_factory.mktemp("elsewhere") / "journal")
    with pytest.raises(ShardError, match="a symbolic link, expected a regular file"):
        manifest.read(folder)


def test_a_folder_inside_with_a_manifest_of_its_own_is_another_one(folder: Path) -> None:
    for name in ("aa", "bb"):
        (folder / name).mkdir()
        (folder / name / "x.h5").touch()
    (folder / "aa" / "manifest.json").touch()
    names = ["a.h5", "b.h5", "bb/x.h5", "c.h5"]
    assert [path.relative_to(folder).as_posix() for path in manifest.list_shards(folder)] == names


def test_beyond_ten_thousand_videos_shards_lie_one_folder_deeper(tmp_path: Path) -> None:
    assert manifest.shard_path(tmp_path, "abc", 10_000) == tmp_path / "abc.h5"
    # The SHA-256 of "abc" begins with ba (FIPS 180-2).
    assert manifest.shard_path(tmp_path, "abc", 10_001) == tmp_path / "ba" / "abc.h5"
    with pytest.raises(InputError, match="cannot name a video"):
        manifest.shard_path(tmp_path, "../abc", 1)


def test_shards_one_folder_deeper_are_stated_too(tmp_path: Path) -> None:
    path = manifest.shard_path(tmp_path, "abc", 10_001)
    path.parent.mkdir()
    path.write_bytes(b"shard")
    entry = manifest.describe(tmp_path, path, 1, "key")
    manifest.write(tmp_path, Manifest("frames", {"abc": entry}, {}))
    assert manifest.read(tmp_path).shards["abc"].file == "ba/abc.h5"
    assert manifest.list_shards(tmp_path) == [path]


def test_a_missing_manifest_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"manifest\.json does not exist.*dvc repro"):
        manifest.read(tmp_path)


SOUND: dict[str, Any] = {"file": "a.h5", "sha256": "0" * 64, "bytes": 1, "frames": 1, "key": "key"}


def stored(**fields: object) -> dict[str, object]:
    return {"format": 1, "kind": "features", "shards": {"a": SOUND}, "run": {}} | fields


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{}", b"\xff", b"[" * 100_000,
        stored(format=2), stored(kind="other"), stored(kind=[]), stored(more=1), stored(run=[]), stored(shards=[]),
        stored(shards={"../a": SOUND}), stored(shards={"a": SOUND, "A": SOUND | {"file": "A.h5"}}),
        stored(shards={"a": SOUND | {"file": "../a.h5"}}), stored(shards={"a": SOUND | {"file": "/a.h5"}}),
        stored(shards={"a": SOUND | {"file": "b.h5"}}), stored(shards={"a": SOUND | {"file": 1}}),
        stored(shards={"a": SOUND | {"sha256": "x" * 64}}), stored(shards={"a": SOUND | {"sha256": None}}),
        stored(shards={"a": SOUND | {"bytes": -1}}), stored(shards={"a": SOUND | {"bytes": True}}),
        stored(shards={"a": SOUND | {"frames": 1.5}}), stored(shards={"a": SOUND | {"key": ""}}),
        stored(shards={"a": SOUND | {"more": 1}}), stored(shards={"a": None}),
    ],
)  # fmt: skip
def test_a_hostile_manifest_is_refused(tmp_path: Path, content: bytes | dict[str, object]) -> None:
    encoded = content if isinstance(content, bytes) else json.dumps(content).encode()
    (tmp_path / "manifest.json").write_bytes(encoded)
    with pytest.raises(ShardError, match=r"is no manifest of format 1: .*Run: dvc repro .*extract@CORPUS"):
        manifest.read(tmp_path)


def test_a_sound_manifest_is_read(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(stored()))
    assert manifest.read(tmp_path).shards == {"a": ShardEntry(**SOUND)}


def test_what_could_not_be_read_is_not_written(folder: Path) -> None:
    found = manifest.read(folder)
    broken = replace(found, shards={"a": replace(found.shards["a"], file="b.h5")})
    with pytest.raises(InputError, match=r"cannot hold this: video a: file is 'b\.h5'"):
        manifest.write(folder, broken)
    assert manifest.read(folder) == found
