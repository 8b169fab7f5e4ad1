"""What digests cost: a corpus into memory, an `extract` that has nothing to do, and a large manifest. By hand:

    python -m tests.benchmarks.digests [--videos 98] [--no-op-videos 1300] [--manifest-videos 10000] [--json]

What is counted is the processor's time, the median of several turns; ratios count, and the peak of memory.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import torch
import typer

from cache import checked
from cache.shards import features, manifest
from cache.shards.manifest import Manifest
from cache.shards.shard_entry import ShardEntry
from pipeline.encoder.resnet import ExtractParameters
from stages.parts.feature_sources import Encoded
from stages.shell import params
from tests.benchmarks.cache_commands import FRAMES, ROOT, columns, start, taken, write_features

ROUNDS = 7
DIGEST = "0" * 64
AsRow = dict[str, Any]


def seconds(function: Callable[[], object]) -> float:
    """Return the processor seconds of a call, its result kept until it ends: the median after one not counted."""
    function()
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        kept = function()
        times.append(time.process_time() - begun)
        del kept
    return statistics.median(times)


def loading(folder: Path, videos: int) -> list[AsRow]:
    """Compare the features of a corpus, all in memory at once, with what plain h5py and plain bytes take."""
    write_features(folder, 3 * videos)
    shards = manifest.read(folder).shards.values()
    known = checked.read(None, folder)

    def plainly() -> list[dict[str, Any]]:
        found = []
        for entry in shards:
            with h5py.File(folder / entry.file) as file:
                found.append({name: file[name][:] for name in file} | dict(file.attrs))
        return found

    def ours(before: checked.Checked | None) -> list[features.FeatureShard]:
        return [features.read(folder / entry.file, entry.key, entry.sha256, before) for entry in shards]

    of = f"{videos} x {FRAMES} frames"
    plain, raw = seconds(plainly), seconds(lambda: [(folder / entry.file).read_bytes() for entry in shards])
    return [
        row(f"{of}, unchanged since checked", seconds(lambda: ours(known)), "h5py", plain, "<= 1.2 x"),
        row(f"{of}, first load", seconds(lambda: ours(None)), "h5py", plain, ""),
        row(f"{of}, bytes alone", raw, "h5py", plain, ""),
    ]


def no_op(folder: Path, videos: int) -> list[AsRow]:
    """Time `extract` when every shard is current: the shards are links to one file, which is as large as usual."""
    (folder / "frames").mkdir(parents=True)
    (folder / "features").mkdir()
    (folder / ".dvc").mkdir()
    (folder / "configs").symlink_to(ROOT / "configs")
    parameters = params.read(ROOT / params.PARAMS, "extract", ExtractParameters)
    source = Encoded(parameters, ROOT / "configs/weights", torch.device("cpu"), 1)
    values = np.random.default_rng(0).random((FRAMES, 512), np.float32).astype(np.float16)
    names = [f"v{number:05d}" for number in range(videos)]
    first = folder / "features" / f"{names[0]}.h5"
    features.write(first, values, columns(FRAMES), source.key("", DIGEST), "avgpool")
    for name in names[1:]:
        os.link(first, first.with_name(f"{name}.h5"))
    entry = manifest.describe(folder / "features", first, FRAMES, source.key("", DIGEST))
    told = {name: ShardEntry(f"{name}.h5", entry.sha256, entry.bytes, FRAMES, entry.key) for name in names}
    manifest.write(folder / "features", Manifest("features", told, {"corpus": "demo"}))
    aligned = {name: ShardEntry(f"{name}.h5", DIGEST, 1, FRAMES, "key", DIGEST) for name in names}
    manifest.write(folder / "frames", Manifest("frames", aligned, {"corpus": "demo"}))
    words = ["-m", "stages.extract", "demo", "--frames", "frames", "--output", "features", "--device", "cpu"]
    extract = in_folder(folder, start(*words, "--quiet"))
    bare = in_folder(folder, start("-c", "import stages.extract"))
    once, again, alone = taken(extract), *(statistics.median(taken(one) for _ in range(3)) for one in (extract, bare))
    return [
        row(f"extract, {videos} videos, nothing known", once, "its imports", alone, ""),
        row(f"extract, {videos} videos, no-op", again, "its imports", alone, "<= 5 s"),
    ]


def in_folder(folder: Path, function: Callable[[], object]) -> Callable[[], object]:
    def there() -> object:
        before = Path.cwd()
        os.chdir(folder)
        try:
            return function()
        finally:
            os.chdir(before)

    return there


def large_manifest(folder: Path, videos: int) -> list[AsRow]:
    """Return what a manifest takes to be read, and the peak of memory beside its size."""
    folder.mkdir()
    entries = {
        f"s{n // 10:04d}_{n:05d}": ShardEntry(f"s{n // 10:04d}_{n:05d}.h5", f"{n:064x}", 3_100_000, FRAMES, DIGEST)
        for n in range(videos)
    }
    manifest.write(folder, Manifest("features", entries, {}))
    size = (folder / manifest.NAME).stat().st_size
    alone = seconds(lambda: json.loads((folder / manifest.NAME).read_bytes()))
    read = seconds(lambda: manifest.read(folder))
    tracemalloc.start()
    kept = manifest.read(folder)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    told = row(f"manifest of {len(kept.shards):,} videos", read, "json.loads", alone, "flat memory")
    return [told | {"megabytes": size / 1e6, "peak_megabytes": peak / 1e6, "held_megabytes": held / 1e6}]


def row(what: str, measured: float, beside: str, beside_seconds: float, wanted: str) -> AsRow:
    ratio = measured / beside_seconds
    return {
        "what": what,
        "seconds": measured,
        "beside": beside,
        "beside_seconds": beside_seconds,
        "ratio": ratio,
        "wanted": wanted,
    }


def measure(
    videos: Annotated[int, typer.Option(help="Of the corpus that is loaded, each of three megabytes.")] = 98,
    no_op_videos: Annotated[int, typer.Option(help="For extract.")] = 1300,
    manifest_videos: Annotated[int, typer.Option(help="For the manifest.")] = 10_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = loading(folder / "features", videos)
        rows += no_op(folder / "project", no_op_videos)
        rows += large_manifest(folder / "large", manifest_videos)
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for one in rows:
        memory = ""
        if "peak_megabytes" in one:
            memory = f"{one['megabytes']:.1f} MB, {one['peak_megabytes']:.0f} MB at most while it is read"
        print(
            f"{one['what']:<48}{one['seconds']:7.3f} s   {one['beside']:<12}{one['beside_seconds']:7.3f} s   "
            f"ratio {one['ratio']:6.2f}   {one['wanted']} {memory}".rstrip()
        )


if __name__ == "__main__":
    typer.run(measure)
