"""Validation of pulled outputs, as the stages will read them, before they take their place."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from cache import dvc_objects, strict_json
from cache.errors import InputError, ShardError
from cache.shards import features, frames, manifest
from cache.shards.manifest import CORPUS, ShardEntry
from cache.tables import audit, failures, intervals, videos
from cache.tables.intervals import Detection, Expression
from cache.weights import tensors
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
    stated = manifest.read(folder)
    if stated.run.get(CORPUS) != corpus:
        raise ShardError(f"{folder / manifest.NAME} is of the corpus {stated.run.get(CORPUS)!r}, expected {corpus!r}.")
    differences = [one for one in manifest.verify(folder) if one.file != failures.NAME]
    if differences:
        raise ShardError(f"{folder} is not what its {manifest.NAME} states: {differences[0]}.")
    for entry in stated.shards.values():
        OPEN[stated.kind](folder / entry.file, entry)


def _open_features(path: Path, entry: ShardEntry) -> None:
    count = len(features.read(path, key=entry.key).columns)
    _check_count(path, entry, count)


def _open_frames(path: Path, entry: ShardEntry) -> None:
    with frames.open(path, key=entry.key, verify=True) as opened:
        _check_count(path, entry, len(opened))


def _check_count(path: Path, entry: ShardEntry, count: int) -> None:
    if count != entry.frames:
        raise ShardError(f"{path} has {count} frames, its {manifest.NAME} says {entry.frames}.")


def _check_file(path: Path) -> None:
    name = path.name if path.name in READ else path.suffix
    if name in READ:
        READ[name](path)


def _read_json(path: Path) -> object:
    return strict_json.parse(path.read_bytes())


OPEN: dict[str, Callable[[Path, ShardEntry], None]] = {"features": _open_features, "frames": _open_frames}
# By the whole name, or by the suffix.
READ: dict[str, Callable[[Path], object]] = {
    "videos.parquet": videos.read,
    "expressions.parquet": lambda path: intervals.read(path, Expression),
    "detections.parquet": lambda path: intervals.read(path, Detection),
    "audit.csv": audit.read,
    ".safetensors": tensors.read,
    ".json": _read_json,
}
