"""A remote that anybody can write to: what plain `dvc pull` believes, and `facespan cache pull` refuses."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cache.shards import features, manifest
from cache.sharing import integrity
from cache.sharing.integrity import Beside
from cache.weights import tensors
from tests.stages.sharing.conftest import (
    CORPUS,
    FEATURES,
    Team,
    change_lock,
    commit_lock,
    dvc,
    everything,
    git,
    listing,
    locked,
    write_detector,
)

Facespan = Callable[..., Any]
HOOK = ".git/hooks/post-checkout"
OUTSIDE = f"../../../../{HOOK}"
SCRIPT = b"#!/bin/sh\necho yours\n"
TRUNCATED = b"\x89HDF\r\n\x1a\n"


def point_outside(team: Team) -> None:
    """Let the remote's listing of the features name one file more, in `.git/hooks`."""
    name = locked(team.clone, FEATURES)["md5"]
    entries = json.loads(team.stored(name).read_bytes())
    entries.append({"md5": team.store(SCRIPT), "relpath": OUTSIDE})
    team.replace(name, json.dumps(entries).encode())


def refused(team: Team, facespan: Facespan, code: int) -> str:
    """Pull, which has to write nothing and to say why in one line; return it."""
    before = everything(team.clone)
    told = facespan("cache", "pull", CORPUS, "-q")
    assert told.code == code, told.err
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert told.err.count("\n") == 1
    assert everything(team.clone) == before
    assert not (team.clone / HOOK).exists()
    return str(told.err)


def test_plain_dvc_pull_writes_where_a_remote_points_to_and_calls_it_up_to_date(team: Team) -> None:
    point_outside(team)
    dvc(team.clone, "pull", f"extract@{CORPUS}")
    assert (team.clone / HOOK).read_bytes() == SCRIPT
    assert "up to date" in dvc(team.clone, "status", f"extract@{CORPUS}").lower()


def test_a_listing_that_is_not_what_it_is_called_is_refused(team: Team, facespan: Facespan) -> None:
    point_outside(team)
    assert f"sent {FEATURES}: object {locked(team.clone, FEATURES)['md5']} has" in refused(team, facespan, 5)


def test_a_listing_that_was_fetched_by_dvc_before_is_not_believed_either(team: Team, facespan: Facespan) -> None:
    name = locked(team.clone, FEATURES)["md5"]
    sound = team.stored(name).read_bytes()
    point_outside(team)
    for _ in range(2):  # the second time it keeps what it read
        dvc(team.clone, "fetch", f"extract@{CORPUS}")
    team.replace(name, sound)
    told = facespan("cache", "pull", CORPUS)
    assert told.code == 0, told.err
    assert f"DVC's copy of {FEATURES} was damaged" in told.err
    shutil.rmtree(team.clone / FEATURES)
    dvc(team.clone, "checkout", f"extract@{CORPUS}")
    assert not (team.clone / HOOK).exists()
    assert integrity.verify(team.clone / FEATURES, Beside(), lambda _: None) == []


SOME = "0" * 32
LISTINGS = {
    "outside": (listing((OUTSIDE, SOME)), "would lie outside"),
    "absolute": (listing(("/tmp/x.h5", SOME)), "would lie outside"),
    "hidden": (listing((".git", SOME)), "be hidden"),
    "a backslash": (listing(("a\\..\\x.h5", SOME)), "has a character"),
    "a line feed": (listing(("a\nb.h5", SOME)), "has a character"),
    "an escape code": (listing(("a\x1b[2Jb.h5", SOME)), "has a character"),
    "long": (listing(("a" * 401, SOME)), "longer than 400"),
    "a hash that is a path": (listing(("x.h5", "../../../x")), "expected 32 hexadecimal"),
    "a hash of a folder": (listing(("x.h5", SOME + ".dir")), "expected 32 hexadecimal"),
    "twice": (listing(("x.h5", SOME), ("x.h5", SOME)), "are the same file"),
    "twice, case aside": (listing(("x.h5", SOME), ("X.h5", SOME)), "are the same file"),
    "a folder that is a file": (listing(("x", SOME), ("x/y.h5", SOME)), "lies in what is a file"),
    "more than it should": (json.dumps([{"md5": SOME, "relpath": "x.h5", "isexec": True}]).encode(), "exactly md5"),
    "no list": (b'{"md5": 1}', "expected a list"),
    "no JSON": (b"[[[", "no list of the files"),
    "nested": (b"[" * 2000, "no list of the files"),
    "numbers": (b'[{"md5": 1, "relpath": 2}]', "expected 32 hexadecimal"),
}


