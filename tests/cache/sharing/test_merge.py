"""Two folders become one only when they belong together, and nothing is lost or replaced in silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cache import files
from cache.errors import InputError, ShardError
from cache.shards import frames, manifest
from cache.shards.manifest import Manifest
from cache.sharing import integrity, merge
from cache.sharing.integrity import Beside
from tests.cache.sharing import invented


def nothing(_: int) -> None:
    """Report to nobody."""


def join(first: Path, second: Path, output: Path | None = None, prefer: merge.Prefer | None = None) -> merge.MergePlan:
    planned = merge.plan(first, second, output, prefer, nothing)
    merge.carry_out(planned, nothing)
    return planned


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Return features of the first two videos."""
    return invented.write_corpus(tmp_path / "first", ["anneliese-1", "anneliese-2"])


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """Return features of the last two videos, a colleague's."""
    return invented.write_corpus(tmp_path / "second", ["anneliese-2", "bartholomew-1"])


def test_the_first_gains_what_the_second_has_and_is_sound(first: Path, second: Path) -> None:
    before = contents(second)
    planned = join(first, second)
    assert list(planned.copied) == ["bartholomew-1"]
    assert sorted(manifest.read(first).shards) == sorted(invented.PEOPLE)
    assert integrity.verify(first, Beside(), nothing) == []
    assert contents(second) == before
    assert not list(first.glob(".*"))


def test_a_new_folder_takes_both_and_leaves_them_alone(first: Path, second: Path, tmp_path: Path) -> None:
    before = contents(first), contents(second)
    join(first, second, tmp_path / "both")
    whole = invented.write_corpus(tmp_path / "whole")
    assert contents(tmp_path / "both") == contents(whole)
    assert (contents(first), contents(second)) == before
    with pytest.raises(InputError, match="both is not empty"):
        merge.plan(first, second, tmp_path / "both", None, nothing)


def test_merging_again_copies_nothing(first: Path, second: Path) -> None:
    join(first, second)
    before = contents(first)
    assert join(first, second).copied == {}
    assert contents(first) == before


@pytest.mark.parametrize("field", invented.FIELDS)
def test_a_field_of_the_key_that_differs_is_refused_by_name(first: Path, tmp_path: Path, field: str) -> None:
    value: Any = 2 if isinstance(invented.FIELDS[field], int) else "other"
    other = invented.write_corpus(tmp_path / "other", ["bartholomew-1"], changed={field: value})
    before = contents(first)
    with pytest.raises(InputError, match=rf"were made differently \(.*{field} "):
        merge.plan(first, other, None, None, nothing)
    assert contents(first) == before


def test_another_corpus_is_refused_and_one_that_is_not_named(first: Path, tmp_path: Path) -> None:
    other = invented.write_corpus(tmp_path / "other", ["bartholomew-1"], corpus="casme2")
    with pytest.raises(InputError, match=r"of the corpus demo, .* of the corpus casme2"):
        merge.plan(first, other, None, None, nothing)
    held = manifest.read(other)
    manifest.write(other, replace(held, run={name: value for name, value in held.run.items() if name != "corpus"}))
    with pytest.raises(InputError, match="of a corpus that its manifest does not name"):
        merge.plan(first, other, None, None, nothing)


def test_frames_aligned_in_another_way_are_refused(tmp_path: Path) -> None:
    for name, source in (("a", "builtin"), ("b", "openface")):
        invented.write_corpus(tmp_path / name)
        if source != "builtin":
            rewrite_frames(tmp_path / name / "frames", source)
    with pytest.raises(InputError, match=r"frames by builtin, .* by openface"):
        merge.plan(tmp_path / "a" / "frames", tmp_path / "b" / "frames", None, None, nothing)


def rewrite_frames(folder: Path, source: str) -> None:
    for video, entry in manifest.read(folder).shards.items():
        with frames.open(folder / entry.file) as opened:
            images = [opened.read(position) for position in range(len(opened))]
            frames.write(folder / entry.file, frames.join(images, opened.columns), entry.key, source)
        invented.restate(folder, video)


def test_a_video_that_both_have_differently_is_refused_until_somebody_chooses(first: Path, second: Path) -> None:
    entry = invented.write_features(second, "anneliese-2", "f" * 64, invented.FIELDS)
    held = manifest.read(second)
    manifest.write(second, Manifest("features", {**held.shards, "anneliese-2": entry}, held.run))
    before = contents(first)
    with pytest.raises(InputError, match=r"other shards of anneliese-2 \(key: the frames it was made from\).*--prefer"):
        merge.plan(first, second, None, None, nothing)
    assert contents(first) == before
    join(first, second, prefer="first")
    assert contents(first)["anneliese-2.h5"] == before["anneliese-2.h5"]
    join(first, second, prefer="second")
    assert contents(first)["anneliese-2.h5"] == contents(second)["anneliese-2.h5"]
    assert manifest.read(first).shards["anneliese-2"] == entry


def test_nothing_is_taken_from_a_folder_that_is_not_sound(first: Path, second: Path) -> None:
    invented.flip(second / "bartholomew-1.h5")
    before = contents(first)
    with pytest.raises(ShardError, match=r"is not sound, so nothing is taken from it: bartholomew-1: damaged"):
        merge.plan(first, second, None, None, nothing)
    assert contents(first) == before


def test_a_shard_that_changes_after_it_was_verified_is_not_taken(first: Path, second: Path) -> None:
    planned = merge.plan(first, second, None, None, nothing)
    invented.flip(second / "bartholomew-1.h5")
    with pytest.raises(ShardError, match="has SHA-256"):
        merge.carry_out(planned, nothing)
    assert sorted(manifest.read(first).shards) == ["anneliese-1", "anneliese-2"]
    assert not (first / "bartholomew-1.h5").exists()


def test_somebodys_file_in_the_place_of_a_shard_stays(first: Path, second: Path) -> None:
    (first / "bartholomew-1.h5").write_bytes(b"somebody's")
    with pytest.raises(InputError, match=r"does not name it\. Move it away"):
        join(first, second)
    assert (first / "bartholomew-1.h5").read_bytes() == b"somebody's"


def test_two_names_that_some_disks_take_for_one_are_refused(first: Path, tmp_path: Path) -> None:
    other = invented.write_corpus(tmp_path / "other", ["Anneliese-1"])
    with pytest.raises(InputError, match="would be one file"):
        merge.plan(first, other, None, None, nothing)


def test_a_video_that_another_process_makes_is_left_to_it(first: Path, second: Path) -> None:
    with files.claim(first / ".bartholomew-1.lock"), pytest.raises(InputError, match="another process makes"):
        join(first, second)


def test_a_video_that_was_missing_is_missing_no_more(first: Path, second: Path) -> None:
    held = manifest.read(first)
    manifest.write(first, replace(held, run={**held.run, "missing": ["bartholomew-1", "constance-1"]}))
    join(first, second)
    assert manifest.read(first).run["missing"] == ["constance-1"]


def test_many_videos_lie_one_folder_deeper(
    first: Path, second: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "FLAT_COUNT", 2)
    join(first, second, tmp_path / "both")
    assert len(list((tmp_path / "both").glob("??/*.h5"))) == 3
    assert integrity.verify(tmp_path / "both", Beside(), nothing) == []
