"""Loss curves: every fold's for the report, and their mean for DVC, which draws a table as one line."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., Any]
Begin = Callable[..., Path]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_mean_is_over_the_folds_of_each_epoch(begin: Begin) -> None:
    begin("train")
    folds, means = rows_of(Path("results/losses.csv")), rows_of(Path("results/mean_losses.csv"))
    assert list(means[0]) == ["epoch", "folds", "windows", "total", "interval", "classification"]
    assert [(row["epoch"], row["folds"]) for row in means] == [("1", "4"), ("2", "4")]
    for row in means:
        own = [float(each["total"]) for each in folds if each["epoch"] == row["epoch"]]
        assert len(own) == 4
        assert float(row["total"]) == pytest.approx(sum(own) / 4)


def test_the_means_go_where_one_says(begin: Begin, facespan: Run, words: Callable[[str], list[str]]) -> None:
    begin("train")
    assert facespan("train", *words("train"), "--mean-losses", "elsewhere/curve.csv").code == 0
    assert Path("elsewhere/curve.csv").read_bytes() == Path("results/mean_losses.csv").read_bytes()


@pytest.mark.whole_line
def test_dvc_draws_one_point_an_epoch(begin: Begin) -> None:
    here = begin("train")

    def dvc(*words: str) -> str:
        told = subprocess.run(
            [sys.executable, "-m", "dvc", *words], cwd=here, capture_output=True, text=True, check=False
        )
        assert told.returncode == 0, told.stderr
        return told.stdout

    shutil.copy(ROOT / "dvc.yaml", here)
    plots = here / "results/demo/plots"
    plots.mkdir(parents=True)
    for name in ("losses", "mean_losses"):
        shutil.copy(here / f"results/{name}.csv", plots)
    dvc("init", "--quiet", "--no-scm")
    told = json.loads(dvc("plots", "show", "--json", "--out", "drawn"))["data"]
    drawn = {name: values[0]["content"] for name, values in told.items() if values}
    assert list(drawn) == ["results/demo/plots/mean_losses.csv"]
    (content,) = drawn.values()
    chart = json.loads(content) if isinstance(content, str) else content
    assert [row["epoch"] for row in chart["data"]["values"]] == ["1", "2"]
