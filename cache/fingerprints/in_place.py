"""Footage that was changed in place: images whose digest is over sizes alone get their content into it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from cache.fingerprints import units
from cache.tables.videos import Video


def with_contents(root: Path, videos: Iterable[Video], contents: Mapping[str, str]) -> list[Video]:
    """Return the videos; where a folder of images changed in place, with its content in the source's digest.

    Args:
        contents: of the fingerprint (`Fingerprint.contents`).
    """
    return [_with_content(root, video, contents) for video in videos] if contents else list(videos)


def content_of(root: Path, video: Video, digests: Mapping[str, str]) -> str | None:
    """Return the digest of what the source of a video holds, where it is there; a file is read that is not known.

    Args:
        digests: SHA-256 by name of the files of a folder of images that were just read.
    """
    if video.source == "video":
        return video.source_digest  # of a video file it is that of its content
    unit = units.at(root, video.path)
    return None if unit is None else units.content_of(root, unit, digests)


def _with_content(root: Path, video: Video, contents: Mapping[str, str]) -> Video:
    unit = units.at(root, video.path) if video.source == "images" else None
    content = contents.get(unit.names) if unit else None
    if content is None:
        return video
    return replace(video, source_digest=hashlib.sha256(f"{video.source_digest} {content}".encode("ascii")).hexdigest())
