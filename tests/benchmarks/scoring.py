"""How long `facespan score` takes on 100 000 detections in 1300 videos under each protocol, reading included. By hand:

    python -m tests.benchmarks.scoring [--json]

The size is CAS(ME)^3's, with 77 detections a video. Each run is a process of its own, from CSV and from parquet, so
that what is timed is what a user waits for; the least of three is told, and the peak of its memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pipeline.scoring.protocols import PROTOCOLS

ROOT = Path(__file__).resolve().parents[2]
EMOTIONS = ("happiness", "anger", "surprise", "others")
REPETITIONS = 3


def write(folder: Path, detections: int, videos: int, truths_per_video: int = 3) -> None:
    """Write expressions.csv, and detections as CSV and parquet: half of them near a truth."""
    random = np.random.default_rng(0)
    names = pa.array([f"spNO.{number // 13}_{'abcdefghijklm'[number % 13]}" for number in range(videos)])
    video = np.repeat(np.arange(videos), truths_per_video)
    onset = np.tile(np.arange(truths_per_video) * 900, videos) + random.integers(0, 800, len(video))
    length = random.integers(8, 90, len(video))
    emotion = random.integers(0, len(EMOTIONS), len(video))
    truths = pa.table(
        {"video": names.take(pa.array(video)), "onset": onset, "offset": onset + length,
         "emotion": pa.array(EMOTIONS).take(pa.array(emotion))}
    )  # fmt: skip
    pyarrow.csv.write_csv(truths, folder / "expressions.csv")
    near = random.integers(0, len(video), detections)
    jitter = np.where(random.random(detections) < 0.5, random.integers(-20, 20, detections), 3000)
    found_onset = np.maximum(onset[near] + jitter, 0)
    order = np.argsort(video[near], kind="stable")
    found = pa.table(
        {"video": names.take(pa.array(video[near])), "onset": found_onset,
         "offset": found_onset + np.maximum(length[near] + random.integers(-15, 15, detections), 1),
         "confidence": random.random(detections),
         "emotion": pa.array(EMOTIONS).take(pa.array(emotion[near]))}
    ).take(pa.array(order))  # fmt: skip
    pyarrow.csv.write_csv(found, folder / "detections.csv")
    pq.write_table(found, folder / "detections.parquet")


def timed(folder: Path, suffix: str, *words: str) -> dict[str, Any]:
    """Return the least seconds of some runs and the greatest peak of memory of any child so far, in MiB."""
    command = [sys.executable, "-m", "stages.commands.app", "score", "--expressions", str(folder / "expressions.csv")]
    command += ["--detections", str(folder / f"detections.{suffix}"), *words]
    seconds = []
    for _ in range(REPETITIONS):
        begun = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - begun)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"file": suffix, "words": " ".join(words), "seconds": round(min(seconds), 3), "peak_mib": round(peak)}


def main() -> None:
    """Print a table of times, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, default=100_000)
    parser.add_argument("--videos", type=int, default=1300)
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, asked.detections, asked.videos)
        runs = [timed(folder, "csv", "--protocol", protocol) for protocol in PROTOCOLS]
        runs += [timed(folder, suffix, "--all-protocols") for suffix in ("csv", "parquet")]
    if asked.as_json:
        print(json.dumps({"detections": asked.detections, "videos": asked.videos, "runs": runs}, indent=2))
        return
    print(f"{asked.detections} detections in {asked.videos} videos, the whole process, least of {REPETITIONS}")
    for run in runs:
        print(f"  {run['words']:<34} {run['file']:<8} {run['seconds']:>7.2f} s {run['peak_mib']:>7} MiB")


if __name__ == "__main__":
    main()
