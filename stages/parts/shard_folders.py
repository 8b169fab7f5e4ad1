"""Dry run, refusals, missing digest and summary of the stages that work on a folder of shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import typer

from cache.checked import Checked
from cache.errors import InputError, ShardError
from cache.shards import manifest
from cache.shards.upkeep import Outcome, Plan
from cache.tables import failures
from pipeline.errors import DataError
from stages.shell import console
from stages.shell.command import ExitCode


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the science refuses of a video into what the disk refuses, which is that video's own failure."""
    try:
        yield
    except DataError as error:
        raise InputError(str(error)) from error


def remember(known: Checked) -> None:
    """Keep what was checked for the next time; a disk that does not take it stops nothing."""
    with suppress(InputError):
        known.save()


def run_of(folder: Path) -> Mapping[str, Any]:
    """Return what a folder's manifest says of the run that made what lies there; nothing without one that is whole."""
    try:
        return manifest.read(folder).run
    except (InputError, ShardError):
        return {}


def say_recovered(stage: str, folder: Path, planned: Plan) -> None:
    """Say that the manifest is damaged and which shards it still vouches for, where that is so."""
    if planned.recovered is not None:
        console.say(
            f"{stage}: {folder / manifest.NAME} is damaged and is written anew; of the shards that it names, "
            f"{len(planned.recovered.shards)} are whole and current"
        )


def foretell(stage: str, folder: Path, planned: Plan) -> None:
    """Print what would be made; nothing is written."""
    _say_failures(stage, planned.failures)
    console.result(f"{stage}: would make {len(planned.missing)} of {len(planned.videos)} shards in {folder}")


def conclude(stage: str, folder: Path, outcome: Outcome) -> None:
    """Print what became of the videos; stop with `PARTIAL` when some failed, so that DVC sees it."""
    for path in outcome.removed:
        console.say(f"{stage}: {path} belongs to no video of this corpus and was removed")
    for path in outcome.left:
        console.say(f"{stage}: {path} belongs to no video of this corpus, but is not what was made here, and was left")
    _say_failures(stage, outcome.failures)
    console.result(
        f"{stage}: {len(outcome.entries)} videos, {outcome.frame_count:,} frames, {outcome.byte_count / 1e6:,.0f} MB "
        f"({len(outcome.made)} new, {len(outcome.kept)} kept)"
    )
    if outcome.failures:
        console.say(
            f"{stage}: {len(outcome.failures)} videos failed, listed in {folder / failures.NAME}; the others are done"
        )
        raise typer.Exit(int(ExitCode.PARTIAL))


def _say_failures(stage: str, failures: Mapping[str, str]) -> None:
    for video, error in sorted(failures.items()):
        console.say(f"{stage}: {video} failed: {error}")


def say_undigested(stage: str, folder: Path) -> None:
    """Say that the manifest of a folder in use is of an earlier version and carries no digest, if so."""
    if not manifest.read(folder).has_digest:
        console.say(
            f"{stage}: {folder / manifest.NAME} is of an earlier version and carries no digest, so a changed bit would "
            "not be noticed. Run: dvc repro --single-item --force extract@CORPUS, which gives it one and keeps the rest"
        )
