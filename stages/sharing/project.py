"""The project as DVC knows it: the outputs of a corpus by `dvc.yaml` and `dvc.lock`, DVC's cache, its checkout.

DVC's Python interface, not its command line: what a remote sends has to be looked at before any of it is kept.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cache.errors import InputError
from cache.printing import printable
from cache.sharing import dvc_objects

# Of each part that is shared on its own, the stages whose outputs it is.
PARTS = {
    "features": ("check", "index", "extract"),
    "frames": ("align",),
    "detectors": ("train", "detect", "evaluate"),
}
MAXIMUM_WORDS = 500
INSTALL = "DVC is not installed, and sharing goes through it. Run: pip install 'facespan[workflow]'"


@dataclass(frozen=True)
class Output:
    """A file or folder that DVC tracks.

    Attributes:
        path: relative to the project, with ``/``.
        name: of its object in DVC's cache; of a folder, of its listing.
        bytes: of all its files.
        files: how many; None when it is a single one.
    """

    path: str
    name: str
    bytes: int
    files: int | None


@dataclass(frozen=True)
class Project:
    """An open project.

    Attributes:
        root: its folder.
        objects: the folder of objects of DVC's cache.
        repo: DVC's own view of it.
    """

    root: Path
    objects: Path
    repo: Any


@contextmanager
def opened() -> Iterator[Project]:
    """Yield the project of the current folder.

    Raises:
        InputError: there is none, DVC is not installed, or DVC cannot read `dvc.yaml` or `dvc.lock`.
    """
    try:
        from dvc.exceptions import DvcException
        from dvc.logger import set_loggers_level
        from dvc.repo import Repo
    except ImportError as problem:
        raise InputError(INSTALL) from problem
    try:
        # Without its own words on how to go on, and its own bars.
        with set_loggers_level(logging.WARNING), Repo(str(Path.cwd())) as repo:
            yield Project(Path(repo.root_dir), Path(repo.cache.local.path), repo)
    except DvcException as problem:
        raise InputError(f"DVC: {in_one_line(problem)}") from problem


def read_at(revision: str, paths: Sequence[str], also: Sequence[str] = ()) -> dict[str, bytes]:
    """Return files of a revision or an experiment, by path: those git holds, and those of DVC from its cache.

    Args:
        also: files that it may lack; those are left out.

    Raises:
        InputError: there is no such revision, or it has no such file, or DVC's cache here has it not.
    """
    with opened() as project:
        from dvc.api import DVCFileSystem
        from dvc.exceptions import DvcException
        from dvc.scm import RevError, SCMError

        try:
            files = DVCFileSystem(repo=str(project.root), rev=revision)
            there = [path for path in also if files.exists(path)]
            return {path: _read_at(files, revision, path) for path in (*paths, *there)}
        except (RevError, SCMError) as problem:
            raise InputError(
                f"{revision} is no folder of results, and no revision or experiment ({in_one_line(problem)}). "
                "Look: git log, dvc exp show"
            ) from problem
        except DvcException as problem:
            raise InputError(f"DVC, at {revision}: {in_one_line(problem)}") from problem


def _read_at(files: Any, revision: str, path: str) -> bytes:
    try:
        content: bytes = files.read_bytes(path)
    except (OSError, ValueError) as problem:
        is_stated = files.exists(path)
        remedy = (
            "fetch it: dvc fetch --all-commits" if is_stated else "it was not made, or dvc.lock not committed, there"
        )
        raise InputError(f"{path} of {revision} cannot be read ({in_one_line(problem)}); {remedy}") from problem
    return content


def in_one_line(problem: BaseException) -> str:
    """Return what a foreign error says, or its kind where it says nothing; a server may have chosen the words."""
    words = " ".join(str(problem).split()) or type(problem).__name__
    return printable(words[:MAXIMUM_WORDS])


def outputs(project: Project, corpus: str, parts: Sequence[str]) -> list[Output]:
    """Return what `dvc.lock` states of these parts of a corpus, in the order of the data.

    Raises:
        InputError: it states nothing of one, or what cannot be in a project.
    """
    if not (project.root / "dvc.lock").is_file():
        raise InputError(
            f"{project.root} has no dvc.lock, which says what belongs to a corpus. Where the features were made, run "
            "`dvc repro` and commit dvc.lock; elsewhere, `git pull`."
        )
    found = []
    for part in parts:
        tracked = [out for name in PARTS[part] for out in stage(project, name, corpus).outs if out.use_cache]
        if part == "frames" and not tracked:
            tracked = _frames_stage(project, corpus).outs
        found += [_read(project, out) for out in tracked]
    return found


def stage(project: Project, name: str, corpus: str) -> Any:
    """Return a stage of a corpus as `dvc.yaml` and `dvc.lock` describe it; InputError where there is none."""
    for candidate in project.repo.index.stages:
        if candidate.addressing == f"{name}@{corpus}":
            return candidate
    raise InputError(
        f"dvc.yaml has no stage {name}@{corpus}: there is no such corpus, or `corpora` in configs/params.yaml does not "
        "list it."
    )


def frames_folder(corpus: str) -> Path:
    """Return where the aligned frames of a corpus lie, relative to the project."""
    return Path("data", corpus, "frames")


def frames_file(corpus: str) -> Path:
    """Return the `.dvc` file that tracks this folder, relative to the project."""
    return frames_folder(corpus).with_suffix(".dvc")


def tracked_frames(project: Project, corpus: str) -> Output | None:
    """Return the frames as their `.dvc` file states them; None where there is none."""
    if not (project.root / frames_file(corpus)).is_file():
        return None
    return _read(project, _frames_stage(project, corpus).outs[0])


def untracked_frames(project: Project, corpus: str) -> Path | None:
    """Return the folder of frames that DVC tracks only by a `.dvc` file of its own; None where a stage has it tracked.

    Raises:
        InputError: it does not exist, or a stage is at work there.
    """
    if any(out.use_cache for out in stage(project, "align", corpus).outs):
        return None
    folder = project.root / frames_folder(corpus)
    if not folder.is_dir():
        raise InputError(f"{frames_folder(corpus)} does not exist. Run: dvc repro --single-item --force align@{corpus}")
    for path in project.repo.dvcignore.find(project.repo.fs, str(folder)):
        if Path(path).name.startswith("."):
            raise InputError(f"{path} is of a stage that is at work, or was ended. Run: dvc repro align@{corpus}")
    return folder


def add(project: Project, folder: Path) -> None:
    """Let DVC track a folder by a `.dvc` file of its own, as `dvc add` does; a second time takes what has changed."""
    project.repo.add(str(folder))


def checkout(project: Project, paths: Sequence[str]) -> None:
    """Let DVC bring files and folders into the workspace from its cache; it replaces nothing that is nowhere else."""
    # DVC remembers the listings it has read by the name they should have. One that `dvc fetch` believed would be used
    # instead of ours, here or by the next `dvc checkout`.
    project.repo.drop_data_index()
    project.repo.checkout([str(project.root / path) for path in paths])


def uncommitted(project: Project, corpus: str) -> list[str]:
    """Return the files that colleagues need and git has not, or has otherwise; none where there is no git."""
    untracked = [out.fs_path for one in project.repo.index.stages for out in one.outs if _is_for_git(one, out, corpus)]
    paths = ["dvc.yaml", "dvc.lock", "configs", frames_file(corpus).as_posix(), ".dvc/config", *untracked]
    git = shutil.which("git")
    if git is None:
        return []
    words = [git, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *paths]
    told = subprocess.run(words, cwd=project.root, capture_output=True, text=True, check=False).stdout
    return [line[3:] for line in told.split("\0") if line]


def _is_for_git(one: Any, out: Any, corpus: str) -> bool:
    return not out.use_cache and one.addressing.endswith(f"@{corpus}")


def _frames_stage(project: Project, corpus: str) -> Any:
    path = frames_file(corpus).as_posix()
    for candidate in project.repo.index.stages:
        if Path(candidate.path) == project.root / path:
            return candidate
    raise InputError(
        f"{path} does not exist, so the frames of {corpus} are not shared. Where they are: facespan cache push "
        f"{corpus} --frames, and commit {path}"
    )


def _read(project: Project, out: Any) -> Output:
    """Return an output whose path and object have been checked, for the lock is written by people and merges, too."""
    try:
        path = Path(out.fs_path).relative_to(project.root).as_posix()
    except ValueError as problem:
        raise InputError(f"{out.fs_path} lies outside the project. Correct dvc.yaml or dvc.lock.") from problem
    if (fault := dvc_objects.describe_fault(path)) is not None:
        raise InputError(f"an output of dvc.lock: {fault}. Correct dvc.yaml or dvc.lock.")
    name, meta = out.hash_info.value if out.hash_info else None, out.meta
    if name is None:
        raise InputError(
            f"dvc.lock says nothing of {path}: it is not made yet, or dvc.lock was not committed, or is of other "
            "parameters. Run: dvc repro, where the videos are"
        )
    if out.hash_info.name != "md5" or not dvc_objects.NAME.fullmatch(name):
        raise InputError(
            f"dvc.lock gives {path} the {out.hash_info.name} {name!r}, expected an MD5 in hexadecimal. Run: git "
            "restore dvc.lock, or dvc commit"
        )
    is_folder = name.endswith(dvc_objects.LISTING_SUFFIX)
    if not _is_count(meta.size) or (is_folder and not _is_count(meta.nfiles)):
        raise InputError(f"dvc.lock does not say how large {path} is. Run: dvc commit {path}")
    return Output(path, name, meta.size, meta.nfiles if is_folder else None)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 0
