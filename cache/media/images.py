"""Encoded images <-> RGB arrays, checked before a decoder sees them: a decoder fills what is cut off with grey."""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.media import jpeg

MAXIMUM_SIDE = 4096
# A file may go on behind its end marker: cameras and phones leave previews and tables there.
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB\x60\x82"
_AS_RGB = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def encode_image(rgb: NDArray[np.uint8], quality: int | None) -> bytes:
    """Return an RGB image as JPEG, or as PNG, which loses nothing, when ``quality`` is None.

    Args:
        rgb: ``(H, W, 3)``.
        quality: 1 to 100.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise ValueError(f"an image has shape {rgb.shape} of {rgb.dtype}, expected (H, W, 3) of uint8")
    if quality is not None and not 1 <= quality <= 100:
        raise ValueError(f"JPEG quality is {quality}, expected 1 to 100, or None for PNG")
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    extension, options = (".png", []) if quality is None else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])
    _, encoded = cv2.imencode(extension, bgr, options)
    return encoded.tobytes()


def decode_image(encoded: bytes) -> NDArray[np.uint8]:
    """Return the ``(H, W, 3)`` RGB image that a whole JPEG, PNG or BMP file holds; an orientation tag is ignored.

    Raises:
        InputError: it is none of these, cut short, too large or damaged.
    """
    size = image_size(encoded)
    try:
        bgr = cv2.imdecode(np.frombuffer(encoded, np.uint8), _AS_RGB)
    except cv2.error as problem:
        raise InputError("an image is damaged: its header is whole, but it does not decode") from problem
    if bgr is None or bgr.shape != (*size, 3):
        raise InputError("an image is damaged: its header is whole, but it does not decode")
    if encoded.startswith(jpeg.START) and not jpeg.is_whole(encoded, bgr, _AS_RGB):
        raise InputError("a JPEG image is cut short: its data end before the image does")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def image_size(encoded: bytes) -> tuple[int, int]:
    """Return (height, width) as the header of a JPEG, PNG or BMP file says; nothing is decoded.

    Raises:
        InputError: it is none of these, cut short, or a side is not 1 to 4096 pixels.
    """
    return measure(encoded)[:2]


def measure(encoded: bytes) -> tuple[int, int, int]:
    """Return (height, width, bytes up to the end of the image, which more may follow); errors as for `image_size`."""
    read_size = next((reader for start, reader in SIZE_READERS.items() if encoded.startswith(start)), None)
    if read_size is None:
        raise InputError(f"an image begins with {encoded[:8]!r}, expected a JPEG, PNG or BMP file")
    try:
        height, width, end = read_size(encoded)
    except (struct.error, IndexError) as problem:
        raise InputError(f"an image of {len(encoded)} bytes is cut short in its header") from problem
    if not (1 <= height <= MAXIMUM_SIDE and 1 <= width <= MAXIMUM_SIDE):
        raise InputError(f"an image says it is {height} x {width} pixels, expected sides of 1 to {MAXIMUM_SIDE}")
    return height, width, end


def _png_size(encoded: bytes) -> tuple[int, int, int]:
    width, height = struct.unpack_from(">II", encoded, 16)
    position = len(PNG_START)
    while not encoded.startswith(PNG_END, position):
        if position + 12 > len(encoded):
            raise InputError(f"a PNG image of {len(encoded)} bytes is cut short: its end marker is missing")
        # Length, name and checksum of a chunk lie around what it holds.
        position += 12 + int(struct.unpack_from(">I", encoded, position)[0])
    return height, width, position + len(PNG_END)


def _jpeg_size(encoded: bytes) -> tuple[int, int, int]:
    found = jpeg.read(encoded)
    return found.height, found.width, found.end


def _bmp_size(encoded: bytes) -> tuple[int, int, int]:
    start = struct.unpack_from("<I", encoded, 10)[0]
    width, height, _, bits, compression = struct.unpack_from("<iiHHI", encoded, 18)
    if compression != 0:
        raise InputError("a BMP image is compressed, expected plain pixels")
    height = abs(height)  # a negative height means that the top row comes first
    if len(encoded) < start + (width * bits + 31) // 32 * 4 * height:
        raise InputError(f"a BMP image of {height} x {width} pixels is cut short after {len(encoded)} bytes")
    return height, width, len(encoded)


SIZE_READERS = {PNG_START: _png_size, jpeg.START: _jpeg_size, b"BM": _bmp_size}
