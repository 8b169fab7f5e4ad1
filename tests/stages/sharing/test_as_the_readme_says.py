"""The sequence of the README, typed in clones of this project: features made once train elsewhere without videos."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stages.typing_in import change, dvc, facespan, queued, run, started

pytestmark = [pytest.mark.whole_line, pytest.mark.timeout(3600)]

ROOT = Path(__file__).resolve().parents[3]
# The corpus file of docs/corpora.md, but for a network and a method that fit three videos of noise.
MINE = """
reader: table
facts:
  labels: expressions.csv
  folder: .
  source: video
  first_frame: 0
  frame_rate: null
  emotions: [happiness, anger]
  allow_truncated: false
classes: [happiness, anger]
overrides:
  align: {accept_unaligned: noise shows no face}
  extract: {}
  train: {width: 16, head_width: 16, window_attention_width: 16, block_widths: [16, 16], attention_heads: 2,
    neck_widths: [16, 16, 16, 16]}
  detect: {}
  evaluate: {guess_repetitions: 5, bootstrap_repetitions: 20}
  report: {}
"""
LATER = {"train@mine", "detect@mine", "evaluate@mine", "report@mine"}
ALWAYS = {"check@mine", "fingerprint@mine"}  # which read parameters, and the corpus where it is
SHARED = ("data/mine/*.parquet", "data/mine/audit.csv", "data/mine/features/*/[!.]*")


def shared(here: Path) -> dict[str, bytes]:
    """Return the files that are shared, by their paths."""
    return {str(path.relative_to(here)): path.read_bytes() for glob in SHARED for path in here.glob(glob)}


def push_and_commit(here: Path) -> None:
    """Type what the README says at home, and what `push` then says; git and the remote hold all afterwards."""
    told = facespan(here, "cache", "push", "mine")
    said = next(line for line in told.splitlines() if line.startswith("push: colleagues need these through git: "))
    typed = said.split(": ", 2)[2]
    run(here, "bash", "-c", f"{typed} --quiet --message features")
    assert run(here, "git", "status", "--short") == ""


@pytest.fixture
def home(pristine: Path, tmp_path: Path) -> Path:
    """Return a clone of this project as it lies here, beside a corpus, with a folder as its remote."""
    here, corpus = tmp_path / "home", tmp_path / "footage"
    run(tmp_path, "git", "clone", "--quiet", str(ROOT), str(here))
    for name in ("cache", "pipeline", "stages"):
        shutil.rmtree(here / name)
        shutil.copytree(ROOT / name, here / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", here)
    shutil.copytree(pristine / "corpus", corpus)
    (here / "configs/corpora/mine.yaml").write_text(MINE, encoding="utf-8")

    def listed(described: dict[str, Any]) -> None:
        described["corpora"] = ["mine"]
        described["train"]["epochs"] = 1

    change(here / "configs/params.yaml", listed)
    run(here, "git", "add", ".")
    run(here, "git", "commit", "--quiet", "--message", "a corpus of our own")
    facespan(here, "place", "mine", str(corpus))
    dvc(here, "remote", "add", "--default", "team", str(tmp_path / "share"))
    return here


def test_features_made_once_train_elsewhere_without_videos_by_the_commands_of_the_readme(
    home: Path, tmp_path: Path, add_video: Callable[..., None]
) -> None:
    dvc(home, "repro")
    push_and_commit(home)

    elsewhere = tmp_path / "else where" / "clone"
    run(tmp_path, "git", "clone", "--quiet", str(home), str(elsewhere))
    (tmp_path / "mount").mkdir()  # of a disk that is not connected
    facespan(elsewhere, "place", "mine", str(tmp_path / "mount"))
    assert "8 files placed" in facespan(elsewhere, "cache", "pull", "mine")
    before = shared(elsewhere)
    assert before == shared(home)
    told = dvc(elsewhere, "repro")
    assert started(told) - ALWAYS == LATER, told
    assert run(elsewhere, "git", "status", "--short") == ""

    told = dvc(elsewhere, "exp", "run", "-S", "configs/params.yaml:train.epochs=2")
    assert started(told) - ALWAYS == LATER, told
    told = queued(elsewhere, "-S", "configs/params.yaml:train.epochs=3")
    assert started(told) - ALWAYS == LATER, told
    assert shared(elsewhere) == before

    add_video(tmp_path / "footage/videos/dan_1.avi", 150, seed=3)
    with (tmp_path / "footage/expressions.csv").open("a", encoding="utf-8") as file:
        file.write("dan,dan_1,20,,49,happiness\n")
    told = dvc(home, "repro")
    assert "(1 new, 3 kept)" in told
    push_and_commit(home)
    run(elsewhere, "git", "restore", "dvc.lock", "configs")
    run(elsewhere, "git", "pull", "--quiet")
    assert "was removed" not in facespan(elsewhere, "cache", "pull", "mine")
    assert shared(elsewhere) == shared(home)
    assert shared(elsewhere).keys() > before.keys()
    told = dvc(elsewhere, "repro")
    assert started(told) - ALWAYS == LATER, told
    assert "(4 new, " in told or "(5 new, " in told, told
    assert shared(elsewhere) == shared(home)
    known = yaml.safe_load((elsewhere / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    assert {name.partition("@")[2] for name in known} == {"mine"}
