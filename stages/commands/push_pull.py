"""`facespan cache push` and `pull`: features once made on a GPU, for everyone in the team.

What is heavy is imported where it is used: other commands of the group answer before DVC or Arrow are loaded.
"""

from __future__ import annotations

from typing import Annotated

import typer

from stages.shell import console, options
from stages.shell.command import guarded

app = typer.Typer()

Features = Annotated[bool, typer.Option("--features", help="Tables and features; also what is meant without any.")]
Frames = Annotated[bool, typer.Option("--frames", help="The aligned frames: faces, and many times as large.")]
Detectors = Annotated[bool, typer.Option("--detectors", help="Detectors, detections and metrics.")]
RemoteName = Annotated[str | None, typer.Option("--remote", "-r", help="A remote of DVC; none: its default.")]
Overwrite = Annotated[bool, typer.Option("--force", "-f", help="Replace files that were changed here.")]


@app.command()
@guarded
def push(
    corpus: options.CorpusName,
    features: Features = False,
    frames: Frames = False,
    detectors: Detectors = False,
    remote_name: RemoteName = None,
    quiet: options.Quiet = False,
) -> None:
    """Send what dvc.lock states of a corpus to a remote of DVC; what is damaged is not sent."""
    from stages.sharing import project, remote, removed_frames, transfers

    parts = choose(features, frames, detectors)
    with project.opened() as opened:
        to = remote.find(opened, remote_name)
        pushed = transfers.push(opened, corpus, parts, to)
    console.result(
        f"push: {corpus}, {' and '.join(parts)}: {pushed.files:,} files, {pushed.bytes / 1e6:,.1f} MB, to {to} "
        f"({pushed.sent:,} objects sent, the others were there)"
    )
    if pushed.still_listed:
        console.say(f"push: {removed_frames.describe(corpus, pushed.still_listed)}")
    if pushed.to_commit and not quiet:
        console.say(f"push: colleagues need these through git: git add {' '.join(pushed.to_commit)} && git commit")


@app.command()
@guarded
def pull(
    corpus: options.CorpusName,
    features: Features = False,
    frames: Frames = False,
    detectors: Detectors = False,
    remote_name: RemoteName = None,
    force: Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Take what dvc.lock states of a corpus from a remote of DVC; all is checked before anything is placed."""
    from stages.sharing import project, remote, transfers

    parts = choose(features, frames, detectors)
    with project.opened() as opened:
        source = remote.find(opened, remote_name)
        total = transfers.count(project.outputs(opened, corpus, parts))
        with console.progress("pull", total, "objects", quiet) as advance:
            pulled = transfers.pull(opened, corpus, parts, source, force=force, advance=advance)
    for folder in ("configs/fingerprints", "configs/frames"):
        if not (opened.root / folder / f"{corpus}.json").is_file():
            console.say(
                f"pull: there is no {folder}/{corpus}.json, without which dvc repro asks for the corpus itself: "
                "whoever pushed has to commit it"
            )
    for path in pulled.damaged:
        console.say(f"pull: DVC's copy of {path} was damaged, was removed and fetched again")
    for path in pulled.replaced:
        console.say(f"pull: {path} was another here and was replaced")
    for path in pulled.removed:
        console.say(f"pull: {path} is of {corpus} no more and was removed")
    console.result(
        f"pull: {corpus}, {' and '.join(parts)}: {pulled.files:,} files, {pulled.bytes / 1e6:,.1f} MB, from {source} "
        f"({pulled.fetched:,} objects fetched, {pulled.placed:,} files placed; all checked)"
    )


def choose(features: bool, frames: bool, detectors: bool) -> list[str]:
    """Return the parts of a corpus that are asked for, in the order of the data."""
    asked = {"features": features, "frames": frames, "detectors": detectors}
    return [part for part, is_asked in asked.items() if is_asked] or ["features"]
