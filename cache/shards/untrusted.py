"""Reader of untrusted shards (HDF5): each check stands before the step that would trust what it checks.

HDF5 says only where the data lies. The bytes themselves are read from the file directly, so no filter plug-in is
loaded, no other file is followed, and nothing outside the file can be returned. What is checked is what is returned: a
shard is read into memory once, or, where it is too large, refused as soon as its file changes.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from cache import checked, files
from cache.checked import Checked
from cache.columns import FrameColumns, describe_fault
from cache.errors import InputError, ShardError, StaleShardError
from cache.shards.layout import COLUMN_DATASETS, COMMON_ATTRIBUTES, MAXIMUM_TEXT_BYTES, SHARD_FORMAT, Attribute, Layout

SIGNATURE = b"\x89HDF\r\n\x1a\n"
# 38 hours of 512 features at 30 frames a second: a sparse file may declare, and seem to hold, any amount.
MAXIMUM_LOADED_BYTES = 1 << 32
MAXIMUM_WHOLE_BYTES = MAXIMUM_LOADED_BYTES + (1 << 30)
# Everything h5py raises on files that are not what they say they are.
H5PY_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError)


class DatasetPlace(NamedTuple):
    """Where the items of a dataset lie in the file."""

    offset: int
    shape: tuple[int, ...]
    data_type: np.dtype[Any]


class _Buffer(io.RawIOBase):
    """Bytes in memory as a file that can be read, without a copy of them."""

    def __init__(self, content: memoryview) -> None:
        self.content, self.position = content, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: len(self.content)}[whence]
        self.position = begin + offset
        return self.position

    def readinto(self, target: Any) -> int:
        part = self.content[self.position : self.position + len(target)]
        target[: len(part)] = part
        self.position += len(part)
        return len(part)


class UntrustedShard:
    """An open shard whose layout has been checked; what its values mean has not. Close it, or use it in a `with`."""

    def __init__(
        self,
        path: Path,
        layout: Layout,
        sha256: str | None,
        size: int | None = None,
        *,
        whole: bool = False,
        known: Checked | None = None,
    ) -> None:
        """Open a shard of one kind.

        Args:
            sha256: the digest that the manifest states, checked before anything is parsed; None checks none.
            size: the bytes that it states, looked at before any is read; None accepts any number.
            whole: read all of it into memory, and return views of that.
            known: what was checked before: of a file that did not change since the digest is not taken again.

        Raises:
            InputError: there is no such file.
            ShardError: it is not a regular file, not of this digest, or not laid out as a shard of this kind.
        """
        self.path, self.layout = path, layout
        self.descriptor = self._open()
        try:
            self._check_size(size, is_hashed=sha256 is not None)
            self.identity = checked.settled(self.descriptor)
            self._content = self._read_whole() if whole else None
            # After reading: of a file that changes meanwhile nothing is known.
            is_known = known is not None and sha256 is not None and known.knows(path, self.identity, sha256)
            self.is_known = is_known and self.identity == checked.identity_of(os.fstat(self.descriptor))
            self._check_bytes(None if self.is_known else sha256)
            with self._explained():
                self.places, self.attributes = self._read_layout()
            self._check_attributes()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> UntrustedShard:
        """Return the shard itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def refuse(self, found: str, expected: str) -> ShardError:
        """Return the error that says what is wrong with this shard, to be raised."""
        return ShardError(f"{self.path}: found {found}, expected {expected}. Run: {self.layout.remedy}")

    def check_key(self, key: str | None) -> None:
        """Raise a StaleShardError when the shard was made from something else than ``key`` says; None accepts any."""
        if key is not None and key != self.attributes["key"]:
            raise StaleShardError(
                f"{self.path} was made with key {self.attributes['key']}, but {key} is asked for: what it is made from "
                f"has changed. Run: {self.layout.remedy}"
            )

    def read(self, name: str, start: int, stop: int) -> bytearray | memoryview:
        """Return items ``[start, stop)``, which lie inside, of a dataset along its first axis, as bytes."""
        place = self.places[name]
        item = place.data_type.itemsize * math.prod(place.shape[1:])
        begin, size = place.offset + start * item, (stop - start) * item
        if self._content is not None:
            return self._content[begin : begin + size]
        content = bytearray(size)
        self._fill(memoryview(content), begin)
        if checked.identity_of(os.fstat(self.descriptor)) != self.identity:
            raise self.refuse(f"{name} rewritten after it was checked", "a file that nobody changes while it is read")
        return content

    def load(self, name: str) -> NDArray[Any]:
        """Return a whole dataset, in the byte order of this machine."""
        place = self.places[name]
        size = math.prod(place.shape) * place.data_type.itemsize
        if size > MAXIMUM_LOADED_BYTES:
            raise self.refuse(f"{name} of {size} bytes", f"at most {MAXIMUM_LOADED_BYTES}")
        array = np.frombuffer(self.read(name, 0, place.shape[0]), place.data_type).reshape(place.shape)
        return array.astype(place.data_type.newbyteorder("="), copy=False)

    def load_columns(self) -> FrameColumns:
        """Return the per-frame columns, whose values have been checked.

        Raises:
            ShardError: they differ in length, or a value is not allowed.
        """
        found = self.load("face_found")
        if found.max(initial=0) > 1:
            raise self.refuse("face_found that is neither 0 nor 1", "0 or 1")
        # Copies: what a caller keeps of a shard should not keep all of it in memory.
        rest = {name: self.load(name).copy() for name in COLUMN_DATASETS if name != "face_found"}
        columns = FrameColumns(face_found=found.copy().view(np.bool_), **rest)
        fault = describe_fault(columns)
        if fault is not None:
            raise self.refuse(fault, "columns as docs/shard-format.md says")
        return columns

    def _open(self) -> int:
        try:
            return files.open_regular(self.path, follow_links=False)
        except InputError as problem:
            if not os.path.lexists(self.path):
                raise InputError(f"{self.path} does not exist. Run: {self.layout.remedy}") from problem
            remedy = files.RELINK if self.path.is_symlink() else self.layout.remedy
            raise ShardError(f"{problem} Run: {remedy}") from problem

    def _check_size(self, size: int | None, is_hashed: bool) -> None:
        found = os.fstat(self.descriptor).st_size
        if size is not None and found != size:
            raise self.refuse(f"{found} bytes", f"{size}, as the manifest says")
        if is_hashed and (hollow := files.describe_hollow(self.descriptor)) is not None:
            raise self.refuse(hollow, "a whole file")

    def _read_whole(self) -> memoryview:
        size = os.fstat(self.descriptor).st_size
        if size > MAXIMUM_WHOLE_BYTES:
            raise self.refuse(f"{size} bytes", f"at most {MAXIMUM_WHOLE_BYTES}")
        content = np.empty(size, np.uint8).data  # not set to zero before it is filled
        self._fill(content, 0)
        return content

    def _fill(self, content: memoryview, position: int) -> None:
        """Read bytes of the file from a position on until all are there."""
        while content:  # the system hands out at most 2 GB at once
            count = os.preadv(self.descriptor, [content], position)
            if count == 0:
                raise self.refuse(
                    f"the end of the file at byte {position}", "one that nobody shortens while it is read"
                )
            content, position = content[count:], position + count

    def _sha256(self) -> str:
        if self._content is not None:
            return hashlib.sha256(self._content).hexdigest()
        return files.sha256_of_descriptor(self.descriptor)

    def _check_bytes(self, sha256: str | None) -> None:
        if sha256 is not None and (found := self._sha256()) != sha256:
            raise self.refuse(f"SHA-256 {found}", f"{sha256}, as the manifest says")
        content = self._content
        start = os.pread(self.descriptor, len(SIGNATURE), 0) if content is None else bytes(content[: len(SIGNATURE)])
        if start != SIGNATURE:
            size = os.fstat(self.descriptor).st_size
            raise self.refuse(f"{size} bytes that begin with {start!r}", "an HDF5 file")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ShardError:
            raise
        except H5PY_ERRORS as problem:
            raise self.refuse(f"a file that HDF5 cannot read ({problem})", "a whole shard") from problem

    def _read_layout(self) -> tuple[dict[str, DatasetPlace], dict[str, Attribute]]:
        # A Python file, not a path: the file that was checked is the one that is parsed, whatever is renamed meanwhile.
        with self._file() as file, h5py.File(file, "r") as root:
            self._check_names(root)
            places = {name: self._locate(root, name) for name in self.layout.datasets}
            return places, self._read_attributes(root)

    def _file(self) -> BinaryIO | _Buffer:
        if self._content is not None:
            return _Buffer(self._content)
        return os.fdopen(self.descriptor, "rb", closefd=False)

    def _check_names(self, root: h5py.File) -> None:
        expected = ", ".join(self.layout.datasets)
        count = root.id.get_num_objs()
        if count != len(self.layout.datasets):
            raise self.refuse(f"{count} links", f"exactly {expected}")
        for name in self.layout.datasets:
            if not root.id.links.exists(name.encode()):
                raise self.refuse(f"no dataset {name}", f"exactly {expected}, as in a shard of {self.layout.kind}")
            if root.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
                raise self.refuse(f"{name} that is a soft or external link", "a dataset in this file")

    def _locate(self, root: h5py.File, name: str) -> DatasetPlace:
        """Return where a dataset lies, all of it inside the file."""
        data_type, dimensions = self.layout.datasets[name]
        dataset = h5py.h5o.open(root.id, name.encode())
        if not isinstance(dataset, h5py.h5d.DatasetID):
            raise self.refuse(f"{name} that is a {type(dataset).__name__}", "a dataset")
        creation = dataset.get_create_plist()
        if creation.get_layout() != h5py.h5d.CONTIGUOUS or creation.get_nfilters() != 0:
            raise self.refuse(f"{name} that is compact, chunked, filtered or virtual", "contiguous data")
        if creation.get_external_count() != 0:
            raise self.refuse(f"{name} whose data lies in another file", "contiguous data in this file")
        if not dataset.get_type().equal(h5py.h5t.py_create(np.dtype(data_type))):
            raise self.refuse(f"{name} of another data type", f"{np.dtype(data_type).name}, little-endian")
        shape = dataset.get_space().get_simple_extent_dims()
        if shape is None or len(shape) != dimensions or 0 in shape:
            raise self.refuse(f"{name} of shape {shape}", f"{dimensions} dimensions, none empty")
        offset, size = dataset.get_offset(), math.prod(shape) * np.dtype(data_type).itemsize
        end = self.identity[1] if self._content is None else len(self._content)
        if offset is None or offset < 0 or offset + size > end:
            raise self.refuse(f"{name} of shape {shape} at byte {offset}", f"data inside the {end} bytes of the file")
        return DatasetPlace(offset, tuple(shape), np.dtype(data_type))

    def _read_attributes(self, root: h5py.File) -> dict[str, Attribute]:
        expected = {**COMMON_ATTRIBUTES, **self.layout.attributes}
        count = h5py.h5a.get_num_attrs(root.id)
        for name in expected:
            if not h5py.h5a.exists(root.id, name.encode()):
                raise self.refuse(f"no attribute {name}", f"exactly {', '.join(expected)}")
        if count != len(expected):
            raise self.refuse(f"{count} attributes", f"exactly {', '.join(expected)}")
        return {name: self._read_attribute(root, name, kind) for name, kind in expected.items()}

    def _read_attribute(self, root: h5py.File, name: str, kind: type[int] | type[str]) -> Attribute:
        attribute = h5py.h5a.open(root.id, name.encode())
        stored = attribute.get_type()
        if attribute.get_space().get_simple_extent_type() != h5py.h5s.SCALAR:
            raise self.refuse(f"attribute {name} that is an array", "a single value")
        if kind is int and stored.equal(h5py.h5t.STD_I64LE):
            number = np.empty((), "<i8")
            attribute.read(number)
            return int(number)
        fixed = stored.get_class() == h5py.h5t.STRING and not stored.is_variable_str()
        if kind is str and fixed and stored.get_size() <= MAXIMUM_TEXT_BYTES:
            text = np.empty((), f"S{stored.get_size()}")
            attribute.read(text)
            return bytes(text[()]).decode("utf-8")
        raise self.refuse(
            f"attribute {name} of another type", "int64" if kind is int else f"at most {MAXIMUM_TEXT_BYTES} bytes"
        )

    def _check_attributes(self) -> None:
        if self.attributes["format"] != SHARD_FORMAT:
            raise self.refuse(f"format {self.attributes['format']}", f"format {SHARD_FORMAT}")
        if self.attributes["kind"] != self.layout.kind:
            raise self.refuse(f"a shard of {self.attributes['kind']!r}", f"one of {self.layout.kind!r}")
