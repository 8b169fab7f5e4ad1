"""Image files of one video looked at in one pass: one size, whole, black or not, and their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.media.images import decode_image, measure

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
# JPEG may leave a little noise in what was black.
BLACK = 8


@dataclass(frozen=True)
class Inspection:
    """What one pass over ``F`` image files showed.

    Attributes:
        width: of every image.
        height: likewise.
        is_black: ``(F,)`` bool, an image without a face as OpenFace writes it.
        digests: sha256 of each file.
    """

    width: int
    height: int
    is_black: NDArray[np.bool_]
    digests: tuple[str, ...]


def inspect(paths: Sequence[Path]) -> Inspection:
    """Return what the files hold; at least one is needed.

    Raises:
        InputError: no file, a file that is no whole JPEG, PNG or BMP, or images of different sizes.
    """
    if not paths:
        raise InputError("There are no images to look at.")
    # OpenFace's black images are all the same file: one is decoded.
    black_by_digest: dict[str, bool] = {}
    digests: list[str] = []
    first = 0, 0
    for path in paths:
        encoded = path.read_bytes()
        height, width, length = _measure(encoded, path)
        first = first if digests else (height, width)
        if (height, width) != first:
            raise InputError(
                f"{path} is {width} x {height}, {paths[0].name} is {first[1]} x {first[0]}. "
                "The images of one video have one size: align them again."
            )
        digests.append(hashlib.sha256(encoded).hexdigest())
        if digests[-1] not in black_by_digest:
            black_by_digest[digests[-1]] = _is_black(encoded, length, height * width, path)
    is_black = np.array([black_by_digest[digest] for digest in digests], dtype=bool)
    return Inspection(first[1], first[0], is_black, tuple(digests))


def decode(path: Path) -> NDArray[np.uint8]:
    """Return the ``(H, W, 3)`` RGB image in a file.

    Raises:
        InputError: the image does not decode.
    """
    return decode_with_digest(path)[0]


def decode_with_digest(path: Path) -> tuple[NDArray[np.uint8], str]:
    """Return the ``(H, W, 3)`` RGB image in a file and the file's SHA-256; errors as in `decode`."""
    encoded = path.read_bytes()
    return _decode(encoded, path), hashlib.sha256(encoded).hexdigest()


def digest_of(files: Iterable[tuple[str, str]]) -> str:
    """Return the sha256 over sorted ``(name, sha256)`` of files, in hexadecimal."""
    total = hashlib.sha256()
    for name, digest in sorted(files):
        total.update(f"{name}\0{digest}\n".encode())
    return total.hexdigest()


def _measure(encoded: bytes, path: Path) -> tuple[int, int, int]:
    try:
        return measure(encoded)
    except InputError as error:
        raise InputError(f"{path}: {error}. Write it again: is the disk full?") from error


def _is_black(encoded: bytes, length: int, pixels: int, path: Path) -> bool:
    # A compressed black image is its header and far less than a bit a pixel: larger ones need no decoding.
    if not encoded.startswith(b"BM") and length > 1024 + pixels // 8:
        return False
    return bool(_decode(encoded, path).max() <= BLACK)


def _decode(encoded: bytes, path: Path) -> NDArray[np.uint8]:
    try:
        return decode_image(encoded)
    except InputError as error:
        raise InputError(f"{path}: {error}. Write it again.") from error
