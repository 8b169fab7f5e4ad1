"""`facespan compare`: runs of experiments, revisions and folders, by subject; seeds of one setting as one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cache.tables import searches
from cache.tables.intervals import Detection
from stages.shell.command import ExitCode

ROOT = Path(__file__).resolve().parents[4]
ENVIRONMENT = os.environ | {
    "PYTHONPATH": "",
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "1",
    "OMP_NUM_THREADS": "1",
    "GIT_AUTHOR_NAME": "ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
}
Run = Callable[..., Any]
Begin = Callable[..., Path]


def detection(video: str, start: int, stop: int, emotion: str, confidence: float) -> Detection:
    subject = video[:3]
    return Detection(video, subject, start, stop, emotion, confidence, f"without-{subject}")


def save(here: Path, name: str, found: dict[str, tuple[bool, bool]], stage: Run) -> None:
    """Save the results of a run that finds, or does not, the first and the second expression of each subject."""
    rows = [
        detection(f"{subject}_1", start, stop, emotion, 0.9)
        for subject, both in found.items()
        for is_found, (start, stop, emotion) in zip(both, ((20, 50, "happiness"), (90, 126, "anger")), strict=True)
        if is_found
    ]
    path = here / "results/detections.parquet"
    searches.write(path, rows, searches.read(path))
    told = stage("evaluate")
    assert told.code == 0, told.err
    (here / name).mkdir()
    shutil.copy(path, here / name)
    shutil.copy(here / "results/tiny/figures.json", here / name)


@pytest.fixture
def saved(begin: Begin, stage: Run) -> Path:
    """Return a folder with the results of four runs."""
    here = begin("detect")
    save(here, "all", dict.fromkeys(("ann", "ben", "cem"), (True, True)), stage)
    save(here, "half", dict.fromkeys(("ann", "ben", "cem"), (True, False)), stage)
    save(here, "mixed", {"ann": (True, True), "ben": (True, False), "cem": (True, False)}, stage)
    save(here, "other", {"ann": (True, False), "ben": (True, True), "cem": (True, True)}, stage)
    (here / "data/tiny").symlink_to(here / "data")
    return here


def compared(facespan: Run, *words: str) -> dict[str, Any]:
    told = facespan("compare", *words, "--corpus", "tiny", "--json")
    assert told.code == 0, told.err
    [comparison] = json.loads(told.out)["comparisons"]
    return dict(comparison)


def test_two_folders_of_results_are_compared_as_worked_by_hand(saved: Path, facespan: Run) -> None:
    told = compared(facespan, "half", "all")
    f1 = told["differences"]["spotting"]["f1"]
    # 6 of 6 found with 6, against 3 of 6 with 3: F1 1 and 2 * 3 / (3 + 6) = 2/3, on each of three subjects the same.
    assert (f1["a"], f1["b"]) == (pytest.approx([2 / 3]), [1.0])
    assert [f1["b_minus_a"], f1["low"], f1["high"]] == pytest.approx([1 / 3] * 3)
    assert (f1["wins"], f1["losses"], f1["ties"]) == (3, 0, 0)
    # Of the four exchanges that keep ann, only the one that exchanges nobody differs as much.
    assert (told["exchanges"], told["is_exact"], told["least_p"], f1["p_value"]) == (4, True, 0.25, 0.25)
    precision = told["differences"]["spotting"]["precision"]
    assert (precision["a"], precision["b"], precision["p_value"], precision["ties"]) == ([1.0], [1.0], 1.0, 3)
    assert told["differences"]["spotting"]["recall"]["b_minus_a"] == pytest.approx(1 / 2)


def test_the_table_says_what_was_compared_and_what_p_is_possible(saved: Path, facespan: Run) -> None:
    out = facespan("compare", "half", "all", "--corpus", "tiny").out
    assert "tiny, 3 subjects: B against A\n  A  half\n  B  all\n" in out
    [line] = [line for line in out.splitlines() if "spotting F1" in line]
    assert line.split() == [
        "spotting",
        "F1",
        "0.667",
        "1.000",
        "+0.333",
        "+0.333",
        "to",
        "+0.333",
        "0.2500",
        "3,",
        "0,",
        "0",
    ]
    assert "of 4 exchanges of A and B within subjects, all there are" in out
    assert "3 subjects allow no p below 0.25" in out


def test_runs_joined_by_commas_are_averaged_and_their_spread_is_shown(saved: Path, facespan: Run) -> None:
    f1 = compared(facespan, "half", "mixed,other")["differences"]["spotting"]["f1"]
    # 4 of 6 with 4 detections: 8/10; 5 of 6 with 5: 10/11.
    assert f1["b"] == pytest.approx([8 / 10, 10 / 11])
    assert f1["b_minus_a"] == pytest.approx((8 / 10 + 10 / 11) / 2 - 2 / 3)
    assert f1["wins"] == 3  # every subject is better in one of the two
    out = facespan("compare", "half", "mixed,other", "--corpus", "tiny").out
    assert "B  mixed, other (2 seeds)" in out
    assert "0.855 (0.800-0.909)" in out
    assert "in brackets the least and the greatest" in out


def test_each_of_several_is_compared_with_the_first(saved: Path, facespan: Run) -> None:
    told = json.loads(facespan("compare", "half", "all", "mixed", "--corpus", "tiny", "--json").out)
    assert [(row["a"], row["b"]) for row in told["comparisons"]] == [(["half"], ["all"]), (["half"], ["mixed"])]


def test_what_cannot_be_compared_is_said(saved: Path, facespan: Run) -> None:
    told = facespan("compare", "half", "--corpus", "tiny")
    assert told.code == ExitCode.USAGE
    assert "there is nothing to compare half with" in told.err
    told = facespan("compare", "half", "all", "--corpus", "tiny", "--repetitions", "0")
    assert told.code == ExitCode.USAGE
    told = facespan("compare", "half", "all")
    assert told.code == ExitCode.INPUT  # the one listed corpus, demo, has no tables here
    figures = json.loads((saved / "all/figures.json").read_text("utf-8"))
    del figures["per_subject"]["ben"]
    (saved / "all/figures.json").write_text(json.dumps(figures), encoding="utf-8")
    told = facespan("compare", "half", "all", "--corpus", "tiny")
    assert told.code == ExitCode.INPUT
    assert "all was evaluated without ben" in told.err


def dvc(here: Path, *words: str) -> str:
    return type_in(here, sys.executable, "-m", "dvc", *words)


def type_in(here: Path, *words: str) -> str:
    told = subprocess.run(words, cwd=here, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


@pytest.fixture(scope="module")
def experiments(advanced: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository that trained once and by three experiments: two other seeds, and another head."""
    here = tmp_path_factory.mktemp("experiments") / "project"
    shutil.copytree(advanced("extract"), here)
    for room in ("cache", "pipeline", "stages"):
        shutil.copytree(ROOT / room, here / room, ignore=shutil.ignore_patterns("__pycache__"))
    (here / "data").rename(here / "made")
    (here / "data").mkdir()
    (here / "made").rename(here / "data/tiny")
    (here / "data/tiny/features").rename(here / "data/tiny/shards")
    (here / "data/tiny/features").mkdir()
    (here / "data/tiny/shards").rename(here / "data/tiny/features/ferplus")
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    kept = {name: stages["stages"][name] for name in ("train", "detect", "evaluate")}
    (here / "dvc.yaml").write_text(yaml.safe_dump({"vars": stages["vars"], "stages": kept}), encoding="utf-8")
    path = here / "configs/params.yaml"
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(described | {"corpora": ["tiny"]}), encoding="utf-8")
    (here / ".gitignore").write_text("/results/\n/corpus/\n/data/tiny/frames/\n__pycache__/\n", encoding="utf-8")
    (here / "configs/weights").mkdir(exist_ok=True)  # a dependency of `train`
    type_in(here, "git", "init", "--quiet")
    dvc(here, "init", "--quiet")
    dvc(here, "repro", "--quiet")
    type_in(here, "git", "add", "--all")
    type_in(here, "git", "commit", "--quiet", "--message", "seed 0")
    for name, change in (("one", "seed=1"), ("two", "seed=2"), ("coupled", "head=coupled")):
        dvc(here, "exp", "run", "--quiet", "--name", name, "--set-param", f"configs/params.yaml:train.{change}")
    return here


