"""Commands typed in a folder as a person would, each in a process of its own: git, dvc and facespan."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

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


def run(here: Path, *words: str, expected: int | None = 0) -> str:
    """Type words in a folder and return all that was said."""
    told = subprocess.run(
        words, cwd=here, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert expected is None or told.returncode == expected, told.stdout
    return told.stdout


def dvc(here: Path, *words: str, expected: int | None = 0) -> str:
    """Type a `dvc` command."""
    return run(here, sys.executable, "-m", "dvc", *words, expected=expected)


def facespan(here: Path, *words: str, expected: int | None = 0) -> str:
    """Type a `facespan` command, of the code that lies there."""
    return run(here, sys.executable, "-m", "stages.commands.app", *words, expected=expected)


def started(told: str) -> set[str]:
    """Return the stages that DVC ran."""
    return {line.split("'")[1] for line in told.splitlines() if line.startswith("Running stage '")}


def commit(here: Path) -> None:
    """Commit everything."""
    run(here, "git", "add", ".")
    run(here, "git", "commit", "--quiet", "--message", "what is now true")


def change(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a YAML file."""
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(described)
    path.write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")


def queued(here: Path, *words: str) -> str:
    """Queue an experiment, let the queue run, and return what the experiment said."""
    dvc(here, "exp", "run", "--queue", "--name", "queued", *words)
    dvc(here, "queue", "start")
    while "Running" in (told := dvc(here, "queue", "status")) or "Queued" in told:
        time.sleep(1)
    said = dvc(here, "queue", "logs", "queued")
    assert "Success" in told, said
    return said
