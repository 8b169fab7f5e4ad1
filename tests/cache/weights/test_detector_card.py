"""A detector's card comes back as it was written, and one that contradicts itself is neither written nor read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cache.errors import InputError, ShardError
from cache.weights import detector_card
from cache.weights import tensors as weights
from cache.weights.detector_card import DetectorCard

TENSORS: weights.Tensors = {"a": np.ones((2, 3), np.float32), "b": np.zeros(4, np.float16)}
IMPLIED = {"a": ((2, 3), "float32"), "b": ((4,), "float16")}
CARD = DetectorCard(
    corpus="mine",
    fold="without-s1",
    train_subjects=("s2", "s3"),
    held_out=("s1",),
    classes=("anger", "joy"),
    emotions=("anger", "joy"),
    encoder={"name": "ferplus", "image_size": None, "has_learned": True},
    network="fedn",
    parameters={"detector": {"width": 16, "rates": [1, 4]}, "train": {"seed": 0}},
    key="0f" * 32,
    input_width=512,
    curve=({"epoch": 1, "total": 0.5},),
)


def test_a_card_comes_back_as_it_was_written(tmp_path: Path) -> None:
    detector_card.write(tmp_path / "one.safetensors", TENSORS, CARD)
    assert detector_card.read(tmp_path / "one.safetensors") == CARD
    assert detector_card.read_folder(tmp_path) == {tmp_path / "one.safetensors": CARD}
    found = detector_card.read_tensors(tmp_path / "one.safetensors", IMPLIED)
    assert {name: value.tolist() for name, value in found.items()} == {n: v.tolist() for n, v in TENSORS.items()}


def test_tuples_and_lists_describe_the_same_detector() -> None:
    built = dataclasses.replace(CARD, parameters={"detector": {"width": 16, "rates": (1, 4)}, "train": {"seed": 0}})
    assert built.described() == CARD.described()


def test_a_detector_saw_whom_it_learned_from_in_its_own_corpus_alone() -> None:
    assert CARD.saw("mine", "s2")
    assert not CARD.saw("mine", "s1")
    assert not CARD.saw("another", "s2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_width": 0}, "input_width is 0, expected a whole number above 0"),
        ({"key": ""}, "key is '', expected 64 hexadecimal digits"),
        ({"held_out": ("s2",)}, "learned from s2 and left the same out"),
        ({"emotions": ("anger",)}, "expected its classes, anger, joy, or 'expression' alone"),
        ({"curve": ({"total": float("nan")},)}, "expected a list of mappings from names to numbers"),
        ({"corpus": ""}, "corpus is '', expected a text"),
    ],
)
def test_a_card_that_contradicts_itself_is_not_written(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ShardError, match=message):
        detector_card.write(tmp_path / "one", TENSORS, dataclasses.replace(CARD, **change))
    assert not list(tmp_path.iterdir())


def test_one_that_only_spots_tells_one_name_for_all(tmp_path: Path) -> None:
    spotting = dataclasses.replace(CARD, emotions=("expression",))
    detector_card.write(tmp_path / "one", TENSORS, spotting)
    assert detector_card.read(tmp_path / "one") == spotting


@pytest.mark.parametrize(
    ("implied", "message"),
    [
        ({**IMPLIED, "a": ((3, 2), "float32")}, r"1 tensors differ, a .* \(2, 3\) float32, expected \(3, 2\) float32"),
        ({**IMPLIED, "b": ((4,), "float32")}, r"b for instance is \(4,\) float16, expected \(4,\) float32"),
        ({**IMPLIED, "c": ((1 << 50,), "float32")}, "c for instance is absent, expected"),
        ({"a": ((2, 3), "float32")}, "b for instance is .*, expected absent"),
    ],
)
def test_tensors_of_another_detector_are_refused_before_any_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, implied: dict[str, Any], message: str
) -> None:
    detector_card.write(tmp_path / "one", TENSORS, CARD)
    monkeypatch.setattr(weights, "read_tensors", lambda _: pytest.fail("read"))
    with pytest.raises(ShardError, match=message):
        detector_card.read_tensors(tmp_path / "one", implied)


def test_an_empty_folder_is_said_to_hold_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no detectors"):
        detector_card.read_folder(tmp_path)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    detector_card.write(tmp_path / "one", TENSORS, CARD)
    (tmp_path / "one").write_bytes((tmp_path / "one").read_bytes()[:-3])
    with pytest.raises(ShardError, match="not a whole safetensors file"):
        detector_card.read(tmp_path / "one")
