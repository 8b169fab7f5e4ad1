"""Figures that are not of what lies beside them, or not those of the commit, are printed with a word about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cache.tables import searches

Run = Callable[..., Any]
FIGURES, FOUND, DETECTIONS = (
    Path("results/tiny", name) for name in ("figures.json", "found.csv", "detections.parquet")
)


@pytest.fixture
def evaluated(begin: Callable[..., Path]) -> Path:
    """Return a folder as `dvc.yaml` lays it out, with what `dvc.lock` states of the figures."""
    here = begin("evaluate")
    Path("results/detections.parquet").rename(DETECTIONS)
    Path("data/tiny").mkdir()
    for name in ("videos", "expressions"):
        Path(f"data/{name}.parquet").rename(f"data/tiny/{name}.parquet")
    outs = [{"path": str(path), "md5": hashlib.md5(path.read_bytes()).hexdigest()} for path in (FIGURES, FOUND)]
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": {"evaluate@tiny": {"outs": outs}}}), encoding="utf-8")
    return here


def test_nothing_is_said_of_figures_that_are_current(evaluated: Path, facespan: Run) -> None:
    for words in (("scores", "tiny"), ("show", "tiny")):
        told = facespan(*words)
        assert (told.code, told.err) == (0, "")


def test_detections_or_tables_that_came_after_the_figures_are_told(evaluated: Path, facespan: Run) -> None:
    searches.write(DETECTIONS, [], searches.read(DETECTIONS))
    expected = f"{FIGURES} is of other {DETECTIONS} than lie there now. Run: dvc repro evaluate@tiny\n"
    for command in ("scores", "show"):
        told = facespan(command, "tiny")
        assert (told.code, told.err) == (0, f"{command}: {expected}")
        assert told.out
    assert f"compare: workspace: {expected}" in facespan("compare", "workspace", "results/tiny", "--corpus", "tiny").err
    FOUND.write_text(FOUND.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert f"is of other {DETECTIONS}, {FOUND} than lie there now" in facespan("show", "tiny").err


def test_figures_of_another_commit_are_told(evaluated: Path, facespan: Run) -> None:
    lock = Path("dvc.lock")
    lock.write_text(lock.read_text(encoding="utf-8").replace("md5: ", "md5: f"), encoding="utf-8")
    expected = f"{FIGURES} and {FOUND} are not what dvc.lock states. Run: dvc repro evaluate@tiny\n"
    for command in ("scores", "show"):
        told = facespan(command, "tiny")
        assert (told.code, told.err) == (0, f"{command}: {expected}")
    # Of results elsewhere the record says nothing.
    Path("results").rename("kept")
    assert facespan("scores", "tiny", "--results", "kept").err == ""


def test_figures_of_before_they_told_what_they_are_of_are_printed_as_ever(evaluated: Path, facespan: Run) -> None:
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    del figures["made_of"]
    FIGURES.write_text(json.dumps(figures), encoding="utf-8")
    Path("dvc.lock").unlink()
    assert facespan("scores", "tiny").err == ""
