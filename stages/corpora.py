"""The facts of one corpus: `configs/corpora/<name>.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages import params

FOLDER = Path("configs/corpora")


@dataclass(frozen=True)
class Corpus:
    """One corpus as its file describes it; `facts` belong to its reader, `overrides` to single stages."""

    reader: str
    classes: tuple[str, ...]
    facts: dict[str, Any]
    overrides: dict[str, Any]

    def __post_init__(self) -> None:
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes must name each emotion once, found {list(self.classes)}")


def path_of(name: str) -> Path:
    """Return where a corpus' facts lie; ParameterError names the corpora there are."""
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in FOLDER.glob("*.yaml"))
        raise params.ParameterError(f"there is no corpus {name!r}: {path} does not exist. Known: {', '.join(known)}")
    return path


def load(name: str) -> Corpus:
    """Return the facts of a corpus, strictly read."""
    path = path_of(name)
    return params.build(params.load(path), Corpus, str(path))
