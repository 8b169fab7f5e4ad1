"""How much memory the stage `train` takes, and how soon it learns, on features as large as a big corpus'. By hand:

    python -m tests.benchmarks.training --folder /tmp/large

The default is the size of CAS(ME)^3: 1300 videos of 3000 frames, 4 GB of float16. Invented shards are written once and
kept in the folder; delete it afterwards. The network is tiny and learns for one epoch, so what is measured is how the
corpus is read and shared; the run is killed when the first folds are done. Memory is counted as the kernel counts
it for all processes of the run together: a page that several of them see is counted once (PSS).
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import yaml

from cache.columns import FrameColumns
from cache.shards import features, manifest
from cache.shards.manifest import Manifest
from cache.shards.shard_entry import ShardEntry
from cache.tables import intervals, videos
from cache.tables.intervals import NO_APEX, Expression
from cache.tables.videos import Video

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 512
VIDEOS_PER_SUBJECT = 13
LENGTH = 60
SECONDS_BETWEEN_LOOKS = 0.25


def write_shards(folder: Path, count: int, frames: int) -> None:
    """Write the tables and shards of a corpus; features are noise about a face, one expression a video."""
    random = np.random.default_rng(0)
    noise = random.random((frames, WIDTH), np.float32).astype(np.float16)
    columns = FrameColumns(
        np.arange(frames) / 30, np.arange(frames), np.ones(frames, np.bool_), np.ones(frames, np.float32)
    )
    rows, known, entries = [], [], {}
    for number in range(count):
        subject, video = f"s{number // VIDEOS_PER_SUBJECT:03d}", f"s{number // VIDEOS_PER_SUBJECT:03d}_{number}"
        start = 30 + 7 * number % (frames - LENGTH - 30)
        emotion = ("happiness", "anger")[number % 2]
        rows.append(Video(video, subject, f"{video}.avi", "video", frames, 30.0, 0, 48, 48, "0" * 64))
        known.append(Expression(video, subject, start, start + LENGTH, NO_APEX, "macro", emotion, number + 1))
        path = manifest.shard_path(folder / "features", video, count)
        features.write(path, np.roll(noise, number, axis=1), columns, "key", "avgpool")
        entries[video] = manifest.describe(folder / "features", path, frames, "key")
    videos.write(folder / "videos.parquet", rows)
    intervals.write(folder / "expressions.parquet", Expression, known)
    finish(folder, entries)


def finish(folder: Path, entries: dict[str, ShardEntry]) -> None:
    """Write the manifest, last."""
    manifest.write(folder / "features", Manifest("features", entries, {"encoder": {"name": "noise"}}))


def write_configs(folder: Path) -> None:
    """Write parameters of one epoch and a tiny network."""
    shutil.copytree(ROOT / "configs", folder / "configs", dirs_exist_ok=True, ignore=shutil.ignore_patterns("weights"))
    described = yaml.safe_load((ROOT / "configs/corpora/demo.yaml").read_text(encoding="utf-8"))
    described["overrides"]["train"] |= {"epochs": 1, "width": 16, "head_width": 16, "window_attention_width": 16}
    described["overrides"]["train"] |= {"block_widths": [16, 16], "neck_widths": [16] * 4, "attention_heads": 2}
    (folder / "configs/corpora/large.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")


def members(leader: int) -> list[int]:
    """Return the processes of a session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            told = (entry / "stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
        except OSError:
            continue  # it ended
        if int(told[3]) == leader:
            found.append(int(entry.name))
    return found


def memory_of(leader: int) -> dict[str, int]:
    """Return the bytes of all processes of a session: shared pages once, and each process's own alone."""
    total = {"Pss": 0, "Private_Dirty": 0, "largest": 0}
    for number in members(leader):
        try:
            lines = Path(f"/proc/{number}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        told = {line.split(":")[0]: 1024 * int(line.split()[1]) for line in lines[1:] if line.endswith("kB")}
        total["Pss"] += told.get("Pss", 0)
        total["Private_Dirty"] += told.get("Private_Dirty", 0)
        total["largest"] = max(total["largest"], told.get("Private_Dirty", 0))
    return total


def processor_seconds(number: int) -> float:
    """Return how long a process has computed: where a machine is shared, the clock says more of the others."""
    told = Path(f"/proc/{number}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder: Path, processes: int, folds: int) -> None:
    """Run the stage until some folds are done, and print what it took."""
    shutil.rmtree(folder / "detectors", ignore_errors=True)
    words = ["large", "--videos", "videos.parquet", "--expressions", "expressions.parquet", "--features", "features"]
    words += ["--output", "detectors", "--losses", "losses.csv", "--device", "cpu", "--processes", str(processes)]
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.train", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        start_new_session=True,
        stderr=(folder / "train.log").open("w"),
    )
    peak = {"Pss": 0, "Private_Dirty": 0, "largest": 0}
    read = busy = first = 0.0
    while process.poll() is None:
        peak = {name: max(value, peak[name]) for name, value in memory_of(process.pid).items()}
        done = len(list((folder / "detectors").glob("*.safetensors")))
        if not read and "are in memory" in (folder / "train.log").read_text(encoding="utf-8"):
            read, busy = time.monotonic() - started, processor_seconds(process.pid)
        first = first or (time.monotonic() - started if done else 0.0)
        if done >= folds:
            os.killpg(process.pid, signal.SIGKILL)  # Ctrl-C would be ignored where a shell put us in the background
            process.wait()
        time.sleep(SECONDS_BETWEEN_LOOKS)
    print(f"{processes} processes: all is read after {read:.0f} s, {busy:.0f} s of them the processor's; ", end="")
    print(f"the first fold of one epoch is done after {first:.0f} s")
    print(f"peak of all processes {peak['Pss'] / 1e9:.2f} GB; of their own, without what is shared, ", end="")
    print(f"{peak['Private_Dirty'] / 1e9:.2f} GB, the largest {peak['largest'] / 1e9:.2f} GB")


def main() -> None:
    """Write the corpus unless it is there, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where the corpus is written")
    parser.add_argument("--videos", type=int, default=1300)
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--folds", type=int, default=4, help="end the run when so many are done")
    asked = parser.parse_args()
    if not (asked.folder / "features" / manifest.NAME).is_file():
        write_shards(asked.folder, asked.videos, asked.frames)
    write_configs(asked.folder)
    measure(asked.folder, asked.processes, asked.folds)


if __name__ == "__main__":
    main()
