"""How many videos are aligned at once: as asked, else as many as there are cores, work and memory for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cache.shards.aligned import AlignParameters
from cache.tables.videos import Video
from stages.aligning.align_job import AlignJob
from stages.aligning.align_videos import FRAMES_IN_MEMORY, PROCESS_BYTES, count_processes
from stages.shell import memory

FRAME_BYTES = 3 * 640 * 480


def job(videos: int, frames: int, processes: int = 0, method: str = "builtin") -> AlignJob:
    parameters = AlignParameters(method, "largest", 95, None, None, None, "png", processes, None)  # type: ignore[arg-type]
    found = [Video(f"v{n}", "s", f"v{n}.mp4", "video", frames, 30.0, 0, 640, 480, "0" * 64) for n in range(videos)]
    return AlignJob(Path(), parameters, found, Path(), print)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of eight cores and much memory."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(memory, "available_bytes", lambda: 1 << 40)


def test_one_a_core_and_no_more_than_there_are_videos() -> None:
    assert count_processes(job(98, 3000)) == 8
    assert count_processes(job(3, 3000)) == 3


def test_little_work_starts_no_process() -> None:
    assert count_processes(job(3, 150)) == 1
    assert count_processes(job(25, 100)) == 2  # 2500 frames are worth two


def test_no_more_than_memory_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    each = PROCESS_BYTES + FRAMES_IN_MEMORY * FRAME_BYTES
    monkeypatch.setattr(memory, "available_bytes", lambda: 3 * each + each // 2)
    assert count_processes(job(98, 3000)) == 3
    monkeypatch.setattr(memory, "available_bytes", lambda: 0)
    assert count_processes(job(98, 3000)) == 1


def test_as_many_as_asked_for_whatever_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 0)
    assert count_processes(job(98, 10, processes=20)) == 20
    assert count_processes(job(2, 10, processes=20)) == 2


def test_openface_starts_its_own_processes() -> None:
    assert count_processes(job(98, 3000, processes=4, method="openface")) == 1
