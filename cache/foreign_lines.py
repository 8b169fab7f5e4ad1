"""Capture of what C libraries (FFmpeg, TensorFlow Lite) print to stderr, so that it can be said in our words."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2


@contextmanager
def collect() -> Iterator[list[str]]:
    """Collect what is printed to the file descriptor of stderr meanwhile; the list is filled when the block ends.

    Everything of the process counts, other threads too: nothing else may be printing.
    """
    lines: list[str] = []
    sys.stderr.flush()
    kept = os.dup(STDERR)
    with tempfile.TemporaryFile() as spool:
        os.dup2(spool.fileno(), STDERR)
        try:
            yield lines
        finally:
            sys.stderr.flush()
            os.dup2(kept, STDERR)
            os.close(kept)
            spool.seek(0)
            lines += spool.read().decode("utf-8", errors="replace").splitlines()
