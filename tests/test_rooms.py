"""Who may import whom: the table of the house, held by walking every import."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = {
    "pipeline": {"pipeline", "torch", "torchvision", "numpy", "cv2", "scipy"},
    "cache": {"cache", "numpy", "h5py", "cv2", "pyarrow", "dask", "safetensors", "openpyxl", "xlrd"},
    "stages": {"stages", "pipeline", "cache", "typer", "yaml", "rich", "torch", "numpy", "distributed"},
}
NEVER = {"pipeline": {"os", "pathlib", "pickle"}, "cache": {"pickle"}, "stages": {"pickle"}}
SHARED_IN_STAGES = {
    "aligners", "checkpoint_files", "command", "console", "corpora", "devices", "earned", "encoders", "feature_sources",
    "left_out", "memory", "options", "params", "recordings", "shard_folders", "shared_corpus", "stored_detectors",
    "train_parameters", "workers",
}  # fmt: skip
FILES = sorted(path for room in ALLOWED for path in (ROOT / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the full dotted names that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_what_the_table_allows(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    roots = {name.split(".")[0] for name in imported(path)}
    foreign = {name for name in roots if name not in sys.stdlib_module_names} - ALLOWED[room]
    assert not foreign
    assert not roots & NEVER[room]


@pytest.mark.parametrize("path", [p for p in FILES if p.parts[-2] == "stages"], ids=lambda path: path.stem)
def test_a_command_imports_no_other_command(path: Path) -> None:
    if path.stem == "app":
        pytest.skip("the app is the list of commands")
    others = {name.split(".")[1] for name in imported(path) if name.startswith("stages.")}
    assert others <= SHARED_IN_STAGES


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "__init__.py"], ids=lambda path: path.parent.name)
def test_an_init_file_holds_a_docstring_only(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert len(body) == 1
    assert isinstance(body[0], ast.Expr)
