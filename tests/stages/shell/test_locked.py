"""Tables where the corpus is not: kept while only code changed since they were made; else the corpus is needed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.shell.command import ExitCode

TINY, FINGERPRINT = Path("configs/corpora/tiny.yaml"), Path("configs/fingerprints/tiny.json")
TABLES = [Path("data/tiny") / name for name in ("videos.parquet", "expressions.parquet", "audit.csv")]
INDEX = ("index", "tiny", "--output", "data/tiny", "--fingerprint", str(FINGERPRINT))


def locked(path: Path) -> dict[str, object]:
    content = path.read_bytes()
    return {"path": str(path), "hash": "md5", "md5": hashlib.md5(content).hexdigest(), "size": len(content)}


@pytest.fixture
def colleague(begin: Callable[[], Path], facespan: Callable[..., Any]) -> None:
    """Make a checkout with tables that DVC knows, and without their corpus."""
    begin()
    Path("configs/places.yaml").write_text("tiny: corpus\n", encoding="utf-8")
    assert facespan("fingerprint", "tiny", "--output", str(FINGERPRINT)).code == ExitCode.DONE
    assert facespan(*INDEX).code == ExitCode.DONE
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    stage = {
        "deps": [locked(FINGERPRINT), {"path": "stages/index.py", "hash": "md5", "md5": "0" * 32, "size": 1}],
        "params": {str(TINY): {name: described[name] for name in ("classes", "facts", "reader")}},
        "outs": [locked(path) for path in TABLES],
    }
    text = yaml.safe_dump({"schema": "2.0", "stages": {"index@tiny": stage}})
    Path("dvc.lock").write_text(text, encoding="utf-8")
    shutil.rmtree("corpus")


@pytest.mark.usefixtures("colleague")
def test_tables_are_kept_where_only_code_changed(facespan: Callable[..., Any]) -> None:
    before = [path.read_bytes() for path in TABLES]
    told = facespan(*INDEX)
    assert told.code == ExitCode.DONE, told.err
    assert "the tables in data/tiny are those of this corpus and are kept" in told.out
    assert [path.read_bytes() for path in TABLES] == before


@pytest.mark.usefixtures("colleague")
@pytest.mark.parametrize("what", ["a table", "the fingerprint", "no table", "classes", "no lock", "a broken lock"])
def test_whatever_else_changed_needs_the_corpus(facespan: Callable[..., Any], what: str) -> None:
    if what in ("a table", "the fingerprint"):
        path = TABLES[1] if what == "a table" else FINGERPRINT
        path.write_bytes(path.read_bytes() + b" ")
    elif what == "no table":
        TABLES[0].unlink()
    elif what == "classes":
        described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
        described["classes"].append("contempt")
        TINY.write_text(yaml.safe_dump(described), encoding="utf-8")
    elif what == "no lock":
        Path("dvc.lock").unlink()
    else:
        Path("dvc.lock").write_text("stages: [", encoding="utf-8")
    told = facespan(*INDEX)
    assert told.code == ExitCode.INPUT
    assert "corpus, the folder of the corpus tiny, does not exist" in told.err
