"""DVC that links what it keeps, a clock that was set back: nothing is written through a link, nothing overlooked."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

import pytest

from stages.shell.command import ExitCode
from tests.faults.harness import CORPUS, Project, differences

RELINK = "Run: dvc config cache.type reflink,copy && dvc checkout --relink"
A_DAY = 86_400


def spoilt(project: Project) -> list[Path]:
    """Return the objects of the DVC cache that are not what their name says."""
    objects = [path for path in (project.folder / ".dvc/cache/files/md5").rglob("*") if path.is_file()]
    named = {path: f"{path.parent.name}{path.name}".removesuffix(".dir") for path in objects}
    return [path for path in objects if hashlib.md5(path.read_bytes()).hexdigest() != named[path]]


def linked(made: Project, folder: Path, kind: str) -> Project:
    """Return a copy whose outputs are links into the DVC cache."""
    project = made.copy(folder)
    project.dvc("config", "cache.type", kind)
    told = project.dvc("checkout", "--relink")
    assert told.code == 0, told
    return project


@pytest.mark.whole_line
def test_stages_write_through_no_hard_link_even_as_root(made: Project, tmp_path: Path) -> None:
    project = linked(made, tmp_path / "project", "hardlink")
    assert (project.folder / "data/casme2/videos.parquet").stat().st_nlink > 1
    # By hand, where DVC makes no copies first.
    for stage in ("index", "extract", "train"):
        told = project.stage(stage, *(["--force"] if stage != "index" else []))
        assert told.code == ExitCode.DONE, told
        assert not spoilt(project)
    told = project.dvc("repro", "--force")
    assert told.code == 0, told
    assert not spoilt(project)
    assert not differences(project.contents(), made.contents())


@pytest.mark.whole_line
def test_shards_that_are_symbolic_links_are_refused_with_what_makes_files_of_them(
    made: Project, tmp_path: Path
) -> None:
    project = linked(made, tmp_path / "project", "symlink")
    assert (project.folder / "data/casme2/features/random/manifest.json").is_symlink()
    for told in (project.stage_here("train"), project.facespan("cache", "verify", CORPUS)):
        assert told.code == ExitCode.SHARD, told
        assert RELINK in told.text
    told = project.stage("index")
    assert told.code == ExitCode.DONE, told
    assert not spoilt(project)
    project.dvc("config", "cache.type", "reflink,copy")
    project.dvc("checkout", "--relink")
    told = project.dvc("repro")
    assert told.code == 0, told
    assert not differences(project.contents(), made.contents())


def age(project: Project, seconds: float) -> None:
    """Give every file of a project and its corpus a time so far from now."""
    now = time.time() + seconds
    for folder in (project.folder, project.folder.parent / "disk"):
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                os.utime(path, (now, now))


def test_files_from_the_future_are_kept_and_one_that_changes_is_noticed(made: Project, tmp_path: Path) -> None:
    project = made.copy(tmp_path / "project")
    corpus = tmp_path / "disk"
    shutil.copytree(made.folder.parent / "disk", corpus)
    (project.folder / "configs/places.yaml").write_text(f"{CORPUS}: {corpus}\n", encoding="utf-8")
    assert project.stage_here("fingerprint").code == ExitCode.DONE
    before = project.contents()
    age(project, A_DAY)
    for stage in ("fingerprint", "index", "align", "extract"):
        told = project.stage_here(stage)
        assert told.code == ExitCode.DONE, told
    assert "(0 new, 4 kept)" in told.text
    assert not differences(project.contents(), before)
    # The clock is right again, so what is new is older than what was there.
    image = next(corpus.rglob("img030.jpg"))
    content = bytearray(image.read_bytes())
    content[-20] ^= 1
    image.write_bytes(content)
    assert project.stage_here("fingerprint").code == ExitCode.DONE
    assert project.stage_here("index").code == ExitCode.DONE
    told = project.stage_here("align")
    assert "(1 new, 3 kept)" in told.text, told
