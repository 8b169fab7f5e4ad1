"""What names, keys and values of others hold of control codes never reaches the terminal, typed at the commands."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cache.shards import manifest
from cache.shards.manifest import Manifest
from stages.shell import console
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
VIDEOS, FEATURES = Path("corpus/videos"), Path("data/features")
# Clears the screen, names the window, and begins a line of its own.
CODES = "\x1b[2J\x1b]0;mine\x07\nerror: all is well\r"


def is_clean(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n")) and "\nerror: all is well" not in text


@pytest.mark.parametrize("name", [f"ben{CODES}1.avi", "ben\udce91.avi", "ben\u202e1.avi"])
def test_the_name_of_a_file_is_printed_without_its_codes(begin: Begin, stage: Run, name: str) -> None:
    begin()
    shutil.copy(VIDEOS / "ann_1.avi", VIDEOS / name)
    told = stage("index")
    assert told.code == ExitCode.INPUT
    assert "ben?" in told.err
    assert is_clean(told.err)


def test_a_key_and_the_facts_of_a_manifest_are_printed_without_their_codes(
    begin: Begin, stage: Run, facespan: Run
) -> None:
    begin("extract")
    held = manifest.read(FEATURES)
    shards = {**held.shards, "ann_1": replace(held.shards["ann_1"], key=f"key{CODES}")}
    manifest.write(FEATURES, Manifest(held.kind, shards, {**held.run, "corpus": f"tiny{CODES}", CODES: CODES}))
    told = stage("train")
    assert told.code == ExitCode.SHARD
    assert "key?[2J" in told.err
    assert is_clean(told.err)
    for words in (("info",), ("info", "--videos"), ("ls",), ("verify",), ("diff", str(FEATURES))):
        told = facespan("cache", *words, str(FEATURES))
        assert is_clean(told.out + told.err), words


def test_lines_that_are_meant_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("two problems\n  one\n  another\nerror: forged")
    assert capsys.readouterr().err == "two problems\n  one\n  another?error: forged\n"
    console.say("write:\noverrides:\n  align: {}", has_lines=True)
    assert capsys.readouterr().err == "write:\noverrides:\n  align: {}\n"
    console.result("a table\nof ä\x1b[31m rows")
    assert capsys.readouterr().out == "a table\nof ä?[31m rows\n"
