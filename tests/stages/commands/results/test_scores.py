"""`facespan scores`: every headline with its interval, and what the field publishes by its own name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
FIGURES = Path("results/tiny/figures.json")


def figures() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return told


def test_every_headline_has_an_interval_over_subjects(begin: Begin, facespan: Run) -> None:
    begin("evaluate")
    told, intervals = figures(), figures()["intervals"]
    assert (intervals["level"], intervals["repetitions"]) == (0.95, 20)
    headlines = {
        "spotting": ("f1", "precision", "recall", "map"),
        "recognition": ("accuracy", "uf1"),
        "detection": ("map",),
    }
    assert {part: tuple(row) for part, row in intervals.items() if isinstance(row, dict)} == headlines
    assert intervals["spotting"]["f1"] == [told["spotting"]["f1_low"], told["spotting"]["f1_high"]]
    out = facespan("scores", "tiny").out
    for part, names in headlines.items():
        for name in names:
            low, high = intervals[part][name]
            assert 0 <= low <= high <= 1
            assert f" {told[part][name]:.3f} [{low:.3f}-{high:.3f}]" in out
    assert "95% over subjects, 20 times redrawn" in out


def test_what_was_chosen_on_the_test_subject_is_printed_when_asked_for_and_named_so(
    begin: Begin, facespan: Run
) -> None:
    begin("evaluate")
    told = figures()
    assert "chosen on the test subject" not in facespan("scores", "tiny").out
    lines = facespan("scores", "tiny", "--oracle").out.splitlines()
    [row] = [row for row, line in enumerate(lines) if "chosen on the test subject" in line]
    assert f"F1 {told['oracle']['spotting']['f1']:.3f}" in lines[row + 1]
    assert f"F1 {told['oracle_by_subject']['spotting']['f1']:.3f}" in lines[row + 2]
    # Ours stands above it, as it did.
    assert f"F1 {told['spotting']['f1']:.3f} [" in lines[1]
    assert told["spotting"]["f1"] <= told["oracle"]["spotting"]["f1"]


def test_figures_of_an_older_version_are_made_again_not_misread(begin: Begin, facespan: Run) -> None:
    begin("evaluate")
    older = figures()
    del older["intervals"]
    FIGURES.write_text(json.dumps(older), encoding="utf-8")
    told = facespan("scores", "tiny")
    assert told.code == ExitCode.INPUT
    assert "figures.json is of an older facespan. Run: dvc repro evaluate@tiny" in told.err
