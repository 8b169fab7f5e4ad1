"""Encoded images that wait on disk until it is known which of them are kept; nothing is left of them afterwards."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType


class Spool:
    """A file without a name, which goes with the process however that ends; use it in a `with`."""

    def __init__(self, folder: Path) -> None:
        """Make it on the disk of a folder, which is there."""
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._offsets = [0]

    def __enter__(self) -> Spool:
        """Return the spool itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the room on disk back."""
        self._file.close()

    def put(self, content: bytes) -> int:
        """Add an image; return the number by which it is got."""
        self._file.write(content)
        self._offsets.append(self._offsets[-1] + len(content))
        return len(self._offsets) - 2

    def get(self, number: int) -> bytes:
        """Return an image that was put."""
        self._file.flush()
        start, stop = self._offsets[number : number + 2]
        return os.pread(self._file.fileno(), stop - start, start)
