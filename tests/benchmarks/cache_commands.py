"""`facespan cache ls` beside the interpreter's start, and `verify` beside plain SHA-256. Run by hand, from the root:

    python -m tests.benchmarks.cache_commands [--videos 1300] [--megabytes 300] [--json]

Each pair takes turns, and what is counted is the processor's time, so that what else the machine does falls on both
alike; the ratio of the medians counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from cache import checked, files
from cache.checked import Checked
from cache.columns import FrameColumns
from cache.shards import features, frames, manifest
from cache.shards.frames import Frame
from cache.shards.manifest import Manifest
from cache.shards.shard_entry import ShardEntry
from cache.sharing import integrity
from cache.sharing.integrity import Beside

ROOT = Path(__file__).resolve().parents[2]
ROUNDS, FRAMES, WIDTH = 7, 2940, 512
LS_WANTED, VERIFY_WANTED = 0.3, 1.0


def state(folder: Path, count: int) -> None:
    """Write the manifest of many videos, whose shards `ls` does not open and which are not there."""
    entries = {f"v{n:05d}": ShardEntry(f"v{n:05d}.h5", "0" * 64, 3_100_000, FRAMES, "1" * 64) for n in range(count)}
    run = {"corpus": "demo", "encoder": {"name": "ferplus"}}
    folder.mkdir(parents=True)
    manifest.write(folder, Manifest("features", entries, run))


def columns(count: int) -> FrameColumns:
    return FrameColumns(np.arange(count) / 30, np.arange(count), np.ones(count, np.bool_), np.ones(count, np.float32))


def write_features(folder: Path, megabytes: int) -> None:
    """Write feature shards of three megabytes."""
    folder.mkdir(parents=True)
    values = np.random.default_rng(0).random((FRAMES, WIDTH), np.float32).astype(np.float16)
    entries = {}
    for number in range(max(1, megabytes // 3)):
        path = folder / f"v{number:05d}.h5"
        features.write(path, np.roll(values, number, axis=1), columns(FRAMES), "key", "avgpool")
        entries[path.stem] = manifest.describe(folder, path, FRAMES, "key")
    manifest.write(folder, Manifest("features", entries, {}))


def write_frames(folder: Path, megabytes: int) -> None:
    """Write frame shards of thirty megabytes."""
    folder.mkdir(parents=True)
    image = frames.encode_image(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8), None)
    count = 30_000_000 // len(image)
    entries = {}
    for number in range(max(1, megabytes // 30)):
        path = folder / f"v{number:05d}.h5"
        frames.write(path, (Frame(image, i / 30, i, True, 1.0) for i in range(count)), "key", "benchmark")
        entries[path.stem] = manifest.describe(folder, path, count, "key")
    manifest.write(folder, Manifest("frames", entries, {}))


def taken(function: Callable[[], object]) -> float:
    """Return the seconds of a processor that a call took, in this process and those it started."""
    begun = os.times()
    function()
    ended = os.times()
    return sum(ended[:4]) - sum(begun[:4])


def start(*words: str) -> Callable[[], object]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return lambda: subprocess.run([sys.executable, *words], env=environment, check=True, capture_output=True)


def verify(folder: Path, known: Checked | None = None) -> None:
    faults = integrity.verify(folder, Beside(), lambda _: None, threads=1, known=known)
    if faults:
        raise SystemExit(f"{folder}: {faults[0]}")


def hash_all(folder: Path) -> None:
    """Take the plain SHA-256 of every shard, read whole."""
    for path in folder.glob("*.h5"):
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(files.CHUNK_BYTES):
                digest.update(chunk)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.h5"))


def compare(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Return the median processor seconds of two, taken in turns after one round that does not count."""
    one(), other()
    pairs = [(taken(one), taken(other)) for _ in range(ROUNDS)]
    first, second = (statistics.median(times) for times in zip(*pairs, strict=True))
    return first, second


def beside_hashing(what: str, folder: Path, known: Checked | None) -> dict[str, Any]:
    """Return the row of verification in one thread beside plain hashing of the same files."""
    verified, hashed = compare(lambda: verify(folder, known), lambda: hash_all(folder))
    row = {"what": what, "seconds": verified, "beside": "hashlib.sha256", "beside_seconds": hashed}
    row |= {"ratio": verified / hashed, "gigabytes_per_second": size_of(folder) / 1e9 / verified}
    return row | {"wanted": f">= {VERIFY_WANTED} GB/s where the hash allows"}


def measure(
    videos: Annotated[int, typer.Option(help="For ls.")] = 1300,
    megabytes: Annotated[int, typer.Option(help="For verify, of features and of frames.")] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state(folder / "data/demo/features/ferplus", videos)
        listing = start("-m", "stages.commands.app", "cache", "ls", str(folder / "data"))
        ls, bare = compare(listing, start("-c", "pass"))
        rows: list[dict[str, Any]] = [
            {"what": f"ls, {videos} videos", "seconds": ls, "beside": "python -c pass", "beside_seconds": bare},
        ]
        rows[0] |= {"ratio": ls / bare, "over_seconds": ls - bare, "wanted": f"over <= {LS_WANTED} s"}
        write_features(folder / "features", megabytes)
        write_frames(folder / "frames", megabytes)
        rows.append(beside_hashing("verify features", folder / "features", None))
        rows.append(beside_hashing("verify frames, first", folder / "frames", None))
        # Later ones know of which digest the images were held against what their shard says.
        rows.append(beside_hashing("verify frames, later", folder / "frames", checked.read(None, folder / "frames")))
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        more = (
            f"{row['over_seconds']:.2f} s over" if "over_seconds" in row else f"{row['gigabytes_per_second']:.2f} GB/s"
        )
        print(
            f"{row['what']:<28}{row['seconds']:7.3f} s   {row['beside']:<16}{row['beside_seconds']:7.3f} s   "
            f"ratio {row['ratio']:6.2f}   {more} ({row['wanted']})"
        )


if __name__ == "__main__":
    typer.run(measure)
