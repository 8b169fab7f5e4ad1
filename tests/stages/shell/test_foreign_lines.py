"""What FFmpeg prints of a damaged video is no line between ours: it is in the audit, or part of our error."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import cv2
import numpy as np

from stages.shell.command import ExitCode

Begin = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[3]
VIDEOS = Path("corpus/videos")
ALIGN = ("--videos", "data/videos.parquet", "--output", "data/frames")


def type_in(stage: str, *words: str) -> CompletedProcess[str]:
    """Run a stage in a process of its own, whose stderr C libraries print to as well."""
    command = [sys.executable, "-m", f"stages.{stage}", "tiny", "--root", "corpus", *words]
    return subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, check=False)


def write_damaged(path: Path) -> None:
    """Write an MPEG-4 film, and other bytes into some of its frames: all of them still decode."""
    generator = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FMP4"), 30, (96, 96))
    for _ in range(150):
        writer.write(generator.integers(0, 256, (96, 96, 3)).astype(np.uint8))
    writer.release()
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 3, 2 * len(content) // 3, len(content) // 30):
        content[place : place + 4] = b"\xa5\x3c\x5a\xc3"
    path.write_bytes(content)


def test_damage_that_the_decoder_hides_is_in_the_audit_and_nothing_foreign_is_printed(begin: Begin) -> None:
    begin()
    write_damaged(VIDEOS / "ben_1.avi")
    told = type_in("index", "--output", "data")
    assert told.returncode == ExitCode.DONE, told.stderr
    assert all(line.startswith("index: ") for line in (told.stdout + told.stderr).splitlines())
    assert "index: 1 x decoder_complained, see data/audit.csv" in told.stderr
    with Path("data/audit.csv").open(encoding="utf-8", newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["rule"] == "decoder_complained"]
    assert (row["video"], row["subject"]) == ("ben_1", "ben")
    assert "[mpeg4]" in row["before"]
    told = type_in("align", *ALIGN)
    assert told.returncode == ExitCode.DONE, told.stderr
    assert all(line.startswith("align: ") for line in (told.stdout + told.stderr).splitlines())


def test_the_audit_of_a_damaged_video_is_the_same_each_time(begin: Begin) -> None:
    begin()
    write_damaged(VIDEOS / "ben_1.avi")
    for folder in ("first", "second"):
        assert type_in("index", "--output", folder).returncode == ExitCode.DONE
    assert Path("first/audit.csv").read_bytes() == Path("second/audit.csv").read_bytes()


def test_what_ffmpeg_says_of_a_video_that_fails_is_part_of_our_error(begin: Begin) -> None:
    begin()
    (VIDEOS / "ben_1.avi").rename(VIDEOS / "ben_1.mp4")
    (VIDEOS / "ben_1.mp4").write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(200))
    told = type_in("index", "--output", "data")
    assert told.returncode != ExitCode.DONE
    assert "ben_1.mp4 does not open as a video" in told.stderr
    assert "FFmpeg said: " in told.stderr
    assert "moov atom not found" in told.stderr
    assert not [line for line in told.stderr.splitlines() if line.startswith("[")]