@pytest.mark.parametrize("case", LISTINGS)
def test_a_listing_that_the_lock_vouches_for_still_cannot_point_outside(
    team: Team, facespan: Facespan, case: str
) -> None:
    """As in the repository of somebody who means harm."""
    content, expected = LISTINGS[case]
    count = len(json.loads(content)) if content.startswith(b"[{") else 1
    change_lock(team.clone, FEATURES, md5=team.store(content, ".dir"), nfiles=count)
    assert expected in refused(team, facespan, 5)


LOCKS: dict[str, tuple[dict[str, Any], str]] = {
    "a path": ({"md5": "../../../etc/passwd"}, "expected an MD5 in hexadecimal"),
    "a folder's path": ({"md5": "../../x.dir"}, "expected an MD5 in hexadecimal"),
    "capitals": ({"md5": "A" * 32}, "expected an MD5 in hexadecimal"),
    "no size": ({"size": None}, "does not say how large"),
    "a size below zero": ({"size": -1}, "does not say how large"),
}


@pytest.mark.parametrize("case", LOCKS)
def test_a_lock_is_read_with_care(team: Team, facespan: Facespan, case: str) -> None:
    change, expected = LOCKS[case]
    change_lock(team.clone, FEATURES, **change)
    assert expected in refused(team, facespan, 4)


@pytest.mark.parametrize("path", ["../other.parquet", ".git/hooks/post-checkout", "a/../../b"])
def test_an_output_outside_the_project_is_refused(team: Team, facespan: Facespan, path: str) -> None:
    for name in ("dvc.yaml", "dvc.lock"):
        file = team.clone / name
        text = file.read_text(encoding="utf-8").replace("data/${item}/videos.parquet", path)
        file.write_text(text.replace("data/mine/videos.parquet", path), encoding="utf-8")
    refused(team, facespan, 4)


def sparse(team: Team, name: str) -> None:
    path = team.stored(name)
    path.chmod(0o644)
    with path.open("wb") as file:
        file.truncate(1 << 40)


def truncated(team: Team, name: str) -> None:
    team.replace(name, TRUNCATED)


def flipped(team: Team, name: str) -> None:
    content = bytearray(team.stored(name).read_bytes())
    content[-1] ^= 1
    team.replace(name, bytes(content))


def longer(team: Team, name: str) -> None:
    team.replace(name, team.stored(name).read_bytes() + b"\0")


def linked(team: Team, name: str) -> None:
    path = team.stored(name)
    path.rename(team.remote / "elsewhere")
    path.symlink_to(team.remote / "elsewhere")


def pipe(team: Team, name: str) -> None:
    team.stored(name).unlink()
    os.mkfifo(team.stored(name))


def folder(team: Team, name: str) -> None:
    team.stored(name).unlink()
    team.stored(name).mkdir()


def missing(team: Team, name: str) -> None:
    team.stored(name).unlink()


BROKEN = {
    sparse: (5, "1,099,511,627,776 bytes, expected at most"),
    truncated: (5, "expected"),
    flipped: (5, "of MD5"),
    longer: (5, "expected"),
    linked: (5, "is a symbolic link"),
    pipe: (5, "is a folder, pipe or device"),
    folder: (5, "expected a regular file"),
    missing: (4, "lacks"),
}


@pytest.mark.parametrize("what", ["listing", "shard", "table"])
@pytest.mark.parametrize("change", BROKEN)
def test_an_object_that_is_not_what_it_was_is_named_and_nothing_is_written(
    team: Team, facespan: Facespan, change: Callable[[Team, str], None], what: str
) -> None:
    features = locked(team.clone, FEATURES)["md5"]
    shards = {entry["relpath"]: entry["md5"] for entry in json.loads(team.stored(features).read_bytes())}
    path, name = {
        "listing": (FEATURES, features),
        "shard": (f"{FEATURES}/ben_1.h5", shards["ben_1.h5"]),
        "table": ("data/mine/videos.parquet", locked(team.clone, "data/mine/videos.parquet")["md5"]),
    }[what]
    change(team, name)
    code, expected = BROKEN[change]
    said = refused(team, facespan, code)
    assert path in said
    assert name in said
    assert expected in said
    # What was whole is kept, so that the next pull is short; what was not, is nowhere.
    kept = [path for path in (team.clone / ".dvc/cache").rglob("*") if path.is_file()]
    assert not [path for path in kept if path.name == name[2:] or path.name.startswith(".")]


def test_a_remote_that_sends_nothing_but_rubbish_is_not_asked_for_all_of_it(team: Team, facespan: Facespan) -> None:
    for name in [path for path in team.remote.rglob("*") if path.is_file() and path.suffix != ".dir"]:
        truncated(team, name.parent.name + name.name)
    assert "and 5 more. Nothing of it was kept" in refused(team, facespan, 5)


