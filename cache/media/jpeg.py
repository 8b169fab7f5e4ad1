"""JPEG markers and scans: size, number of scans, and whether the data last to the end of the image.

A decoder makes a picture of half a file: what is missing becomes grey, or stays blurred, and nothing is said.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError

START = b"\xff\xd8"
# Each scan of a progressive image passes over all of it. Ten are usual.
MAXIMUM_SCANS = 32
_END, _SCAN, _RESTARTS = 0xD9, 0xDA, 0xDD
# Among the pixels FF is followed by 00, or by a restart marker; fill bytes may precede a marker.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.DOTALL)
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
# Start-of-frame markers; C4, C8 and CC lie among them and mean something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = 0xC2
_COEFFICIENTS = (1 << 64) - 1
# What a decoder puts where there are no data.
_GREY = 128
# Valid data of any image, that say something else than nothing.
_FILLER = bytes((position * 167 + 89) % 251 for position in range(256))


@dataclass(frozen=True)
class Markers:
    """What the markers of an image say.

    Attributes:
        end: of the image; more may follow.
        scan_end: where the data end, if all lie in one scan, block after block.
        has_colours: one, grey, or three; what a decoder puts in place of missing data is grey then.
    """

    height: int
    width: int
    end: int
    scan_end: int | None
    has_colours: bool


def read(encoded: bytes) -> Markers:
    """Return what the markers say; a struct.error or IndexError where the file ends in the middle of a header.

    Raises:
        InputError: no size, no end marker, a kind of coding that nobody uses, more scans than any program writes, or
            fewer than the image needs.
    """
    size: tuple[int, int] | None = None
    kind, restart_interval, position, frame = 0, 0, len(START), 0
    # Of each component, a bit for every coefficient of a block that has not come to its last digit.
    missing: dict[int, int] = {}
    scan_ends: list[int] = []
    is_in_scan = False
    while (found := _MARKER.search(encoded, position)) is not None:
        if is_in_scan:
            scan_ends.append(found.start())
            is_in_scan = False
        position, marker = found.end(), encoded[found.end() - 1]
        if marker == _END:
            if size is None:
                raise InputError("a JPEG image is damaged: its header holds no size")
            if any(missing.values()):
                raise InputError("a JPEG image is cut short: scans of it are missing")
            scan_end = scan_ends[0] if kind != _PROGRESSIVE and len(scan_ends) == 1 else None
            if scan_end is not None and restart_interval:
                _check_restarts(encoded, frame, scan_end, restart_interval)
            return Markers(*size, position, scan_end, len(missing) in (1, 3))
        if marker in _FRAMES and size is None:
            kind, frame, size = marker, position, struct.unpack_from(">HH", encoded, position + 3)
            missing = dict.fromkeys(encoded[position + 8 : position + 8 + 3 * encoded[position + 7] : 3], _COEFFICIENTS)
        if marker == _RESTARTS:
            restart_interval = struct.unpack_from(">H", encoded, position + 2)[0]
        if marker == _SCAN:
            _take_scan(encoded, position, missing)
            is_in_scan = True
            if len(scan_ends) >= MAXIMUM_SCANS:
                raise InputError(f"a JPEG image has more than {MAXIMUM_SCANS} scans: write it again")
        # Whatever a segment holds, a preview with an end of its own for example, is stepped over.
        position += int(struct.unpack_from(">H", encoded, position)[0])
    raise InputError(f"a JPEG image of {len(encoded)} bytes is cut short: its end marker is missing")


def _take_scan(encoded: bytes, position: int, missing: dict[int, int]) -> None:
    """Note which coefficients of which components a scan completes."""
    count = encoded[position + 2]
    names = encoded[position + 3 : position + 3 + 2 * count : 2]
    first, last, digits = struct.unpack_from("BBB", encoded, position + 3 + 2 * count)
    if digits & 15 == 0:
        taken = ((1 << max(last + 1 - first, 0)) - 1) << first
        for name in names:
            missing[name] = missing.get(name, 0) & ~taken


def _check_restarts(encoded: bytes, frame: int, end: int, interval: int) -> None:
    """Refuse an image of one scan that has fewer restart markers than its size needs, every so many blocks one."""
    height, width, count = struct.unpack_from(">HHB", encoded, frame + 3)
    sampling = encoded[frame + 9 : frame + 8 + 3 * count : 3]
    # One component alone comes in blocks of 8 pixels, several in what their samplings have in common.
    across = 8 * max((each >> 4 for each in sampling), default=1) if count > 1 else 8
    down = 8 * max((each & 15 for each in sampling), default=1) if count > 1 else 8
    expected = (math.ceil(width / max(across, 1)) * math.ceil(height / max(down, 1)) - 1) // interval
    if len(_RESTART.findall(encoded, frame, end)) < expected:
        raise InputError("a JPEG image is cut short: its data end before the image does")


def is_whole(encoded: bytes, decoded: NDArray[Any], flags: int) -> bool:
    """Return whether the data of an image of one scan last to its end; of several, `read` told by what each is for.

    An image that ends early ends grey. One that does so is decoded again, with something more behind its data: only an
    image that lacks some becomes another one by that.

    Args:
        decoded: ``(H, W, 3)``, by `cv2.imdecode` with these flags.
    """
    found = read(encoded)
    if found.scan_end is None or (found.has_colours and (decoded[-1, -1] != _GREY).any()):
        return True
    # Without an end marker: before one, the library would complain of what is behind the data of whole images.
    again = cv2.imdecode(np.frombuffer(encoded[: found.scan_end] + _FILLER, np.uint8), flags)
    return again is not None and np.array_equal(decoded, again)
