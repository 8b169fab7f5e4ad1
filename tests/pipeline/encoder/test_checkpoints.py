"""Checkpoints as frameworks write them: the encoder is found, and what is no encoder is told from it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.models import resnet18, resnet50

from pipeline.encoder import checkpoints, resnet
from pipeline.encoder.preparation import IMAGENET_DEVIATION, IMAGENET_MEAN, Preprocessing


def state(prefix: str = "", classes: int = 7) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in resnet18(weights=None, num_classes=classes).state_dict().items()}


@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "module.encoder.", "net.", "model.", "my_own_name."])
def test_names_are_found_behind_any_prefix(prefix: str) -> None:
    taken = checkpoints.take(state(prefix))
    assert taken.prefix == prefix
    assert taken.ignored == (f"{prefix}fc.bias", f"{prefix}fc.weight")
    resnet.check(taken.weights)


def test_weights_are_found_where_they_are_nested() -> None:
    taken = checkpoints.take({"epoch": 3, "model": {"state_dict": state()}, "optimizer": {"lr": 0.1}})
    assert taken.nest == "model.state_dict"


def test_other_tensors_are_ignored_and_told() -> None:
    content = state("module.") | {"center": torch.zeros(3), "module.attention.weight": torch.zeros(2)}
    taken = checkpoints.take(content)
    assert {"center", "module.attention.weight"} <= set(taken.ignored)


def test_numbers_are_kept_as_float16_or_become_float32() -> None:
    half = {name: value.half() if value.is_floating_point() else value for name, value in state().items()}
    double = {name: value.double() for name, value in state().items()}
    assert {value.dtype for value in checkpoints.take(half).weights.values()} == {torch.float16}
    assert {value.dtype for value in checkpoints.take(double).weights.values()} == {torch.float32}


@pytest.mark.parametrize("content", [{}, {"epoch": 1}, [1, 2], torch.zeros(3), {"weight": torch.zeros(2)}])
def test_what_holds_no_resnet_is_refused(content: object) -> None:
    with pytest.raises(ValueError, match="no ResNet was found"):
        checkpoints.take(content)


def test_another_resnet_is_refused() -> None:
    with pytest.raises(ValueError, match="not the weights of a ResNet18"):
        checkpoints.take(resnet50(weights=None).state_dict())


def test_one_channel_is_refused() -> None:
    content = state() | {"conv1.weight": torch.zeros(64, 1, 7, 7)}
    with pytest.raises(ValueError, match=r"conv1.weight has shape \(64, 1, 7, 7\)"):
        checkpoints.take(content)


def test_two_encoders_in_one_file_are_refused() -> None:
    with pytest.raises(ValueError, match="several ResNets"):
        checkpoints.take(state("query.") | state("key."))


def test_weights_without_any_effect_are_refused() -> None:
    preprocessing = Preprocessing(32, "colour", IMAGENET_MEAN, IMAGENET_DEVIATION)
    dead = {name: torch.zeros_like(value) for name, value in resnet.random_weights(0).items()}
    with pytest.raises(ValueError, match="for every image"):
        checkpoints.feature_statistics(dead, preprocessing)
    assert checkpoints.feature_statistics(resnet.random_weights(0), preprocessing)["between_images"] > 0
