"""Which folders of shards are meant: a folder is named as it is, a corpus by its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cache.errors import InputError, ShardError
from cache.sharing import inventory
from stages.shell import console, params

DATA = Path("data")


def find(named: str, data: Path) -> list[Path]:
    """Return the folders of shards of a corpus, or in a folder, sorted; at least one.

    Raises:
        InputError: there is none.
    """
    found = [folder for place in (Path(named), data / named) if place.is_dir() for folder in inventory.find(place)]
    if not found:
        known = (
            sorted({inventory.corpus_folder(folder).name for folder in inventory.find(data)}) if data.is_dir() else []
        )
        if not data.is_dir() and not params.PARAMS.is_file():
            raise InputError(f"{named} holds no shards, and {data} does not exist. {params.where_to_run()}")
        raise InputError(
            f"there are no shards in {named}, nor in {data / named}. Name a folder of shards, or a corpus"
            + (f": {', '.join(known)}" if known else "; none has any here yet: dvc repro")
        )
    return sorted(set(found))


def corpora(named: str, folders: Sequence[Path]) -> dict[Path, list[Path]]:
    """Return the folders of corpora that are meant as a whole, each with its folders of shards; none for one of these.

    Args:
        folders: what `find` gave.
    """
    if Path(named) in folders:
        return {}
    found: dict[Path, list[Path]] = {}
    for folder in folders:
        place = inventory.corpus_folder(folder)
        found.setdefault(place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place, []).append(
            folder
        )
    return found


def find_one(named: str, data: Path, kind: str) -> Path:
    """Return the only folder of one kind that is meant.

    Raises:
        InputError: there is none, or there are several, all named.
    """
    found = [folder for folder in find(named, data) if _kind_of(folder) == kind]
    if len(found) != 1:
        told = f"there are several: {', '.join(map(str, found))}. Name one of them" if found else f"there are no {kind}"
        raise InputError(f"{named}: one folder of {kind} is needed, and {told}.")
    return found[0]


def _kind_of(folder: Path) -> str:
    try:
        return inventory.summarise(folder).kind
    except ShardError as problem:
        console.say(f"cache: {problem}")
        return ""
