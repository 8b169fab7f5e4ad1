"""The workspace against `dvc.lock`, byte by byte: DVC looks at times and sizes, and calls a flipped bit up to date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cache.errors import InputError
from cache.sharing import dvc_objects
from stages.sharing.objects import File
from stages.sharing.project import Output, Project


@dataclass(frozen=True)
class ChangedFile:
    """A file of the workspace that is not as `dvc.lock` states it.

    Attributes:
        path: relative to the project, with ``/``.
        is_of_output: whether the output has a file of this name; else it is too many.
        is_kept: whether DVC's cache holds what lies there, so that it can be had again.
    """

    path: str
    is_of_output: bool
    is_kept: bool


def differences(project: Project, output: Output, files: Sequence[File]) -> list[ChangedFile]:
    """Return what lies in the place of an output and is not of it, in order; what is absent is no difference.

    Raises:
        InputError: a folder on the way is a symbolic link, through which DVC would write elsewhere.
    """
    expected = {file.path: file.name for file in files}
    for path in expected:
        _refuse_links(project.root, output.path, path)
    found = []
    for path in _present(project, output):
        place = project.root / path
        if expected.get(path) is None or _differs(place, expected[path]):
            found.append(ChangedFile(path, path in expected, _is_kept(project.objects, place)))
    return sorted(found, key=lambda difference: difference.path)


def absent(project: Project, files: Sequence[File]) -> list[File]:
    """Return the files that the workspace lacks."""
    return [file for file in files if not (project.root / file.path).is_file()]


def clear(project: Project, found: Sequence[ChangedFile]) -> None:
    """Remove files of the workspace, so that DVC sees that they are to be brought again."""
    for difference in found:
        (project.root / difference.path).unlink()


def _present(project: Project, output: Output) -> list[str]:
    """Return the files that lie in the place of an output, without those that DVC is told to ignore."""
    place = project.root / output.path
    if place.is_symlink() or place.is_file():
        return [output.path]
    if not place.is_dir():
        return []
    found = project.repo.dvcignore.find(project.repo.fs, str(place))
    return [Path(path).relative_to(project.root).as_posix() for path in found]


def _refuse_links(root: Path, output: str, path: str) -> None:
    above = set(Path(output).parents)
    for parent in Path(path).parents:
        if parent not in above and (root / parent).is_symlink():
            raise InputError(f"{parent} is a symbolic link, through which files would be written elsewhere. Remove it.")


def _differs(path: Path, name: str) -> bool:
    try:
        return dvc_objects.md5_of(path) != name
    except InputError:
        return True


def _is_kept(objects: Path, path: Path) -> bool:
    try:
        name = dvc_objects.md5_of(path)
        return dvc_objects.describe_damage(dvc_objects.path_of(objects, name), name) is None
    except InputError:
        return path.is_symlink()  # of a link, what it points to stays
