"""Only what was made here and is needed no more goes, and only while it is what was stated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cache import files
from cache.shards import manifest, shard_entry
from cache.sharing import inventory, leftovers
from tests.cache.sharing import invented


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return features with a stale shard, an orphan, a temporary, and what is somebody's."""
    made = invented.write_corpus(tmp_path)
    held = manifest.read(made)
    stale = {"anneliese-2": shard_entry.state(held.shards["anneliese-2"])}
    shards = {video: entry for video, entry in held.shards.items() if video != "anneliese-2"}
    manifest.write(made, replace(held, shards=shards, run={**held.run, "stale": stale}))
    invented.write_tables(tmp_path, ["anneliese-1", "anneliese-2"])
    (made / ".anneliese-1.h5.0123456789abcdef.tmp").write_bytes(b"half")
    (made / "stranger.h5").write_bytes(b"somebody's")
    (made / ".note.tmp").write_bytes(b"somebody's")
    return made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


ALL = [
    ".anneliese-1.h5.0123456789abcdef.tmp", ".note.tmp", "anneliese-1.h5", "anneliese-2.h5", "bartholomew-1.h5",
    "manifest.json", "stranger.h5",
]  # fmt: skip


def test_finding_removes_nothing(folder: Path) -> None:
    found = leftovers.find(folder, leftovers.corpus_of(folder))
    assert (list(found.orphans), list(found.stale)) == (["bartholomew-1"], ["anneliese-2"])
    assert [path.name for path in found.temporaries] == [ALL[0]]
    assert found.count == 3
    assert found.byte_count == sum((folder / name).stat().st_size for name in (ALL[0], ALL[3], ALL[4]))
    assert names(folder) == ALL


def test_what_is_found_goes_and_is_stated_no_more(folder: Path) -> None:
    cleared = leftovers.clear(folder, leftovers.corpus_of(folder))
    assert sorted(path.name for path in cleared.removed) == [ALL[0], ALL[3], ALL[4]]
    assert names(folder) == [".note.tmp", "anneliese-1.h5", "manifest.json", "stranger.h5"]
    held = manifest.read(folder)
    assert list(held.shards) == ["anneliese-1"]
    assert "stale" not in held.run
    assert held.run["encoder"]["name"] == "ferplus"


def test_what_is_not_what_was_stated_stays_and_stays_stated(folder: Path) -> None:
    invented.flip(folder / "bartholomew-1.h5")
    (folder / "anneliese-2.h5").write_bytes(b"somebody's")
    cleared = leftovers.clear(folder, leftovers.corpus_of(folder))
    assert [path.name for path in cleared.left] == ["anneliese-2.h5", "bartholomew-1.h5"]
    assert "bartholomew-1" in manifest.read(folder).shards
    assert "anneliese-2" in manifest.read(folder).run["stale"]


def test_where_nobody_knows_the_videos_none_is_an_orphan(folder: Path) -> None:
    (inventory.corpus_folder(folder) / "videos.parquet").unlink()
    (inventory.corpus_folder(folder) / "frames" / "manifest.json").unlink()
    assert leftovers.corpus_of(folder) is None
    assert leftovers.find(folder, None).orphans == {}


def test_without_a_table_the_frames_say_which_videos_there_are(folder: Path) -> None:
    (inventory.corpus_folder(folder) / "videos.parquet").unlink()
    assert leftovers.corpus_of(folder) == set(invented.PEOPLE)


def test_what_a_living_process_works_on_stays(folder: Path) -> None:
    with files.claim(folder / ".bartholomew-1.lock"), files.write_atomically(folder / "constance-1.h5") as temporary:
        assert temporary not in leftovers.find(folder, leftovers.corpus_of(folder)).temporaries
        cleared = leftovers.clear(folder, leftovers.corpus_of(folder))
        assert [path.name for path in cleared.left] == ["bartholomew-1.h5"]
        assert temporary.exists()
    assert (folder / "bartholomew-1.h5").exists()
