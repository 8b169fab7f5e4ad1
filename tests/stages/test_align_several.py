"""Several videos aligned at once, in processes: the same bytes as one at a time, and each video fails alone."""

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
import yaml

from cache.shards import manifest
from stages.shell.command import INTERRUPTED, ExitCode

pytestmark = pytest.mark.whole_line

Run = Callable[..., Any]
Begin = Callable[..., Path]
Words = Callable[[str], list[str]]
ROOT = Path(__file__).resolve().parents[2]
TINY = Path("configs/corpora/tiny.yaml")
FRAMES = Path("data/frames")
MARK = "FACESPAN_TEST_OF_ALIGNING_SEVERAL"
# A disk that holds on to the shards of some videos, and says so.
SLOW_DISK = """
import os, re, time
here, beside, fsync = os.environ.get("FACESPAN_TEST_OF_ALIGNING_SEVERAL"), os.path.dirname(__file__), os.fsync
def slow(descriptor):
    found = re.search(r"/[.](\\w+)[.]h5[.]\\w+[.]tmp$", os.readlink(f"/proc/self/fd/{descriptor}"))
    if here and found and os.path.exists(os.path.join(beside, f"hold.{found[1]}")):
        open(os.path.join(beside, f"{found[1]}.{os.getpid()}.held"), "w").close()
        while os.path.exists(os.path.join(beside, f"hold.{found[1]}")):
            time.sleep(0.01)
    fsync(descriptor)
os.fsync = slow
"""


def change(**values: object) -> None:
    """Set overrides of how the tiny corpus is aligned."""
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    described["overrides"]["align"] |= values
    TINY.write_text(yaml.safe_dump(described), encoding="utf-8")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_several_at_once_give_the_bytes_of_one_at_a_time(begin: Begin, aligned_both_ways: Run) -> None:
    begin("index")
    alone, together = aligned_both_ways()
    assert sorted(alone) == ["ann_1.h5", "ben_1.h5", "cem_1.h5", "manifest.json"]
    assert together == alone


def test_what_goes_for_all_videos_is_said_once(begin: Begin, stage: Run, capfd: pytest.CaptureFixture[str]) -> None:
    begin("index")
    change(processes=2)
    told = stage("align")
    heard = told.err + capfd.readouterr().err  # processes print past the one that is listened to
    assert heard.count("aligned or not (accept_unaligned: noise shows no face)") == 1


def test_a_video_that_fails_fails_alone(begin: Begin, stage: Run) -> None:
    begin("index")
    change(processes=2)
    path = Path("corpus/videos/ann_1.avi")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    told = stage("align")
    assert told.code == ExitCode.PARTIAL
    assert "ann_1 failed: videos/ann_1.avi gave" in told.err
    assert sorted(manifest.read(FRAMES).shards) == ["ben_1", "cem_1"]
    assert sorted(contents(FRAMES)) == ["ben_1.h5", "cem_1.h5", "failures.csv", "manifest.json"]
    path.write_bytes(whole)
    assert "(1 new, 2 kept)" in stage("align").out
    assert not (FRAMES / "failures.csv").exists()


def test_a_dry_run_starts_no_process(begin: Begin, stage: Run) -> None:
    begin("index")
    change(processes=2)
    assert "would make 3 of 3 shards" in stage("align", extra=("--dry-run",)).out
    assert not FRAMES.exists()


@pytest.fixture
def start(tmp_path: Path, words: Words) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Return a function that starts to align two videos at once, on a disk that holds on to two of three."""
    (tmp_path / "sitecustomize.py").write_text(SLOW_DISK, encoding="utf-8")
    started = []

    def begin() -> subprocess.Popen[str]:
        for video in ("ben_1", "cem_1"):
            (tmp_path / f"hold.{video}").touch()
        for note in tmp_path.glob("*.held"):
            note.unlink()
        environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}", MARK: str(tmp_path), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "stages.align", *words("align")]
        process = subprocess.Popen(
            command,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def wait_until_two_are_held(process: subprocess.Popen[str], folder: Path) -> None:
    """Wait until two processes are at work on a shard each, and the third shard is finished."""
    while len(list(folder.glob("*.held"))) < 2 or not (FRAMES / "ann_1.h5").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def processes_of(folder: Path) -> list[int]:
    """Return the processes that descend from a start in this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            told = (entry / "environ").read_bytes()
        except OSError:
            continue  # it ended, or is somebody else's
        if f"{MARK}={folder}".encode() in told.split(b"\0"):
            found.append(int(entry.name))
    return found


def leftovers() -> list[str]:
    """Return the locks and temporaries in the folder of frames."""
    return sorted(path.name for path in FRAMES.iterdir() if path.name.startswith(".") and path.name != ".manifest-lock")


def test_ctrl_c_keeps_what_is_finished_and_leaves_nothing_of_the_rest(
    begin: Begin, stage: Run, advanced: Callable[[str], Path], start: Callable[[], Any], tmp_path: Path
) -> None:
    here = begin("index")
    change(processes=2)
    process = start()
    wait_until_two_are_held(process, tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == ExitCode.INTERRUPTED, told
    assert told.splitlines()[-1] == f"error: {INTERRUPTED}"
    assert "Traceback" not in told
    assert not processes_of(tmp_path)
    assert leftovers() == []
    assert list(manifest.read(FRAMES).shards) == ["ann_1"]
    assert "(2 new, 1 kept)" in stage("align").out
    assert contents(here / FRAMES) == contents(advanced("align") / FRAMES)


def test_what_was_finished_before_a_sigkill_is_kept_and_no_process_writes_on(
    begin: Begin, stage: Run, advanced: Callable[[str], Path], start: Callable[[], Any], tmp_path: Path
) -> None:
    here = begin("index")
    change(processes=2)
    process = start()
    wait_until_two_are_held(process, tmp_path)
    process.kill()
    process.communicate()
    while processes_of(tmp_path):
        time.sleep(0.01)
    assert "(2 new, 1 kept)" in stage("align").out
    assert leftovers() == []
    assert contents(here / FRAMES) == contents(advanced("align") / FRAMES)


def test_a_process_that_was_killed_is_said_with_what_to_do_and_what_is_finished_is_kept(
    begin: Begin, stage: Run, start: Callable[[], Any], tmp_path: Path
) -> None:
    begin("index")
    change(processes=2)
    process = start()
    wait_until_two_are_held(process, tmp_path)
    os.kill(int(next(tmp_path.glob("ben_1.*.held")).name.split(".")[1]), signal.SIGKILL)
    told = process.communicate()[1]
    assert process.returncode == ExitCode.INPUT, told
    assert "one of 2 processes was killed, most often because memory ran out. Set align.processes to 1" in told
    assert not processes_of(tmp_path)
    assert leftovers() == []
    assert "(2 new, 1 kept)" in stage("align").out
