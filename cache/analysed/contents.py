"""Digest of a media file by its content; of a long one by its size, its time and samples of it, so that it is quick."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cache import files

# A file of an hour of talking is larger; all of it would be read for seconds.
LONG_BYTES = 1 << 26
SAMPLES, SAMPLE_BYTES = 16, 1 << 18


def digest_of(path: Path) -> str:
    """Return what a file is known by, 64 hexadecimal digits; links are followed.

    Up to 64 MiB that is the SHA-256 of its bytes, so a copy is known again. Of a longer file it is one over its size,
    its time and 16 samples from start to end: one that changed elsewhere, and kept its time, is taken for the same.

    Raises:
        InputError: the file is missing, not readable, or no regular file.
    """
    descriptor = files.open_regular(path, follow_links=True)
    try:
        found = os.fstat(descriptor)
        if found.st_size <= LONG_BYTES:
            return files.sha256_of_descriptor(descriptor)
        digest = hashlib.sha256(f"sampled {found.st_size} {found.st_mtime_ns}".encode())
        for sample in range(SAMPLES):
            start = sample * (found.st_size - SAMPLE_BYTES) // (SAMPLES - 1)
            digest.update(os.pread(descriptor, SAMPLE_BYTES, start))
        return digest.hexdigest()
    finally:
        os.close(descriptor)
