"""Pictures of cases within the page's limit: given out in the order of the cases, the last go first without."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stages.page.document import Case, Document, Picture

MOST_BYTES = 15_000_000
# Beside its base64, of a picture: its kind, role, frame and seconds; and of a case, what holds its pictures.
WORDS, FRAME = 90, 90
SIGNATURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"RIFF": "image/webp"}


@dataclass(frozen=True)
class Album:
    """The pictures that fit a page.

    Attributes:
        shown: by video (its place on the page), run and case: the case's pictures as plain JSON.
        cases: with pictures, before any were left out.
        left_out: cases whose pictures did not fit.
    """

    shown: dict[tuple[int, int, int], list[list[Any]]]
    cases: int
    left_out: int


def fitting(cases: Sequence[tuple[tuple[int, int, int], Case]], room: int) -> Album:
    """Return the pictures of the first cases that fit into `room` bytes, and how many cases were left without."""
    shown: dict[tuple[int, int, int], list[list[Any]]] = {}
    pictured = [(place, case) for place, case in cases if case.pictures]
    for place, case in pictured:
        room -= FRAME + sum(size(picture) for picture in case.pictures)
        if room < 0:
            break
        shown[place] = [_plain(picture) for picture in case.pictures]
    return Album(shown, len(pictured), len(pictured) - len(shown))


def size(picture: Picture) -> int:
    """Return how many bytes a picture takes on the page."""
    return 4 * -(-len(picture.image) // 3) + WORDS


def any_pictures(documents: Sequence[Document]) -> bool:
    """Return whether any case has pictures: none has where thumbnails are off, or no frames are here."""
    return any(case.pictures for document in documents for video in document.timelines for case in video.cases)


def _plain(picture: Picture) -> list[Any]:
    shown = picture.has_face and picture.image
    return [picture.role, picture.frame_label, round(picture.seconds, 3), source(picture.image) if shown else None]


def source(image: bytes) -> str:
    """Return an encoded image as a data URI.

    Raises:
        ValueError: it is no JPEG, PNG or WebP.
    """
    for start, kind in SIGNATURES.items():
        if image.startswith(start):
            return f"data:{kind};base64,{base64.b64encode(image).decode()}"
    raise ValueError(f"a picture starts with {image[:4]!r}, which is no JPEG, PNG or WebP")