def test_a_symbolic_link_on_the_way_is_not_followed(team: Team, facespan: Facespan, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (team.clone / FEATURES).parent.mkdir(parents=True)
    (team.clone / FEATURES).symlink_to(tmp_path / "elsewhere")
    told = facespan("cache", "pull", CORPUS)
    assert (told.code, f"{FEATURES} is a symbolic link" in told.err) == (4, True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def repushed(team: Team, facespan: Facespan, change: Callable[[Path], None]) -> None:
    """Let DVC itself push what somebody changed, with the lock that goes with it."""
    change(team.home)
    commit_lock(team.home)
    dvc(team.home, "push")
    git(team.home, "commit", "--quiet", "--all", "--message", "changed")
    git(team.clone, "pull", "--quiet")


def swap(home: Path) -> None:
    (home / FEATURES / "ann_1.h5").write_bytes((home / FEATURES / "ben_1.h5").read_bytes())


def add_one(home: Path) -> None:
    (home / FEATURES / "more.h5").write_bytes((home / FEATURES / "ben_1.h5").read_bytes())


def add_note(home: Path) -> None:
    (home / FEATURES / "note.txt").write_text("mine", encoding="utf-8")


def dead(home: Path) -> None:
    path, held = home / FEATURES / "ben_1.h5", manifest.read(home / FEATURES)
    shard = features.read(path)
    path.chmod(0o644)
    path.unlink()
    features.write(path, np.zeros_like(shard.features), shard.columns, shard.key, shard.layer)
    entry = manifest.describe(home / FEATURES, path, 40, shard.key)
    manifest.write(home / FEATURES, manifest.Manifest(held.kind, {**held.shards, "ben_1": entry}, held.run))


def other_corpus(home: Path) -> None:
    stated = manifest.read(home / FEATURES)
    manifest.write(home / FEATURES, manifest.Manifest(stated.kind, stated.shards, {"corpus": "yours"}))


def no_manifest(home: Path) -> None:
    (home / FEATURES / manifest.NAME).unlink()


def no_hdf5(home: Path) -> None:
    (home / FEATURES / "ann_1.h5").write_bytes(b"no shard" * 6)
    stated = manifest.read(home / FEATURES)
    entry = manifest.describe(home / FEATURES, home / FEATURES / "ann_1.h5", 40, "0" * 64)
    shards = {**stated.shards, "ann_1": entry}
    manifest.write(home / FEATURES, manifest.Manifest(stated.kind, shards, stated.run))


def no_table(home: Path) -> None:
    (home / "data/mine/videos.parquet").unlink()
    (home / "data/mine/videos.parquet").write_bytes(b"PAR1")


CONTENTS = {
    swap: "ann_1: damaged: ",
    add_one: "more.h5 is not in manifest.json",
    add_note: "holds note.txt, which its manifest.json does not state",
    dead: "ben_1: dead: the features of all 40 frames with a face are zero",
    other_corpus: "is of the corpus 'yours'",
    no_manifest: "holds shards, but no manifest.json",
    no_hdf5: "ann_1: damaged: ",
    no_table: "videos.parquet",
}


@pytest.mark.parametrize("change", CONTENTS)
def test_what_no_stage_writes_is_refused_though_every_hash_is_right(
    team: Team, facespan: Facespan, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    repushed(team, facespan, change)
    assert CONTENTS[change] in refused(team, facespan, 5)
    monkeypatch.chdir(team.home)
    told = facespan("cache", "push", CORPUS)
    assert (told.code, CONTENTS[change] in told.err) == (5, True)


def not_finite(path: Path) -> None:
    write_detector(path, "ann", first=float("nan"))


def changed_digit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    path.write_bytes(content)


def no_card_of_a_detector(path: Path) -> None:
    tensors.write(path, {"w": np.ones(3, np.float32)}, {"corpus": CORPUS})


DETECTORS = {
    not_finite: "holds numbers that are not finite",
    changed_digit: "ann.safetensors",
    no_card_of_a_detector: "is no detector: its card lacks",
}


@pytest.mark.parametrize("change", DETECTORS)
def test_a_detector_that_no_stage_would_take_is_refused_when_it_is_pulled(
    team: Team, facespan: Facespan, change: Callable[[Path], None]
) -> None:
    repushed(team, facespan, lambda home: change(home / "results/mine/detectors/ann.safetensors"))
    told = facespan("cache", "pull", CORPUS, "--detectors")
    assert told.code == 5
    assert "results/mine/detectors is what dvc.lock says, but not what a stage writes" in told.err
    assert DETECTORS[change] in told.err
    assert not (team.clone / "results").exists()
