"""Keys that stand twice and aliases that blow up are refused, in one short line that says where they stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.shell import documents
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
PARAMS, TINY = Path("configs/params.yaml"), Path("configs/corpora/tiny.yaml")
# Each line holds ten of the line before: a billion texts.
BOMB = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n" + "".join(
    f"{here}: &{here} [{', '.join([f'*{before}'] * 10)}]\n" for before, here in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_a_key_that_stands_twice_is_refused_with_both_lines(begin: Begin, stage: Run) -> None:
    begin("index")
    lines = PARAMS.read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines, 1) if line.startswith("  quality:"))
    lines.insert(first, "  quality: 3")
    PARAMS.write_text("\n".join(lines), encoding="utf-8")
    told = stage("align")
    assert told.code == ExitCode.USAGE
    assert told.err == (
        f"error: configs/params.yaml is not valid YAML: line {first + 1}: 'quality' stands here again, after line "
        f"{first}. Remove one of the two\n"
    )


def test_a_section_that_stands_twice_in_a_corpus_file_is_refused(begin: Begin, facespan: Run) -> None:
    begin()
    with TINY.open("a", encoding="utf-8") as file:
        file.write("overrides: {}\n")
    told = facespan("check", "tiny")
    assert told.code == ExitCode.USAGE
    assert "configs/corpora/tiny.yaml is not valid YAML: line" in told.err
    assert "'overrides' stands here again" in told.err


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (PARAMS, BOMB, "line 5: what stands here has more than 200000 characters when its aliases (*) are written out"),
        (TINY, BOMB, "line 5: what stands here has more than 200000 characters when its aliases (*) are written out"),
        (PARAMS, "a: &a [*a]\n", "line 1: what stands here has more than 200000 characters"),
        (PARAMS, f"a: &a {'x' * 9000}\nb: [{'*a, ' * 99}]\n", "line 2: what stands here has more than"),
        (PARAMS, "a: " + "x" * 200_000, "it has more than 200000 characters"),
        (PARAMS, "[" * 5000, "it is nested too deeply"),
        (PARAMS, "align: 2024-13-45", "month must be in 1..12"),
        (PARAMS, "align: [", "line 1: expected the node content"),
    ],
)
def test_what_nobody_writes_is_refused_in_a_line(
    begin: Begin, stage: Run, path: Path, text: str, expected: str
) -> None:
    begin("index")
    path.write_text(text, encoding="utf-8")
    told = stage("align")
    assert told.code == ExitCode.USAGE
    assert told.err.startswith(f"error: {path} is not valid YAML: {expected}")
    assert len(told.err) < 300


def test_a_long_value_is_cut_where_it_is_told(begin: Begin, stage: Run) -> None:
    begin("index")
    PARAMS.write_text(f"align: [{'long, ' * 9000}]", encoding="utf-8")
    told = stage("align")
    assert told.code == ExitCode.USAGE
    assert len(told.err) < 300


def test_a_setting_that_is_no_yaml_is_no_bug(begin: Begin, facespan: Run) -> None:
    begin()
    told = facespan("flops", "-S", "head=[", "--params", str(PARAMS))
    assert told.code == ExitCode.USAGE
    assert told.err.startswith("error: -S head=[: line 1: expected the node content")


def test_aliases_within_reason_and_merged_keys_are_read() -> None:
    assert documents.parse("a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\n") == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1, "y": 3},
    }
    assert documents.parse("") is None
