"""Time of `facespan analyse` beside alignment and encoding alone: python -m tests.benchmarks.analysing VIDEO [FOLDER].

VIDEO shows a face; a minute of 640 x 480 is made of it, its frames over and over. FOLDER holds detectors; without it
the spotter without training is used. Printed are seconds, and how many times both alone the first run takes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

import cv2

from stages.analysing import face_parts, projects
from stages.analysing.request import Asked
from stages.analysing.search import Searcher

SECONDS, RATE, WIDTH, HEIGHT = 60, 30, 640, 480


def main() -> None:
    """Measure, and print a line for each."""
    video, *folders = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as room:
        place = Path(room)
        minute = make_minute(video, place / "minute.avi")
        detectors = folders[0] if folders else None
        configs = projects.configs_of(detectors) if detectors else projects.usual_configs()
        asked = Asked("largest", "builtin", detectors, None, configs, "auto", 0, False, True, False)
        method = face_parts.choose("builtin")
        align = timed(lambda: face_parts.align(minute, place / "frames", method, method.key, lambda _: None))
        searcher = Searcher(asked)
        stated = face_parts.align(minute, place / "frames", method, method.key, lambda _: None)
        face = face_parts.people_of(stated, "largest")[0]
        encode = timed(
            lambda: searcher.encoder.make(place / "features", place / "frames", stated, face, lambda _: None)
        )
        command = [sys.executable, "-m", "stages.commands.app", "analyse", str(minute), "--align", "builtin", "-q"]
        command += ["--detectors", str(detectors)] if detectors else []
        environment = os.environ | {"FACESPAN_CACHE": str(place / "kept")}

        def analyse() -> None:
            subprocess.run(command, env=environment, check=True, capture_output=True)

        first, second = timed(analyse), timed(analyse)
    print(f"alignment alone {align:.1f} s, encoding alone {encode:.1f} s")
    print(f"analyse {first:.1f} s, {first / (align + encode):.2f} times both; the second time {second:.2f} s")


def make_minute(video: Path, path: Path) -> Path:
    """Write a minute of 640 x 480 out of the frames of a video."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE, (WIDTH, HEIGHT))
    for frame in islice(cycle(frames_of(video)), SECONDS * RATE):
        writer.write(cv2.resize(frame, (WIDTH, HEIGHT)))
    writer.release()
    return path


def frames_of(video: Path) -> list[cv2.typing.MatLike]:
    """Return the first frames of a video, as many as a minute takes."""

    def read() -> Iterator[cv2.typing.MatLike]:
        capture = cv2.VideoCapture(str(video))
        while capture.grab():
            yield capture.retrieve()[1]

    return list(islice(read(), SECONDS * RATE))


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
