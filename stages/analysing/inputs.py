"""Which files can be analysed: a video that lies here. What is none is told by what it is instead."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cache import files
from cache.errors import InputError
from cache.media import suffixes

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
SOUND = (".mp3", ".wav", ".m4a", ".aac", ".flac", ".ogg", ".oga", ".opus", ".wma", ".aiff")
# How files begin that are one picture, or sound alone; of some, the name stands behind a length.
STILL_IMAGES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"BM", b"GIF8", b"II*\0", b"MM\0*")
SOUNDS = (b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
HEAD_BYTES = 16


def check(given: str) -> Path:
    """Return the path of a file that may be a video.

    Raises:
        InputError: an address, a folder, no file, an empty one, a still image, or sound; with what to do.
    """
    if URL.match(given):
        raise InputError(
            f"{given} is an address, expected a file: facespan asks no network. Download it, then give the file"
        )
    path = Path(given)
    if path.is_dir():
        raise InputError(f"{given} is a folder, expected a video file. {_inside(path)}")
    descriptor = files.open_regular(path, follow_links=True)
    try:
        head = os.pread(descriptor, HEAD_BYTES, 0)
    finally:
        os.close(descriptor)
    if not head:
        raise InputError(f"{given} is empty. Copy it again.")
    if _is_still(head):
        raise InputError(
            f"{given} is a still image: an expression is a change from frame to frame. Give a video; images that are "
            "its frames become one by: ffmpeg -framerate 30 -i img%04d.jpg video.mp4"
        )
    if head.startswith(SOUNDS) or (head[:4] == b"RIFF" and head[8:12] == b"WAVE"):
        raise InputError(f"{given} holds sound and no picture. Give the video itself.")
    return path


def refused(path: Path, problem: InputError) -> InputError:
    """Return what to say of a file that does not open as a video."""
    if path.suffix.lower() in SOUND:
        return InputError(f"{path} holds sound and no picture. Give the video itself.")
    return InputError(
        f"{problem} A file with sound alone is none either. If a player shows it: ffmpeg -i {path} new.mp4"
    )


def _is_still(head: bytes) -> bool:
    is_riff, is_boxed = head[:4] == b"RIFF", head[4:8] == b"ftyp"
    return (
        head.startswith(STILL_IMAGES)
        or (is_riff and head[8:12] == b"WEBP")
        or (is_boxed and head[8:12] in (b"heic", b"heix", b"mif1", b"avif"))
    )


def _inside(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in suffixes.VIDEOS)
    if not names:
        return (
            "It holds no video files either; frames as images become a video by ffmpeg, or a corpus by a corpus file."
        )
    few = " ".join(str(folder / name) for name in names[:2])
    return f"It holds {len(names)} of them: facespan analyse {few}{' ...' if names[2:] else ''}"
