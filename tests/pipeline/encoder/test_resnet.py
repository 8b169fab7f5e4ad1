"""The encoder: what a frame becomes, and which weights are refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from pipeline.encoder import resnet
from pipeline.encoder.preparation import Preprocessing
from pipeline.encoder.resnet import ExtractParameters

CPU = torch.device("cpu")
PLAIN = Preprocessing(64, "colour", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
GREY = Preprocessing(64, "grey", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


def trained_like(seed: int = 0) -> dict[str, Tensor]:
    """Return weights whose batch-norms are not those of a fresh network, so that folding has something to fold."""
    generator = torch.Generator().manual_seed(seed)
    weights = resnet.random_weights(seed)
    for name, value in weights.items():
        if value.ndim == 1:
            weights[name] = value + 0.1 * torch.rand(value.shape, generator=generator)
    return weights


def noise(count: int, side: int, seed: int = 0) -> Tensor:
    return torch.randint(
        0, 256, (count, side, side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


def test_folding_the_batch_norms_changes_features_by_rounding_only() -> None:
    weights, frames = trained_like(), noise(3, 64)
    plain = resnet18(weights=None)
    plain.fc = nn.Identity()
    plain.load_state_dict(weights, strict=False)
    with torch.inference_mode():
        expected = plain.eval()(frames.permute(0, 3, 1, 2).float() / 255)
    found = resnet.build(weights, PLAIN, CPU)(frames)
    assert found.shape == (3, 512)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_features_are_finite_and_never_negative() -> None:
    found = resnet.build(trained_like(), GREY, CPU)(noise(2, 64))
    assert torch.isfinite(found).all()
    assert (found >= 0).all()


def test_the_encoder_is_frozen() -> None:
    built = resnet.build(trained_like(), PLAIN, CPU)
    assert not built.training
    assert not any(parameter.requires_grad for parameter in built.parameters())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in built.modules())


def test_a_frame_s_feature_depends_on_that_frame_alone() -> None:
    built, frames = resnet.build(trained_like(), PLAIN, CPU), noise(5, 64)
    together = built(frames)
    torch.testing.assert_close(together[2:3], built(frames[2:3]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.flip(0), built(frames.flip(0)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "frames",
    [
        torch.zeros(64, 64, 3, dtype=torch.uint8),
        torch.zeros(1, 3, 64, 64, dtype=torch.uint8),
        torch.zeros(1, 64, 64, 3),
    ],
)
def test_frames_of_another_shape_or_type_are_refused(frames: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected \(B, H, W, 3\) of uint8"):
        resnet.build(trained_like(), PLAIN, CPU)(frames)


def test_faulty_weights_are_refused_with_every_fault_named() -> None:
    weights = resnet.random_weights(0)
    del weights["conv1.weight"]
    weights["bn1.weight"] = torch.full((64,), float("nan"))
    weights["bn1.bias"] = torch.zeros(32)
    weights["extra"] = torch.zeros(1)
    with pytest.raises(ValueError) as caught:
        resnet.check(weights)
    for fault in ("conv1.weight is missing", "bn1.weight holds values", "bn1.bias has shape (32,)", "extra is unknown"):
        assert fault in str(caught.value)


def test_random_weights_follow_their_seed_and_leave_the_process_s_random_state() -> None:
    before = torch.random.get_rng_state()
    first, again, other = resnet.random_weights(1), resnet.random_weights(1), resnet.random_weights(2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert resnet.digest_of(first) == resnet.digest_of(again) != resnet.digest_of(other)


def test_the_digest_is_of_the_values_and_not_of_their_order_or_storage() -> None:
    half = {name: value.half() for name, value in resnet.random_weights(0).items()}
    backwards = {name: half[name].float() for name in reversed(half)}
    assert resnet.digest_of(half) == resnet.digest_of(backwards)


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="batch_size is 0"):
        ExtractParameters("random", 0, 224, 0, None, 0.0, 1)
    with pytest.raises(ValueError, match="random_image_size is 16"):
        ExtractParameters("random", 0, 16, 1, None, 0.0, 1)
    with pytest.raises(ValueError, match=r"imported_first and imported_stride are 7.5 and 0"):
        ExtractParameters("i3d", 0, 224, 1, "i3d", 7.5, 0)
