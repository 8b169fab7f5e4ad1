"""The objects of a corpus' outputs in DVC's cache: brought from a remote, each checked before it is kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from cache.errors import InputError, ShardError
from cache.sharing import dvc_objects
from stages.sharing.project import Output
from stages.sharing.remote import MissingObjectError, Remote

AT_ONCE = 8
# A remote that sends so much rubbish is not asked for the rest.
MOST_FAULTS = 10
MOST_NAMED = 3


@dataclass(frozen=True)
class File:
    """One file of an output.

    Attributes:
        path: relative to the project, with ``/``.
        name: of its object.
        maximum_bytes: how large it can be at most, by `dvc.lock`.
    """

    path: str
    name: str
    maximum_bytes: int


@dataclass(frozen=True)
class Held:
    """What was found in DVC's cache, or put there.

    Attributes:
        files: of every output, its files.
        fetched: the names of the objects that came from the remote.
        damaged: the paths of files whose object in DVC's cache was not what its name says, and was removed.
    """

    files: Mapping[Output, Sequence[File]]
    fetched: Sequence[str]
    damaged: Sequence[str]


def bring(
    objects: Path,
    outputs: Sequence[Output],
    remote: Remote,
    advance: Callable[[int], None],
    check: Callable[[Output, Sequence[File]], None] = lambda output, files: None,
) -> Held:
    """Make DVC's cache hold every object of these outputs, whole; what is whole there already is not fetched.

    Args:
        advance: called with the number of files that are done.
        check: called with what each listing names, before any of it is fetched; it may raise.

    Raises:
        ShardError: the remote sent something else, or a listing names what cannot be in a folder.
        InputError: it lacks something, or cannot be read.
    """
    listings = [_listing(output) for output in outputs if output.files is not None]
    fetched, damaged = _bring(objects, listings, remote, advance)
    found = {output: files_of(objects, output) for output in outputs}
    for output, files in found.items():
        check(output, files)
    more_fetched, more_damaged = _bring(objects, [file for each in found.values() for file in each], remote, advance)
    for output in outputs:
        _check_size(objects, output, found[output])
    return Held(found, [*fetched, *more_fetched], [*damaged, *more_damaged])


def check_held(objects: Path, outputs: Sequence[Output]) -> dict[Output, list[File]]:
    """Return the files of outputs whose objects are all in DVC's cache, whole.

    Raises:
        InputError: one is not there.
        ShardError: one is not what its name says, or a listing names what cannot be in a folder.
    """
    found = {}
    for output in outputs:
        if output.files is not None:
            _check_object(objects, _listing(output))
        found[output] = files_of(objects, output)
        for file in found[output]:
            _check_object(objects, file)
    return found


def files_of(objects: Path, output: Output) -> list[File]:
    """Return the files of an output, whose listing is in DVC's cache; ShardError when it is no list of such files."""
    if output.files is None:
        return [File(output.path, output.name, output.bytes)]
    try:
        listed = dvc_objects.read_listing(dvc_objects.path_of(objects, output.name), output.files)
    except ShardError as problem:
        raise ShardError(
            f"{output.path}: the listing that dvc.lock names ({output.name}) is refused, {problem}. Nothing was "
            "written or sent. Ask whoever made it, and do not `dvc pull` it."
        ) from problem
    return [File(f"{output.path}/{path}", name, output.bytes) for path, name in sorted(listed.items())]


def _listing(output: Output) -> File:
    return File(output.path, output.name, dvc_objects.maximum_listing_bytes(output.files or 0))


def _bring(
    objects: Path, wanted: Sequence[File], remote: Remote, advance: Callable[[int], None]
) -> tuple[list[str], list[str]]:
    """Return the names of what was fetched and the paths of what was damaged in DVC's cache before."""
    by_name = {file.name: file for file in wanted}
    damaged = [file.path for file in by_name.values() if _remove_damaged(objects, file)]
    absent = [file for file in by_name.values() if not os.path.lexists(dvc_objects.path_of(objects, file.name))]
    advance(len(by_name) - len(absent))
    if absent:
        remote.check_there()
    broken, missing = [], []
    for file, problem in _receive_all(objects, absent, remote):
        advance(1)
        if isinstance(problem, MissingObjectError):
            missing.append(file)
        elif isinstance(problem, ShardError):
            broken.append(f"{file.path}: object {file.name} has {problem}")
        elif problem is not None:
            raise problem
    if broken:
        raise ShardError(
            f"{remote} sent {_name_some(broken)}. Nothing of it was kept or written. Ask whoever keeps it to remove "
            "these objects there and to push again."
        )
    if missing:
        raise InputError(
            f"{remote} lacks {_name_some([f'{file.path} ({file.name})' for file in missing])}. Whoever has it: "
            "facespan cache push"
        )
    return [file.name for file in absent], damaged


def _receive_all(
    objects: Path, wanted: Sequence[File], remote: Remote
) -> Iterator[tuple[File, InputError | ShardError | None]]:
    """Yield each file when it is there, with what was wrong with it; after `MOST_FAULTS`, no more are asked for."""
    faults = 0
    with ThreadPoolExecutor(AT_ONCE) as threads:
        jobs = {threads.submit(remote.receive, objects, file.name, file.maximum_bytes): file for file in wanted}
        try:
            for job in as_completed(jobs):
                problem = job.exception()
                if problem is not None and not isinstance(problem, (InputError, ShardError)):
                    raise problem
                yield jobs[job], problem
                faults += problem is not None
                if faults == MOST_FAULTS:
                    return
        finally:
            threads.shutdown(cancel_futures=True)


def _remove_damaged(objects: Path, file: File) -> bool:
    """Remove an object that is not what its name says; return whether it was so."""
    path = dvc_objects.path_of(objects, file.name)
    if not os.path.lexists(path):
        return False
    try:
        is_damaged = dvc_objects.describe_damage(path, file.name) is not None
    except InputError:  # a link, which DVC never makes there
        is_damaged = True
    if is_damaged:
        path.unlink()
    return is_damaged


def _check_object(objects: Path, file: File) -> None:
    path = dvc_objects.path_of(objects, file.name)
    if not os.path.lexists(path):
        raise InputError(
            f"{file.path} as dvc.lock states it is not in DVC's cache. Run: dvc repro (or dvc commit, to take what "
            "lies there)"
        )
    damage = dvc_objects.describe_damage(path, file.name)
    if damage is not None:
        raise ShardError(
            f"{path}, DVC's copy of {file.path}, is damaged: {damage}. Remove it, then: dvc commit {file.path}"
        )


def _check_size(objects: Path, output: Output, files: Sequence[File]) -> None:
    found = sum(dvc_objects.path_of(objects, file.name).stat().st_size for file in files)
    if found != output.bytes:
        raise ShardError(
            f"{output.path}: its files have {found:,} bytes, but dvc.lock says {output.bytes:,}. Run: git restore "
            "dvc.lock, or ask whoever wrote it."
        )


def _name_some(words: Sequence[str]) -> str:
    rest = len(words) - MOST_NAMED
    return "; ".join(words[:MOST_NAMED]) + (f"; and {rest} more" if rest > 0 else "")
