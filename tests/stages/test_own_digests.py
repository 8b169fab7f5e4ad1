"""Detectors, encoders and tables that changed since they were written are noticed by whatever stage uses them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import save

from cache.weights import detector_card, tensors
from pipeline.encoder import resnet
from pipeline.encoder.preparation import IMAGENET_DEVIATION, IMAGENET_MEAN, Preprocessing
from stages.parts import encoders
from stages.shell.command import ExitCode

pytestmark = pytest.mark.whole_line

Run = Callable[..., Any]
Begin = Callable[..., Path]
DETECTORS, ENCODERS = Path("results/detectors"), Path("configs/weights")
FLIPS = 40


def flip(path: Path, place: int, bit: int = 0) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def as_an_earlier_version_wrote(path: Path) -> None:
    """Write a detector without its digest."""
    values, card = tensors.read(path)
    path.write_bytes(save(values, {"card": json.dumps(card, sort_keys=True)}))


def test_a_bit_changed_in_a_detector_stops_detect_and_evaluate_and_is_made_good_by_train(
    begin: Begin, stage: Run
) -> None:
    begin("detect")
    path, generator = DETECTORS / "all.safetensors", np.random.default_rng(0)
    whole = path.read_bytes()
    for place in generator.integers(0, len(whole), FLIPS).tolist():
        flip(path, place, int(generator.integers(8)))
        told = stage("detect")
        assert told.code == ExitCode.SHARD
        assert "all.safetensors is not" in told.err
        path.write_bytes(whole)
    flip(path, len(whole) - 1)
    assert stage("evaluate").code == ExitCode.SHARD
    assert "(1 new, 3 kept)" in stage("train").out
    assert path.read_bytes() == whole


@pytest.mark.parametrize("is_old", [True, False], ids=["of an earlier version", "of this version"])
def test_weights_that_are_no_numbers_are_an_error_not_no_detections(begin: Begin, stage: Run, is_old: bool) -> None:
    begin("train")
    for path in DETECTORS.iterdir():
        values, card = detector_card.read_finite(path), detector_card.read(path)
        detector_card.write(path, {name: value * np.nan for name, value in values.items()}, card)
        if is_old:
            as_an_earlier_version_wrote(path)
    told = stage("detect")
    assert told.code == ExitCode.SHARD
    assert "holds numbers that are not finite. Remove the file and run: dvc repro" in told.err
    assert "(4 new, 0 kept)" in stage("train").out


def test_detectors_of_an_earlier_version_are_used_as_they_are_and_given_a_digest_once(begin: Begin, stage: Run) -> None:
    begin("evaluate")
    whole = {path: path.read_bytes() for path in DETECTORS.iterdir()}
    for path in whole:
        as_an_earlier_version_wrote(path)
    for name in ("detect", "evaluate"):
        told = stage(name)
        assert told.code == ExitCode.DONE
        assert f"{name}: 4 of 4 detectors (all.safetensors for instance)" in told.err.replace("\n", " ")
        assert "carry no digest" in told.err.replace("\n", " ")
    told = stage("train")
    assert "(0 new, 4 kept)" in told.out
    assert "4 detectors of an earlier version carried no digest" in told.err.replace("\n", " ")
    assert {path: path.read_bytes() for path in DETECTORS.iterdir()} == whole
    assert "no digest" not in stage("train").err


def use_encoder(name: str) -> Path:
    """Write an encoder, have `extract` take it, and return its path."""
    described = yaml.safe_load(Path("configs/corpora/tiny.yaml").read_text(encoding="utf-8"))
    described["overrides"]["extract"] = {"weights": name}
    Path("configs/corpora/tiny.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    state = {key: value.half() for key, value in resnet.random_weights(0).items()}
    encoders.write(ENCODERS, name, state, Preprocessing(32, "colour", IMAGENET_MEAN, IMAGENET_DEVIATION), {})
    return encoders.path_of(ENCODERS, name)


def test_a_bit_changed_in_an_encoder_or_its_card_stops_extract(begin: Begin, stage: Run) -> None:
    begin("align")
    path, generator = use_encoder("mine"), np.random.default_rng(0)
    size = path.stat().st_size
    for place in [*generator.integers(0, size, 8).tolist(), path.read_bytes().index(b"deviation") + 15]:
        flip(path, place)
        told = stage("extract")
        assert told.code == ExitCode.INPUT
        assert "mine.safetensors" in told.err
        flip(path, place)
    assert stage("extract").code == ExitCode.DONE


def test_an_encoder_of_an_earlier_version_is_held_against_the_card_beside_it(begin: Begin, stage: Run) -> None:
    begin("align")
    path = use_encoder("mine")
    values, card = tensors.read(path)
    path.write_bytes(save(values, {"card": json.dumps(card, sort_keys=True)}))
    assert stage("extract").code == ExitCode.DONE
    card["preprocessing"]["image_size"] = 33
    path.write_bytes(save(values, {"card": json.dumps(card, sort_keys=True)}))
    told = stage("extract")
    assert told.code == ExitCode.INPUT
    assert "hold one card, and differ in preprocessing" in told.err.replace("\n", " ")


def test_an_encoder_whose_weights_are_no_numbers_is_refused(begin: Begin, stage: Run) -> None:
    begin("align")
    path = use_encoder("mine")
    values, card = tensors.read(path)
    digest = resnet.digest_of({name: torch.from_numpy(value * np.nan) for name, value in values.items()})
    tensors.write(path, {name: value * np.nan for name, value in values.items()}, {**card, "sha256": digest})
    told = stage("extract")
    assert told.code == ExitCode.INPUT
    assert "not finite" in told.err


@pytest.mark.parametrize(
    ("table", "user"),
    [
        ("data/videos.parquet", "align"),
        ("data/expressions.parquet", "train"),
        ("results/detections.parquet", "evaluate"),
    ],
)
def test_a_bit_changed_in_a_table_stops_the_stage_that_reads_it(
    begin: Begin, stage: Run, table: str, user: str
) -> None:
    begin("detect")
    path, generator = Path(table), np.random.default_rng(0)
    for place in generator.integers(0, path.stat().st_size, FLIPS).tolist():
        flip(path, place)
        told = stage(user)
        assert told.code == ExitCode.INPUT
        assert f"{path.name} is not as it was written" in told.err
        flip(path, place)
    assert stage(user).code == ExitCode.DONE


def test_a_bit_changed_in_what_stands_for_the_frames_stops_extract(
    begin: Begin, facespan: Run, words: Callable[[str], list[str]]
) -> None:
    begin("index")
    path = Path("configs/frames/tiny.json")
    assert facespan("align", *words("align"), "--stated", str(path)).code == ExitCode.DONE
    for place in np.random.default_rng(0).integers(0, path.stat().st_size, FLIPS).tolist():
        flip(path, place)
        told = facespan("extract", *words("extract"), "--stated", str(path))
        assert told.code == ExitCode.INPUT
        assert f"{path} does not say what the frames of a corpus are" in told.err
        assert f"git restore {path}" in told.err
        flip(path, place)
    assert facespan("extract", *words("extract"), "--stated", str(path)).code == ExitCode.DONE
