"""What contact sheets cost: time, memory and bytes of a corpus of noise over a drawn face. By hand:

    python -m tests.benchmarks.sheets [--videos 100] [--frames 3000]

What is counted is the processor's time, with and without a look at every frame.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from cache.columns import FrameColumns
from cache.shards import frames, manifest
from cache.tables.videos import Video
from stages.results import sheet_folder
from stages.results.contact_sheets import FaceChoice

DISTINCT = 300


def write_frames(folder: Path, videos: int, count: int) -> list[Video]:
    """Write a shard of frames as large as real ones are, and link the others to it; return the table of videos."""
    generator = np.random.default_rng(0)
    face = np.full((224, 224, 3), 150, np.uint8)
    for x in (66, 158):
        cv2.circle(face, (x, 58), 12, (40, 30, 30), -1)
    rough = [cv2.resize(generator.integers(0, 90, (56, 56, 3)).astype(np.uint8), (224, 224)) for _ in range(DISTINCT)]
    images = [frames.encode_image(np.asarray(cv2.subtract(face, each), np.uint8), 95) for each in rough]
    positions = np.arange(count, dtype=np.int64)
    columns = FrameColumns(positions / 30, positions + 1, positions % 100 != 0, np.ones(count, np.float32))
    first = folder / "v000.h5"
    frames.write(
        first, frames.join((images[position % DISTINCT] for position in range(count)), columns), "key", "drawn"
    )
    entry = manifest.describe(folder, first, count, "key")
    names = [f"v{number:03d}" for number in range(videos)]
    for name in names[1:]:
        (folder / f"{name}.h5").hardlink_to(first)
    entries = {name: manifest.ShardEntry(f"{name}.h5", entry.sha256, entry.bytes, count, "key") for name in names}
    manifest.write(folder, manifest.Manifest("frames", entries, {}))
    return [Video(name, "s", f"{name}.avi", "video", count, 30.0, 1, 224, 224, "0" * 64) for name in names]


def main(
    videos: Annotated[int, typer.Option(help="How many.")] = 100,
    count: Annotated[int, typer.Option("--frames", help="Of each.")] = 3000,
) -> None:
    """Print a line for sheets with and without a look at every frame."""
    with tempfile.TemporaryDirectory() as folder:
        shards = Path(folder) / "frames"
        shards.mkdir()
        table = write_frames(shards, videos, count)
        stated = manifest.read(shards).shards
        size = stated[table[0].video].bytes / count / 1000
        print(f"{videos} videos of {count} frames, {size:.1f} kB a frame")
        for changes in (True, False):
            sheets, begun = Path(folder) / f"sheets-{changes}", time.process_time()
            choice = FaceChoice(changes=changes)
            sheet_folder.write(sheets, "drawn", table, table, (shards, stated), choice, False, lambda _: None)
            took, written = time.process_time() - begun, sheet_folder.size_of(sheets, table) / 1e6
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
            told = "every frame looked at" if changes else "the frames shown looked at"
            print(f"{told}: {took:.1f} s of processor time, {written:.1f} MB, at most {peak:.0f} MB of memory")


if __name__ == "__main__":
    typer.run(main)
