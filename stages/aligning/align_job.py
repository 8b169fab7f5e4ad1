"""Alignment job: the videos to align, the parameters, and what a method makes ready for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cache.shards.aligned import Alignment, AlignParameters
from cache.tables.videos import Video


@dataclass(frozen=True)
class AlignJob:
    """What is to be aligned, small enough to hand to another process.

    Attributes:
        videos: those whose shards are missing.
        output: the folder of shards, on whose disk there is room to work.
        say: tells the user what goes for all videos.
        unread: the paths of the sources of which nobody knows yet what they hold.
    """

    root: Path
    parameters: AlignParameters
    videos: Sequence[Video]
    output: Path
    say: Callable[[str], None]
    unread: Collection[str] = ()


@dataclass(frozen=True)
class Prepared:
    """A method ready to work.

    Attributes:
        read: gives the alignment of a video, to be used in a `with`.
        facts: what it works with, for the manifest.
    """

    read: Callable[[Video], AbstractContextManager[Alignment]]
    facts: Mapping[str, Any]
