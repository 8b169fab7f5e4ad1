"""Aligning by the landmarks that OpenFace wrote: the frames are cut here, from the video itself."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from cache.fingerprints import stated_frames
from cache.openface.model import MEAN_SHAPE
from cache.shards import frames, manifest

Run = Callable[..., Any]
Begin = Callable[..., Path]
TINY = Path("configs/corpora/tiny.yaml")
FRAMES = 150
VIDEOS = ("ann_1", "ben_1", "cem_1")
# In millimetres, about as large as a face; any 68 points do.
SHAPE = np.random.default_rng(0).uniform(-60, 60, (68, 3))
SHAPE -= SHAPE.mean(axis=0)


def change(path: Path, section: str, **values: object) -> None:
    """Set overrides of the tiny corpus."""
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["overrides"][section] |= values
    path.write_text(yaml.safe_dump(described), encoding="utf-8")


def write_landmarks(path: Path, frame_count: int = FRAMES, without_face: range = range(0), shift: float = 0.0) -> None:
    """Write a CSV whose face fills the frame of 48 pixels; it goes on with stale landmarks where the face is lost."""
    points = (SHAPE[:, :2] - SHAPE[:, :2].mean(axis=0)) * 0.4 + 24 + shift
    names = [f"{axis}_{point}" for axis in "xy" for point in range(68)]
    lines = [", ".join(["frame", "face_id", "timestamp", "confidence", "success", *names])]
    cells = [f"{value:.1f}" for value in points.T.ravel()]
    for position in range(frame_count):
        found = position not in without_face
        lines.append(", ".join([str(position + 1), "0", f"{position / 30:.3f}", "0.98", str(int(found)), *cells]))
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def here(begin: Begin, tmp_path: Path) -> Path:
    """Return a project whose corpus is indexed, with landmarks beside its videos, and an OpenFace folder."""
    folder = begin("index")
    model = tmp_path / "OpenFace" / MEAN_SHAPE
    model.parent.mkdir(parents=True)
    numbers = "\n".join(f"{value:.6f} " for value in SHAPE.T.ravel())
    model.write_text(f"# The mean values of the components (in mm)\n204\n1\n6\n{numbers}\n# more\n2\n", "ascii")
    for video in VIDEOS:
        write_landmarks(folder / "corpus/openface" / f"{video}.csv", without_face=range(20, 30))
    change(TINY, "align", method="openface-landmarks", landmarks="openface", openface_folder=str(model.parents[2]))
    return folder


def test_every_frame_is_aligned_or_black_and_marked(here: Path, stage: Run) -> None:
    told = stage("align")
    assert told.code == 0, told.err
    with frames.open(here / "data/frames/ann_1.h5") as shard:
        assert len(shard) == FRAMES
        assert shard.image_size == (224, 224)
        assert np.flatnonzero(~shard.columns.face_found).tolist() == list(range(20, 30))
        assert shard.decode(20, 30).max() == 0
        assert shard.columns.face_confidence[[0, 20]].tolist() == pytest.approx([0.98, 0.98])
        assert shard.columns.frame_label.tolist() == list(range(FRAMES))
        face = shard.decode(0, 1)[0]
    # The face is upright and in the middle of the frame: 1.4 pixels a millimetre over 0.4 make it 3.5 times as large.
    capture = cv2.VideoCapture(str(here / "corpus/videos/ann_1.avi"))
    frame = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
    # Landmarks have one decimal, so their middle is 24 to within 0.01.
    expected = cv2.warpAffine(frame, np.array([[3.5, 0, 112 - 3.5 * 24], [0, 3.5, 112 - 3.5 * 24]]), (224, 224))
    assert cv2.PSNR(face, np.asarray(expected, np.uint8)) > 30  # the shard holds JPEG
    assert len(manifest.read(here / "data/frames").run["mean_shape_sha256"]) == 64


def test_a_video_is_decoded_once(here: Path, stage: Run, decoded: Counter[str]) -> None:
    assert stage("align").code == 0
    assert decoded == dict.fromkeys(VIDEOS, FRAMES)


@pytest.mark.usefixtures("here")
def test_several_at_once_give_the_bytes_of_one_at_a_time(aligned_both_ways: Run) -> None:
    alone, together = aligned_both_ways()
    assert together == alone


def test_other_landmarks_make_the_shard_again(here: Path, stage: Run) -> None:
    stage("align")
    assert "(0 new, 3 kept)" in stage("align").out
    write_landmarks(here / "corpus/openface/ben_1.csv", shift=2.0)
    assert "(1 new, 2 kept)" in stage("align").out


def test_a_colleague_without_videos_landmarks_and_openface_keeps_what_git_tracks_of_the_frames(
    here: Path, stage: Run, tmp_path: Path
) -> None:
    words = ("--stated", "frames.json")
    assert stage("align", extra=words).code == 0
    before = Path("frames.json").read_bytes()
    for path in (here / "corpus", here / "data/frames", tmp_path / "OpenFace"):
        shutil.rmtree(path)
    told = stage("align", extra=words)
    assert told.code == 0, told.err
    assert "what frames.json tells of its frames still holds; whether OpenFace or its files are other" in told.out
    change(TINY, "align", quality=80)
    told = stage("align", extra=words)
    assert told.code == 4
    assert "the folder of the corpus tiny, does not exist, and its frames are to be made" in told.err
    assert Path("frames.json").read_bytes() == before


def test_what_an_earlier_version_tells_of_frames_is_said_to_need_the_corpus_and_gets_it_there(
    here: Path, stage: Run
) -> None:
    words = ("--stated", "frames.json")
    stage("align", extra=words)
    whole, stated = Path("frames.json").read_bytes(), stated_frames.read(Path("frames.json"))
    stated_frames.write(Path("frames.json"), replace(stated, known=None))
    (here / "corpus").rename(here / "elsewhere")
    told = stage("align", extra=words)
    assert told.code == 4
    assert "frames.json is of an earlier version, or of another method" in told.err
    (here / "elsewhere").rename(here / "corpus")
    assert "(0 new, 3 kept)" in stage("align", extra=words).out
    assert Path("frames.json").read_bytes() == whole


def test_a_csv_that_is_missing_or_of_another_video_fails_only_its_own(here: Path, stage: Run) -> None:
    (here / "corpus/openface/ann_1.csv").unlink()
    write_landmarks(here / "corpus/openface/ben_1.csv", frame_count=FRAMES + 1)
    assert stage("align").code == 3
    listed = (here / "data/frames/failures.csv").read_text(encoding="utf-8")
    assert "has no ann_1.csv, the landmarks of ann_1" in listed
    assert "rows for 151 frames up to frame 151, but the video decodes to 150" in listed
    assert sorted(path.name for path in (here / "data/frames").glob("*.h5")) == ["cem_1.h5"]


def test_a_csv_without_landmarks_says_which_option_was_missing(here: Path, stage: Run) -> None:
    header = "frame, face_id, timestamp, confidence, success\n"
    rows = "".join(f"{frame}, 0, {frame / 30:.3f}, 0.98, 1\n" for frame in range(1, FRAMES + 1))
    (here / "corpus/openface/ann_1.csv").write_text(header + rows, encoding="utf-8")
    assert stage("align").code == 3
    assert "-2Dfp" in (here / "data/frames/failures.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"landmarks": None}, "align.landmarks, .* is null"),
        ({"landmarks": "elsewhere"}, "elsewhere, which is missing"),
        ({"landmarks": "../openface"}, "align.landmarks is ../openface, which lies outside the corpus folder corpus"),
        ({"openface_folder": "nowhere"}, "nowhere holds no model/pdms"),
    ],
)
def test_what_every_video_needs_is_missed_before_anything_is_done(
    here: Path, stage: Run, values: dict[str, object], told: str
) -> None:
    change(TINY, "align", **values)
    ended = stage("align")
    assert ended.code == 4
    assert re.search(told, ended.err)
    assert not (here / "data/frames").exists()


def test_a_face_outside_the_frame_is_black_and_marked(here: Path, stage: Run) -> None:
    write_landmarks(here / "corpus/openface/ann_1.csv", shift=500.0)
    assert stage("align").code == 0
    with frames.open(here / "data/frames/ann_1.h5") as shard:
        assert not shard.columns.face_found.any()
        assert shard.decode(0, 1).max() == 0
