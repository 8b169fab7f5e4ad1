"""Bad input, typed at the commands: each names the thing, what was found, what was expected and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from cache.columns import FrameColumns
from cache.shards import features, manifest
from cache.shards.features import FeatureShard
from cache.shards.manifest import Manifest
from cache.weights import tensors as weights
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
TINY = Path("configs/corpora/tiny.yaml")
LABELS = Path("corpus/expressions.csv")
VIDEOS = Path("corpus/videos")
FEATURES = Path("data/features")
DETECTORS = Path("results/detectors")


def describe(change: Callable[[dict[str, Any]], object]) -> None:
    """Change what the tiny corpus' file says."""
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    change(described)
    TINY.write_text(yaml.safe_dump(described), encoding="utf-8")


def add_row(row: str) -> None:
    """Write one more row into the label file."""
    with LABELS.open("a", encoding="utf-8") as file:
        file.write(row + "\n")


def rewrite(video: str, change: Callable[[FeatureShard], FeatureShard]) -> Path:
    """Write other features of a video and put them into the manifest, as somebody else's program might."""
    held = manifest.read(FEATURES)
    path = FEATURES / held.shards[video].file
    shard = change(features.read(path))
    features.write(path, shard.features, shard.columns, shard.key, shard.layer)
    enter(video, held)
    return path


def enter(video: str, held: Manifest) -> None:
    """State in the manifest what a shard is now."""
    entry = held.shards[video]
    told = manifest.describe(FEATURES, FEATURES / entry.file, entry.frames, entry.key)
    manifest.write(FEATURES, Manifest(held.kind, {**held.shards, video: told}, held.run))


def masked(shard: FeatureShard) -> FeatureShard:
    """Return a shard of a video in which no face was found."""
    columns = {**vars(shard.columns), "face_found": np.zeros(len(shard.features), np.bool_)}
    return FeatureShard(np.zeros_like(shard.features), FrameColumns(**columns), shard.key, shard.layer)


def narrow(shard: FeatureShard) -> FeatureShard:
    """Return a shard of half the width."""
    return FeatureShard(shard.features[:, :256], shard.columns, shard.key, shard.layer)


# The corpus.


def test_an_empty_corpus_is_refused(begin: Begin, stage: Run) -> None:
    begin()
    for path in VIDEOS.glob("*.avi"):
        path.unlink()
    LABELS.write_text("subject,video,onset,offset,emotion\n", encoding="utf-8")
    told = stage("index")
    assert told.code == ExitCode.INPUT
    assert told.err == "error: corpus/expressions.csv has no rows and corpus/videos no videos: the corpus is empty.\n"
    assert not Path("data").exists()


def test_a_video_that_does_not_decode_is_named(begin: Begin, stage: Run) -> None:
    begin()
    (VIDEOS / "ben_1.avi").write_bytes(b"not a video")
    told = stage("index")
    assert told.code == ExitCode.PARTIAL
    assert "corpus/videos/ben_1.avi does not open as a video: it is cut short, damaged or of an unknown" in told.err


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_images_with_bytes_behind_their_end_are_no_bad_input(begin: Begin, stage: Run, suffix: str) -> None:
    begin()
    shutil.rmtree(VIDEOS)
    (VIDEOS / "ann_1").mkdir(parents=True)
    for number in range(1, 4):
        path = VIDEOS / f"ann_1/img_{number}.{suffix}"
        cv2.imwrite(str(path), np.full((48, 48, 3), 50 * number, np.uint8))
        with path.open("ab") as file:
            file.write(b"what a camera adds")
    LABELS.write_text("subject,video,onset,offset,emotion\nann,ann_1,,,\n", encoding="utf-8")
    describe(lambda corpus: corpus["facts"].update(source="images", first_frame=1, frame_rate=30.0))
    told = stage("index", "align", "extract")
    assert told.code == ExitCode.DONE, told.err


