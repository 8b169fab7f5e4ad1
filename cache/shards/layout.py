"""The layout of a shard (HDF5): the datasets and attributes of each kind, and how one is written.

`docs/shard-format.md` states the format; `cache.shards.untrusted` reads it.
"""

from __future__ import annotations

import copyreg
import errno
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cache import files
from cache.columns import FrameColumns
from cache.errors import InputError

SHARD_FORMAT = 1
MAXIMUM_TEXT_BYTES = 1024
Attribute = int | str

# In the order of the file: larger items first, so that every dataset begins at a multiple of its item.
COLUMN_DATASETS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {"pts_seconds": ("<f8", 1), "frame_label": ("<i8", 1), "face_confidence": ("<f4", 1), "face_found": ("|u1", 1)}
)
COMMON_ATTRIBUTES: Mapping[str, type[int] | type[str]] = MappingProxyType({"format": int, "kind": str, "key": str})


@dataclass(frozen=True)
class Layout:
    """What one kind of shard holds beside the common attributes.

    Args:
        datasets: from name to data type and number of dimensions, in the order of the file.
        attributes: from name to ``int`` or ``str``.
        remedy: what to run when a shard of this kind is of no use.
    """

    kind: str
    datasets: Mapping[str, tuple[str, int]]
    attributes: Mapping[str, type[int] | type[str]]
    remedy: str


@dataclass(frozen=True)
class Content:
    """A dataset to be written: its shape, and its bytes in order, in pieces of any size."""

    shape: tuple[int, ...]
    pieces: Iterable[bytes | memoryview]


def _constant(found: dict[str, Any]) -> MappingProxyType[str, Any]:
    return MappingProxyType(found)


# Layouts are handed to the processes that make shards side by side; Python does not know how to.
copyreg.pickle(MappingProxyType, lambda proxy: (_constant, (dict(proxy),)))


def fingerprint(fields: Mapping[str, Attribute]) -> str:
    """Return the SHA-256, in hexadecimal, of named fields; their order does not matter, their names do."""
    canonical = json.dumps(dict(fields), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def contents_of(columns: FrameColumns) -> dict[str, Content]:
    """Return the columns as the datasets of a shard."""
    return {name: content_of(getattr(columns, name), data_type) for name, (data_type, _) in COLUMN_DATASETS.items()}


def content_of(array: NDArray[Any], data_type: str) -> Content:
    """Return an array as a dataset of a shard, its items stored as ``data_type``."""
    stored = np.ascontiguousarray(array, dtype=data_type)
    return Content(stored.shape, [stored.reshape(-1).view(np.uint8).data])


def write(path: Path, layout: Layout, attributes: Mapping[str, Attribute], contents: Mapping[str, Content]) -> None:
    """Write a shard: whole or not at all, and the same bytes for the same input.

    Args:
        attributes: those of the layout, and ``key``.
        contents: one for each dataset of the layout; none is empty.

    Raises:
        InputError: the disk does not accept it, or a text is empty, holds a zero byte or passes 1024 bytes.
    """
    stored = {"format": SHARD_FORMAT, "kind": layout.kind, **attributes}
    encoded = {name: _encode(path, name, value) for name, value in stored.items()}
    with files.write_atomically(path) as temporary:
        offsets = _write_skeleton(temporary, layout, encoded, contents)
        # The data goes around HDF5: a full disk is then a plain OSError at once, and nothing is converted or buffered.
        with temporary.open("r+b") as file:
            for name, content in contents.items():
                file.seek(offsets[name])
                file.writelines(content.pieces)


def _encode(path: Path, name: str, value: Attribute) -> np.int64 | np.bytes_:
    if isinstance(value, int):
        return np.int64(value)
    text = value.encode("utf-8")
    if not 1 <= len(text) <= MAXIMUM_TEXT_BYTES or b"\0" in text:
        raise InputError(
            f"{path}: {name} is {value[:40]!r} ({len(text)} bytes), expected 1 to {MAXIMUM_TEXT_BYTES} bytes, none zero"
        )
    return np.bytes_(text)


def _write_skeleton(
    path: Path, layout: Layout, attributes: Mapping[str, np.int64 | np.bytes_], contents: Mapping[str, Content]
) -> dict[str, int]:
    """Write a shard whose datasets have their place but no data yet; return where in the file each one begins."""
    try:
        with h5py.File(_create(path)) as file:
            for name, value in attributes.items():
                file.attrs.create(name, value)
            return {
                name: _reserve(file, name, data_type, contents[name].shape)
                for name, (data_type, _) in layout.datasets.items()
            }
    except RuntimeError as problem:
        # h5py reports a disk that refuses the last bytes as a RuntimeError; only its text tells why.
        reason = re.search(r"errno = (\d+)", str(problem))
        number = int(reason[1]) if reason else errno.EIO
        raise OSError(number, os.strerror(number), str(path)) from problem


def _create(path: Path) -> Any:
    """Return an empty HDF5 file, open for writing, of bounded version, without times and without a lock of its own."""
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_obj_track_times(False)
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    access.set_file_locking(False, True)  # `write_atomically` holds the lock
    return h5py.h5f.create(os.fsencode(path), h5py.h5f.ACC_TRUNC, creation, access)


def _reserve(file: h5py.File, name: str, data_type: str, shape: tuple[int, ...]) -> int:
    """Return where in the file a new contiguous dataset begins; its bytes are left unwritten."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_layout(h5py.h5d.CONTIGUOUS)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    creation.set_obj_track_times(False)
    space = h5py.h5s.create_simple(shape)
    kind = h5py.h5t.py_create(np.dtype(data_type))
    return int(h5py.h5d.create(file.id, name.encode("ascii"), kind, space, creation).get_offset())
