"""JPEGs whose data end before the image does are noticed, though a decoder makes a picture of them; whole ones pass."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cache.errors import InputError
from cache.media import images, jpeg

SAMPLINGS = {
    "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}
RESTARTS, PROGRESSIVE = cv2.IMWRITE_JPEG_RST_INTERVAL, cv2.IMWRITE_JPEG_PROGRESSIVE


def picture(height: int = 90, width: int = 70) -> NDArray[np.uint8]:
    """Return a picture that is nowhere of one colour."""
    small = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def encode(pixels: NDArray[np.uint8], *options: int) -> bytes:
    return bytes(cv2.imencode(".jpg", pixels, list(options))[1].tobytes())


def cut(encoded: bytes, share: float) -> bytes:
    """Return the first part of what follows the headers, and an end marker."""
    start = encoded.index(b"\xff\xda") + 14
    return encoded[: start + int(share * (len(encoded) - start))].rstrip(b"\xff") + b"\xff\xd9"


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("restarts", [0, 1, 3])
@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("is_grey", [False, True])
def test_a_part_with_an_end_marker_is_refused(share: float, restarts: int, sampling: str, is_grey: bool) -> None:
    pixels = picture()[..., 0] if is_grey else picture()
    encoded = encode(pixels, RESTARTS, restarts, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[sampling])
    assert images.decode_image(encoded).shape == (90, 70, 3)
    with pytest.raises(InputError, match="cut short: its data end before the image does"):
        images.decode_image(cut(encoded, share))


def test_a_part_of_a_progressive_image_is_refused() -> None:
    encoded = encode(picture(), PROGRESSIVE, 1)
    assert images.decode_image(encoded).shape == (90, 70, 3)
    for share in (0.1, 0.3, 0.5):
        with pytest.raises(InputError, match="cut short"):
            images.image_size(cut(encoded, share))


def with_size(encoded: bytes, side: int) -> bytes:
    place = encoded.index(b"\xff\xc0\x00\x11\x08") + 5
    return encoded[:place] + struct.pack(">HH", side, side) + encoded[place + 4 :]


@pytest.mark.parametrize("side", [100, 4096])
def test_a_header_of_more_pixels_than_there_are_data_for_is_refused(side: int) -> None:
    lying = with_size(encode(picture(8, 8)), side)
    assert images.image_size(lying) == (side, side)
    with pytest.raises(InputError, match="cut short"):
        images.decode_image(lying)


@pytest.mark.parametrize("value", [0, 127, 128, 129])
@pytest.mark.parametrize("options", [(), (RESTARTS, 2), (PROGRESSIVE, 1)])
def test_a_whole_image_that_ends_grey_is_whole(
    value: int, options: tuple[int, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    for pixels in (picture(), picture()[..., 0]):
        pixels[-40:] = value
        assert images.decode_image(encode(pixels, *options)).shape == (90, 70, 3)
        assert images.decode_image(encode(np.full_like(pixels, value), *options)).shape == (90, 70, 3)
    assert capfd.readouterr().err == ""  # libjpeg prints what it complains of


def test_hundreds_of_scans_are_refused_before_any_is_decoded() -> None:
    encoded = encode(picture(), PROGRESSIVE, 1)
    last = encoded.rindex(b"\xff\xda")
    endless = encoded[:last] + encoded[last:-2] * 400 + encoded[-2:]
    with pytest.raises(InputError, match=f"has more than {jpeg.MAXIMUM_SCANS} scans"):
        images.image_size(endless)


def test_a_file_that_ends_anywhere_in_its_headers_is_refused() -> None:
    for encoded in (encode(picture(), RESTARTS, 1), encode(picture(), PROGRESSIVE, 1)):
        for length in range(len(encoded)):
            for part in (encoded[:length], encoded[:length] + b"\xff\xd9"):
                try:
                    images.decode_image(part)
                except InputError:
                    continue
                # Nothing but the last block, or the last digits, is missing.
                assert length > len(encoded) // 2
