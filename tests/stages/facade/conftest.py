"""A project whose tiny corpus was evaluated, laid out as dvc.yaml has it, and Python in it with `import facespan`."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
Ask = Callable[..., str]


@pytest.fixture
def project(begin: Callable[..., Path]) -> Path:
    """Return the folder of a project, which is the current one."""
    here = begin("evaluate")
    features = here / "data/features"
    features.rename(here / "data/ferplus")
    features.mkdir()
    (here / "data/ferplus").rename(features / "ferplus")
    for name in ("data", "results"):
        (here / name).rename(here / "old")
        (here / name / "tiny").mkdir(parents=True)
        for path in (here / "old").iterdir():
            for file in path.iterdir() if path.name == "tiny" else [path]:
                file.rename(here / name / "tiny" / file.name)
        if (here / "old/tiny").exists():
            (here / "old/tiny").rmdir()
        (here / "old").rmdir()
    return here


@pytest.fixture
def ask(project: Path) -> Ask:
    """Return a function that runs a program in a Python of its own, and gives what it printed."""

    def run(program: str, *ahead: Path, here: Path = project, expected: int = 0) -> str:
        paths = os.pathsep.join(map(str, (*ahead, ROOT)))
        told = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            cwd=here,
            env=os.environ | {"PYTHONPATH": paths, "PYTHONSAFEPATH": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if expected else None,
            text=True,
            check=False,
        )
        assert told.returncode == expected, told.stdout
        return told.stdout

    return run


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Return a folder to stand ahead in the path, with packages of others that are named as parts of ours."""
    for name in ("cache", "pipeline", "stages"):
        (tmp_path / "foreign" / name).mkdir(parents=True)
        (tmp_path / "foreign" / name / "__init__.py").write_text("WHOSE = 'foreign'\n", encoding="utf-8")
    return tmp_path / "foreign"
