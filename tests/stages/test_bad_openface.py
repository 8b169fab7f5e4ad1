"""OpenFace output and image folders as they come: gaps, black frames and several faces are taken, halves are named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from cache.shards import frames
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
TINY = Path("configs/corpora/tiny.yaml")
VIDEOS = Path("corpus/videos")


def describe(change: Callable[[dict[str, Any]], object]) -> None:
    """Change what the tiny corpus' file says."""
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    change(described)
    TINY.write_text(yaml.safe_dump(described), encoding="utf-8")


def write_openface(stem: str, frame_count: int = 150, faces: int = 1, without_face: tuple[int, ...] = ()) -> Path:
    """Write what OpenFace would have written of a video, 48 px wide; every second face is half as often there."""
    aligned = VIDEOS / f"{stem}_aligned"
    aligned.mkdir()
    lines = ["frame,face_id,timestamp,confidence,success"]
    noise = np.random.default_rng(0).integers(40, 255, (48, 48, 3), dtype=np.uint8)
    for frame in range(1, frame_count + 1):
        for face in range(faces):
            if face and frame % 2:
                continue
            found = frame not in without_face
            lines.append(f"{frame},{face},{(frame - 1) / 30:.3f},{0.98 * found:.2f},{int(found)}")
            cv2.imwrite(str(aligned / f"frame_det_{face:02d}_{frame:06d}.png"), noise * found)
    (VIDEOS / f"{stem}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return aligned


def use_openface() -> None:
    """Turn the corpus into one of OpenFace's output."""

    def change(described: dict[str, Any]) -> None:
        described["facts"]["source"] = "openface"
        described["overrides"]["align"] = {"method": "openface-output"}

    describe(change)
    for path in VIDEOS.glob("*.avi"):
        path.unlink()


def test_openface_output_with_gaps_black_frames_and_several_faces_is_taken(begin: Begin, stage: Run) -> None:
    begin()
    use_openface()
    write_openface("ann_1", faces=2)
    write_openface("ben_1", without_face=(3, 4))
    table = (VIDEOS / "ben_1.csv").read_text(encoding="utf-8").splitlines()
    del table[9:12]
    (VIDEOS / "ben_1.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    for frame in (9, 10, 11):
        (VIDEOS / f"ben_1_aligned/frame_det_00_{frame:06d}.png").unlink()
    write_openface("cem_1")
    told = stage("index", "align")
    assert told.code == ExitCode.DONE, told.err
    assert "ann_1.csv" in told.err
    assert "face" in told.err
    with frames.open(Path("data/frames/ben_1.h5")) as opened:
        assert len(opened) == 150
        assert np.flatnonzero(~opened.columns.face_found).tolist() == [2, 3, 8, 9, 10]
        assert opened.decode(9, 10).max() == 0


def test_openface_output_without_its_csv_is_named(begin: Begin, stage: Run) -> None:
    begin()
    use_openface()
    for stem in ("ann_1", "ben_1", "cem_1"):
        write_openface(stem, 150)
    (VIDEOS / "ben_1.csv").unlink()
    told = stage("index")
    assert told.code == ExitCode.PARTIAL
    assert "corpus/videos/ben_1.csv" in told.err
    assert "FeatureExtraction" in told.err


def test_openface_output_without_its_images_is_named(begin: Begin, stage: Run) -> None:
    begin()
    use_openface()
    for stem in ("ann_1", "ben_1", "cem_1"):
        write_openface(stem, 150)
    shutil.rmtree(VIDEOS / "cem_1_aligned")
    told = stage("index")
    assert told.code == ExitCode.PARTIAL
    assert "corpus/videos/cem_1.csv has no images beside it: corpus/videos/cem_1_aligned is missing" in told.err
    assert "Run FeatureExtraction with" in told.err


def test_images_with_gaps_in_their_numbers_keep_them(begin: Begin, stage: Run) -> None:
    begin()

    def change(described: dict[str, Any]) -> None:
        described["facts"] |= {"source": "images", "frame_rate": 30.0, "first_frame": 0}

    describe(change)
    for path in VIDEOS.glob("*.avi"):
        path.unlink()
        folder = path.with_suffix("")
        folder.mkdir()
        for number in range(0, 150, 2):
            shade = 0 if number == 30 else 120
            cv2.imwrite(str(folder / f"img{number:04d}.jpg"), np.full((48, 48, 3), shade, np.uint8))
    told = stage("index", "align")
    assert told.code == ExitCode.DONE, told.err
    with frames.open(Path("data/frames/ann_1.h5")) as opened:
        assert opened.columns.frame_label[:3].tolist() == [0, 2, 4]
        assert np.flatnonzero(~opened.columns.face_found).tolist() == [15]
    assert "nearest_frame" in Path("data/audit.csv").read_text(encoding="utf-8")


def test_a_frame_number_that_no_rows_explain_is_refused_and_allocates_nothing(begin: Begin, stage: Run) -> None:
    begin()
    use_openface()
    for video in ("ann_1", "ben_1", "cem_1"):
        write_openface(video)
    with (VIDEOS / "ben_1.csv").open("a", encoding="utf-8") as file:
        file.write("9999999,0,333333.267,0.98,1\n")
    told = stage("index")
    assert told.code == ExitCode.PARTIAL, told.err
    assert "ben_1.csv names frame 9999999, but has rows for 151 frames only: a number in it is damaged" in told.err


def test_a_line_of_commas_without_end_is_no_row(begin: Begin, stage: Run) -> None:
    begin()
    use_openface()
    for video in ("ann_1", "ben_1", "cem_1"):
        write_openface(video)
    with (VIDEOS / "ben_1.csv").open("a", encoding="utf-8") as file:
        file.write("," * 1_000_000)
    told = stage("index")
    assert told.code == ExitCode.PARTIAL, told.err
    assert "ben_1.csv has a line of more than 131072 characters" in told.err
