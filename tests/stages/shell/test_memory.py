"""Memory that several processes see is one memory, and nothing of it is left when they are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stages.shell import memory

ROOT = Path(__file__).resolve().parents[3]
DEADLINE_SECONDS = 120
# Each task adds its number where the others see it; the last one waits for ever when it is told to.
SCRIPT = """
import sys, time
import numpy as np
from stages.shell import memory, workers

def add(task, advance, shared):
    shared.array[task] += task
    while task == 4 and "wait" in sys.argv:
        time.sleep(0.05)

if __name__ == "__main__":
    shared = memory.SharedArray.of(np.full(5, 10, np.int64))
    print("begun", flush=True)
    workers.run(add, [1, 2, 3, 4], 2, print, (shared,))
    print(shared.array.tolist())
"""


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "script.py", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def holders(session: int) -> list[str]:
    """Return the processes of a session that see memory of ours."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            told = (entry / "stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
            maps = (entry / "maps").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it ended, or is somebody else's
        if int(told[3]) == session and "memfd:facespan" in maps:
            found.append(entry.name)
    return found


def test_processes_write_where_the_one_that_started_them_reads(tmp_path: Path) -> None:
    told = start(tmp_path).communicate(timeout=DEADLINE_SECONDS)[0]
    assert told.splitlines()[-1] == "[10, 11, 12, 13, 14]"


def test_nothing_is_left_in_memory_after_a_kill(tmp_path: Path) -> None:
    named = set(os.listdir("/dev/shm"))  # noqa: PTH208
    process = start(tmp_path, "wait")
    patience = time.monotonic() + DEADLINE_SECONDS
    while len(holders(process.pid)) < 3 and time.monotonic() < patience:
        time.sleep(0.02)
    assert len(holders(process.pid)) == 3
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    while holders(process.pid) and time.monotonic() < patience:
        time.sleep(0.02)
    assert not holders(process.pid)
    assert set(os.listdir("/dev/shm")) <= named  # noqa: PTH208


def test_an_array_of_nothing_can_be_shared() -> None:
    assert memory.SharedArray.of(np.empty((0, 3), np.float32)).array.shape == (0, 3)


def test_a_container_has_no_more_memory_than_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    8000 kB\n", encoding="ascii")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    assert memory.available_bytes() == 8000 * 1024
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    (tmp_path / "memory.current").write_text("5000000\n", encoding="ascii")
    (tmp_path / "memory.stat").write_text("anon 4000000\ninactive_file 1000000\n", encoding="ascii")
    assert memory.available_bytes() == 8000 * 1024
    (tmp_path / "memory.max").write_text("6000000\n", encoding="ascii")
    assert memory.available_bytes() == 2_000_000  # 6 MB less the 4 MB that could not be given up
