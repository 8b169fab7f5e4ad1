"""A corpus file states every section that may be overridden and no other; every stage that reads it says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Run = Callable[..., Any]


def override(folder: Path, overrides: Any) -> None:
    """Give the tiny corpus other overrides."""
    path = folder / "configs/corpora/tiny.yaml"
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["overrides"] = overrides
    path.write_text(yaml.safe_dump(described), encoding="utf-8")


WHOLE: dict[str, Any] = {"align": {}, "extract": {}, "train": {}, "detect": {}, "evaluate": {}}


def test_a_whole_file_passes_the_check_and_the_sections_are_written_for_dvc(begin: Run, facespan: Run) -> None:
    here = begin()
    override(here, WHOLE | {"detect": {"keep": 100}, "train": None})
    told = facespan("check", "tiny", "--output", "data/sections.txt")
    assert told.code == 0, told.err
    assert told.out == "check: configs/corpora/tiny.yaml has every section and overrides 1 values\n"
    assert (here / "data/sections.txt").read_text(encoding="utf-8").split() == list(WHOLE)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({}, "overrides lacks align, extract, train, detect, evaluate"),
        (None, "overrides lacks align, extract, train, detect, evaluate"),
        ({"align": {}, "train": {}}, "overrides lacks extract, detect, evaluate"),
        (WHOLE | {"algin": {}}, "overrides: unknown key 'algin'. Did you mean 'align'?"),
        ({"algin": {"method": "openface"}}, "overrides: unknown key 'algin'. Did you mean 'align'?"),
        (WHOLE | {"train": 5}, "overrides.train: expected `key: value` lines or {}, found 5"),
        ("none", "overrides: expected `key: value` lines or {}, found 'none'"),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["check", "index", "align", "extract", "train", "detect", "evaluate"])
def test_every_stage_refuses_sections_that_are_missing_or_unknown(
    begin: Run, facespan: Run, words: Run, name: str, overrides: Any, message: str
) -> None:
    override(begin(), overrides)
    told = facespan(name, *(["tiny"] if name == "check" else words(name)))
    assert told.code == 2
    assert f"configs/corpora/tiny.yaml: {message}" in told.err


def test_a_missing_section_is_told_with_the_lines_to_write(begin: Run, facespan: Run) -> None:
    override(begin(), {"align": {}, "extract": {}, "train": {}})
    told = facespan("check", "tiny")
    assert told.err.endswith("Write, beside what stands there:\noverrides:\n  detect: {}\n  evaluate: {}\n")


def test_the_check_finds_a_key_that_a_later_stage_would_refuse(begin: Run, facespan: Run) -> None:
    override(begin(), WHOLE | {"train": {"epoch": 3}})
    told = facespan("check", "tiny")
    assert told.code == 2
    assert "overrides.train: unknown key 'epoch'. Did you mean 'epochs'?" in told.err
