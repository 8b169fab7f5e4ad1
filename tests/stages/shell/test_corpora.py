"""A corpus file states every section that may be overridden and no other; every stage that reads it says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.shell.command import ExitCode

Run = Callable[..., Any]


def override(folder: Path, overrides: Any) -> None:
    """Give the tiny corpus other overrides."""
    path = folder / "configs/corpora/tiny.yaml"
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["overrides"] = overrides
    path.write_text(yaml.safe_dump(described), encoding="utf-8")


WHOLE: dict[str, Any] = {"align": {}, "extract": {}, "train": {}, "detect": {}, "evaluate": {}, "report": {}}


def test_a_whole_file_passes_the_check_and_the_sections_are_written_for_dvc(begin: Run, facespan: Run) -> None:
    here = begin()
    override(here, WHOLE | {"detect": {"keep": 100}, "train": None})
    told = facespan("check", "tiny", "--output", "data/sections.txt")
    assert told.code == 0, told.err
    assert told.out == "check: configs/corpora/tiny.yaml has every section and overrides 1 value\n"
    assert (here / "data/sections.txt").read_text(encoding="utf-8").split() == list(WHOLE)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({}, "overrides lacks align, extract, train, detect, evaluate, report"),
        (None, "overrides lacks align, extract, train, detect, evaluate, report"),
        ({"align": {}, "train": {}}, "overrides lacks extract, detect, evaluate, report"),
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


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"align": {"method": "buitin"}}, "overrides.align.method: 'buitin'. Did you mean 'builtin'?"),
        ({"extract": {"batch_size": "64"}}, "overrides.extract.batch_size: expected a whole number, found '64'"),
        ({"train": {"epochs": "1e1"}}, "overrides.train.epochs: expected a whole number, found '1e1'"),
        ({"train": {"epochs": None}}, "overrides.train.epochs: expected a whole number, found null"),
        ({"train": {"width": 33}}, "overrides.train: width is 33, expected a multiple of attention_heads"),
        ({"train": {"block_widths": 32}}, "block_widths: expected a list, each a whole number, found 32"),
        (
            {"train": {"point_ranges": [[0, 9]]}},
            "overrides.train: point_ranges has 1 ranges, expected one for each of the",
        ),
        ({"train": {"window_rates": [1, 4], "stretch": 0.3}}, "overrides.train: stretch is 0.3, expected below 0.25"),
        ({"detect": {"score_floor": 7.0}}, "overrides.detect: score_floor is 7.0, expected 0 to 1"),
        ({"evaluate": {"seed": "x"}}, "overrides.evaluate.seed: expected a whole number, found 'x'"),
    ],
    ids=str,
)
def test_a_value_that_its_stage_would_refuse_is_told_before_anything_runs(
    begin: Run, facespan: Run, overrides: Any, message: str
) -> None:
    override(begin(), WHOLE | overrides)
    told = facespan("check", "tiny")
    assert told.code == 2
    assert f"configs/corpora/tiny.yaml: {message}" in told.err.replace("overrides.train.block_widths", "block_widths")


def test_a_missing_section_is_told_with_the_lines_to_write(begin: Run, facespan: Run) -> None:
    override(begin(), {"align": {}, "extract": {}, "train": {}})
    told = facespan("check", "tiny")
    assert told.err.endswith(
        "Write, beside what stands there:\noverrides:\n  detect: {}\n  evaluate: {}\n  report: {}\n"
    )


def test_the_check_finds_a_key_that_a_later_stage_would_refuse(begin: Run, facespan: Run) -> None:
    override(begin(), WHOLE | {"train": {"epoch": 3}})
    told = facespan("check", "tiny")
    assert told.code == 2
    assert "overrides.train: unknown key 'epoch'. Did you mean 'epochs'?" in told.err


@pytest.mark.parametrize("words", [("scores", "tiny"), ("place", "tiny"), ("cache", "ls"), ("compare", "a", "b")])
def test_below_the_project_it_is_said_where_to_run(
    begin: Run, facespan: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    here = begin()
    (here / "docs").mkdir()
    monkeypatch.chdir(here / "docs")
    told = facespan(*words)
    assert told.code in (ExitCode.USAGE, ExitCode.INPUT)
    assert told.err.startswith("error: ")
    assert told.err.endswith(f" does not exist. Run from the folder that holds configs/: cd {here}\n")
    assert told.err.count("\n") == 1
