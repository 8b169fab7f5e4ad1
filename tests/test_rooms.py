"""Who may import whom: the table of the rooms and the order of their floors, held by walking every import."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = {
    "pipeline": {"pipeline", "torch", "torchvision", "numpy", "cv2"},
    "cache": {"cache", "numpy", "h5py", "cv2", "pyarrow", "safetensors", "openpyxl", "xlrd", "pympi"},
    "stages": {"stages", "pipeline", "cache", "typer", "yaml", "rich", "torch", "numpy", "jinja2", "vl_convert"},
}
# What an extra brings, imported where it is used.
ALLOWED_IN = {
    "pipeline/alignment/networks.py": {"ai_edge_litert"},
    "stages/sharing/project.py": {"dvc"},
    "stages/sharing/remote.py": {"dvc"},
}
# Of tests that skip, with a reason, where these are missing.
TRIED_WHERE_PRESENT = {"boto3", "dvc_s3", "label_studio_sdk", "moto"}
NEVER = {"pipeline": {"os", "pathlib", "pickle"}, "cache": {"pickle"}, "stages": {"pickle"}}
# Of each room, its floors: each may import those before it, and the files that stand in the room itself.
FLOORS = {
    "pipeline": (
        "alignment",
        "encoder",
        "windows",
        "detectors",
        "training",
        "scoring",
        "diagnosis",
        "significance",
        "synthetic",
    ),
    "cache": (
        "tables",
        "media",
        "openface",
        "shards",
        "fingerprints",
        "sharing",
        "corpora",
        "exchange",
        "weights",
        "labelled",
        "analysed",
    ),
    "stages": (
        "shell",
        "parts",
        "aligning",
        "project",
        "sharing",
        "page",
        "results",
        "reporting",
        "analysing",
        "commands",
        "facade",
    ),
}
# What stands before the rooms, and what each may import: `import facespan`, and what installs it.
DOORS = {"facespan.py": {"stages", "numpy", "pyarrow"}, "editable_only.py": {"setuptools"}}
# A floor is left for another when nobody finds their way on it.
MOST_FILES = 12
FILES = sorted(path for room in ALLOWED for path in (ROOT / room).rglob("*.py"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# What is required by another name than it is imported by, or is not imported: commands, a plugin, types.
MODULES = {
    "opencv-python-headless": "cv2",
    "pyyaml": "yaml",
    "ai-edge-litert": "ai_edge_litert",
    "pympi-ling": "pympi",
    "webvtt-py": "webvtt",
    "vl-convert-python": "vl_convert",
}
NOT_IMPORTED = {"mypy", "ruff", "pytest-timeout", "types-PyYAML"}


def imported(path: Path) -> set[str]:
    """Return the full dotted names that a file imports, anywhere in it, by a statement or by name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "importorskip"):
            names |= named(node.args[0], path)
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def named(argument: ast.expr, path: Path) -> set[str]:
    """Return the names of modules given to importlib: a literal, or one looked up among the values of a literal."""
    if isinstance(argument, ast.Constant):
        return {str(argument.value)}
    table = argument.value if isinstance(argument, ast.Subscript) else argument
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == ast.unparse(table):
            names: list[str] = list(ast.literal_eval(node.value).values())
            return set(names)
    raise AssertionError(f"{path}:{argument.lineno}: imports {ast.unparse(argument)}, which nobody can read here")


def packages_of(*paths: Path) -> set[str]:
    """Return the packages of others that files import."""
    roots = {name.split(".")[0] for path in paths for name in imported(path)}
    return {
        name for name in roots if name not in sys.stdlib_module_names and name not in (*ALLOWED, "facespan", "tests")
    }


def required(requirements: list[str]) -> set[str]:
    """Return the modules behind requirements, without what is required but not imported."""
    names = {re.split("[^A-Za-z0-9_-]", requirement)[0] for requirement in requirements}
    return {MODULES.get(name, name) for name in names - NOT_IMPORTED}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_what_the_table_allows(path: Path) -> None:
    place = path.relative_to(ROOT)
    room = place.parts[0]
    roots = {name.split(".")[0] for name in imported(path)}
    foreign = {name for name in roots if name not in sys.stdlib_module_names} - ALLOWED[room]
    assert not foreign - ALLOWED_IN.get(place.as_posix(), set())
    assert not roots & NEVER[room]


@pytest.mark.parametrize("name", DOORS)
def test_what_stands_before_the_rooms_imports_what_the_table_allows(name: str) -> None:
    roots = {found.split(".")[0] for found in imported(ROOT / name)}
    assert {found for found in roots if found not in sys.stdlib_module_names} <= DOORS[name]
    assert {path.name for path in ROOT.glob("*.py")} == set(DOORS)


@pytest.mark.parametrize("room", ALLOWED)
def test_the_table_allows_nothing_that_nobody_imports(room: str) -> None:
    files = [path for path in FILES if path.relative_to(ROOT).parts[0] == room]
    assert ALLOWED[room] - set(ALLOWED) <= packages_of(*files)


def test_what_is_required_is_what_is_imported_extra_by_extra() -> None:
    extras = PROJECT["optional-dependencies"]
    always, added = required(PROJECT["dependencies"]), required(extras["align"]) | required(extras["workflow"])
    assert always | added == packages_of(*FILES)
    assert added == set().union(*ALLOWED_IN.values())
    tests = packages_of(*(ROOT / "tests").rglob("*.py"))
    assert required(extras["develop"]) == tests - always - added - TRIED_WHERE_PRESENT


def test_a_module_that_importlib_is_given_by_name_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "hidden.py"
    path.write_text('import importlib\nimportlib.import_module("dask.array")\n', encoding="utf-8")
    assert imported(path) == {"importlib", "dask.array"}
    path.write_text('from importlib import import_module\nA = {"a": "dask"}\nimport_module(A[b])\n', encoding="utf-8")
    assert imported(path) == {"importlib.import_module", "dask"}
    path.write_text("import importlib\nimportlib.import_module(chosen)\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="imports chosen, which nobody can read here"):
        imported(path)


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
    if path.name != "app.py":
        stages = {f"stages.{stage.stem}" for stage in (ROOT / "stages").glob("*.py")} - {"stages.__init__"}
        assert not {name for name in imported(path) if name in stages or name.rpartition(".")[0] in stages}
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
    place = path.relative_to(ROOT).parts
    in_command = place[0] == "stages" and (len(place) == 2 or place[1] == "commands")
    return in_command and path.name not in ("__init__.py", "app.py")


@pytest.mark.parametrize("path", [path for path in FILES if is_command(path)], ids=lambda path: path.stem)
def test_a_command_imports_no_other_command(path: Path) -> None:
    others = {name for name in imported(path) if name.startswith("stages.")}
    assert {name.split(".")[1] for name in others} <= {
        "shell",
        "parts",
        "aligning",
        "project",
        "sharing",
        "results",
        "reporting",
        "analysing",
    }


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "__init__.py"], ids=lambda path: path.parent.name)
def test_an_init_file_holds_a_docstring_only(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert len(body) == 1
    assert isinstance(body[0], ast.Expr)
