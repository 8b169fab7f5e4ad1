"""The command `facespan store`: what was trained before and is kept, and how to be rid of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cache.errors import InputError
from cache.weights import detector_store, tensors
from cache.weights.detector_store import Store, StoredDetector
from stages.parts import stored_detectors
from stages.shell import console, options, params
from stages.shell.command import guarded

app = typer.Typer(
    no_args_is_help=True,
    help="Detectors trained before, which `train` takes instead of training them again.",
    pretty_exceptions_enable=False,
)
Folder = Annotated[Path | None, typer.Option("--folder", help="The store; without it, the one below .dvc.")]


@app.command("ls")
@guarded
def show(folder: Folder = None, params_path: options.Params = params.PARAMS) -> None:
    """Say in one line what the store holds."""
    store = find(params_path, folder)
    held = detector_store.entries(store)
    corpora = Counter(str(tensors.told_card(entry.path).get("corpus", "damaged")) for entry in held)
    named = ", ".join(f"{corpus} {count}" for corpus, count in sorted(corpora.items()))
    console.result(
        f"store: {len(held)} detectors{f' ({named})' if named else ''}, {megabytes(held)} "
        f"of at most {store.maximum_bytes / 1e6:,.0f} MB, in {store.folder}"
    )


@app.command()
@guarded
def clear(folder: Folder = None, params_path: options.Params = params.PARAMS) -> None:
    """Remove every detector of the store; those in use, in results/, stay."""
    store = find(params_path, folder)
    removed = detector_store.clear(store)
    console.result(f"store: {len(removed)} detectors removed, {megabytes(removed)}, from {store.folder}")


def find(params_path: Path, folder: Path | None) -> Store:
    """Return the store; InputError where there can be none."""
    store = stored_detectors.find(params_path, folder)
    if store is None:
        raise InputError(
            f"{Path.cwd()} is in no folder that DVC knows, so there is no store of detectors. "
            "Go to the checkout, or give --folder"
        )
    return store


def megabytes(held: Sequence[StoredDetector]) -> str:
    """Return the size of detectors, for people."""
    return f"{sum(entry.bytes for entry in held) / 1e6:,.1f} MB"
