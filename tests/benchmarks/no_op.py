"""How long `dvc repro` takes when nothing changed, by the number of files in the corpus. By hand:

    python -m tests.benchmarks.no_op --folder /tmp/no-op

The default is the size of CAS(ME)^2: 100 videos of 3000 images, here of a few bytes each, and its features in full.
What else the stages would have made is a file each, told to DVC by `dvc commit`. All is written once and kept in the
folder; delete it afterwards. Beside it stand the start of Python and `dvc status` of an empty repository, which no
`dvc repro` can be faster than; and once, what DVC took to hash the same folder when stages depended on it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from cache.fingerprints import stated_frames
from cache.shards import manifest
from cache.shards.manifest import Manifest
from cache.shards.shard_entry import ShardEntry

ROOT = Path(__file__).resolve().parents[2]
CODE = ("cache", "configs", "pipeline", "stages")
CORPUS = "casme2"
FEATURE_BYTES = 1024  # of a frame
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "1",
}


def run(here: Path, *words: str) -> str:
    told = subprocess.run(words, cwd=here, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if told.returncode:
        sys.exit(f"{' '.join(words)}\n{told.stdout}{told.stderr}")
    return told.stdout


def dvc(here: Path, *words: str) -> str:
    return run(here, sys.executable, "-m", "dvc", *words)


def write_corpus(root: Path, videos: int, frames: int) -> None:
    """Write folders of numbered files and a label file; none of them is ever decoded."""
    for number in range(videos):
        folder = root / f"rawpic/s{number // 4:02d}/{number:02d}_0401anger"
        folder.mkdir(parents=True)
        for frame in range(1, frames + 1):
            (folder / f"img{frame:04d}.jpg").write_bytes(b"%d %d" % (number, frame))
    (root / "CAS(ME)^2code_final.xlsx").write_bytes(b"labels")


def write_shards(folder: Path, kind: str, videos: int, size: int, frames: int) -> Manifest:
    """Write files where shards lie, and their manifest."""
    folder.mkdir(parents=True)
    entries: dict[str, ShardEntry] = {}
    for number in range(videos):
        path = folder / f"v{number:03d}.h5"
        path.write_bytes(number.to_bytes(8, "little") * (size // 8))
        entries[path.stem] = manifest.describe(folder, path, frames, "key")
    made = Manifest(kind, entries, {"corpus": CORPUS})
    manifest.write(folder, made)
    return made


def write_project(here: Path, disk: Path, videos: int, frames: int) -> None:
    """Write a repository in which every stage is done, as DVC sees it."""
    here.mkdir()
    for name in CODE:
        shutil.copytree(ROOT / name, here / name, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, here)
    described: dict[str, Any] = yaml.safe_load((here / "configs/params.yaml").read_text(encoding="utf-8"))
    described["corpora"] = [CORPUS]
    (here / "configs/params.yaml").write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
    (here / "configs/places.yaml").write_text(f"{CORPUS}: {disk}\n", encoding="utf-8")
    run(here, "git", "init", "--quiet")
    dvc(here, "init", "--quiet")
    data, results = here / "data" / CORPUS, here / "results" / CORPUS
    write_shards(
        data / "features" / described["extract"]["weights"], "features", videos, frames * FEATURE_BYTES, frames
    )
    held = write_shards(data / "frames", "frames", videos, 8, frames)
    stated_frames.write(here / f"configs/frames/{CORPUS}.json", stated_frames.state(held.shards))
    (results / "plots").mkdir(parents=True)
    (results / "detectors").mkdir()
    for name in ("videos.parquet", "expressions.parquet", "audit.csv"):
        (data / name).write_text(name, encoding="utf-8")
    tables = [f"{name}.parquet" for name in ("detections", "nested", "curves")]
    for name in ("detectors/s1.safetensors", *tables, "figures.json", "metrics.json", "found.csv"):
        (results / name).write_text("{}", encoding="utf-8")
    for name in ("losses", "mean_losses", "precision_recall", "confusion"):
        (results / f"plots/{name}.csv").write_text("x,y\n", encoding="utf-8")
    run(here, sys.executable, "-m", "stages.check", CORPUS, "--output", f"data/{CORPUS}/sections.txt")
    run(here, sys.executable, "-m", "stages.fingerprint", CORPUS, "--output", f"configs/fingerprints/{CORPUS}.json")
    dvc(here, "commit", "--force", "--quiet")


def write_before(here: Path, disk: Path) -> None:
    """Write a repository whose only stage depends on the corpus folder, as `index` once did."""
    here.mkdir()
    dvc(here, "init", "--quiet", "--no-scm")
    stage = {"cmd": "python -c 0", "deps": [str(disk)]}
    (here / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"index": stage}}), encoding="utf-8")


def seconds(here: Path, *words: str, times: int) -> float:
    """Return the shortest of several runs."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        run(here, *words)
        taken.append(time.perf_counter() - started)
    return min(taken)


def main() -> None:
    """Print one line for each thing measured, with its ratio to the start of Python."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--folder", type=Path, required=True)
    asked.add_argument("--videos", type=int, default=100)
    asked.add_argument("--frames", type=int, default=3000)
    asked.add_argument("--times", type=int, default=3)
    told = asked.parse_args()
    folder = told.folder.absolute()
    disk, here, empty, before = (folder / name for name in ("disk", "project", "empty", "before"))
    if not before.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_corpus(disk, told.videos, told.frames)
        write_project(here, disk, told.videos, told.frames)
        empty.mkdir()
        dvc(empty, "init", "--quiet", "--no-scm")
        write_before(before, disk)
    did = [line for line in dvc(here, "repro").splitlines() if line.startswith("Running")]
    if did != [f"Running stage 'fingerprint@{CORPUS}':"]:
        sys.exit(f"more was done than nothing: {did}")
    python, repro = [sys.executable], [sys.executable, "-m", "dvc", "repro"]
    measured = {"python -c 0": seconds(here, *python, "-c", "0", times=told.times)}
    measured["dvc status, empty"] = seconds(empty, *python, "-m", "dvc", "status", times=told.times)
    stage = ["-m", "stages.fingerprint", CORPUS, "--output", f"configs/fingerprints/{CORPUS}.json"]
    measured["fingerprint alone"] = seconds(here, *python, *stage, times=told.times)
    measured["dvc repro, no-op"] = seconds(here, *repro, times=told.times)
    measured["on the folder, first"] = seconds(before, *repro, times=1)
    measured["on the folder, no-op"] = seconds(before, *repro, times=told.times)
    base = measured["python -c 0"]
    print(f"{told.videos} videos of {told.frames} images")
    for name, taken in measured.items():
        print(f"{name:24} {taken:8.2f} s {taken / base:10.0f} x")


if __name__ == "__main__":
    main()
