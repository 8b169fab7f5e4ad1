"""Ctrl-C and SIGKILL in the middle of each stage: a rerun completes, keeps what was finished, leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from stages.shell.command import INTERRUPTED, ExitCode

pytestmark = pytest.mark.whole_line

ROOT = Path(__file__).resolve().parents[2]
# A disk that holds on to a file, half on its way, once another is finished, and says so: the test may be late,
# and no Ctrl-C comes during a weak reference's callback, where Python itself prints and loses it.
SLOW_DISK = """
import glob, os, time
here, pattern = os.environ.get("FACESPAN_TEST_OF_INTERRUPTIONS"), os.environ.get("FACESPAN_TEST_PATTERN")
beside = os.path.dirname(__file__)
fsync = os.fsync
def slow(descriptor):
    is_file = os.readlink(f"/proc/self/fd/{descriptor}").endswith(".tmp")
    if is_file and (not pattern or glob.glob(os.path.join(here, pattern))):
        open(os.path.join(beside, f"{os.getpid()}.syncing"), "w").close()
        while os.path.exists(os.path.join(beside, "held")):
            time.sleep(0.01)
    fsync(descriptor)
os.fsync = slow
"""
MARK = "FACESPAN_TEST_OF_INTERRUPTIONS"
DEMO = ["--output", "corpus"]


class Work(NamedTuple):
    """After which stage this one comes, and where it leaves what is finished; empty: its only file is the last."""

    before: str
    finished: str

    def done(self, here: Path) -> dict[Path, int]:
        """Return what is finished, and when it was."""
        return {path: path.stat().st_mtime_ns for path in here.glob(self.finished)} if self.finished else {}


WORKS = {
    "demo": Work("", "corpus/records/*.json"),
    "index": Work("", "data/videos.parquet"),
    "align": Work("index", "data/frames/*.h5"),
    "extract": Work("align", "data/features/*.h5"),
    "train": Work("extract", "results/detectors/*.safetensors"),
    "detect": Work("train", ""),
    "evaluate": Work("detect", "results/plots/*.csv"),
}
# Stages that keep what is finished when they run again; the others take seconds and begin anew.
KEEPING = ("demo", "align", "extract", "train")
SEVERAL = ["--processes", "2"]


def start(name: str, words: list[str], here: Path) -> subprocess.Popen[str]:
    """Start a stage as DVC does, and the demo as `facespan` does, on a disk that holds on to a file."""
    (here.parent / "sitecustomize.py").write_text(SLOW_DISK, encoding="utf-8")
    for note in here.parent.glob("*.syncing"):
        note.unlink()
    (here.parent / "held").touch()
    environment = os.environ | {"PYTHONPATH": f"{here.parent}:{ROOT}", MARK: str(here), "OMP_NUM_THREADS": "1"}
    environment |= {"FACESPAN_TEST_PATTERN": WORKS[name].finished}
    module = ["stages.commands.app", name] if name == "demo" else [f"stages.{name}"]
    command = [sys.executable, "-m", *module, *words]
    return subprocess.Popen(
        command,
        cwd=here,
        env=environment,
        text=True,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=listen_to_ctrl_c,
    )


def listen_to_ctrl_c() -> None:
    """Undo what a shell does to the jobs it puts in the background, and they to their children: ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def temporaries(here: Path) -> list[Path]:
    """Return what is being written, or was left by a killed process."""
    return sorted(here.rglob(".*.tmp"))


