"""OpenFace run over several videos: so many at once, each in a folder of its own, and none left behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cache.errors import InputError
from cache.openface.runs import Command, Runs, own_workspace

# Says when it begins, waits for the file `go` beside it, says when it ends.
SCRIPT = """#!/bin/sh
here=$(dirname "$0")
echo $$ >> "$here/begun"
while [ ! -e "$here/go" ]; do sleep 0.02; done
echo one line; echo another
exit 7
"""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Return a command that waits until it is let go."""
    path = tmp_path / "bin" / "FeatureExtraction"
    path.parent.mkdir()
    path.write_text(SCRIPT, encoding="ascii")
    path.chmod(0o755)
    return Command(path, "png", None)


def begun(command: Command) -> list[int]:
    path = command.path.with_name("begun")
    return [int(line) for line in path.read_text("ascii").split()] if path.exists() else []


def wait_for(command: Command, count: int) -> None:
    while len(begun(command)) < count:
        time.sleep(0.02)


def video_file(name: str, _folder: Path) -> Path:
    return Path(f"/videos/{name}.avi")


def test_the_words_ask_for_what_fedn_needs(tmp_path: Path) -> None:
    words = Command(Path("/o/FeatureExtraction"), "jpg", "model/m.txt").words(Path("/v/a b.avi"), Path("/out"))
    assert words == [
        *("/o/FeatureExtraction", "-f", "/v/a b.avi", "-out_dir", "/out", "-simalign", "-simsize", "224", "-nomask"),
        *("-2Dfp", "-pdmparams", "-format_aligned", "jpg", "-mloc", "model/m.txt"),
    ]
    assert Command(Path("f"), "png", None).words(tmp_path, tmp_path)[1] == "-fdir"


def test_every_video_is_run_once_and_its_folder_goes_with_the_block(command: Command, tmp_path: Path) -> None:
    command.path.with_name("go").touch()
    folders = []
    with Runs(command, ["a", "b", "c"], video_file, tmp_path / "work", 2) as runs:
        for video in ("c", "a", "b"):  # in any order
            with runs.output(video) as (folder, said):
                folders.append(folder)
                assert folder.is_dir()
                assert said == " OpenFace ended with exit code 7. It said: one line | another."
            assert not folder.exists()
    assert len(set(folders)) == len(begun(command)) == 3
    assert not (tmp_path / "work").exists()


def test_what_still_runs_when_the_block_ends_is_stopped(command: Command, tmp_path: Path) -> None:
    def go_wrong() -> None:
        with Runs(command, ["a", "b", "c", "d"], video_file, tmp_path / "work", 2) as runs:
            runs._look(wanted="a")
            wait_for(command, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go_wrong()
    assert len(begun(command)) == 2  # no more at once than asked for
    for process in begun(command):
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    assert not (tmp_path / "work").exists()


def test_a_source_that_cannot_be_made_is_for_whoever_asks_for_it(command: Command, tmp_path: Path) -> None:
    command.path.with_name("go").touch()

    def source(name: str, folder: Path) -> Path:
        if name == "bad":
            raise InputError("bad is damaged")
        return video_file(name, folder)

    with Runs(command, ["bad", "good"], source, tmp_path / "work", 1) as runs:
        with runs.output("good") as (folder, _):
            assert folder.is_dir()
        with pytest.raises(InputError, match="bad is damaged"), runs.output("bad"):
            pass


def test_processes_that_share_a_folder_leave_each_others_work_alone(tmp_path: Path) -> None:
    folder = tmp_path / ".openface"
    killed, mine = folder / "0123456789abcdef", folder / "mine"
    for path in (killed, mine):
        path.mkdir(parents=True)
    with own_workspace(folder) as first:
        first.mkdir()
        assert not killed.exists()
        with own_workspace(folder) as second:
            second.mkdir()
            assert first.is_dir()
            assert first != second
        assert not second.exists()
    assert [path.name for path in folder.iterdir()] == ["mine"]