@pytest.mark.whole_line
def test_experiments_and_revisions_are_compared_and_seeds_of_one_setting_are_one(experiments: Path) -> None:
    def facespan(*words: str) -> dict[str, Any]:
        told = type_in(experiments, sys.executable, "-m", "stages.commands.app", "compare", *words, "--json")
        return dict(json.loads(told))

    told = facespan("HEAD", "one", "two", "coupled")
    assert told["corpus"] == "tiny"
    [comparison] = told["comparisons"]
    assert (comparison["a"], comparison["b"]) == (["HEAD", "one", "two"], ["coupled"])
    assert len(comparison["differences"]["spotting"]["f1"]["a"]) == 3
    metrics = json.loads((experiments / "results/tiny/metrics.json").read_text("utf-8"))  # of the last one
    assert comparison["differences"]["spotting"]["map"]["b"] == pytest.approx([metrics["spotting"]["map"]])
    assert comparison["differences"]["spotting"]["f1"]["b"] == pytest.approx([metrics["spotting"]["f1"]])
    # Where nothing else would be left, two seeds are compared; what lies in the workspace is the last experiment.
    assert [row["b"] for row in facespan("HEAD", "one")["comparisons"]] == [["one"]]
    [same] = facespan("coupled", "workspace")["comparisons"]
    assert same["differences"]["detection"]["map"]["p_value"] == 1.0


def test_what_is_no_run_is_said(experiments: Path) -> None:
    words = (sys.executable, "-m", "stages.commands.app", "compare")
    told = subprocess.run((*words, "HEAD", "none"), cwd=experiments, env=ENVIRONMENT, capture_output=True, text=True)
    assert told.returncode == ExitCode.INPUT
    assert "none is no folder of results, and no revision or experiment" in told.stderr
    told = subprocess.run(
        (*words, "HEAD", "one", "--corpus", "demo"), cwd=experiments, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert told.returncode == ExitCode.INPUT
    assert "results/demo/detections.parquet of HEAD cannot be read" in told.stderr
    assert told.stderr.count("\n") == 1
