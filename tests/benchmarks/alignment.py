"""How many frames a second are aligned, beside only decoding or reading them. Run by hand, from the root:

    python -m tests.benchmarks.alignment builtin VIDEO     a face in any video, enlarged or reduced to 640 x 480
    python -m tests.benchmarks.alignment openface-output   2000 JPEG images of 224 px, as OpenFace leaves them

Both take turns in one process with what they stand beside, so that what else the machine does falls on both.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from cache.media import video_files
from cache.shards import frames
from cache.shards.aligned import AlignParameters
from cache.tables.videos import Video
from stages.aligning import aligners
from stages.aligning.align_job import AlignJob
from stages.aligning.align_videos import Aligner

ROUNDS, WIDTH, HEIGHT, IMAGES, RATE = 3, 640, 480, 2000, 30.0
PARAMETERS = {"face": "largest", "quality": 95, "landmarks": None, "openface_folder": None, "openface_model": None}


def resized(source: Path, target: Path) -> int:
    """Write a video at 640 x 480, its proportions kept with black borders, and return the number of frames."""
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"mp4v"), RATE, (WIDTH, HEIGHT))
    count = 0
    for rgb in video_files.Playback(source, allow_truncated=True).frames():
        count += 1
        scale = min(WIDTH / rgb.shape[1], HEIGHT / rgb.shape[0])
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:HEIGHT, :WIDTH]
        canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small[..., ::-1]
        writer.write(canvas)
    writer.release()
    return count


def openface_output(folder: Path) -> None:
    """Write rows and images as OpenFace does, noisy enough to be as large as faces."""
    generator = np.random.default_rng(0)
    images = folder / "v_aligned"
    images.mkdir(parents=True)
    smooth = generator.integers(0, 255, (28, 28, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    rows = ["frame, face_id, timestamp, confidence, success"]
    for frame in range(1, IMAGES + 1):
        noisy = (smooth.astype(np.int16) + generator.integers(-4, 5, smooth.shape)).clip(0, 255).astype(np.uint8)
        (images / f"frame_det_00_{frame:06d}.jpg").write_bytes(frames.encode_image(noisy, 95))
        rows.append(f"{frame}, 0, {(frame - 1) / RATE:.3f}, 0.98, 1")
    (folder / "v.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def aligned(root: Path, video: Video, method: str) -> Callable[[], None]:
    """Return what aligns a video into a shard."""
    parameters = AlignParameters(method=method, accept_unaligned=None, openface_format="png", processes=0, **PARAMETERS)  # type: ignore[arg-type]
    job = AlignJob(root, parameters, [video], root, print)

    def run() -> None:
        with aligners.METHODS[method].prepare(job) as prepared:
            Aligner(job, {video.video: "0" * 64}, prepared)(video.video, root / "out.h5")

    return run


def reading(paths: Sequence[Path]) -> Callable[[], None]:
    def run() -> None:
        for path in paths:
            path.read_bytes()

    return run


def decoding(path: Path) -> Callable[[], None]:
    def run() -> None:
        for _ in video_files.Playback(path).frames():
            pass

    return run


def report(what: str, beside: str, count: int, run: Callable[[], None], other: Callable[[], None]) -> None:
    """Time both in turns and print."""
    pairs = [(seconds(run), seconds(other)) for _ in range(ROUNDS)]
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"{what:<16} {count / ours:7.0f} frames/s   {beside} {count / theirs:7.0f}   ratio {theirs / ours:.2f}")


def seconds(run: Callable[[], None]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def main(method: Annotated[str, typer.Argument()], video: Annotated[Path | None, typer.Argument()] = None) -> None:
    """Measure one method."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        if method == "openface-output":
            openface_output(root / "v")
            images = sorted((root / "v" / "v_aligned").iterdir())
            known = Video("v", "s", "v", "openface", IMAGES, RATE, 0, 224, 224, "0" * 64)
            report(method, "only reading the files", IMAGES, aligned(root, known, method), reading(images))
            return
        if video is None:
            raise typer.BadParameter("give a video that shows a face")
        count = resized(video, root / "v.mp4")
        known = Video("v", "s", "v.mp4", "video", count, RATE, 0, WIDTH, HEIGHT, "0" * 64)
        report(method, "only decoding", count, aligned(root, known, method), decoding(root / "v.mp4"))


if __name__ == "__main__":
    typer.run(main)
