"""One image becomes one tensor, whether an encoder learns from it or makes a feature of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pipeline.encoder import resnet
from pipeline.encoder.augmentation import ImageAugmentParameters
from pipeline.encoder.labelled_images import Faces, batches, preprocessing_of
from pipeline.encoder.preparation import Preparation, Preprocessing
from pipeline.encoder.pretraining import classify

CPU = torch.device("cpu")
PLAIN = Preprocessing(64, "colour", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
GREY = Preprocessing(64, "grey", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
STILL = ImageAugmentParameters(0.0, (1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def noise(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


class Witness(nn.Module):
    """Stands in for a network and keeps what it is shown."""

    def forward(self, images: Tensor) -> Tensor:
        self.seen = images
        return torch.zeros(len(images), 2)


def seen_in_extraction(frames: Tensor, preprocessing: Preprocessing) -> Tensor:
    encoder, witness = resnet.build(resnet.random_weights(0), preprocessing, CPU), Witness()
    encoder.network = witness  # type: ignore[assignment]
    encoder(frames)
    return witness.seen


def seen_in_validation(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    witness = Witness()
    classify(witness, images, preprocessing, CPU)
    return witness.seen


def seen_in_training(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Return what a network learns from where images are left undisturbed; mirrored ones are mirrored back."""
    generator = torch.Generator().manual_seed(1)
    faces = Faces(images, torch.eye(len(images)))
    ((found, order),) = batches(faces, len(images), STILL, preprocessing, generator, CPU)
    found = found[order.argmax(dim=1).argsort()]
    expected = seen_in_validation(images, preprocessing)
    is_mirrored = ((found - expected).abs().sum(dim=(1, 2, 3)) > 1).view(-1, 1, 1, 1)
    return torch.where(is_mirrored, found.flip(3), found)


@pytest.mark.parametrize("side", [48, 64, 150, 224])
@pytest.mark.parametrize("channels", ["colour", "grey"])
def test_one_image_is_seen_alike_in_training_and_in_extraction(channels: str, side: int) -> None:
    images = noise(4, side, side, 3) if channels == "colour" else noise(4, side, side)
    preprocessing = preprocessing_of(Faces(images, torch.eye(4)), 64)
    assert preprocessing.channels == channels
    # A grey image becomes a frame by being there three times, as a video of grey images has it.
    frames = images if channels == "colour" else images.unsqueeze(-1).repeat(1, 1, 1, 3)
    found = seen_in_extraction(frames, preprocessing)
    assert found.shape == (4, 3, 64, 64)
    assert torch.equal(seen_in_validation(images, preprocessing), found)
    # Turning by nothing moves a pixel by rounding.
    if side >= 64:  # smaller ones are enlarged while they are turned
        torch.testing.assert_close(seen_in_training(images, preprocessing), found, rtol=0, atol=0.005)


def test_colours_in_another_order_are_another_image() -> None:
    images = noise(2, 64, 64, 3)
    for preprocessing in (PLAIN, GREY):
        assert not torch.equal(Preparation(preprocessing, CPU)(images), Preparation(preprocessing, CPU)(images.flip(3)))


def test_images_are_resized_to_the_size_of_the_weights_and_keep_what_is_the_same_everywhere() -> None:
    flat = torch.full((1, 100, 100, 3), 51, dtype=torch.uint8)
    torch.testing.assert_close(Preparation(PLAIN, CPU)(flat), torch.full((1, 3, 64, 64), 51 / 255))


def test_where_an_image_shrinks_no_pixel_is_skipped() -> None:
    # Lines of one pixel, black and white in turn: what skips pixels sees black alone, or white alone.
    lines = torch.zeros(1, 256, 256, 3, dtype=torch.uint8)
    lines[:, ::2] = 255
    found = Preparation(PLAIN, CPU)(lines)
    torch.testing.assert_close(found[:, :, 2:-2], torch.full((1, 3, 60, 64), 0.5), rtol=0, atol=0.01)


def test_grey_is_the_luminance_three_times() -> None:
    red = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    red[..., 0] = 255
    # Red weighs 0.299, so (0.299 - 0.5) / 0.25 = -0.804 in all three channels.
    torch.testing.assert_close(Preparation(GREY, CPU)(red), torch.full((1, 3, 64, 64), -0.804))


def test_normalisation_takes_the_mean_and_divides_by_the_deviation() -> None:
    preprocessing = Preprocessing(64, "colour", (0.2, 0.4, 0.6), (0.1, 0.2, 0.4))
    white = Preparation(preprocessing, CPU)(torch.full((1, 64, 64, 3), 255, dtype=torch.uint8))
    # (1 - 0.2) / 0.1 = 8; (1 - 0.4) / 0.2 = 3; (1 - 0.6) / 0.4 = 1.
    assert white[0, :, 5, 5].tolist() == pytest.approx([8, 3, 1])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: torch.zeros(64, 64, dtype=torch.uint8),
        lambda: torch.zeros(1, 3, 64, 64, dtype=torch.uint8),
        lambda: torch.zeros(1, 64, 64, 3),
    ],
)
def test_images_of_another_shape_or_type_are_refused(wrong: Callable[[], Tensor]) -> None:
    with pytest.raises(ValueError, match=r"expected \(B, H, W\[, 3\]\) of uint8"):
        Preparation(PLAIN, CPU)(wrong())
