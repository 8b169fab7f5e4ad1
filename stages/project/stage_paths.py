"""Default paths of a stage: what its `cmd` in dvc.yaml says, so that `facespan detect mine` finds what DVC finds.

dvc.yaml is read here and not through DVC, which takes a second to load: `${item}` is the corpus, all else stands in the
files that `vars` lists.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stages.shell import params
from stages.shell.params import ParameterError

FILE = Path("dvc.yaml")
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


def of(stage: str, corpus: str, needed: Iterable[str] = ()) -> dict[str, str]:
    """Return the options that dvc.yaml gives a stage for a corpus: `--output` -> `data/mine/frames`.

    Args:
        needed: options that have to be among them.

    Raises:
        ParameterError: no dvc.yaml, no such stage, a command that is not `python -m stages.<stage> CORPUS --option
            value ...` or lacks what is needed, or a name in `${...}` that stands nowhere.
    """
    document = params.load(FILE)
    command = _command(document, stage)
    known = {**_values(document), "item": corpus}
    words = [_filled(word, known, stage) for word in shlex.split(command)]
    names, values = words[4::2], words[5::2]
    is_known = words[:4] == ["python", "-m", f"stages.{stage}", corpus] and len(names) == len(values)
    if not is_known or not all(name.startswith("--") for name in names):
        raise ParameterError(
            f"{FILE}: stage {stage} runs {command!r}, expected `python -m stages.{stage} ${{item}} --option value ...`."
            " Correct it, or give every path as an option"
        )
    told = dict(zip(names, values, strict=True))
    if lacking := [name for name in needed if name not in told]:
        raise ParameterError(
            f"{FILE}: the cmd of stage {stage} lacks {', '.join(lacking)}. Give every path as an option"
        )
    return told


def _command(document: Mapping[str, Any], stage: str) -> str:
    stages = document.get("stages")
    described = stages.get(stage) if isinstance(stages, dict) else None
    done = described.get("do", described) if isinstance(described, dict) else None
    command = done.get("cmd") if isinstance(done, dict) else None
    if not isinstance(command, str):
        raise ParameterError(f"{FILE} has no stage {stage!r} with one cmd. Give every path as an option")
    return command


def _values(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `vars`: those of files, and those that stand there themselves."""
    values: dict[str, Any] = {}
    for entry in document.get("vars") or ():
        values |= entry if isinstance(entry, dict) else params.load(Path(str(entry).partition(":")[0]))
    return values


def _filled(word: str, known: Mapping[str, Any], stage: str) -> str:
    def value_of(found: re.Match[str]) -> str:
        value: Any = known
        for name in found[1].strip().split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if not isinstance(value, str | int):
            raise ParameterError(f"{FILE}: stage {stage}: {found[0]} is neither the corpus nor a value of `vars`")
        return str(value)

    return _PLACEHOLDER.sub(value_of, word)
