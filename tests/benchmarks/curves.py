"""What the score curves cost beside the search of a video, and what they take on the disk. By hand, from the root:

    python -m tests.benchmarks.curves [--device cuda] [--frames 3000]

One invented video, the paper's FEDN with fresh weights. Both are run in turns; the least time of each counts.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from cache.tables import curves as table
from cache.tables.searches import Search
from pipeline.detectors import curves, decoding, registry
from pipeline.windows.recordings import Cuts, stack
from tests.pipeline.invented_features import CLASS_COUNT, DETECT, fold_parameters, record
from tests.pipeline.networks import PAPER

INPUT_WIDTH, ROUNDS = 512, 5


def main() -> None:
    """Print seconds of the search without curves, of the curves alone, and bytes a frame."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--device", default="cpu")
    asked.add_argument("--frames", type=int, default=3000)
    told = asked.parse_args()
    device, frames = torch.device(told.device), told.frames
    own = dataclasses.replace(fold_parameters().own, detector=PAPER)  # type: ignore[type-var]
    detector = registry.build("fedn", own, INPUT_WIDTH, CLASS_COUNT).to(device).eval()
    recordings = record(seed=1, subjects=1, videos=1, frame_count=frames, width=INPUT_WIDTH)
    stacked = stack(recordings, "video", device)
    slid = detector.cutting.slide(frames, DETECT.window_stride)
    starts, rates = (torch.from_numpy(values).float().to(device) for values in slid)
    batches = [
        Cuts(torch.zeros_like(start, dtype=torch.int64), start, rate)
        for start, rate in zip(starts.split(DETECT.batch_size), rates.split(DETECT.batch_size), strict=True)
    ]

    @torch.inference_mode()
    def look() -> list[decoding.Candidates]:
        return [decoding._look_at_windows(detector, stacked, cuts, frames) for cuts in batches]

    said = look()

    @torch.inference_mode()
    def draw() -> torch.Tensor:
        blank = curves.blank(frames, CLASS_COUNT, device)
        for each in said:
            curves.raise_to(blank, decoding._nearest(each.intervals, frames), each.scores, each.possible)
        return curves.spread(blank)

    turns = [(seconds(look, device), seconds(draw, device)) for _ in range(ROUNDS)]
    taken = dict(zip(("search", "curves"), map(min, zip(*turns, strict=True)), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "curves.parquet")
        with table.write(path, [f"class {number}" for number in range(CLASS_COUNT)], Search({}, {"a": ""})) as file:
            file.add("a", draw().cpu().numpy())
        size = path.stat().st_size
    print(f"{frames} frames, {len(starts)} windows, {CLASS_COUNT} classes, {device}, torch {torch.__version__}")
    for name, least in taken.items():
        print(f"{name:8} {least:8.4f} s  {least / taken['search']:7.2%} of the search")
    print(f"table    {size / frames:8.1f} bytes a frame")


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Return how long a call takes until its results are there."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
