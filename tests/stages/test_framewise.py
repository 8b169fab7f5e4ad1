"""The spotter without training, as a user meets it: `train.network: framewise`, with the encoder's own class layer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from cache.shards import features
from cache.tables import curves, intervals
from cache.tables.intervals import Detection
from cache.weights import detector_card
from pipeline.encoder import probing, resnet
from pipeline.encoder.class_layer import ClassLayer
from pipeline.encoder.preparation import IMAGENET_DEVIATION, IMAGENET_MEAN, Preprocessing
from stages.parts import encoders
from stages.shell.command import ExitCode
from tests.stages.conftest import EXPRESSIONS, FRAMES

Run = Callable[..., Any]
Begin = Callable[..., Path]
PARAMS, TINY, WEIGHTS = Path("configs/params.yaml"), Path("configs/corpora/tiny.yaml"), Path("configs/weights")
DETECTOR = Path("results/detectors/none.safetensors")
NAMES = ("neutral", "happiness", "anger")


def override(section: str, **values: object) -> None:
    """Set overrides of the tiny corpus."""
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    described["overrides"][section] |= values
    TINY.write_text(yaml.safe_dump(described), encoding="utf-8")


def keep(name: str, layer: ClassLayer | None) -> None:
    """Write an encoder that has learned nothing, with a class layer or without."""
    prepared = Preprocessing(32, "colour", IMAGENET_MEAN, IMAGENET_DEVIATION)
    encoders.write(WEIGHTS, name, resnet.random_weights(0), prepared, {"name": name}, layer)


def fitted(names: tuple[str, ...] = NAMES) -> ClassLayer:
    """Return a class layer that knows the faces of the first person."""
    found = torch.from_numpy(features.read(Path("data/features/ann_1.h5")).features).float()
    classes = torch.zeros(FRAMES, dtype=torch.int64)
    for onset, offset, emotion in EXPRESSIONS:
        classes[onset : offset + 1] = names.index(emotion)
    return probing.fit(found, classes, len(names), 1e-3).class_layer(names)


@pytest.fixture
def chosen(begin: Begin, stage: Run) -> Path:
    """Return the tiny corpus with features of an encoder that has a class layer, and framewise as its network."""
    here = begin("align")
    WEIGHTS.mkdir()
    keep("known", None)
    override("extract", weights="known")
    override("train", network="framewise")
    told = stage("extract")
    assert told.code == 0, told.err
    keep("known", fitted())
    return here


def test_emotions_are_found_without_training_and_scored(chosen: Path, stage: Run) -> None:
    told = stage("train")
    assert told.code == 0, told.err
    assert "train: 1 detectors (1 new, 0 kept), 3 subjects, 6 expressions, 3 videos" in told.out
    assert "framewise: no class of the encoder stands for surprise, disgust, fear, sadness: never found" in told.err
    # Nothing of the encoder is needed from here on.
    shutil.rmtree(WEIGHTS)
    told = stage("detect", "evaluate")
    assert told.code == 0, told.err
    metrics = json.loads(Path("results/tiny/metrics.json").read_text(encoding="utf-8"))
    assert metrics["spotting"]["f1"] > 0.8
    found = intervals.read(Path("results/detections.parquet"), Detection)
    assert {row.emotion for row in found} == {"happiness", "anger"}
    assert {row.detector for row in found} == {"none"}


def test_the_curve_of_a_video_is_the_probability_of_each_class(chosen: Path, stage: Run) -> None:
    assert stage("train", "detect").code == 0
    table = curves.read(Path("results/curves.parquet"))
    curve = dict(zip(table.classes, table.curve("ann_1").T, strict=True))
    (onset, offset, _), (other_onset, other_offset, _) = EXPRESSIONS
    assert curve["happiness"][onset + 5 : offset - 5].min() > 0.8
    assert curve["anger"][other_onset + 5 : other_offset - 5].min() > 0.8
    assert curve["happiness"][other_onset:other_offset].max() < 0.2
    assert not curve["fear"].any()
    assert np.all(curve["happiness"] + curve["anger"] <= 1.001)


def test_it_is_made_once_and_again_when_the_class_layer_is_another(chosen: Path, stage: Run) -> None:
    assert stage("train").code == 0
    before = DETECTOR.read_bytes()
    assert "(0 new, 1 kept)" in stage("train").out
    assert DETECTOR.read_bytes() == before
    layer = fitted()
    keep("known", layer._replace(bias=layer.bias + torch.tensor([1.0, 0.0, 0.0])))
    assert "(1 new, 0 kept)" in stage("train").out
    assert DETECTOR.read_bytes() != before


def test_a_corpus_with_classes_of_its_own_maps_the_encoder_s_to_them(chosen: Path, stage: Run) -> None:
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    described["classes"] = ["positive", "negative"]
    described["facts"]["emotions"] = {"happiness": "positive", "anger": "negative"}
    described["overrides"]["train"]["framewise"] = {
        "classes": {"neutral": None, "happiness": "positive", "anger": "negative"}
    }
    TINY.write_text(yaml.safe_dump(described), encoding="utf-8")
    told = stage("index", "align", "train")
    assert told.code == 0, told.err
    assert "train: framewise.classes = {'anger': 'negative', 'happiness': 'positive', 'neutral': None}" in told.err
    told = stage("detect")
    assert told.code == 0, told.err
    assert "never found" not in told.err
    found = intervals.read(Path("results/detections.parquet"), Detection)
    assert {row.emotion for row in found} == {"positive", "negative"}
    card = detector_card.read(DETECTOR)
    assert card.parameters["class_map"]["classes"] == {"anger": "negative", "happiness": "positive", "neutral": None}


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"neutral": None, "happiness": "happiness"}, "train.framewise.classes has no line for anger"),
        (
            {"neutral": None, "happiness": "positive", "anger": "anger"},
            "train.framewise.classes says happiness: positive, but the corpus has happiness, surprise",
        ),
    ],
    ids=["no line", "no class"],
)
def test_a_class_that_has_none_is_named(chosen: Path, stage: Run, classes: dict[str, str | None], message: str) -> None:
    override("train", framewise={"classes": classes})
    told = stage("train")
    assert told.code == ExitCode.INPUT
    assert message in told.err
    assert not DETECTOR.exists()


def test_an_encoder_without_a_class_layer_says_how_one_is_fitted(chosen: Path, stage: Run) -> None:
    keep("known", None)
    told = stage("train")
    assert told.code == ExitCode.INPUT
    assert "configs/weights/known.safetensors has no class layer, which train.network framewise needs" in told.err
    assert "facespan weights probe --images FOLDER --layout LAYOUT --weights known --without '' --record" in told.err


def test_features_of_no_encoder_in_the_folder_are_refused(begin: Begin, stage: Run) -> None:
    begin("extract")
    override("train", network="framewise")
    told = stage("train")
    assert told.code == ExitCode.INPUT
    assert "They are of 'random'" in told.err


def test_an_encoder_that_is_another_than_that_of_the_features_is_refused(chosen: Path, stage: Run) -> None:
    prepared = Preprocessing(32, "colour", IMAGENET_MEAN, IMAGENET_DEVIATION)
    encoders.write(WEIGHTS, "known", resnet.random_weights(1), prepared, {"name": "known"}, fitted())
    told = stage("train")
    assert told.code == ExitCode.INPUT
    assert "the features were made with" in told.err
    assert "facespan extract" in told.err


def test_normalised_features_are_refused_and_parameters_of_an_idle_network_are_not_told(
    chosen: Path, facespan: Run
) -> None:
    override("train", framewise={"normalisation": "video"})
    told = facespan("check", "tiny")
    assert told.code == ExitCode.USAGE
    assert "normalisation is 'video', expected 'none' for network framewise" in told.err
    override("train", network="fedn", framewise={"rise_begin": 0.9})
    told = facespan("check", "tiny")
    assert told.code == 0, told.err
    assert "rise_begin" not in told.err


def test_its_operations_are_counted(chosen: Path, facespan: Run) -> None:
    told = facespan("flops", "-S", "network=framewise")
    assert told.code == 0, told.err
    assert "class_layer" in told.out
    assert "as the paper counts" not in told.out
