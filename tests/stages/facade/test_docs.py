"""docs/python.md and docs/facespan.ipynb: every line of code in them runs, in a project as they describe it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.stages.facade.conftest import ROOT, Ask

NOTEBOOK = json.loads((ROOT / "docs/facespan.ipynb").read_text(encoding="utf-8"))
CELLS: list[dict[str, Any]] = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/python.md").read_text(encoding="utf-8"), re.M | re.S)
# The demo takes minutes; the tests have a corpus of one video each of ann, ben and cem.
HERE = {"data/demo/corpus/videos/p01_1": "corpus/videos/ann_1", "results/demo": "results/tiny"}
HERE |= {'"demo"': '"tiny"', ', features["p01_2"]': "", '"p01_1"': '"ann_1"', '"p01"': '"ann"'}


def adapted(parts: list[str]) -> str:
    """Return code in one program, of the corpus that is here."""
    program = "\n".join(parts)
    for name, here in HERE.items():
        program = program.replace(name, here)
    return program


def test_every_cell_of_the_notebook_runs_and_shows_what_it_is_there_for(ask: Ask) -> None:
    cells = [adapted(["".join(cell["source"])]) for cell in CELLS]
    lines = ask(f"""
        import ast
        for cell in {cells}:
            *first, last = ast.parse(cell).body
            exec(compile(ast.Module(first, []), "cell", "exec"))
            if isinstance(last, ast.Expr):
                last.value = ast.Call(ast.Name("print", ast.Load()), [last.value], [])
            exec(compile(ast.fix_missing_locations(ast.Module([last], [])), "cell", "exec"))
    """).splitlines()
    assert "<features of tiny: 3 videos of 3 subjects>" in lines
    assert lines[-3] == "True"
    assert lines[-2].startswith("results/tiny/detectors/all.safetensors learned from ann of tiny: ")
    assert lines[-1].startswith("{'one_to_one': ")


@pytest.mark.whole_line
def test_every_block_of_the_page_runs(ask: Ask, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESPAN_CACHE", str(tmp_path / "kept"))
    (project / "before").mkdir()
    for name in ("detections.parquet", "figures.json", "found.csv"):
        shutil.copy(project / "results/tiny" / name, project / "before")
    assert len(BLOCKS) == 5
    assert ask(adapted([*BLOCKS, "print(table.num_rows)"])) == "7\n"


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: str(cell["execution_count"]))
def test_the_notebook_is_committed_as_it_ran(cell: dict[str, Any]) -> None:
    assert cell["execution_count"] == CELLS.index(cell) + 1
    assert not [one for one in cell["outputs"] if one["output_type"] == "error"]
    assert not re.search(r"/(home|tmp|root|Users)/", json.dumps(cell))
