"""How long the stage `report` takes, from the files of a run to its page. By hand, from the root:

    python -m tests.benchmarks.reporting [--videos 100] [--frames 3000] [--folder FOLDER]

Twenty subjects, a detection and an expression each 600 frames (CAS(ME)^2 has one each 800), aligned faces of 224
pixels, features of 512, FEDN of the paper's sizes with fresh weights: with faces and contact sheets, again with the
sheets kept, and without faces. Wanted: 20 s for 100 videos.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
import yaml

from cache.columns import FrameColumns
from cache.shards import features, frames, manifest
from cache.tables import curves, intervals, searches, videos
from cache.tables.intervals import NO_APEX, Detection, Expression
from cache.tables.searches import Search
from cache.tables.videos import Video
from cache.weights import detector_card
from cache.weights.detector_card import DetectorCard
from pipeline.detectors import registry
from stages.parts import train_parameters
from tests.benchmarks.sheets import write_frames

ROOT = Path(__file__).resolve().parents[2]
CORPUS, SUBJECTS, EACH, LASTS = "drawn", 20, 600, 60
ENCODER = {"name": "ferplus", "digest": "0" * 64, "image_size": 224, "has_learned": True}
PLACES = (
    "--videos data/drawn/videos.parquet --expressions data/drawn/expressions.parquet --detections "
    "results/drawn/detections.parquet --features data/drawn/features/ferplus --detectors results/drawn/detectors "
    "--figures results/drawn/figures.json"
)
EVALUATE = "--nested results/drawn/nested.parquet --metrics m.json --found f.csv --plots plots"
REPORT = "--curves results/drawn/curves.parquet --frames data/drawn/frames --output results/drawn/report --device cpu"


def main(
    count: Annotated[int, typer.Option("--videos", help="How many.")] = 100,
    frame_count: Annotated[int, typer.Option("--frames", help="Of each.")] = 3000,
    folder: Annotated[Path | None, typer.Option(help="Where to leave the report; else it is removed.")] = None,
) -> None:
    """Print a line for each of three reports."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        here = Path(temporary)
        write_corpus_file(here, thumbnails=True)
        table = write_run(here, count, frame_count)
        run(here, "evaluate", EVALUATE)
        print(f"{len(table)} videos of {frame_count} frames, {SUBJECTS} subjects, torch {torch.__version__}")
        for told, thumbnails in (("with faces", True), ("sheets kept", True), ("without faces", False)):
            write_corpus_file(here, thumbnails)
            begun = time.perf_counter()
            used = run(here, "report", REPORT)
            seconds, size = time.perf_counter() - begun, (here / "results/drawn/report/index.html").stat().st_size
            print(f"{told:14}{seconds:7.1f} s, {used:6.1f} s of processor time, page {size / 1e6:.1f} MB")
        if folder is not None:
            shutil.copytree(here / "results/drawn/report", folder / "report", dirs_exist_ok=True)


