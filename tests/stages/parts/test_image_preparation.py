"""One image file: what an encoder learns from it in training is, to the bit, what extraction shows it of its frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cache.labelled.arrays import WHOLE
from cache.labelled.sets import ImageFiles
from cache.shards import frames
from cache.shards.frames import Frame
from pipeline.encoder import resnet
from pipeline.encoder.labelled_images import Faces, preprocessing_of
from pipeline.encoder.pretraining import classify
from stages.parts import feature_sources

CPU = torch.device("cpu")


class Witness(nn.Module):
    """Stands in for a network and keeps what it is shown."""

    def forward(self, images: Tensor) -> Tensor:
        self.seen = images
        return torch.zeros(len(images), resnet.WIDTH)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_an_image_file_is_seen_alike_in_training_and_in_extraction(tmp_path: Path, suffix: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    image = tmp_path / f"face{suffix}"
    cv2.imwrite(str(image), pixels)

    files = ImageFiles((str(image),), np.array([WHOLE], np.int32), 96)
    preprocessing = preprocessing_of(Faces(files, torch.eye(1)), 64)
    in_training = Witness()
    classify(in_training, files, preprocessing, CPU)

    frames.write(tmp_path / "v.h5", [Frame(image.read_bytes(), 0.0, 0, True, 1.0)], "key", "a test")
    encoder, in_extraction = resnet.build(resnet.random_weights(0), preprocessing, CPU), Witness()
    encoder.network = in_extraction  # type: ignore[assignment]
    with frames.open(tmp_path / "v.h5") as shard:
        feature_sources.encode(encoder, shard, 64, lambda _: None)

    assert in_training.seen.shape == (1, 3, 64, 64)
    assert torch.equal(in_training.seen, in_extraction.seen)
