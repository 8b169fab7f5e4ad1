"""How a stage that keeps a folder of shards ends: one line of what it did, and the exit code that goes with it."""

from __future__ import annotations

from pathlib import Path

import typer

from cache.upkeep import FAILURES, Outcome
from stages import console
from stages.command import ExitCode


def conclude(stage: str, folder: Path, outcome: Outcome) -> None:
    """Print what became of the videos; stop with `PARTIAL` when some failed, so that DVC sees it."""
    for path in outcome.removed:
        console.say(f"{stage}: {path} belongs to no video of this corpus and was removed")
    for video, error in sorted(outcome.failures.items()):
        console.say(f"{stage}: {video} failed: {error}")
    console.result(
        f"{stage}: {len(outcome.entries)} videos, {outcome.frame_count:,} frames, {outcome.byte_count / 1e6:,.0f} MB "
        f"({len(outcome.made)} new, {len(outcome.kept)} kept)"
    )
    if outcome.failures:
        console.say(
            f"{stage}: {len(outcome.failures)} videos failed, listed in {folder / FAILURES}; the others are done"
        )
        raise typer.Exit(int(ExitCode.PARTIAL))