def run(here: Path, stage: str, words: str) -> float:
    """Run a stage as DVC does, and return its processor time."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    before = os.times()
    subprocess.run(
        [sys.executable, "-m", f"stages.{stage}", CORPUS, *PLACES.split(), *words.split()],
        cwd=here, env=environment, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def write_corpus_file(here: Path, thumbnails: bool) -> None:
    """Write the parameters as they are shipped, and a corpus that takes them."""
    shutil.copytree(ROOT / "configs", here / "configs", dirs_exist_ok=True, ignore=shutil.ignore_patterns("weights"))
    described = yaml.safe_load((ROOT / "configs/corpora/demo.yaml").read_text(encoding="utf-8"))
    described["overrides"] = {name: {} for name in described["overrides"]} | {"report": {"thumbnails": thumbnails}}
    (here / f"configs/corpora/{CORPUS}.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")


def write_run(here: Path, count: int, frame_count: int) -> list[Video]:
    """Write tables, frames, features, detectors and what they found; return the table of videos."""
    tables, results = here / "data" / CORPUS, here / "results" / CORPUS
    (tables / "frames").mkdir(parents=True)
    table = [
        dataclasses.replace(video, subject=f"s{number % SUBJECTS:02d}")
        for number, video in enumerate(write_frames(tables / "frames", count, frame_count))
    ]
    videos.write(tables / "videos.parquet", table)
    write_features(tables, table)
    generator = np.random.default_rng(1)
    known, found = [], []
    classes = yaml.safe_load((here / f"configs/corpora/{CORPUS}.yaml").read_text(encoding="utf-8"))["classes"]
    for video in table:
        for start in range(50, frame_count - LASTS - 50, EACH):
            emotion, moved = str(generator.choice(classes)), int(generator.integers(-40, 40))
            place = (video.video, video.subject)
            known.append(Expression(*place, start, start + LASTS, NO_APEX, "macro", emotion, len(known)))
            confidence = float(np.float32(generator.random()))
            fold = f"without-{video.subject}"
            found.append(Detection(*place, start + moved, start + moved + LASTS, emotion, confidence, fold))
    intervals.write(tables / "expressions.parquet", Expression, known)
    search = Search(ENCODER, write_detectors(here, table, classes))
    searches.write(results / "detections.parquet", found, search)
    searches.write(results / "nested.parquet", [], Search(ENCODER, {}))
    curve = generator.random((frame_count, len(classes))).astype(np.float16)
    with curves.write(results / "curves.parquet", classes, search) as writer:
        for video in table:
            writer.add(video.video, curve)
    return table


def write_features(tables: Path, table: Sequence[Video]) -> None:
    """Write the features of one video, and link the others to it."""
    folder = tables / "features/ferplus"
    folder.mkdir(parents=True)
    count = table[0].frame_count
    with frames.open(tables / "frames" / f"{table[0].video}.h5") as opened:
        columns: FrameColumns = opened.columns
    values = np.random.default_rng(2).random((count, 512)).astype(np.float16)
    first = folder / f"{table[0].video}.h5"
    features.write(first, values, columns, "0" * 64, "avgpool")
    entry = manifest.describe(folder, first, count, "0" * 64)
    for video in table[1:]:
        (folder / f"{video.video}.h5").hardlink_to(first)
    entries = {video.video: dataclasses.replace(entry, file=f"{video.video}.h5") for video in table}
    manifest.write(folder, manifest.Manifest("features", entries, {"encoder": ENCODER}))


def write_detectors(here: Path, table: Sequence[Video], classes: Sequence[str]) -> dict[str, str]:
    """Write a detector for each subject, with fresh weights, and return by video the key of its own."""
    folder = here / "results" / CORPUS / "detectors"
    corpus_file = here / f"configs/corpora/{CORPUS}.yaml"
    parameters = train_parameters.read(here / "configs/params.yaml", corpus_file)
    network = registry.build(parameters.network, parameters.own, 512, len(classes))
    tensors = {name: value.numpy() for name, value in network.state_dict().items()}
    subjects = sorted({video.subject for video in table})
    keys = {subject: f"{number:064x}" for number, subject in enumerate(subjects)}
    curve: tuple[dict[str, Any], ...] = tuple({"epoch": float(epoch), "total": 1.0 / epoch} for epoch in range(1, 31))
    for subject in subjects:
        card = DetectorCard(
            corpus=CORPUS,
            fold=f"without-{subject}",
            train_subjects=tuple(name for name in subjects if name != subject),
            held_out=(subject,),
            classes=tuple(classes),
            emotions=tuple(classes),
            encoder=ENCODER,
            network=parameters.network,
            parameters=train_parameters.described(parameters),
            key=keys[subject],
            input_width=512,
            curve=curve,
        )
        detector_card.write(folder / f"{card.fold}.safetensors", tensors, card)
    return {video.video: keys[video.subject] for video in table}


if __name__ == "__main__":
    typer.run(main)
