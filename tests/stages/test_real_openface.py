"""The main job on real input: what OpenFace 2.2 wrote of real videos, imported, extracted and searched."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from cache.shards import features, frames
from cache.tables import intervals, videos
from cache.tables.intervals import Detection

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., Any]
# Frames that OpenFace decoded, and in how many of them it found the face that is followed.
OUTPUTS = {
    "default_10s": ("default_10s_224_nomask_png", 151, 151),
    "gap": ("gap_224_nobadaligned_jpg", 140, 76),
    "multi_face_2s": ("multi_face_2s_224_nomask_jpg", 60, 58),
}


@pytest.fixture
def real(begin: Callable[[str], Path], shared: Path) -> Path:
    """Return a project with trained detectors and a corpus of OpenFace's output, which is the current folder."""
    folder = begin("train")
    (folder / "real").mkdir()
    for output, _, _ in OUTPUTS.values():
        shutil.copytree(shared / "openface" / output, folder / "real", dirs_exist_ok=True)
    rows = "".join(f"{name},{name},,,,\n" for name in OUTPUTS)
    (folder / "real/labels.csv").write_text("subject,video,onset,apex,offset,emotion\n" + rows, encoding="utf-8")
    described = yaml.safe_load((folder / "configs/corpora/tiny.yaml").read_text(encoding="utf-8"))
    described["facts"] |= {"labels": "labels.csv", "folder": ".", "source": "openface", "first_frame": 1}
    described["overrides"]["align"] = {"method": "openface-output"}
    (folder / "configs/corpora/real.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    return folder


def test_real_openface_output_goes_all_the_way_to_detections(real: Path, facespan: Run) -> None:
    lines = (
        "index real --root real --output found",
        "align real --root real --videos found/videos.parquet --output found/frames",
        "extract real --frames found/frames --output found/features --device cpu",
        "detect real --videos found/videos.parquet --features found/features --detectors results/detectors "
        "--output found/detections.parquet --device cpu",
    )
    for line in lines:
        told = facespan(*line.split())
        assert told.code == 0, told.err
    counted = {video.video: video.frame_count for video in videos.read(real / "found/videos.parquet")}
    for name, (_, decoded, with_face) in OUTPUTS.items():
        assert counted[name] == decoded
        with frames.open(real / f"found/frames/{name}.h5", verify=True) as opened:
            assert len(opened) == decoded
            assert int(opened.columns.face_found.sum()) == with_face
        shard = features.read(real / f"found/features/{name}.h5")
        assert shard.features.shape == (decoded, 512)
        assert not np.any(shard.features[~shard.columns.face_found])
    found = intervals.read(real / "found/detections.parquet", Detection)
    assert {row.detector for row in found} <= {"all"}  # nobody here was ever trained on


def test_a_picture_that_openface_does_not_vouch_for_is_kept_marked_and_never_used(
    real: Path, shared: Path, facespan: Run
) -> None:
    """FaceLandmarkVidMulti wrote pictures of the first two frames, with success 0."""
    for line in (
        "index real --root real --output found",
        "align real --root real --videos found/videos.parquet --output found/frames",
        "extract real --frames found/frames --output found/features --device cpu",
    ):
        assert facespan(*line.split()).code == 0
    with frames.open(real / "found/frames/multi_face_2s.h5") as opened:
        assert np.flatnonzero(~opened.columns.face_found).tolist() == [0, 1]
        assert opened.decode(0, 2).max() > 100
        kept = opened.read(0)
    aligned = shared / "openface/multi_face_2s_224_nomask_jpg/multi_face_2s_aligned"
    assert kept in {path.read_bytes() for path in aligned.glob("frame_det_*_000001.jpg")}
    shard = features.read(real / "found/features/multi_face_2s.h5")
    assert not shard.features[:2].any()
    assert shard.features[2].any()
    told = (ROOT / "docs/shard-format.md").read_text(encoding="utf-8")
    assert "kept as it came. A feature that facespan extracts there is all 0." in told
