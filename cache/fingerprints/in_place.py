"""Footage that was changed in place: images whose digest is over sizes alone get their content into it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from cache.fingerprints import seen, units
from cache.tables.videos import Video


def with_contents(root: Path, videos: Iterable[Video], contents: Mapping[str, str]) -> list[Video]:
    """Return the videos; where a folder of images changed in place, with its content in the source's digest.

    Args:
        contents: of the fingerprint (`Fingerprint.contents`).
    """
    return [_with_content(root, video, contents) for video in videos] if contents else list(videos)


def note(place: Path | None, root: Path, videos: Iterable[Video]) -> None:
    """Remember what the sources of these videos hold, which were just read; see `seen.note`."""
    if place is not None:
        # The digest of a video file is that of its content.
        digests = {video.path: video.source_digest if video.source == "video" else None for video in videos}
        seen.note(place, root, digests)


def _with_content(root: Path, video: Video, contents: Mapping[str, str]) -> Video:
    unit = units.at(root, video.path) if video.source == "images" else None
    content = contents.get(unit.names) if unit else None
    if content is None:
        return video
    return replace(video, source_digest=hashlib.sha256(f"{video.source_digest} {content}".encode("ascii")).hexdigest())
