"""Disks without room, without room for files, read-only: each stage says so in a line, and the next run completes.

As root a small memory disk is mounted where a stage writes; others have a limit on the size of files.
"""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stages.shell.command import ExitCode
from tests.faults.harness import Project, differences

# Where each stage that makes something writes, and what it has room for until the disk is full.
ROOM = {
    "index": ("data/casme2", "4k"),
    "align": ("data/casme2/frames", "200k"),
    "extract": ("data/casme2/features", "160k"),
    "train": ("results/casme2/detectors", "800k"),
}
FULL = "(No space left on device): the disk is full: free some space and run the same command again."
FAULTS = {
    "no room": ("size={}", FULL),
    "no files": (
        "nr_inodes=3",
        "the disk has room, but for no more files: remove some and run the same command again.",
    ),
    "read-only": ("ro", "(Read-only file system): the file system is read-only: write to another folder."),
}
Mount = Callable[[Path], Callable[[str], None]]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Return a function that mounts a memory disk at a folder, and returns what gives it other properties."""
    mounted = []

    def begin(place: Path) -> Callable[[str], None]:
        place.mkdir(parents=True, exist_ok=True)
        told = subprocess.run(
            ["mount", "-t", "tmpfs", "tmpfs", str(place)], capture_output=True, text=True, check=False
        )
        if told.returncode:
            pytest.skip(f"a memory disk cannot be mounted here: {told.stderr.strip()}")
        mounted.append(place)

        def change(properties: str) -> None:
            subprocess.run(["mount", "-o", f"remount,{properties}", str(place)], check=True)

        return change

    yield begin
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    "stage",
    [pytest.param(name, marks=[pytest.mark.whole_line] if name in ("extract", "train") else []) for name in ROOM],
)
def test_a_disk_that_refuses_is_said_and_the_next_run_completes(
    made: Project, tmp_path: Path, mount: Mount, stage: str, fault: str
) -> None:
    project = made.copy(tmp_path / "project", before=stage)
    folder, room = ROOM[stage]
    change = mount(project.folder / folder)
    properties, expected = FAULTS[fault]
    change(properties.format(room))
    told = project.stage(stage)
    assert told.code == ExitCode.INPUT, told
    assert expected in told.text
    assert "Traceback" not in told.text
    change("rw,size=8m,nr_inodes=1000")
    told = project.stage(stage)
    assert told.code == ExitCode.DONE, told
    assert not differences(project.contents(stage), made.contents(stage))


LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
del sys.argv[:2]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def test_a_file_that_may_not_become_so_large_is_said_and_the_next_run_completes(made: Project, tmp_path: Path) -> None:
    project = made.copy(tmp_path / "project", before="align")
    told = project.run("-c", LIMITED, str(10 * resource.getpagesize()), *project.words("align")[1:])
    assert told.code != ExitCode.DONE, told
    assert "would pass the largest size allowed here (ulimit -f, or the file system): raise that limit" in told.text
    assert "Traceback" not in told.text
    told = project.stage("align")
    assert told.code == ExitCode.DONE, told
    assert not differences(project.contents("align"), made.contents("align"))


@pytest.mark.whole_line
def test_dvc_on_a_disk_without_room_goes_on_when_there_is_some(made: Project, tmp_path: Path, mount: Mount) -> None:
    change = mount(tmp_path / "disk")
    project = made.copy(tmp_path / "disk/project", before="extract")
    used = int(
        subprocess.run(
            ["du", "-sk", str(tmp_path / "disk")], capture_output=True, text=True, check=True
        ).stdout.split()[0]
    )
    change(f"size={used + 300}k")
    told = project.dvc("repro", "extract@casme2")
    assert told.code != 0, told
    change("size=64m")
    told = project.dvc("repro", "extract@casme2")
    assert told.code == 0, told
    assert not differences(project.contents("extract"), made.contents("extract"))