def test_a_video_with_fewer_frames_than_its_header_says_is_refused_with_both_numbers(begin: Begin, stage: Run) -> None:
    begin()
    whole = (VIDEOS / "ben_1.avi").read_bytes()
    (VIDEOS / "ben_1.avi").write_bytes(whole[: len(whole) // 2])
    told = stage("index")
    assert told.code == ExitCode.PARTIAL
    assert "ben_1.avi is truncated: its header promises 150 frames, " in told.err
    assert "Copy it again, or set allow_truncated" in told.err


def test_a_video_without_frames_is_refused(begin: Begin, stage: Run, add_video: Run) -> None:
    begin()
    add_video(VIDEOS / "ben_1.avi", 0, seed=0)
    told = stage("index")
    assert told.code == ExitCode.PARTIAL
    assert "corpus/videos/ben_1.avi" in told.err
    assert "opens as a video but no frame decodes" in told.err or "does not open as a video" in told.err


def test_two_videos_with_one_id_are_both_named(begin: Begin, stage: Run) -> None:
    begin()
    (VIDEOS / "again").mkdir()
    shutil.copy(VIDEOS / "ben_1.avi", VIDEOS / "again/BEN_1.avi")
    told = stage("index")
    assert told.code == ExitCode.INPUT
    assert "corpus/videos/again/BEN_1.avi and corpus/videos/ben_1.avi have one video id" in told.err
    assert "rename one" in told.err


@pytest.mark.parametrize("video", ["../ben_1", "a/b", "..", "-x", ".hidden"])
def test_an_id_that_leaves_its_folder_is_refused(begin: Begin, stage: Run, video: str) -> None:
    begin()
    add_row(f"ben,{video},20,,49,anger")
    told = stage("index")
    assert told.code == ExitCode.INPUT
    assert f"row 8: {video!r} cannot name a video: expected 1 to 128 of A-Z a-z 0-9 . _ -" in told.err


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "ben,ben_1,140,,150,anger",
            "row 8: onset 140 to offset 150 is outside video ben_1, whose frames are 0 to 149",
        ),
        ("ben,ben_1,60,,50,anger", "row 8: offset 50 is before onset 60: correct one of them"),
        ("ben,ben_1,60,,70,angr", "row 8: emotion 'angr' is unknown (did you mean 'anger'?); known: anger, disgust"),
    ],
    ids=["outside", "reversed", "unknown"],
)
def test_an_expression_that_cannot_be_is_named_by_its_row(begin: Begin, stage: Run, row: str, message: str) -> None:
    begin()
    add_row(row)
    told = stage("index")
    assert told.code == ExitCode.INPUT
    assert f"corpus/expressions.csv: 1 problem\n  {message}" in told.err


def test_a_class_that_the_corpus_file_lacks_is_named(begin: Begin, stage: Run) -> None:
    begin()
    describe(lambda described: described.update(classes=["happiness"]))
    told = stage("index")
    assert told.code == ExitCode.INPUT
    assert "configs/corpora/tiny.yaml: classes ['happiness'] lack anger, which the labels hold. Add them" in told.err


# Weights and shards.


def test_weights_of_another_shape_are_refused_by_file_and_tensor(begin: Begin, stage: Run) -> None:
    begin("align")
    path = Path("configs/weights/other.safetensors")
    preprocessing = {"image_size": 32, "channels": "colour", "mean": [0.5] * 3, "deviation": [0.5] * 3}
    weights.write(path, {"conv1.weight": np.zeros((64, 1, 7, 7), np.float32)}, {"preprocessing": preprocessing})
    describe(lambda described: described["overrides"].update(extract={"weights": "other"}))
    told = stage("extract")
    assert told.code == ExitCode.INPUT
    assert "configs/weights/other.safetensors: these are not the weights of a ResNet18: " in told.err
    assert "is missing" in told.err
    assert "Run: facespan weights import FILE --name other" in told.err


def test_a_frame_shard_that_was_cut_short_fails_its_video_and_is_made_again_by_align(begin: Begin, stage: Run) -> None:
    begin("align")
    path = Path("data/frames/ben_1.h5")
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    told = stage("extract")
    assert told.code == ExitCode.PARTIAL
    assert "ben_1 failed: data/frames/ben_1.h5" in told.err
    assert "facespan align" in told.err
    assert sorted(manifest.read(FEATURES).shards) == ["ann_1", "cem_1"]
    assert "(1 new, 2 kept)" in stage("align").out
    assert path.read_bytes() == whole
    assert "(1 new, 2 kept)" in stage("extract").out
    assert not (FEATURES / "failures.csv").exists()


def test_a_shard_of_another_key_is_refused_with_both_keys(begin: Begin, stage: Run) -> None:
    begin("extract")
    held = manifest.read(FEATURES)
    shard = features.read(FEATURES / "ben_1.h5")
    features.write(FEATURES / "ben_1.h5", shard.features, shard.columns, "f" * 64, shard.layer)
    enter("ben_1", held)
    told = stage("train")
    assert told.code == ExitCode.SHARD
    assert "data/features/ben_1.h5" in told.err
    assert "ffff" in told.err
    assert shard.key[:8] in told.err
    assert "--force extract@CORPUS" in told.err
    assert "(1 new, 2 kept)" in stage("extract").out


