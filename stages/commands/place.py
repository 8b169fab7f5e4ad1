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
        places.set_to(corpus, place)
    root = places.root_of(corpus)
    console.result(f"place: {corpus} lies in {root}{'' if places.is_there(root) else ', which is not there'}")