def wait_for_work(process: subprocess.Popen[str], here: Path, work: Work) -> None:
    """Wait until something is finished and the disk holds on to something else."""
    while not list(here.parent.glob("*.syncing")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    assert temporaries(here)
    assert work.done(here) or not work.finished


def let_go(here: Path) -> None:
    """Let the disk take what it is given."""
    (here.parent / "held").unlink()


def survivors(here: Path) -> list[int]:
    """Return the processes that descend from a start in this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            told = (entry / "environ").read_bytes()
        except OSError:
            continue  # it ended, or is somebody else's
        if f"{MARK}={here}".encode() in told.split(b"\0"):
            found.append(int(entry.name))
    return found


def contents(here: Path) -> dict[str, bytes]:
    """Return every file of the project folder."""
    return {str(path.relative_to(here)): path.read_bytes() for path in sorted(here.rglob("*")) if path.is_file()}


@pytest.fixture
def small_demo(begin: Callable[[str], Path]) -> Path:
    """Return a folder without a corpus, and with parameters for one of three videos."""
    here = begin("")
    path = here / "configs/params.yaml"
    parameters = yaml.safe_load(path.read_text(encoding="utf-8"))
    parameters["demo"] |= {"subjects": 3, "videos_per_subject": 1}
    parameters["demo"]["recordings"] |= {"duration_seconds": 1.0, "fewest_expressions": 1, "most_expressions": 1}
    parameters["demo"]["recordings"] |= {"median_length": 18.0, "longest": 20, "smallest_gap": 2}
    path.write_text(yaml.safe_dump(parameters), encoding="utf-8")
    for file in sorted((here / "corpus").rglob("*")):
        if file.is_file():
            file.unlink()
    return here


@pytest.mark.parametrize("name", WORKS)
def test_a_stage_survives_ctrl_c_and_then_sigkill(
    name: str,
    request: pytest.FixtureRequest,
    facespan: Callable[..., Any],
    words: Callable[[str], list[str]],
) -> None:
    work = WORKS[name]
    here = request.getfixturevalue("small_demo") if name == "demo" else request.getfixturevalue("begin")(work.before)
    typed = DEMO if name == "demo" else words(name)

    process = start(name, [*typed, *SEVERAL] if name == "demo" else typed, here)
    wait_for_work(process, here, work)
    os.killpg(process.pid, signal.SIGINT)
    let_go(here)
    told = process.communicate()[1]
    assert process.returncode == ExitCode.INTERRUPTED, told
    assert told.splitlines()[-1] == f"error: {INTERRUPTED}"
    assert "Traceback" not in told
    # Processes end at once, and what they were writing stays until the rerun; one alone tidies up.
    assert name == "demo" or not temporaries(here)
    assert not survivors(here)
    finished = work.done(here)

    process = start(name, [*typed, *SEVERAL] if name in ("demo", "train") else typed, here)
    wait_for_work(process, here, work)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert temporaries(here)
    while survivors(here):
        time.sleep(0.01)

    told = facespan(name, *typed)
    assert told.code == ExitCode.DONE, told.err
    assert not temporaries(here)
    if name in KEEPING:
        assert finished
        assert work.done(here).items() >= finished.items()
    assert contents(here) == uninterrupted(name, here, request, facespan)


def uninterrupted(
    name: str, here: Path, request: pytest.FixtureRequest, facespan: Callable[..., Any]
) -> dict[str, bytes]:
    """Return the files as one run leaves them."""
    if name != "demo":
        return contents(request.getfixturevalue("advanced")(name))
    assert facespan("demo", *DEMO, "--force").code == ExitCode.DONE
    return contents(here)


def test_a_process_that_was_killed_is_said_with_what_to_do(small_demo: Path) -> None:
    process = start("demo", [*DEMO, *SEVERAL], small_demo)
    wait_for_work(process, small_demo, WORKS["demo"])
    others = [n for n in survivors(small_demo) if b"spawn_main" in Path(f"/proc/{n}/cmdline").read_bytes()]
    os.kill(others[0], signal.SIGKILL)
    told = process.communicate()[1]
    assert process.returncode == ExitCode.INPUT
    assert told.splitlines()[-1].startswith("error: one of 2 processes was killed, most often because memory ran out. ")
    assert "--processes 1" in told
    assert not survivors(small_demo)
