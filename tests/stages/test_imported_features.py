"""Features made elsewhere, I3D's for instance, go the same way as the encoder's from the extract stage on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from cache.fingerprints import stated_frames
from cache.shards import features, manifest
from stages.shell.command import ExitCode
from tests.stages.conftest import FRAMES, Told

Run = Callable[..., Told]
Begin = Callable[[str], Path]
VIDEOS = ("ann_1", "ben_1", "cem_1")


@pytest.fixture
def arrays(begin: Begin) -> Path:
    """Return a folder of arrays 24 wide, one row every second frame, in a corpus whose faces are aligned."""
    place = begin("align")
    folder = place / "i3d"
    folder.mkdir()
    for seed, video in enumerate(VIDEOS):
        rows = np.random.default_rng(seed).normal(size=(FRAMES // 2, 24))
        np.save(folder / f"{video}.npy", rows.astype(np.float32))
    described = yaml.safe_load((place / "configs/corpora/tiny.yaml").read_text(encoding="utf-8"))
    described["overrides"]["extract"] = {
        "weights": "i3d", "imported": "i3d", "imported_first": 0.5, "imported_stride": 2
    }  # fmt: skip
    (place / "configs/corpora/tiny.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    return folder


def test_a_detector_is_trained_on_features_of_another_width(arrays: Path, stage: Run) -> None:
    for name in ("extract", "train", "detect", "evaluate"):
        told = stage(name)
        assert told.code == 0, told.err
    shard = features.read(Path("data/features/ann_1.h5"))
    assert shard.features.shape == (FRAMES, 24)
    assert shard.layer == "imported"
    assert manifest.read(Path("data/features")).run["encoder"]["name"] == "i3d"
    assert "(0 new, 3 kept)" in stage("extract").out


def test_a_changed_array_is_taken_anew(arrays: Path, stage: Run) -> None:
    stage("extract")
    np.save(arrays / "ben_1.npy", np.ones((FRAMES // 2, 24), np.float32))
    assert "(1 new, 2 kept)" in stage("extract").out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "i3d/ben_1.npy does not exist"),
        (np.ones((7, 24), np.float32), "i3d/ben_1.npy: 7 rows for"),
        (np.ones(24, np.float32), "holds (24,) of float32, expected (rows, width)"),
        (np.ones((FRAMES // 2, 24), np.int64), "of int64, expected (rows, width) of floating point"),
        (np.full((FRAMES // 2, 24), np.nan), "row 0 holds NaN or infinity"),
        (np.full((FRAMES // 2, 24), 1e5), "holds 100000; float16 goes up to 65504"),
        (np.array([{"a": 1}], dtype=object), "is no array of numbers"),
    ],
)
def test_a_faulty_array_fails_its_video_and_the_others_are_taken(
    arrays: Path, stage: Run, content: np.ndarray | None, message: str
) -> None:
    path = arrays / "ben_1.npy"
    path.unlink()
    if content is not None:
        np.save(path, content, allow_pickle=True)
    told = stage("extract")
    assert told.code == ExitCode.PARTIAL
    assert message in told.err
    assert sorted(manifest.read(Path("data/features")).shards) == ["ann_1", "cem_1"]


def test_a_folder_that_is_not_there_is_named(arrays: Path, stage: Run) -> None:
    arrays.rename(arrays.with_name("elsewhere"))
    told = stage("extract")
    assert told.code == ExitCode.INPUT
    assert "extract.imported is i3d, which is no folder" in told.err


@pytest.mark.parametrize("has_frames", [True, False])
def test_a_colleague_without_the_arrays_keeps_the_features_that_were_pulled(
    arrays: Path, stage: Run, has_frames: bool
) -> None:
    stated = Path("frames.json")
    stated_frames.write(stated, stated_frames.state(stated_frames.present(Path("data/frames"))))
    words = ("--stated", str(stated))
    assert "(3 new, 0 kept)" in stage("extract", extra=words).out
    before = {path.name: path.read_bytes() for path in Path("data/features").glob("[!.]*")}
    shutil.rmtree(arrays)
    if not has_frames:
        shutil.rmtree("data/frames")
    told = stage("extract", extra=words)
    assert told.code == ExitCode.DONE, told.err
    assert "(0 new, 3 kept)" in told.out
    assert "extract: i3d is not here: features that were taken from it are kept" in told.err
    described = yaml.safe_load(Path("configs/corpora/tiny.yaml").read_text(encoding="utf-8"))
    described["overrides"]["extract"]["imported_first"] = 1.5
    Path("configs/corpora/tiny.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    told = stage("extract", extra=words)
    assert told.code == ExitCode.INPUT
    assert "features of 3 videos" in told.err
    assert {path.name: path.read_bytes() for path in Path("data/features").glob("[!.]*")} == before


def test_a_folder_that_dvc_does_not_see_is_said(arrays: Path, stage: Run) -> None:
    assert "extract: DVC does not see i3d change; put it below configs/weights" in stage("extract").err
    inside = Path("configs/weights/i3d")
    inside.parent.mkdir()
    arrays.rename(inside)
    rename(imported=str(inside))
    assert "DVC" not in stage("extract").err


def test_imported_features_take_no_encoders_name(arrays: Path, stage: Run) -> None:
    Path("configs/weights").mkdir()
    Path("configs/weights/known.safetensors").touch()
    rename(weights="known")
    told = stage("extract")
    assert told.code == ExitCode.INPUT
    assert "extract.weights is 'known', an encoder; i3d needs a name of its own" in told.err


def rename(**values: str) -> None:
    """Change what the tiny corpus imports."""
    place = Path("configs/corpora/tiny.yaml")
    described = yaml.safe_load(place.read_text(encoding="utf-8"))
    described["overrides"]["extract"] |= values
    place.write_text(yaml.safe_dump(described), encoding="utf-8")
