"""Stale figures: whether those of the last evaluation are of what lies beside them now, and those of `dvc.lock`.

After `git pull` or `git restore` without `dvc repro` they are not. Digests of a few small files tell it at once, where
`dvc status` looks at everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from cache import files
from cache.errors import InputError
from cache.sharing import dvc_objects
from stages.results.figures_file import MADE_OF, read_figures
from stages.shell import console

LOCK = Path("dvc.lock")


def say(asked: str, corpus: str, results: Path, tables: Path, lock: Path | None = LOCK) -> None:
    """Say what speaks against the figures of a corpus; nothing where all is as it was when they were made.

    Args:
        asked: the command that prints them.
        results: the folder of results.
        tables: the folder of the corpus' tables.
        lock: DVC's record of what belongs to the commit, if there is one.
    """
    for note in _notes(read_figures(results, corpus), corpus, results, tables, lock):
        console.say(f"{asked}: {note}")


def _notes(figures: Mapping[str, Any], corpus: str, results: Path, tables: Path, lock: Path | None) -> list[str]:
    path = results / "figures.json"
    remedy = f"Run: dvc repro evaluate@{corpus}"
    stated: Mapping[str, str] = figures.get(MADE_OF, {})
    changed = [
        str(place / name)
        for name, digest in stated.items()
        for place in (results, tables)
        if (place / name).is_file() and files.sha256_of(place / name) != digest
    ]
    told = [f"{path} is of other {', '.join(changed)} than lie there now. {remedy}"] if changed else []
    if lock is not None and lock.is_file() and (other := _not_as_stated(lock, corpus, [path, results / "found.csv"])):
        told.append(f"{' and '.join(other)} {'are' if len(other) > 1 else 'is'} not what {lock} states. {remedy}")
    return told


def read_lock(path: Path) -> dict[str, Any]:
    """Return the stages of a `dvc.lock`, by name.

    Raises:
        InputError: it is not as DVC writes it.
    """
    try:
        stages: dict[str, Any] = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("stages", {})
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError) as error:
        raise InputError(f"{path} is not as DVC writes it. Run: git restore dvc.lock") from error
    return stages


def _not_as_stated(lock: Path, corpus: str, paths: Iterable[Path]) -> list[str]:
    outs = read_lock(lock).get(f"evaluate@{corpus}", {}).get("outs", ())
    stated = {lock.parent / out["path"]: out.get("md5") for out in outs}
    return [
        str(path)
        for path in paths
        if path.is_file() and stated.get(path) is not None and dvc_objects.md5_of(path) != stated[path]
    ]
