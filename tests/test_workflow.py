"""`dvc.yaml` against the code: each stage depends on the floors and files it imports, so DVC repeats what must be."""

from __future__ import annotations

import ast
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.shell import corpora

ROOT = Path(__file__).resolve().parents[1]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def file_of(module: str) -> Path | None:
    path = ROOT / (module.replace(".", "/") + ".py")
    return path if path.is_file() else None


def imports_of(path: Path) -> set[Path]:
    """Return the project's own files that a file imports."""
    found: set[Path | None] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {file_of(alias.name) for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {file_of(node.module)} | {file_of(f"{node.module}.{alias.name}") for alias in node.names}
    return {path for path in found if path is not None}


def closure(start: Path) -> list[str]:
    """Return every file of ours that running `start` can load, itself included, as DVC writes them."""
    seen: set[Path] = set()
    todo = [start]
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo.extend(imports_of(path))
    return sorted(path.relative_to(ROOT).as_posix() for path in seen)


def body(stage: str) -> dict[str, Any]:
    described: dict[str, Any] = STAGES[stage]
    inner: dict[str, Any] = described.get("do", described)
    return inner


def floors_and_files(files: list[str]) -> list[str]:
    """Return what covers these files: a floor where it holds two of them or more, the file itself where it is alone."""
    floors = ["/".join(Path(name).parts[:2]) for name in files]
    return sorted({floor if floors.count(floor) > 1 else name for name, floor in zip(files, floors, strict=True)})


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_a_stage_depends_on_is_what_covers_its_imports(stage: str) -> None:
    words = shlex.split(body(stage)["cmd"])
    module = words[words.index("-m") + 1]
    start = file_of(module)
    assert start is not None
    listed = sorted(dep for dep in body(stage)["deps"] if Path(dep).parts[0] in ("pipeline", "cache", "stages"))
    expected = floors_and_files(closure(start))
    assert listed == expected, "write into dvc.yaml:\n" + "\n".join(f"        - {name}" for name in expected)


def test_an_import_changes_no_stage(tmp_path: Path) -> None:
    """Python writes bytecode beside what it imports, in the folders that stages depend on."""
    dvc = [sys.executable, "-m", "dvc"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def run(*words: str) -> str:
        return subprocess.run(
            words, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True, timeout=120
        ).stdout

    shutil.copytree(ROOT / "cache", tmp_path / "cache", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".dvcignore", tmp_path)
    stage = {"cmd": "python -c 0", "deps": ["cache/tables"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"look": stage}}), encoding="utf-8")
    run(*dvc, "init", "--quiet", "--no-scm")
    run(*dvc, "repro", "--quiet")
    run(sys.executable, "-c", "import cache.tables.videos")
    (tmp_path / "cache/tables/.videos.py.swp").touch()  # an editor's
    assert list((tmp_path / "cache/tables/__pycache__").iterdir())
    assert "up to date" in run(*dvc, "status")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_started_as_a_module(stage: str) -> None:
    assert body(stage)["cmd"].startswith("python -m stages.")


def test_the_sections_that_a_corpus_file_states_are_those_that_dvc_follows() -> None:
    followed = {
        name.removeprefix("overrides.")
        for stage in STAGES
        for entry in body(stage).get("params", ())
        for names in (entry.values() if isinstance(entry, dict) else ())
        for name in names
        if name.startswith("overrides.")
    }
    assert followed == set(corpora.SECTIONS)


def test_a_team_can_commit_its_own_lock() -> None:
    ignored = subprocess.run(["git", "check-ignore", "--quiet", "dvc.lock"], cwd=ROOT, check=False).returncode
    assert ignored != 0


def test_what_others_made_persists_and_detectors_do_not() -> None:
    def persisting(stage: str) -> list[str]:
        return [name for out in body(stage)["outs"] if isinstance(out, dict) for name in out if out[name]["persist"]]

    assert persisting("fingerprint") == ["configs/fingerprints/${item}.json"]
    assert persisting("index") == [
        f"data/${{item}}/{name}" for name in ("videos.parquet", "expressions.parquet", "audit.csv")
    ]
    assert persisting("align") == ["configs/frames/${item}.json"]
    assert persisting("extract") == ["data/${item}/features/${extract.weights}"]
    assert persisting("train") == []  # or DVC would not return older ones by itself
