"""Where an image ends: what follows its end marker is no harm, what lacks it is cut short."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from cache.errors import InputError
from cache.media import images

FORMATS = pytest.mark.parametrize("quality", [None, 95, 30])


def picture(height: int = 24, width: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


@FORMATS
@pytest.mark.parametrize("behind", [b"\0", b"\r\n", b"\xff", b"a table of the camera's own" * 100])
def test_bytes_behind_the_end_are_no_harm(quality: int | None, behind: bytes) -> None:
    encoded = images.encode_image(picture(), quality)
    assert images.measure(encoded + behind) == (24, 20, len(encoded))
    assert np.array_equal(images.decode_image(encoded + behind), images.decode_image(encoded))


@FORMATS
def test_an_image_behind_an_image_does_not_count(quality: int | None) -> None:
    encoded = images.encode_image(picture(), quality)
    both = encoded + images.encode_image(picture(8, 8), quality)
    assert images.image_size(both) == (24, 20)
    assert images.decode_image(both).shape == (24, 20, 3)


@FORMATS
def test_an_image_cut_anywhere_is_refused(quality: int | None) -> None:
    encoded = images.encode_image(picture(), quality)
    for length in range(len(encoded)):
        with pytest.raises(InputError, match=r"cut short|begins with"):
            images.image_size(encoded[:length])


def test_the_end_of_a_preview_inside_is_not_the_end_of_the_image() -> None:
    encoded, preview = images.encode_image(picture(), 95), images.encode_image(picture(8, 8), 95)
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(preview)) + preview
    with_preview = encoded[:2] + segment + encoded[2:]
    assert images.image_size(with_preview) == (24, 20)
    with pytest.raises(InputError, match="its end marker is missing"):
        images.image_size(with_preview[:-2])


def test_restart_markers_among_the_pixels_are_passed() -> None:
    options = [cv2.IMWRITE_JPEG_RST_INTERVAL, 1]
    encoded = cv2.imencode(".jpg", picture(), options)[1].tobytes()
    assert b"\xff\xd0" in encoded
    assert images.measure(encoded + b"more") == (24, 20, len(encoded))


def test_a_progressive_image_has_several_scans_before_its_end() -> None:
    encoded = cv2.imencode(".jpg", picture(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert encoded.count(b"\xff\xda") > 1
    assert images.measure(encoded + b"more") == (24, 20, len(encoded))
