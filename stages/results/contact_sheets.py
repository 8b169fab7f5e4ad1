"""Contact sheet of a video: its aligned faces on a page, evenly over time, and those that look badly aligned."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cache import files
from cache.media import thumbnails
from cache.shards import layout
from cache.shards.frames import Frames
from cache.tables.videos import Video
from pipeline.alignment import inspection
from pipeline.alignment.plausibility import EYES
from pipeline.alignment.similarity import SIZE
from stages.page import sheets
from stages.page.sheets import ContactSheet, SheetFacts, ShownFace, Span, Strip

# 5 kB a face, and still sharp at the size in which a page shows it.
PICTURE_SIDE, QUALITY = 160, 75
MEAN_SIDE, MEAN_OF = 96, 60
DOUBTFUL, JUMPS = 8, 6
# Of what the code makes of frames, beside these numbers and the looks: whoever changes its meaning counts on.
VERSION = 1


@dataclass(frozen=True)
class FaceChoice:
    """Which faces a sheet shows.

    Attributes:
        faces: so many, evenly over the video.
        every_seconds: in place of that, one of each so many seconds.
        changes: also look at every frame for the largest changes, which takes 0.1 ms a frame.
    """

    faces: int = 60
    every_seconds: float | None = None
    changes: bool = True

    def positions(self, seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return the positions of the even sample, in order."""
        if self.every_seconds is None:
            return inspection.evenly(len(seconds), self.faces)
        return inspection.every(seconds, self.every_seconds)


def fingerprint(corpus: str, video: Video, frames: str, choice: FaceChoice, back: str) -> str:
    """Return what a page is known by: another one is made again.

    Args:
        frames: digest of the frames, or of their shard.
    """
    told = f"{corpus} {video.video} {video.subject} {video.frame_rate!r} {choice!r}"
    numbers = (PICTURE_SIDE, QUALITY, MEAN_SIDE, MEAN_OF, DOUBTFUL, JUMPS, sheets.STRIP_WIDTH, sheets.LANE_HEIGHT)
    code = f"{VERSION} {numbers} {sheets.looks()}"
    return layout.fingerprint({"frames": frames, "told": told, "back": back, "code": code})


def write(
    opened: Frames, video: Video, target: Path, *, corpus: str, choice: FaceChoice, back: str, made_of: str
) -> SheetFacts:
    """Write the contact sheet of a video as one HTML file that needs no other, and return what it says of the video.

    Memory stays flat: pictures are made one after the other while the page is written.

    Args:
        opened: the aligned frames.
        back: address of the page to go back to, relative to the target.
        made_of: see `fingerprint`.

    Raises:
        ShardError: an image is damaged; nothing is left at the target that was not there before.
        InputError: the disk refuses.
    """
    columns = opened.columns
    found, seconds = columns.face_found, columns.pts_seconds
    positions = choice.positions(seconds)
    changes = _changes(opened) if choice.changes else np.full(len(opened), np.nan, np.float32)
    facts = SheetFacts(
        corpus=corpus,
        video=video.video,
        subject=video.subject,
        frames=len(opened),
        frame_rate=video.frame_rate,
        seconds=float(seconds[-1] - seconds[0]),
        faceless=int((~found).sum()),
        least_confidence=float(columns.face_confidence[found].min()) if found.any() else None,
        largest_change=None if np.isnan(changes).all() else float(np.nanmax(changes)),
        mean_face=_mean_face(opened, positions[found[positions]]),
        made_of=made_of,
    )
    jumps = inspection.strongest(changes, round(video.frame_rate), JUMPS)
    sheet = ContactSheet(
        facts=facts,
        eyes=[(float(x), float(y)) for x, y in EYES / SIZE],
        strip=_strip(opened, changes),
        lost=[_span(opened, start, stop) for start, stop in inspection.runs(~found).tolist()],
        doubtful=(_face(opened, position) for position in _doubtful(opened, round(video.frame_rate)).tolist()),
        jumps=(
            (_face(opened, position - 1), _face(opened, position, float(changes[position])))
            for position in jumps.tolist()
        ),
        sample=(_face(opened, position) for position in positions.tolist()),
        back=back,
    )
    with files.write_atomically(target) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(sheets.draw(sheet))
    return facts


def _changes(opened: Frames) -> npt.NDArray[np.float32]:
    found = opened.columns.face_found
    return inspection.changes(
        opened.decode_grey(position) if found[position] else None for position in range(len(opened))
    )


def _doubtful(opened: Frames, apart: int) -> npt.NDArray[np.int64]:
    """Return the positions of the least confident frames, those left out that are as sure as the surest as printed."""
    found, confidence = opened.columns.face_found, opened.columns.face_confidence.round(4)
    is_less = found & (confidence < confidence[found].max(initial=0))
    return inspection.strongest(np.where(is_less, -confidence, np.nan), apart, DOUBTFUL)


def _face(opened: Frames, position: int, change: float | None = None) -> ShownFace:
    columns = opened.columns
    found = bool(columns.face_found[position])
    return ShownFace(
        frame_label=int(columns.frame_label[position]),
        seconds=float(columns.pts_seconds[position]),
        confidence=float(columns.face_confidence[position]) if found else None,
        change=change,
        image=thumbnails.encode(_decode(opened, position), PICTURE_SIDE, QUALITY) if found else b"",
    )


def _mean_face(opened: Frames, positions: npt.NDArray[np.int64]) -> str:
    """Return the mean of some frames as a JPEG file in base64: sharp where eyes and mouth lie where they should."""
    few = positions[inspection.evenly(len(positions), MEAN_OF)]
    if len(few) == 0:
        return ""
    total = np.zeros(thumbnails.shrink(_decode(opened, int(few[0])), MEAN_SIDE).shape)
    for position in few.tolist():
        total += thumbnails.shrink(_decode(opened, position), MEAN_SIDE)
    mean = (total / len(few)).round().astype(np.uint8)
    return base64.b64encode(thumbnails.encode(mean, MEAN_SIDE, QUALITY)).decode("ascii")


def _decode(opened: Frames, position: int) -> npt.NDArray[np.uint8]:
    image: npt.NDArray[np.uint8] = opened.decode(position, position + 1)[0]
    return image


def _span(opened: Frames, start: int, stop: int) -> Span:
    columns = opened.columns
    return Span(
        first_label=int(columns.frame_label[start]),
        last_label=int(columns.frame_label[stop - 1]),
        first_seconds=float(columns.pts_seconds[start]),
        last_seconds=float(columns.pts_seconds[stop - 1]),
    )


def _strip(opened: Frames, changes: npt.NDArray[np.float32]) -> Strip:
    columns = opened.columns
    parts = np.array_split(np.arange(len(opened)), min(sheets.STRIP_WIDTH, len(opened)))
    largest = 0.0 if np.isnan(changes).all() else float(np.nanmax(changes))
    confidence: list[float | None] = []
    change: list[float | None] = []
    for part in parts:
        found = columns.face_confidence[part][columns.face_found[part]]
        confidence.append(float(found.min()) if len(found) else None)
        known = changes[part][~np.isnan(changes[part])]
        change.append(float(known.max()) / largest if len(known) and largest else None)
    lost = np.array([not columns.face_found[part].all() for part in parts])
    return Strip(confidence, change, [(start, stop) for start, stop in inspection.runs(lost).tolist()])
