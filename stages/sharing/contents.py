"""Validation of pulled outputs, as the stages will read them, before they take their place."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from cache import strict_json
from cache.errors import InputError, ShardError
from cache.shards import manifest
from cache.shards.manifest import CORPUS
from cache.sharing import dvc_objects, integrity
from cache.sharing.integrity import Beside
from cache.tables import audit, curves, failures, intervals, videos
from cache.tables.intervals import Expression
from stages.sharing.carried_digests import read_detections, read_detector
from stages.sharing.objects import File
from stages.sharing.project import Output


def check(objects: Path, output: Output, files: Sequence[File], corpus: str) -> None:
    """Read every file of an output once: manifests and their shards, tables, detectors.

    Raises:
        ShardError: one is not what a stage of this corpus writes there; it is named.
    """
    try:
        with _laid_out(objects, output, files) as place:
            if place.is_dir():
                check_folder(place, corpus)
            else:
                _check_file(place)
    except (InputError, ShardError, ValueError, RecursionError) as problem:
        found = str(problem).replace(f"{place}", output.path)
        raise ShardError(
            f"{output.path} is what dvc.lock says, but not what a stage writes. Nothing was written or sent; ask "
            f"whoever made it to run `dvc repro` and to push again. Found: {found}"
        ) from problem


def check_folder(folder: Path, corpus: str) -> None:
    """Read every file of a folder once: a manifest and its shards, or tables and detectors; errors as in `check`."""
    if (folder / manifest.NAME).exists():
        _check_shards(folder, corpus)
        return
    if manifest.list_shards(folder):
        raise ShardError(f"{folder} holds shards, but no {manifest.NAME}.")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            _check_file(path)


@contextmanager
def _laid_out(objects: Path, output: Output, files: Sequence[File]) -> Iterator[Path]:
    """Yield a place where the output lies as it would in the workspace; links, where the disk allows, not copies."""
    with tempfile.TemporaryDirectory(prefix="facespan-check-", dir=objects) as folder:
        place = Path(folder, PurePosixPath(output.path).name)
        for file in files:
            path = place / PurePosixPath(file.path).relative_to(output.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            _link(dvc_objects.path_of(objects, file.name), path)
        if output.files == 0:
            place.mkdir()
        yield place


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # not every file system has hard links, or so many of one file
        shutil.copyfile(source, target)


def _check_shards(folder: Path, corpus: str) -> None:
    held = manifest.read(folder)
    if held.run.get(CORPUS) != corpus:
        raise ShardError(f"{folder / manifest.NAME} is of the corpus {held.run.get(CORPUS)!r}, expected {corpus!r}.")
    # What align or extract could not make is no fault of what they made.
    absent = set(manifest.missing(held)) - set(held.shards)
    faults = [fault for fault in integrity.verify(folder, Beside(), _ignore) if fault.video not in absent]
    if faults:
        raise ShardError(f"{folder} is not what its {manifest.NAME} states: {faults[0]}.")
    stated = {entry.file for entry in (*held.shards.values(), *manifest.stale(held).values())}
    allowed = {*stated, manifest.NAME, manifest.JOURNAL, failures.NAME}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and name not in allowed and not path.name.startswith("."):
            raise ShardError(f"{folder} holds {name}, which its {manifest.NAME} does not state.")


def _ignore(_: int) -> None:
    """Show no progress: the files were counted as they came."""


def _check_file(path: Path) -> None:
    name = path.name if path.name in READ else path.suffix
    if name in READ:
        READ[name](path)


def _read_json(path: Path) -> object:
    return strict_json.parse(path.read_bytes())


# By the whole name, or by the suffix.
READ: dict[str, Callable[[Path], object]] = {
    "videos.parquet": videos.read,
    "expressions.parquet": lambda path: intervals.read(path, Expression),
    "detections.parquet": read_detections,
    "nested.parquet": read_detections,
    "curves.parquet": curves.read,
    "audit.csv": audit.read,
    ".safetensors": read_detector,
    ".json": _read_json,
}
