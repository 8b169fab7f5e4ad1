"""A manifest that changed since it was written is noticed by whoever uses it, and comes back without any shard made."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cache import own_digest
from cache.shards import manifest
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
FOLDERS = {"align": Path("data/frames"), "extract": Path("data/features")}
NEXT = {"align": "extract", "extract": "train"}
FLIPS = 12


def flip(path: Path, place: int, bit: int = 0) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def as_one_line(text: str) -> str:
    return text.replace("\n", " ")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def as_an_earlier_version_wrote(path: Path) -> None:
    """Write a manifest without its digest."""
    stored = json.loads(path.read_bytes())
    del stored["run"]["own_digest"]
    path.write_text(json.dumps(stored, sort_keys=True, indent=1) + "\n", encoding="ascii")


@pytest.mark.whole_line
@pytest.mark.parametrize("name", FOLDERS)
def test_a_bit_changed_anywhere_in_a_manifest_is_refused_by_who_uses_it_and_made_good_by_who_wrote_it(
    begin: Begin, stage: Run, facespan: Run, name: str
) -> None:
    begin(name)
    whole, chance = contents(FOLDERS[name]), random.Random(0)
    path, size = FOLDERS[name] / manifest.NAME, len(whole[manifest.NAME])
    facts = whole[manifest.NAME].index(b'"run"') + 20
    for place in [facts, *(chance.randrange(size) for _ in range(FLIPS))]:
        flip(path, place, chance.randrange(8))
        told = facespan("cache", "verify", str(FOLDERS[name]))
        assert (told.code, "manifest.json is no manifest" in told.err) == (ExitCode.SHARD, True)
        told = stage(NEXT[name])
        assert (told.code, "manifest.json is no manifest" in told.err) == (ExitCode.SHARD, True)
        told = stage(name)
        assert "(0 new, 3 kept)" in told.out, told.err
        assert "manifest.json is damaged and is written anew; of the shards that it names, 3 are" in told.err.replace(
            "\n", " "
        )
        assert contents(FOLDERS[name]) == whole


@pytest.mark.parametrize("name", FOLDERS)
def test_a_dry_run_over_a_damaged_manifest_says_what_it_would_do_and_writes_nothing(
    begin: Begin, stage: Run, name: str
) -> None:
    begin(name)
    path = FOLDERS[name] / manifest.NAME
    flip(path, 100)
    before = path.read_bytes()
    told = stage(name, extra=("--dry-run",))
    assert "would make 0 of 3 shards" in told.out
    assert path.read_bytes() == before


def test_a_damaged_manifest_keeps_no_shard_that_is_damaged_too_or_was_made_otherwise(begin: Begin, stage: Run) -> None:
    begin("extract")
    folder = FOLDERS["extract"]
    whole = contents(folder)
    flip(folder / manifest.NAME, whole[manifest.NAME].index(b'"run"') + 20)
    flip(folder / "ben_1.h5", len(whole["ben_1.h5"]) - 1)
    assert "(1 new, 2 kept)" in stage("extract").out
    assert contents(folder) == whole


def test_a_damaged_manifest_of_a_corpus_that_somebody_left_keeps_no_face_of_theirs(begin: Begin, stage: Run) -> None:
    begin("extract")
    Path("corpus/videos/ben_1.avi").unlink()
    labels = Path("corpus/expressions.csv")
    rows = labels.read_text(encoding="utf-8").splitlines(keepends=True)
    labels.write_text("".join(row for row in rows if "ben_1" not in row), encoding="utf-8")
    assert stage("index").code == ExitCode.DONE
    for name, folder in FOLDERS.items():
        flip(folder / manifest.NAME, folder.joinpath(manifest.NAME).read_bytes().index(b'"sha256"'))
        told = stage(name)
        assert "(0 new, 2 kept)" in told.out, told.err
        assert f"{folder / 'ben_1.h5'} belongs to no video of this corpus and was removed" in as_one_line(told.err)
        assert [path.name for path in manifest.list_shards(folder)] == ["ann_1.h5", "cem_1.h5"]


def of_a_later_version(path: Path) -> None:
    stored = json.loads(path.read_bytes()) | {"format": 2}
    stored["run"]["own_digest"] = own_digest.BLANK
    path.write_text(own_digest.filled(json.dumps(stored, sort_keys=True)), encoding="ascii")


def of_other_shards(path: Path) -> None:
    path.write_text(re.sub("[0-9a-f]{64}", "0" * 64, path.read_text(encoding="ascii")), encoding="ascii")


def of_nobody(path: Path) -> None:
    path.write_text("{", encoding="ascii")


@pytest.mark.parametrize("change", [of_a_later_version, of_other_shards, of_nobody])
def test_a_manifest_that_does_not_vouch_for_the_shards_beside_it_makes_nothing_ours(
    begin: Begin, stage: Run, change: Callable[[Path], None]
) -> None:
    begin("extract")
    folder = FOLDERS["extract"]
    change(folder / manifest.NAME)
    before = contents(folder)
    told = stage("extract")
    assert (told.code, "Nobody can tell that the shards" in as_one_line(told.err)) == (ExitCode.SHARD, True)
    assert contents(folder) == before


def test_a_manifest_of_an_earlier_version_is_used_said_and_given_a_digest_once(
    begin: Begin, stage: Run, facespan: Run
) -> None:
    begin("train")
    whole = {name: contents(folder) for name, folder in FOLDERS.items()}
    for folder in FOLDERS.values():
        as_an_earlier_version_wrote(folder / manifest.NAME)
        told = facespan("cache", "verify", str(folder))
        assert (told.code, "of an earlier version without a digest" in told.out) == (ExitCode.DONE, True)
    for name in ("train", "detect"):
        told = stage(name)
        assert told.code == ExitCode.DONE
        assert f"{name}: data/features/manifest.json is of an earlier version" in as_one_line(told.err)
    assert "(0 new, 4 kept)" in stage("train").out
    for name, folder in FOLDERS.items():
        assert "(0 new, 3 kept)" in stage(name).out
        assert contents(folder) == whole[name]
        assert "without a digest" not in facespan("cache", "verify", str(folder)).out
    assert "earlier version" not in stage("train").err


def test_features_are_verified_though_the_manifest_of_their_frames_is_damaged(begin: Begin, facespan: Run) -> None:
    begin("extract")
    flip(FOLDERS["align"] / manifest.NAME, 100)
    told = facespan("cache", "verify", "data")
    assert told.code == ExitCode.SHARD
    assert told.err.count("data/frames/manifest.json is no manifest") == 1
    assert "verify: data/features: sound" in told.out
