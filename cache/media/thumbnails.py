"""Thumbnails of images: small JPEG files for pages, and small grey arrays for comparing one frame with the next."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.media.images import encode_image


def shrink(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return an ``(H, W, 3)`` image whose longer side has at most ``side`` pixels; a smaller one stays as it is."""
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return rgb
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def encode(rgb: NDArray[np.uint8], side: int, quality: int) -> bytes:
    """Return an image as a JPEG file whose longer side has at most ``side`` pixels."""
    return encode_image(shrink(rgb, side), quality)


def decode_grey(encoded: bytes) -> NDArray[np.uint8]:
    """Return a JPEG, PNG or BMP file in grey at an eighth of its size; one that is cut short may pass.

    Look at `images.image_size` first: what the header says is allocated.

    Raises:
        InputError: it does not decode.
    """
    try:
        grey = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
    except cv2.error as problem:
        raise InputError("an image is damaged: its header is whole, but it does not decode") from problem
    if grey is None:
        raise InputError("an image is damaged: its header is whole, but it does not decode")
    return np.asarray(grey, np.uint8)
