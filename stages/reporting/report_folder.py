"""The folder of a report: its page and its contact sheets; rewritten whole, and nothing that is not ours is touched."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from cache import files
from cache.errors import InputError
from cache.shards.shard_entry import ShardEntry
from cache.tables.videos import Video
from stages.page import render
from stages.page.document import Document
from stages.results import sheet_folder
from stages.results.contact_sheets import FaceChoice
from stages.results.sheet_folder import SheetsMade

PAGE, SHEETS, COMPARISON = "index.html", "sheets", "comparison.html"
# As `stages/page/templates/page.html.j2` has it.
MARK = b'<meta name="generator" content="facespan report">'
HEAD_BYTES = 1 << 12
# As a picture begins on a page.
PICTURE = b"data:image/"


def check(path: Path) -> None:
    """Raise InputError when a file that is no report lies where one goes."""
    if os.path.lexists(path) and MARK not in _head(path):
        raise InputError(f"{path} is no report: it would be overwritten. Give another path, or move it away.")


def write(path: Path, runs: Sequence[tuple[str, Document]]) -> int:
    """Write a report as one page, of one run or of several, and return its bytes.

    Raises:
        InputError: the disk refuses; what stood there still stands there.
    """
    files.sweep_temporaries(path.parent)
    page = render.rendered(runs).encode()
    with files.write_atomically(path) as temporary:
        temporary.write_bytes(page)
    return len(page)


def write_sheets(
    folder: Path, corpus: str, table: Sequence[Video], frames: Path, entries: Mapping[str, ShardEntry], faces: int
) -> SheetsMade:
    """Write a contact sheet of each video that there are frames of; what is current is kept.

    Args:
        folder: of the report.
        faces: of each sheet.

    Raises:
        InputError: what lies there is not ours.
    """
    sheets = folder / SHEETS
    there = [video for video in table if video.video in entries]
    sheet_folder.check(sheets, corpus, there)
    # `facespan sheet` looks at every frame and at every byte, which takes longer than the rest of a report.
    choice = FaceChoice(faces, changes=False)
    return sheet_folder.write(
        sheets, corpus, there, there, (frames, entries), choice, False, lambda _: None, hashed=False
    )


def remove_sheets(folder: Path, corpus: str) -> None:
    """Remove the contact sheets of an earlier report: faces that may no longer be shown."""
    sheet_folder.clear(folder / SHEETS, corpus)


def remove_comparison(results: Path) -> Path | None:
    """Remove the comparison of runs in a folder of results where it is ours and holds faces; return what went."""
    path = results / COMPARISON
    if MARK not in _head(path) or PICTURE not in path.read_bytes():
        return None
    path.unlink()
    return path


def address_of(video: str) -> str:
    """Return the address of a video's contact sheet, relative to the page."""
    return sheet_folder.page_of(Path(SHEETS), video).as_posix()


def _head(path: Path) -> bytes:
    try:
        descriptor = files.open_regular(path, follow_links=False)
    except InputError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(HEAD_BYTES)
