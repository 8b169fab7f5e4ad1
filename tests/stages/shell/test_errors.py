"""What a command was given is one line and an exit code; a fault of ours is a traceback that shows where."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[3]
# Calls a stage as `python -m` does, with a function of the science that has a bug.
WITH_A_BUG = """
import sys
from stages import evaluate; from stages.shell import command

def summarise(*_):
    raise {error}

evaluate.summarise = summarise
command.run(evaluate.main)
"""


def evaluate_with(error: str, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the stage `evaluate` in a process of its own, where the science raises an error."""
    return subprocess.run(
        [sys.executable, "-c", WITH_A_BUG.format(error=error), *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("error", ["ValueError('shapes (3,) and (4,)')", "TypeError('no len()')", "KeyError('f1')"])
def test_a_bug_of_ours_shows_where_it_is_and_is_no_bad_input(
    begin: Begin, words: Callable[[str], list[str]], error: str
) -> None:
    begin("detect")
    told = evaluate_with(error, words("evaluate"))
    assert told.returncode == 1
    assert "Traceback" in told.stderr
    assert "in summarise" in told.stderr
    assert not Path("results/tiny/metrics.json").exists()


def test_what_the_science_refuses_is_one_line_and_bad_input(begin: Begin, words: Callable[[str], list[str]]) -> None:
    begin("detect")
    error = "__import__('pipeline.errors').errors.DataError('thresholds need at least 2 subjects')"
    told = evaluate_with(error, words("evaluate"))
    assert told.returncode == ExitCode.INPUT
    assert told.stderr.splitlines()[-1] == "error: thresholds need at least 2 subjects"
    assert "Traceback" not in told.stderr


def test_a_corpus_of_one_subject_is_bad_input_wherever_it_is_noticed(begin: Begin, stage: Run) -> None:
    begin("detect")
    for name in ("ben_1", "cem_1"):
        Path(f"corpus/videos/{name}.avi").unlink()
    labels = Path("corpus/expressions.csv")
    labels.write_text("".join(x for x in labels.open(encoding="utf-8") if "ben" not in x and "cem" not in x))
    told = stage("index", "align", "extract", "detect", "evaluate")
    assert told.code == ExitCode.INPUT
    assert "at least 2 subjects" in told.err


def test_parameters_that_contradict_each_other_are_no_bug(begin: Begin, stage: Run) -> None:
    begin("extract")
    path = Path("configs/corpora/tiny.yaml")
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["overrides"]["train"]["point_ranges"] = [[0, 64]]
    path.write_text(yaml.safe_dump(described), encoding="utf-8")
    told = stage("train")
    assert told.code == ExitCode.USAGE
    assert "point_ranges has 1 ranges, expected one for each of the 4 levels" in told.err


def test_a_file_of_parameters_that_is_no_text_is_no_bug(begin: Begin, stage: Run) -> None:
    begin()
    Path("configs/params.yaml").write_bytes("demo: {name: Gesichtsausdrücke}".encode("latin-1"))
    told = stage("index", "align")
    assert told.code == ExitCode.USAGE
    assert "configs/params.yaml is not valid YAML" in told.err
