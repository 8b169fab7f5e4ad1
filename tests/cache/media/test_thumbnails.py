"""Thumbnails: small, of the same shape and colour, and refused where the image is damaged."""

from __future__ import annotations

import numpy as np
import pytest

from cache.errors import InputError
from cache.media import images, thumbnails

FORMATS = pytest.mark.parametrize("quality", [None, 95])


def test_the_longer_side_is_what_was_asked_for_and_a_small_image_stays() -> None:
    rgb = np.zeros((40, 80, 3), np.uint8)
    assert thumbnails.shrink(rgb, 20).shape == (10, 20, 3)
    assert thumbnails.shrink(rgb, 80) is rgb
    assert thumbnails.shrink(np.zeros((1, 400, 3), np.uint8), 20).shape == (1, 20, 3)


def test_red_stays_red() -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 255
    decoded = images.decode_image(thumbnails.encode(red, 16, 90))
    assert decoded.shape == (16, 16, 3)
    assert (np.abs(decoded.astype(int) - (255, 0, 0)) < 5).all()


@FORMATS
def test_grey_is_an_eighth_and_as_bright(quality: int | None) -> None:
    encoded = images.encode_image(np.full((224, 224, 3), 90, np.uint8), quality)
    grey = thumbnails.decode_grey(encoded)
    assert grey.shape == (28, 28)
    assert (np.abs(grey.astype(int) - 90) <= 1).all()


def test_what_does_not_decode_is_refused() -> None:
    with pytest.raises(InputError, match="does not decode"):
        thumbnails.decode_grey(b"\xff\xd8 no image")
    with pytest.raises(InputError, match="does not decode"):
        thumbnails.decode_grey(b"")
