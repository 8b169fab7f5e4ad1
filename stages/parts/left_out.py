"""Videos left out when a corpus was indexed because they could not be read: said again where their absence shows."""

from __future__ import annotations

from pathlib import Path

from cache.tables import failures
from stages.shell import console


def say(stage: str, videos: Path) -> None:
    """Name each video that is not in a table of videos because it failed; nothing when all were read."""
    for video, problem in failures.read(videos.parent).items():
        console.say(
            f"{stage}: {video} and its expressions are left out, it failed when the corpus was indexed: {problem}"
        )
