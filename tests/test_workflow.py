"""`dvc.yaml` against the code: each stage depends on exactly the modules it imports, so DVC repeats what must be."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages import corpora

ROOT = Path(__file__).resolve().parents[1]
FILES = (ROOT / "dvc.yaml", ROOT / "configs/demo/dvc.yaml")
STAGES: dict[str, Any] = {
    name: stage for file in FILES for name, stage in yaml.safe_load(file.read_text(encoding="utf-8"))["stages"].items()
}


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


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_a_stage_depends_on_is_exactly_its_import_closure(stage: str) -> None:
    words = shlex.split(body(stage)["cmd"])
    module = words[words.index("-m") + 1]
    start = file_of(module)
    assert start is not None
    listed = sorted(dep for dep in body(stage)["deps"] if isinstance(dep, str) and dep.endswith(".py"))
    expected = closure(start)
    assert listed == expected, "write into dvc.yaml:\n" + "\n".join(f"        - {name}" for name in expected)


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
