"""Corpus files, `configs/corpora/<name>.yaml`: loaded and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.shell import params

FOLDER = Path("configs/corpora")
# The stages whose values a corpus may override. DVC follows each by its name and stops at one that a file leaves out.
SECTIONS = ("align", "extract", "train", "detect", "evaluate")


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
    """Return where a corpus' facts lie, in a file that says of every stage what it overrides.

    Raises:
        ParameterError: no such file, with the corpora there are; a section of `overrides` that is missing, with what to
            write; or one that no stage reads, with the nearest.
    """
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in FOLDER.glob("*.yaml"))
        raise params.ParameterError(f"there is no corpus {name!r}: {path} does not exist. Known: {', '.join(known)}")
    _check_sections(path)
    return path


def load(name: str) -> Corpus:
    """Return the facts of a corpus, strictly read; errors as in `path_of`."""
    path = path_of(name)
    return params.build(params.load(path), Corpus, str(path))


def overrides_of(path: Path) -> dict[str, dict[str, Any]]:
    """Return what a corpus file overrides, by section; an empty section overrides nothing."""
    stated = _mapping(params.load(path).get("overrides"), f"{path}: overrides")
    return {section: _mapping(values, f"{path}: overrides.{section}") for section, values in stated.items()}


def _check_sections(path: Path) -> None:
    stated = overrides_of(path)
    params.refuse_unknown(stated, list(SECTIONS), f"{path}: overrides")
    missing = [section for section in SECTIONS if section not in stated]
    if missing:
        block = "\n".join(["overrides:", *(f"  {section}: {{}}" for section in missing)])
        also = ", beside what stands there" if stated else ""
        raise params.ParameterError(
            f"{path}: overrides lacks {', '.join(missing)}. DVC follows each section by its name, so a file states all "
            f"of them, an empty one where nothing is overridden. Write{also}:\n{block}"
        )


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise params.ParameterError(f"{where}: expected `key: value` lines or {{}}, found {params.shown(value)}")
    return value or {}
