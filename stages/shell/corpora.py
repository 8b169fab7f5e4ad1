"""Corpus files, `configs/corpora/<name>.yaml`: loaded and checked, with the reader they name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from cache.errors import InputError
from stages.shell import params

FOLDER = Path("configs/corpora")
# The stages whose values a corpus may override. DVC follows each by its name and stops at one that a file leaves out.
SECTIONS = ("align", "extract", "train", "detect", "evaluate", "report")


class TakesFacts(Protocol):
    """What reads a corpus; `cache.corpora.readers` has them, which the stages that read none do not depend on."""

    @property
    def facts(self) -> type[Any]:
        """The dataclass of what its corpus file says."""


AnyReader = TypeVar("AnyReader", bound=TakesFacts)


@dataclass(frozen=True)
class DescribedCorpus:
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
        ParameterError: no such file, with the corpora there are, or where to run; a section of `overrides` that is
            missing, with what to write; or one that no stage reads, with the nearest.
    """
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        if not FOLDER.is_dir():
            raise params.ParameterError(f"{FOLDER}/ does not exist. {params.where_to_run()}")
        known = sorted(p.stem for p in FOLDER.glob("*.yaml"))
        raise params.ParameterError(f"there is no corpus {name!r}: {path} does not exist. Known: {', '.join(known)}")
    _check_sections(path)
    return path


def load(name: str) -> DescribedCorpus:
    """Return the facts of a corpus, strictly read; errors as in `path_of`."""
    path = path_of(name)
    return params.build(params.load(path), DescribedCorpus, str(path))


def reader_of(name: str, readers: Mapping[str, AnyReader]) -> tuple[AnyReader, Any]:
    """Return the reader that a corpus file names, and its facts as the reader takes them.

    Raises:
        ParameterError: no such reader, facts it does not take, or as in `path_of`.
    """
    described, path = load(name), path_of(name)
    if described.reader not in readers:
        raise params.ParameterError(f"{path}: reader {described.reader!r} is none of {', '.join(readers)}")
    reader = readers[described.reader]
    return reader, params.build(described.facts, reader.facts, f"{path}: facts")


def check_inside(root: Path, relative: str, told: str) -> None:
    """Raise InputError when a path leaves the corpus folder by its words; links inside are followed.

    Args:
        relative: the path as it was given, relative to the corpus folder.
        told: where it was given, `facts.frames` for instance.
    """
    if not Path(os.path.normpath(root / relative)).is_relative_to(os.path.normpath(root)):
        raise InputError(
            f"{told} is {relative}, which lies outside the corpus folder {root}: nobody would see it change. "
            "Copy it into that folder, or put a link to it there."
        )


def _check_sections(path: Path) -> None:
    stated = params.overrides_of(path)
    params.refuse_unknown(stated, list(SECTIONS), f"{path}: overrides")
    missing = [section for section in SECTIONS if section not in stated]
    if missing:
        block = "\n".join(["overrides:", *(f"  {section}: {{}}" for section in missing)])
        also = ", beside what stands there" if stated else ""
        raise params.ParameterError(
            f"{path}: overrides lacks {', '.join(missing)}. DVC follows each section by its name, so a file states all "
            f"of them, an empty one where nothing is overridden. Write{also}:\n{block}"
        )
