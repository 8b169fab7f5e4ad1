"""Push from where features were made, pull where they were not: as `facespan cache` is typed, through a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from cache.shards import manifest
from cache.sharing import integrity
from cache.sharing.integrity import Beside
from tests.stages.sharing.conftest import CORPUS, FEATURES, Team, commit_lock, dvc, everything, git, locked

Facespan = Callable[..., Any]


def shared_by(team: Team, *folders: str) -> dict[str, bytes]:
    """Return what the clone should hold of some folders."""
    return {name: content for name, content in everything(team.home).items() if name.startswith(folders)}


def test_features_and_tables_are_the_same_in_a_clone_and_nothing_else_is_sent(team: Team, facespan: Facespan) -> None:
    told = facespan("cache", "pull", CORPUS)
    assert told.code == 0, told.err
    assert "pull: mine, features: 8 files, " in told.out
    assert "(9 objects fetched, 8 files placed; all checked)" in told.out
    found = {name: content for name, content in everything(team.clone).items() if name.startswith(("data", "results"))}
    expected = shared_by(team, "data/mine/features", "data/mine/videos", "data/mine/expr", "data/mine/audit")
    assert found == expected | shared_by(team, "data/mine/sections", "data/mine/frames.json")
    assert "up to date" in dvc(team.clone, "status", FEATURES)
    assert git(team.clone, "status", "--porcelain") == ""


def test_a_second_push_and_a_second_pull_do_nothing(team: Team, facespan: Facespan, monkeypatch: Any) -> None:
    assert facespan("cache", "pull", CORPUS).code == 0
    assert "(0 objects fetched, 0 files placed; all checked)" in facespan("cache", "pull", CORPUS).out
    monkeypatch.chdir(team.home)
    assert "(0 objects sent" in facespan("cache", "push", CORPUS).out


def test_detectors_travel_on_their_own(team: Team, facespan: Facespan, monkeypatch: pytest.MonkeyPatch) -> None:
    told = facespan("cache", "pull", CORPUS, "--detectors")
    assert (told.code, "lacks results/mine/detectors" in told.err) == (4, True)
    monkeypatch.chdir(team.home)
    assert facespan("cache", "push", CORPUS, "--detectors").code == 0
    monkeypatch.chdir(team.clone)
    assert facespan("cache", "pull", CORPUS, "--detectors").code == 0
    assert not (team.clone / FEATURES).exists()
    assert shared_by(team, "results") == {
        name: content for name, content in everything(team.clone).items() if name.startswith("results")
    }


def test_frames_travel_by_a_dvc_file_of_their_own_that_is_committed(
    team: Team, facespan: Facespan, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = facespan("cache", "pull", CORPUS, "--frames")
    assert (told.code, "data/mine/frames.dvc does not exist" in told.err) == (4, True)
    monkeypatch.chdir(team.home)
    told = facespan("cache", "push", CORPUS, "--frames")
    assert told.code == 0, told.err
    assert "git add data/mine/frames.dvc && git commit" in told.err
    once = Path("data/mine/frames.dvc").read_bytes()
    told = facespan("cache", "push", CORPUS, "--frames")
    assert "(0 objects sent" in told.out
    assert Path("data/mine/frames.dvc").read_bytes() == once
    git(team.home, "add", "data/mine/frames.dvc")
    git(team.home, "commit", "--quiet", "--message", "frames")
    assert "git add" not in facespan("cache", "push", CORPUS, "--frames").err
    monkeypatch.chdir(team.clone)
    git(team.clone, "pull", "--quiet")
    assert facespan("cache", "pull", CORPUS, "--frames").code == 0
    assert integrity.verify(team.clone / "data/mine/frames", Beside(), lambda _: None) == []
    assert not (team.clone / FEATURES).exists()


def test_newer_features_take_the_place_of_pulled_ones(
    team: Team, facespan: Facespan, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert facespan("cache", "pull", CORPUS).code == 0
    monkeypatch.chdir(team.home)
    change_one_video_less(team.home)
    told = facespan("cache", "push", CORPUS)
    assert "git add dvc.lock && git commit" in told.err
    assert "(2 objects sent" in told.out  # the manifest and the listing
    git(team.home, "commit", "--quiet", "--all", "--message", "one less")
    monkeypatch.chdir(team.clone)
    git(team.clone, "pull", "--quiet")
    told = facespan("cache", "pull", CORPUS)
    assert told.code == 0, told.err
    assert f"pull: {FEATURES}/cem_1.h5 is of {CORPUS} no more and was removed" in told.err
    assert f"pull: {FEATURES}/manifest.json was another here and was replaced" in told.err
    assert f"{FEATURES}/cem_1.h5 was another" not in told.err
    assert not (team.clone / FEATURES / "cem_1.h5").exists()
    assert integrity.verify(team.clone / FEATURES, Beside(), lambda _: None) == []


def change_one_video_less(home: Path) -> None:
    folder = home / FEATURES
    stated = manifest.read(folder)
    (folder / "cem_1.h5").unlink()
    kept = {video: entry for video, entry in stated.shards.items() if video != "cem_1"}
    manifest.write(folder, manifest.Manifest(stated.kind, kept, stated.run))
    commit_lock(home)


@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink"])
def test_a_flipped_bit_whose_time_was_kept_is_found_and_repaired(team: Team, facespan: Facespan, link: str) -> None:
    dvc(team.clone, "config", "--local", "cache.type", link)
    assert facespan("cache", "pull", CORPUS).code == 0
    shard = team.clone / FEATURES / "ann_1.h5"
    sound = shard.read_bytes()
    flip(shard)
    assert "up to date" in dvc(team.clone, "status", FEATURES)  # which is why DVC is not asked
    told = facespan("cache", "pull", CORPUS)
    if link != "symlink":  # there the damage was in DVC's cache, and is gone with it
        assert (told.code, f"{FEATURES}/ann_1.h5 would be replaced" in told.err) == (4, True)
        told = facespan("cache", "pull", CORPUS, "--force")
        assert f"{FEATURES}/ann_1.h5 was another here and was replaced" in told.err
    assert told.code == 0, told.err
    assert shard.read_bytes() == sound


def flip(path: Path) -> None:
    """Change one bit of a file in place, and keep its time."""
    before, path = path.stat(), path.resolve()
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(content)
    path.chmod(before.st_mode & 0o777)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_what_was_changed_here_is_named_and_stays(team: Team, facespan: Facespan) -> None:
    assert facespan("cache", "pull", CORPUS).code == 0
    table = team.clone / "data/mine/audit.csv"
    table.chmod(0o644)
    table.write_text("mine\n", encoding="utf-8")
    (team.clone / FEATURES / "notes.txt").write_text("mine\n", encoding="utf-8")
    (team.clone / "data/mine/videos.parquet").unlink()
    before = everything(team.clone)
    told = facespan("cache", "pull", CORPUS)
    assert told.code == 4
    assert f"error: data/mine/audit.csv, {FEATURES}/notes.txt would be replaced" in told.err
    assert everything(team.clone) == before
    assert facespan("cache", "pull", CORPUS, "--force").code == 0
    assert shared_by(team, FEATURES) == {n: c for n, c in everything(team.clone).items() if n.startswith(FEATURES)}


def test_a_damaged_object_in_dvcs_cache_is_fetched_again(team: Team, facespan: Facespan) -> None:
    assert facespan("cache", "pull", CORPUS).code == 0
    name = locked(team.clone, "data/mine/videos.parquet")["md5"]
    flip(team.clone / ".dvc/cache/files/md5" / name[:2] / name[2:])
    told = facespan("cache", "pull", CORPUS)
    assert told.code == 0, told.err
    assert "DVC's copy of data/mine/videos.parquet was damaged, was removed and fetched again" in told.err


def test_what_is_damaged_is_not_sent(begin: Callable[[], Team], facespan: Facespan, monkeypatch: Any) -> None:
    team = begin()
    monkeypatch.chdir(team.home)
    name = locked(team.home, "data/mine/videos.parquet")["md5"]
    flip(team.home / ".dvc/cache/files/md5" / name[:2] / name[2:])
    told = facespan("cache", "push", CORPUS)
    assert (told.code, "DVC's copy of data/mine/videos.parquet, is damaged" in told.err) == (5, True)
    assert not team.remote.exists()


def test_what_was_never_made_or_is_gone_is_not_sent(
    begin: Callable[[], Team], facespan: Facespan, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = begin()
    monkeypatch.chdir(team.clone)  # which has the lock, and nothing of what it states
    told = facespan("cache", "push", CORPUS)
    assert (told.code, "as dvc.lock states it is not in DVC's cache" in told.err) == (4, True)
    told = facespan("cache", "push", CORPUS, "--frames")
    assert (told.code, "data/mine/frames does not exist" in told.err) == (4, True)
    assert not team.remote.exists()


def test_frames_that_are_not_whole_are_neither_tracked_nor_sent(
    team: Team, facespan: Facespan, monkeypatch: Any
) -> None:
    monkeypatch.chdir(team.home)
    frames = team.home / "data/mine/frames"
    (frames / ".ann_1.h5.0123456789abcdef.tmp").touch()
    told = facespan("cache", "push", CORPUS, "--frames")
    assert (told.code, "is of a stage that is at work" in told.err) == (4, True)
    (frames / ".ann_1.h5.0123456789abcdef.tmp").unlink()
    flip(frames / "ann_1.h5")
    told = facespan("cache", "push", CORPUS, "--frames")
    assert (told.code, "ann_1: damaged" in told.err) == (5, True)
    assert not (team.home / "data/mine/frames.dvc").exists()


def test_what_a_remote_lost_is_sent_again(team: Team, facespan: Facespan, monkeypatch: Any) -> None:
    lost = team.stored(locked(team.home, "data/mine/videos.parquet")["md5"])
    shard = next(path for path in team.remote.rglob("*") if path.is_file() and path.stat().st_size > 2000)
    lost.unlink()
    shard.unlink()
    monkeypatch.chdir(team.home)
    dvc(team.home, "push")  # which trusts the listing
    assert not shard.exists()
    assert "(1 objects sent" in facespan("cache", "push", CORPUS).out
    assert shard.exists()


def test_another_remote_is_chosen_by_name(team: Team, facespan: Facespan, tmp_path: Path) -> None:
    dvc(team.clone, "remote", "add", "--local", "other", str(tmp_path / "other"))
    told = facespan("cache", "pull", CORPUS, "--remote", "other")
    assert (told.code, "error: the remote 'other'" in told.err, "is not there" in told.err) == (4, True, True)
    (tmp_path / "remote").rename(tmp_path / "other")
    assert facespan("cache", "pull", CORPUS, "--remote", "other").code == 0


def nothing_configured(team: Team) -> None:
    (team.clone / ".dvc/config").write_text("", encoding="utf-8")


def no_lock(team: Team) -> None:
    (team.clone / "dvc.lock").unlink()


def no_project(team: Team) -> None:
    (team.clone / ".dvc/config").unlink()
    (team.clone / ".dvc").rename(team.clone / "was_dvc")


def other_parameters(team: Team) -> None:
    path = team.clone / "dvc.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("features/random", "features/other"), encoding="utf-8")


CASES = {
    "no such corpus": (lambda team: None, ("yours",), "dvc.yaml has no stage check@yours"),
    "no such remote": (lambda team: None, (CORPUS, "-r", "nowhere"), "remote 'nowhere' doesn't exist"),
    "no remote": (nothing_configured, (CORPUS,), "dvc remote add --default team"),
    "no lock": (no_lock, (CORPUS,), "has no dvc.lock"),
    "no project": (no_project, (CORPUS,), "you are not inside of a DVC repository"),
    "not in the lock": (other_parameters, (CORPUS,), "dvc.lock says nothing of data/mine/features/other"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("verb", ["push", "pull"])
def test_what_is_missing_is_said_in_one_line(team: Team, facespan: Facespan, case: str, verb: str) -> None:
    change, words, expected = CASES[case]
    change(team)
    before = everything(team.clone)
    told = facespan("cache", verb, *words)
    assert told.code == 4
    assert expected in told.err
    assert told.err.count("\n") == 1
    assert everything(team.clone) == before


def test_dvc_that_is_not_installed_is_named(team: Team, facespan: Facespan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dvc.repo", None)
    told = facespan("cache", "pull", CORPUS)
    assert (told.code, "pip install 'facespan[workflow]'" in told.err) == (4, True)


def test_the_current_lock_is_what_a_later_status_sees(team: Team, facespan: Facespan) -> None:
    assert facespan("cache", "pull", CORPUS).code == 0
    with Repo(str(team.clone)) as repo:
        changed = [stage.addressing for stage in repo.index.stages if stage.addressing.startswith("extract")]
        assert changed
        assert not any(out.status() for stage in repo.index.stages if stage.addressing in changed for out in stage.outs)
