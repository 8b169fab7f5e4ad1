"""`facespan place CORPUS FOLDER`: says where a corpus lies on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cache.errors import InputError
from stages.shell import console, corpora, options, places


def main(
    corpus: options.CorpusName,
    folder: Annotated[Path | None, typer.Argument(help="The corpus folder; without it, say where it is.")] = None,
) -> None:
    """Write where a corpus lies into configs/places.yaml, which git ignores."""
    corpora.path_of(corpus)
    if folder is not None:
        place = folder.expanduser()
        if not place.is_dir():
            raise InputError(f"{place} {'is no folder' if place.exists() else 'does not exist'}. Correct the path")
        # What lies in the checkout is found wherever that is moved; all else by its whole path.
        here, whole = Path.cwd(), place.absolute()
        places.write(corpus, whole.relative_to(here) if whole.is_relative_to(here) else whole)
    root = places.root_of(corpus)
    console.result(f"place: {corpus} lies in {root}{'' if places.is_there(root) else ', which is not there'}")
