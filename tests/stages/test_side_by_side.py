"""Processes at work on one folder of shards: each video is made once, all of them end well, the bytes are the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cache.shards import manifest
from cache.sharing import integrity
from cache.sharing.integrity import Beside
from stages.shell.command import ExitCode

pytestmark = pytest.mark.whole_line

Run = Callable[..., Any]
Begin = Callable[..., Path]
Words = Callable[[str], list[str]]
Start = Callable[..., "subprocess.Popen[str]"]
ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 300
BEFORE = {"align": "index", "extract": "align"}
FOLDERS = {"align": Path("data/frames"), "extract": Path("data/features")}
# Holds a process where it forces ann_1's shard to the disk, or after the renaming, its folder, until it is let go.
GATE = """
import os, pathlib, time
gate, place = os.environ.get("GATE"), os.environ.get("GATE_PLACE")
fsync = os.fsync
def held(descriptor):
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    here = ".ann_1.h5." in path if place == "shard" else os.path.exists(path + "/ann_1.h5")
    if gate and here and not os.path.exists(gate + "/arrived"):
        pathlib.Path(gate, "arrived").touch()
        while not os.path.exists(gate + "/go"):
            time.sleep(0.01)
    fsync(descriptor)
os.fsync = held
"""


@pytest.fixture
def start(tmp_path: Path, words: Words) -> Iterator[Start]:
    """Return a function that starts a stage as DVC does, held at a place where one is given."""
    (tmp_path / "sitecustomize.py").write_text(GATE, encoding="utf-8")
    (tmp_path / "gate").mkdir()
    started = []

    def begin(name: str, place: str | None = None) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}", "OMP_NUM_THREADS": "1"}
        environment |= {"GATE": str(tmp_path / "gate"), "GATE_PLACE": place} if place else {}
        command = [sys.executable, "-m", f"stages.{name}", *words(name)]
        process = subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], bool], *alive: subprocess.Popen[str]) -> None:
    """Wait until something is so, while processes live."""
    patience = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < patience
        for process in alive:
            assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def end(process: subprocess.Popen[str]) -> str:
    """Wait for a process that is to end well; return what it printed."""
    out, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == ExitCode.DONE, err
    return out


def contents(here: Path) -> dict[str, bytes]:
    """Return every file of the project folder."""
    return {str(path.relative_to(here)): path.read_bytes() for path in sorted(here.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("place", ["shard", "folder"])
@pytest.mark.parametrize("name", BEFORE)
def test_two_processes_share_the_work_and_wait_for_each_other(
    begin: Begin, advanced: Callable[[str], Path], start: Start, tmp_path: Path, name: str, place: str
) -> None:
    here, folder = begin(BEFORE[name]), FOLDERS[name]
    first = start(name, place)
    wait_until((tmp_path / "gate/arrived").exists, first)
    second = start(name)
    wait_until(lambda: (folder / "cem_1.h5").exists(), first, second)
    wait_until(lambda: {"ben_1", "cem_1"} <= set(manifest.read(folder).shards), first, second)
    (tmp_path / "gate/go").touch()
    assert "3 videos, 450 frames, " in (out := end(first))
    assert "(1 new, 2 kept)" in out
    assert "3 videos, 450 frames, " in (out := end(second))
    assert "(2 new, 1 kept)" in out
    assert contents(here) == contents(advanced(name))


@pytest.mark.parametrize("name", BEFORE)
def test_what_a_killed_process_was_at_is_done_by_the_one_that_waits(
    begin: Begin, advanced: Callable[[str], Path], start: Start, tmp_path: Path, name: str
) -> None:
    here, folder = begin(BEFORE[name]), FOLDERS[name]
    first = start(name, "shard")
    wait_until((tmp_path / "gate/arrived").exists, first)
    second = start(name)
    wait_until(lambda: (folder / "cem_1.h5").exists(), first, second)
    first.kill()
    assert "(3 new, 0 kept)" in end(second)
    # The temporary of the killed one is swept when the next run begins.
    assert "(0 new, 3 kept)" in end(start(name))
    assert contents(here) == contents(advanced(name))


@pytest.mark.parametrize("place", ["shard", "folder"])
@pytest.mark.parametrize("name", BEFORE)
def test_a_run_killed_at_its_first_shard_is_gone_on_with(
    begin: Begin, stage: Run, advanced: Callable[[str], Path], start: Start, tmp_path: Path, name: str, place: str
) -> None:
    here = begin(BEFORE[name])
    process = start(name, place)
    wait_until((tmp_path / "gate/arrived").exists, process)
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL
    told = stage(name)
    assert told.code == ExitCode.DONE, told.err
    assert "(3 new, 0 kept)" in told.out
    assert contents(here) == contents(advanced(name))


@pytest.mark.parametrize("name", BEFORE)
def test_processes_started_one_after_the_other_all_end_well(
    begin: Begin, advanced: Callable[[str], Path], start: Start, name: str
) -> None:
    here = begin(BEFORE[name])
    processes = []
    for seconds in (0.0, 0.15, 0.4):
        time.sleep(seconds)
        processes.append(start(name))
    new = [int(end(process).split("(")[1].split(" new")[0]) for process in processes]
    assert sum(new) == 3
    assert contents(here) == contents(advanced(name))
    assert integrity.verify(FOLDERS[name], Beside(), lambda _: None) == []
