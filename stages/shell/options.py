"""The arguments that commands share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stages.shell import corpora


def known_corpora() -> list[str]:
    """Return the names of corpora, for a shell that completes one."""
    return sorted(path.stem for path in corpora.FOLDER.glob("*.yaml"))


CorpusName = Annotated[
    str,
    typer.Argument(help="A corpus described in configs/corpora/.", metavar="CORPUS", autocompletion=known_corpora),
]
Root = Annotated[
    Path | None, typer.Option("--root", help="Where the corpus lies; without it, as configs/places.yaml says.")
]
Params = Annotated[Path, typer.Option("--params", help="The parameters, a section per stage.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
Force = Annotated[bool, typer.Option("--force", "-f", help="Make everything again, also what is current.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be done, and stop.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
