"""A remote of DVC, object by object: a shared folder, SSH, S3 and whatever else DVC reaches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cache import files
from cache.errors import InputError, ShardError
from cache.sharing import dvc_objects
from stages.sharing.project import Project, in_one_line

LOCAL = "local"
# Where in a remote DVC keeps them.
OBJECTS = "/files/md5"


class MissingObjectError(InputError):
    """A remote lacks an object."""


@dataclass(frozen=True)
class Remote:
    """A remote.

    Attributes:
        name: by which DVC knows it.
        place: its address.
        database: DVC's own view of its objects.
    """

    name: str
    place: str
    database: Any

    def __str__(self) -> str:
        """Return it for people."""
        return f"the remote {self.name!r} ({self.place})"

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine, or one that is mounted."""
        return bool(self.database.fs.protocol == LOCAL)

    def check_there(self) -> None:
        """Raise InputError when it is a folder that is not there; every object would seem to be missing."""
        if self.is_local and not Path(self.database.path).is_dir():
            raise InputError(
                f"{self} is not there: nothing was pushed to it yet, its disk is not connected, or `dvc remote modify "
                f"{self.name} url` has to correct the path."
            )

    def receive(self, objects: Path, name: str, maximum_bytes: int) -> int:
        """Bring an object into a folder of objects and return its size.

        Raises:
            MissingObjectError: the remote lacks it.
            ShardError: it is larger, other bytes than its name says, or no plain file.
            InputError: the remote cannot be read, or the disk refuses.
        """
        target = dvc_objects.path_of(objects, name)
        with self._reading(name, maximum_bytes) as read:
            return dvc_objects.receive(target, name, read, maximum_bytes)

    def send(self, objects: Path, names: Sequence[str]) -> list[str]:
        """Send the objects that the remote lacks, listings last, and return their names.

        Raises:
            InputError: the remote cannot be written.
        """
        with self._explained("written"):
            # DVC's own push takes a listing that is there for a sign that all it lists is there, too.
            held = set(self.database.oids_exist(list(names)))
            lacking = [name for name in names if name not in held]
            for wanted in (False, True):
                chosen = [name for name in lacking if name.endswith(dvc_objects.LISTING_SUFFIX) is wanted]
                paths = [str(dvc_objects.path_of(objects, name)) for name in chosen]
                if chosen:
                    self.database.add(paths, _local_files(), chosen, check_exists=False)
        return lacking

    @contextmanager
    def _reading(self, name: str, maximum_bytes: int) -> Iterator[Callable[[int], bytes]]:
        """Yield what reads the next bytes of an object."""
        place = self.database.oid_to_path(name)
        if self.is_local:
            with os.fdopen(_open_plain(Path(place), maximum_bytes), "rb") as file:
                yield file.read
            return
        with self._explained("read"):
            stated = self.database.fs.info(place)
        _check_stated(stated, maximum_bytes)
        with self._explained("read"):
            opened = self.database.fs.open(place, "rb")
        with closing(opened):

            def read(count: int) -> bytes:
                with self._explained("read"):
                    return bytes(opened.read(count))

            yield read

    @contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as problem:
            raise MissingObjectError(in_one_line(problem)) from problem
        except Exception as problem:
            # Each kind of remote raises kinds of its own, from packages that are there only where it is used.
            raise InputError(f"{self} cannot be {done}: {in_one_line(problem)}") from problem


def find(project: Project, name: str | None) -> Remote:
    """Return a remote by name, or the default one.

    Raises:
        InputError: none is set or it is not known, what reaches it is not installed, or it is versioned by its cloud.
    """
    from dvc.config import NoRemoteError

    try:
        database = project.repo.cloud.get_remote_odb(name)
    except NoRemoteError as problem:
        raise InputError(
            "no remote is set, the place that all of you reach: a folder, or what docs/sharing.md names. Where whoever "
            "pushed has set one, `git pull`; else: dvc remote add --default team /mnt/team/facespan && git add "
            ".dvc/config"
        ) from problem
    known = name or project.repo.config["core"]["remote"]
    # Not the address that was configured, which may hold a password.
    place = str(database.path if database.fs.protocol == LOCAL else database.fs.unstrip_protocol(database.path))
    return Remote(known, place.removesuffix(OBJECTS), database)


def _check_stated(stated: Mapping[str, Any], maximum_bytes: int) -> None:
    """Raise ShardError when a remote itself says that what it holds is no file, or too large; a pipe would hang."""
    if stated.get("type") != "file":
        raise ShardError(f"the type {stated.get('type')!r}, expected a file")
    if isinstance(size := stated.get("size"), int):
        _check_size(size, maximum_bytes)


def _check_size(size: int, maximum_bytes: int) -> None:
    if size > maximum_bytes:
        raise ShardError(f"{size:,} bytes, expected at most {maximum_bytes:,}")


def _open_plain(path: Path, maximum_bytes: int) -> int:
    """Return a descriptor of a file in a shared folder."""
    try:
        descriptor = files.open_regular(path, follow_links=False)
    except InputError as problem:
        if not os.path.lexists(path):
            raise MissingObjectError(f"{path} does not exist") from problem
        raise ShardError(str(problem)) from problem
    try:
        _check_size(os.fstat(descriptor).st_size, maximum_bytes)
    except ShardError:
        os.close(descriptor)
        raise
    return descriptor


def _local_files() -> Any:
    from dvc.fs import LocalFileSystem

    return LocalFileSystem()
