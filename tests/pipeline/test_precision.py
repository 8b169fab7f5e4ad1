"""On a GPU float32 is float32, and cuDNN stays on; the process's own settings come back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from pipeline.detectors import registry
from pipeline.detectors.decoding import detect
from pipeline.encoder import resnet
from pipeline.encoder.preparation import Preprocessing
from pipeline.precision import exact_float32
from pipeline.training.fold import train_fold
from pipeline.training.folds import Fold
from tests.pipeline.invented_features import CLASS_COUNT, DETECT, fold_parameters, record

CPU = torch.device("cpu")
PREPROCESSING = Preprocessing(32, "grey", (0.5,) * 3, (0.25,) * 3)
EXACT = {"cuDNN": True, "TF32 in convolutions": False, "TF32 in products": False}
LOOSE = EXACT | {"TF32 in convolutions": True, "TF32 in products": True}


def settings() -> dict[str, bool]:
    """Return what the process multiplies with right now."""
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    return dict(zip(EXACT, (cudnn.enabled, cudnn.allow_tf32, products.allow_tf32), strict=True))


@pytest.fixture(autouse=True)
def loose() -> Iterator[None]:
    """Let the process allow TF32 everywhere, as its environment may."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    yield
    assert settings() == LOOSE
    torch.backends.cuda.matmul.allow_tf32 = before


def tell(module: nn.Module, found: list[dict[str, bool]]) -> None:
    """Take down the settings whenever the module has answered."""
    module.register_forward_hook(lambda *_: found.append(settings()))


def test_the_encoder_multiplies_exactly_and_with_cudnn() -> None:
    built, found = resnet.build(resnet.random_weights(0), PREPROCESSING, CPU), []
    tell(built.network, found)
    built(torch.zeros(1, 32, 32, 3, dtype=torch.uint8))
    assert found == [EXACT]


def test_training_and_detection_multiply_exactly() -> None:
    recordings = record(seed=5, subjects=2, videos=1, frame_count=200, width=8, expressions=2)
    parameters, found = fold_parameters(8, epochs=1, warm_up_epochs=0), []
    fold = Fold("without-s0", ("s1",), "s0")
    train_fold(recordings, fold, parameters, CLASS_COUNT, CPU, lambda _: found.append(settings()))
    detector = registry.build(parameters.network, parameters.own, 8, CLASS_COUNT)
    tell(detector, found)
    detect(detector, recordings[:1], "video", DETECT, CPU)
    assert found == [EXACT, EXACT]


def test_settings_come_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), exact_float32():
        _ = 1 / 0
    assert settings() == LOOSE
