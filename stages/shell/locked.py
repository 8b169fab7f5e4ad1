"""What `dvc.lock` says a stage was made from and made: whether that still holds where the corpus is not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from cache.errors import InputError
from stages.shell import params

FILE = Path("dvc.lock")


def holds(stage: str, files: Iterable[Path], described: Path) -> bool:
    """Return whether files that a stage read and wrote are those of its last run, and likewise its parameters.

    Code is not compared. What the file does not say, or says in another form, does not hold.

    Args:
        stage: as DVC names it, `index@casme2`.
        described: the YAML file whose top-level keys are parameters of the stage.
    """
    try:
        entry = params.load(FILE)["stages"][stage]
        stated = {one["path"]: one["md5"] for one in [*entry["deps"], *entry["outs"]]}
        parameters: dict[str, Any] = entry["params"][described.as_posix()]
        now = params.load(described)
        return all(now[name] == value for name, value in parameters.items()) and all(
            hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == stated[path.as_posix()]
            for path in files
        )
    except (KeyError, TypeError, OSError, InputError, params.ParameterError, yaml.YAMLError):
        return False