def test_features_that_are_not_finite_are_refused_by_file_frame_and_channel(begin: Begin, stage: Run) -> None:
    begin("extract")
    held = manifest.read(FEATURES)
    path = FEATURES / "ben_1.h5"
    values = features.read(path).features
    content = path.read_bytes()
    first = content.index(values.tobytes()) + 2 * (7 * 512 + 3)
    path.write_bytes(content[:first] + np.float16(np.nan).tobytes() + content[first + 2 :])
    enter("ben_1", held)
    told = stage("train")
    assert told.code == ExitCode.SHARD
    assert "data/features/ben_1.h5" in told.err
    assert "position 7, channel 3 is nan, expected finite" in told.err
    assert "--force extract@CORPUS" in told.err


def test_one_video_with_features_of_another_width_is_named(begin: Begin, stage: Run) -> None:
    begin("extract")
    rewrite("ben_1", narrow)
    told = stage("train")
    assert told.code == ExitCode.SHARD
    assert "data/features/ben_1.h5 has features 256 wide, those of ann_1 are 512" in told.err
    assert "dvc repro, or facespan extract --force" in told.err


def test_features_of_another_width_than_the_detector_are_refused(begin: Begin, stage: Run) -> None:
    begin("train")
    for video in ("ann_1", "ben_1", "cem_1"):
        rewrite(video, narrow)
    told = stage("detect")
    assert told.code == ExitCode.SHARD
    assert "results/detectors/without-ann.safetensors was trained on features 512 wide" in told.err
    assert "those in data/features are 256" in told.err
    assert "or train again" in told.err


def test_a_detector_of_another_variant_than_its_card_says_is_refused(begin: Begin, stage: Run) -> None:
    begin("train")
    path = DETECTORS / "without-ben.safetensors"
    tensors, card = weights.read(path)
    card["parameters"]["detector"]["head"] = "coupled"
    weights.write(path, tensors, card)
    told = stage("detect")
    assert told.code == ExitCode.SHARD
    assert "results/detectors/without-ben.safetensors holds another detector than its card describes" in told.err
    assert "expected absent" in told.err or "is absent, expected" in told.err
    assert told.err.endswith("Remove the file and run: dvc repro\n")
    path.unlink()
    assert "(1 new, 3 kept)" in stage("train").out


def test_an_encoder_among_the_detectors_is_refused_by_its_name(begin: Begin, stage: Run) -> None:
    begin("train")
    weights.write(DETECTORS / "encoder.safetensors", {"x": np.zeros(1, np.float32)}, {"name": "encoder"})
    told = stage("detect")
    assert told.code == ExitCode.SHARD
    assert "results/detectors/encoder.safetensors is no detector: its card lacks corpus, fold, classes" in told.err
    assert "Move it away" in told.err


def test_a_detector_that_was_cut_short_is_refused_and_trained_again(begin: Begin, stage: Run) -> None:
    begin("train")
    path = DETECTORS / "without-ben.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    told = stage("detect")
    assert told.code == ExitCode.SHARD
    assert "results/detectors/without-ben.safetensors is not a whole safetensors file" in told.err
    assert "(1 new, 3 kept)" in stage("train").out
    assert path.read_bytes() == whole


# Videos in which there is little to see.


def test_a_video_without_any_face_is_trained_around_and_said_to_hold_no_detections(begin: Begin, stage: Run) -> None:
    begin("extract")
    rewrite("ben_1", masked)
    told = stage("train", "detect")
    assert told.code == ExitCode.DONE, told.err
    assert "detect: no face in any frame of ben_1: nothing can be detected there\n" in told.err
    assert stage("evaluate").code == ExitCode.DONE


def test_a_corpus_without_any_face_cannot_be_learned_from(begin: Begin, stage: Run) -> None:
    begin("train")
    for video in ("ann_1", "ben_1", "cem_1"):
        rewrite(video, masked)
    told = stage("train")
    assert told.code == ExitCode.INPUT
    assert "no face in any frame" in told.err


def test_detectors_find_nothing_where_no_video_shows_a_face(begin: Begin, stage: Run) -> None:
    begin("train")
    for video in ("ann_1", "ben_1", "cem_1"):
        rewrite(video, masked)
    told = stage("detect")
    assert told.code == ExitCode.DONE, told.err
    assert "no face in any frame of ann_1, ben_1, cem_1: nothing can be detected there" in told.err
    assert "3 videos, 0 detections" in told.out
    told = stage("evaluate")
    assert told.code == ExitCode.DONE, told.err
    assert "spotting F1 0.000" in told.out


def test_a_video_of_one_frame_goes_all_the_way(begin: Begin, stage: Run, add_video: Run) -> None:
    begin()
    add_video(VIDEOS / "ann_2.avi", 1, seed=9)
    add_row("ann,ann_2,,,,")
    add_video(VIDEOS / "dan_1.avi", 1, seed=8)
    add_row("dan,dan_1,0,,0,anger")
    told = stage("index", "align", "extract", "train", "detect", "evaluate")
    assert told.code == ExitCode.DONE, told.err
    assert "evaluate: 5 videos" in told.out
