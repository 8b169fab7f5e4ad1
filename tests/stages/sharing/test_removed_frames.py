"""A person who was removed from the corpus stays removed: `push`, `verify` and `pull` name frames that came back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from cache.shards import manifest
from cache.tables import intervals, videos
from cache.tables.intervals import Expression
from tests.stages.sharing.conftest import CORPUS, FEATURES, Team, everything, git

Facespan = Callable[..., Any]
GONE = "ben_1"
FRAMES, TRACKED = Path("data", CORPUS, "frames"), Path("data", CORPUS, "frames.dvc")


def remove_person(home: Path) -> None:
    """Do what index, align and extract do when a video leaves the corpus."""
    table = home / "data" / CORPUS
    videos.write(table / "videos.parquet", [one for one in videos.read(table / "videos.parquet") if one.video != GONE])
    rows = [one for one in intervals.read(table / "expressions.parquet", Expression) if one.video != GONE]
    intervals.write(table / "expressions.parquet", Expression, rows)
    for folder in (home / FRAMES, home / FEATURES):
        held = manifest.read(folder)
        (folder / f"{GONE}.h5").unlink()
        kept = {video: entry for video, entry in held.shards.items() if video != GONE}
        manifest.write(folder, manifest.Manifest(held.kind, kept, held.run))
    with Repo(str(home)) as repo:  # not all of it, for that would take the frames as well
        for name in ("index", "extract"):
            repo.commit(target=f"{name}@{CORPUS}", force=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "more")


@pytest.fixture
def removed(team: Team, facespan: Facespan, monkeypatch: pytest.MonkeyPatch) -> Team:
    """Return a team that shared frames, then removed a person and shared tables and features; the folder is home."""
    monkeypatch.chdir(team.home)
    assert facespan("cache", "push", CORPUS, "--frames").code == 0
    commit(team.home)
    remove_person(team.home)
    return team


def test_push_says_by_name_whose_frames_git_still_tracks(removed: Team, facespan: Facespan) -> None:
    told = facespan("cache", "push", CORPUS)
    assert told.code == 0, told.err
    assert f"push: {TRACKED} still lists the frames of {GONE}, which left the corpus" in told.err
    assert f"facespan cache push {CORPUS} --frames, and commit {TRACKED}" in told.err


def test_verify_says_so_with_the_frames_and_without(removed: Team, facespan: Facespan) -> None:
    for frames in (FRAMES, Path("data", CORPUS, "elsewhere")):
        FRAMES.rename(frames)
        told = facespan("cache", "verify", CORPUS)
        assert (told.code, f"listed: {TRACKED} still lists the frames of {GONE}" in told.out) == (1, True)
    frames.rename(FRAMES)
    assert facespan("cache", "push", CORPUS, "--frames").code == 0
    assert "still lists" not in facespan("cache", "verify", CORPUS).out


def test_a_video_that_failed_to_align_here_is_not_said_to_have_left(
    team: Team, facespan: Facespan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(team.home)
    assert facespan("cache", "push", CORPUS, "--frames").code == 0
    held = manifest.read(FRAMES)
    kept = {video: entry for video, entry in held.shards.items() if video != GONE}
    (FRAMES / f"{GONE}.h5").unlink()
    manifest.write(FRAMES, manifest.Manifest(held.kind, kept, {**held.run, manifest.MISSING: [GONE]}))
    told = facespan("cache", "push", CORPUS)
    assert (told.code, "left the corpus" in told.err) == (0, False)
    assert "left the corpus" not in facespan("cache", "verify", CORPUS).out


def test_features_are_pushed_and_verified_though_the_manifest_of_the_frames_is_damaged(
    removed: Team, facespan: Facespan
) -> None:
    path = FRAMES / manifest.NAME
    path.write_bytes(path.read_bytes().replace(b'"kind"', b'"kine"'))
    told = facespan("cache", "push", CORPUS)
    assert (told.code, told.out.startswith(f"push: {CORPUS}, features")) == (0, True), told.err
    assert f"push: nobody looked at what {TRACKED} lists: {path.absolute()} is no manifest" in told.err
    told = facespan("cache", "verify", CORPUS)
    assert (told.code, f"verify: {FEATURES}: sound" in told.out) == (5, True)
    assert f"verify: nobody looked at what {TRACKED} lists: {path.absolute()} is no manifest" in told.err


def test_pushed_frames_are_tracked_anew_without_whoever_left(
    removed: Team, facespan: Facespan, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = TRACKED.read_bytes()
    told = facespan("cache", "push", CORPUS, "--features", "--frames")
    assert (told.code, "still lists" in told.err) == (0, False)
    assert TRACKED.read_bytes() != before
    commit(removed.home)
    monkeypatch.chdir(removed.clone)
    git(removed.clone, "pull", "--quiet")
    assert facespan("cache", "pull", CORPUS, "--features", "--frames").code == 0
    assert sorted(path.name for path in FRAMES.glob("*.h5")) == ["ann_1.h5", "cem_1.h5"]


def test_pull_neither_fetches_nor_places_the_frames_of_who_left(
    removed: Team, facespan: Facespan, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert facespan("cache", "push", CORPUS).code == 0
    commit(removed.home)
    monkeypatch.chdir(removed.clone)
    git(removed.clone, "pull", "--quiet")
    before = everything(removed.clone)
    told = facespan("cache", "pull", CORPUS, "--frames")
    assert (told.code, f"{TRACKED} still lists the frames of {GONE}" in told.err) == (4, True)
    assert everything(removed.clone) == before
    faces = {path.read_bytes() for path in Path(".dvc/cache").rglob("*") if path.is_file()}
    assert not faces & {(removed.home / FRAMES / f"{name}.h5").read_bytes() for name in ("ann_1", "cem_1")}
    assert facespan("cache", "pull", CORPUS).code == 0


def test_frames_are_pulled_where_nobody_shared_the_table(
    team: Team, facespan: Facespan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(team.home)
    assert facespan("cache", "push", CORPUS, "--frames").code == 0
    commit(team.home)
    table = (team.home / "data" / CORPUS / "videos.parquet").read_bytes()
    next(path for path in team.remote.rglob("*") if path.is_file() and path.read_bytes() == table).unlink()
    monkeypatch.chdir(team.clone)
    git(team.clone, "pull", "--quiet")
    told = facespan("cache", "pull", CORPUS, "--frames")
    assert told.code == 0, told.err
