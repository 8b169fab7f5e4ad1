"""Who may import whom: the table of the rooms and the order of their floors, held by walking every import."""

from __future__ import annotations

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = {
    "pipeline": {"pipeline", "torch", "torchvision", "numpy", "cv2", "scipy"},
    "cache": {"cache", "numpy", "h5py", "cv2", "pyarrow", "dask", "safetensors", "openpyxl", "xlrd"},
    "stages": {"stages", "pipeline", "cache", "typer", "yaml", "rich", "torch", "numpy", "distributed"},
}
NEVER = {"pipeline": {"os", "pathlib", "pickle"}, "cache": {"pickle"}, "stages": {"pickle"}}
# Of each room, its floors: each may import those before it, and the files that stand in the room itself.
FLOORS = {
    "pipeline": ("alignment", "encoder", "windows", "detectors", "training", "scoring", "synthetic"),
    "cache": ("tables", "media", "openface", "shards", "fingerprints", "corpora", "weights", "labelled"),
    "stages": ("shell", "parts", "commands"),
}
# A floor is left for another when nobody finds their way on it.
MOST_FILES = 18
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


def floor_of(name: str) -> tuple[str, str] | None:
    """Return the room and the floor of a dotted name of ours; None of another's, or of one in the room itself."""
    room, _, rest = name.partition(".")
    floor = rest.partition(".")[0]
    return (room, floor) if floor in FLOORS.get(room, ()) else None


@pytest.mark.parametrize("room", FLOORS)
def test_every_folder_of_a_room_is_a_floor_of_the_plan(room: str) -> None:
    folders = {path.parent.name for path in (ROOT / room).glob("*/__init__.py")}
    assert folders == set(FLOORS[room])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_between_floors_run_one_way(path: Path) -> None:
    here = floor_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if here is None:
        return
    room, floor = here
    above = set(FLOORS[room][FLOORS[room].index(floor) + 1 :])
    assert not {name for name in imported(path) if (found := floor_of(name)) and found[0] == room and found[1] in above}


@pytest.mark.parametrize("room", FLOORS)
def test_no_circle_of_imports(room: str) -> None:
    files = [path for path in FILES if path.relative_to(ROOT).parts[0] == room]
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in files}
    graph = {
        module: {name for name in (*names, *(name.rpartition(".")[0] for name in names)) if name in modules}
        for module, path in modules.items()
        for names in [imported(path)]
    }
    assert len(tuple(TopologicalSorter(graph).static_order())) == len(modules)  # a CycleError names the circle


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in FILES}), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_floor_is_no_street(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MOST_FILES


def is_command(path: Path) -> bool:
    return path.parent.name in ("stages", "commands") and path.name not in ("__init__.py", "app.py")


@pytest.mark.parametrize("path", [path for path in FILES if is_command(path)], ids=lambda path: path.stem)
def test_a_command_imports_no_other_command(path: Path) -> None:
    others = {name for name in imported(path) if name.startswith("stages.")}
    assert {name.split(".")[1] for name in others} <= {"shell", "parts"}


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "__init__.py"], ids=lambda path: path.parent.name)
def test_an_init_file_holds_a_docstring_only(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert len(body) == 1
    assert isinstance(body[0], ast.Expr)
