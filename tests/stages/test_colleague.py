"""A team on one repository: who holds the videos works as ever, who holds none trains on features, by plain `dvc`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": "",
    "DVC_NO_ANALYTICS": "1",
    "OMP_NUM_THREADS": "1",
    "GIT_AUTHOR_NAME": "ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
}
SHARED = ("index@tiny", "extract@tiny")
FINGERPRINT, STATED = Path("configs/fingerprints/tiny.json"), Path("configs/frames/tiny.json")
ALL = {
    f"{stage}@tiny" for stage in ("check", "fingerprint", "index", "align", "extract", "train", "detect", "evaluate")
}
LATER = {f"{stage}@tiny" for stage in ("train", "detect", "evaluate")}


def run(here: Path, *words: str, expected: int | None = 0) -> str:
    """Type words in a folder and return all that was said."""
    told = subprocess.run(
        words, cwd=here, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert expected is None or told.returncode == expected, told.stdout
    return told.stdout


def dvc(here: Path, *words: str, expected: int | None = 0) -> str:
    return run(here, sys.executable, "-m", "dvc", *words, expected=expected)


def started(told: str) -> set[str]:
    """Return the stages that DVC ran."""
    return {line.split("'")[1] for line in told.splitlines() if line.startswith("Running stage '")}


def commit(here: Path) -> None:
    run(here, "git", "add", ".")
    run(here, "git", "commit", "--quiet", "--message", "what is now true")


def change(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a YAML file."""
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(described)
    path.write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")


@pytest.fixture
def project(begin: Callable[[], Path]) -> Path:
    """Return a repository of the whole line with a tiny corpus, which lies beside it, and a remote."""
    here = begin()
    (here / "corpus").rename(here.parent / "disk")
    for name in ("cache", "pipeline", "stages"):
        shutil.copytree(ROOT / name, here / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, here)
    (here / "configs/weights").mkdir()
    (here / "configs/weights/note.txt").write_text("git keeps no empty folder\n", encoding="utf-8")

    def list_tiny(described: dict[str, Any]) -> None:
        described["corpora"] = ["tiny"]
        described["extract"]["weights"] = "random"

    def fit(described: dict[str, Any]) -> None:
        described["overrides"]["extract"] = {"random_image_size": 32}

    change(here / "configs/params.yaml", list_tiny)
    change(here / "configs/corpora/tiny.yaml", fit)
    run(here, "git", "init", "--quiet")
    dvc(here, "init", "--quiet")
    dvc(here, "remote", "add", "--quiet", "--default", "share", str(here.parent / "share"))
    run(here, sys.executable, "-m", "stages.commands.app", "place", "tiny", "../disk")
    return here


@pytest.fixture
def home(project: Path) -> Path:
    """Return it after everything ran, committed."""
    assert started(dvc(project, "repro")) == ALL
    commit(project)
    return project


@pytest.fixture
def colleague(home: Path) -> Path:
    """Return a clone that has neither corpus nor frames, with tables and features fetched."""
    dvc(home, "push", "--quiet", *SHARED)
    clone = home.parent / "clone"
    run(home.parent, "git", "clone", "--quiet", str(home), str(clone))
    dvc(clone, "pull", "--quiet", *SHARED)
    return clone


def pulled(here: Path) -> dict[str, bytes]:
    """Return the files that came from the remote."""
    places = [*(here / "data/tiny").glob("*.parquet"), *(here / "data/tiny/features/random").iterdir()]
    return {str(path): path.read_bytes() for path in places if path.is_file()}


@pytest.mark.timeout(3600)
def test_a_colleague_without_videos_or_frames_trains_by_plain_commands(colleague: Path) -> None:
    before = pulled(colleague)
    assert len(before) == 2 + 3 + 1
    tracked = FINGERPRINT, STATED
    texts = [(colleague / path).read_text(encoding="utf-8") for path in tracked]

    told = dvc(colleague, "repro")
    assert started(told) == {"check@tiny", "fingerprint@tiny", *LATER}, told
    assert "data/tiny/corpus, the folder of the corpus tiny, does not exist" in told
    assert started(dvc(colleague, "repro")) == {"fingerprint@tiny"}

    told = dvc(colleague, "exp", "run", "-S", "configs/corpora/tiny.yaml:overrides.train.epochs=3")
    assert started(told) == {"check@tiny", "fingerprint@tiny", *LATER}, told
    run(colleague, "git", "checkout", "--quiet", "--", ".")

    dvc(
        colleague,
        "exp",
        "run",
        "--queue",
        "--name",
        "queued",
        "-S",
        "configs/corpora/tiny.yaml:overrides.train.epochs=4",
    )
    dvc(colleague, "queue", "start")
    told = wait_for_queue(colleague)
    assert "Success" in told, dvc(colleague, "queue", "logs", "queued", expected=None)
    told = dvc(colleague, "queue", "logs", "queued")
    assert started(told) == {"check@tiny", "fingerprint@tiny", *LATER}, told

    assert pulled(colleague) == before
    assert [(colleague / path).read_text(encoding="utf-8") for path in tracked] == texts
    assert not (colleague / "data/tiny/frames").exists()


def wait_for_queue(here: Path) -> str:
    """Return the state of the queue once nothing in it waits or runs."""
    while "Running" in (told := dvc(here, "queue", "status")) or "Queued" in told:
        pass
    return told
