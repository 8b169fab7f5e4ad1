"""An encoder's training: it learns what can be learned, goes on where it stopped, and counts fairly."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipeline.encoder import resnet
from pipeline.encoder.augmentation import ImageAugmentParameters, augment
from pipeline.encoder.labelled_images import Faces, class_weights, preprocessing_of
from pipeline.encoder.pretraining import (
    Precision,
    PretrainParameters,
    Progress,
    apart,
    classify,
    confusion,
    mean_recall,
    on_device,
    pretrain,
    soft_cross_entropy,
    start,
)

CPU = torch.device("cpu")
PARAMETERS = PretrainParameters(
    seed=0,
    stages=((32, 3),),
    batch_size=16,
    learning_rate=0.002,
    weight_decay=0.05,
    warm_up_share=0.2,
    balance=0.5,
    patience=0,
    precision="float32",
)
STILL = ImageAugmentParameters(0.0, (1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
MILD = ImageAugmentParameters(5.0, (0.9, 1.1), 0.02, 0.02, 0.1, 0.1, 0.1, 0.1)


def stripes(count: int, seed: int) -> Faces:
    """Return noisy images with stripes that lie (class 0) or stand (class 1)."""
    generator = torch.Generator().manual_seed(seed)
    classes = torch.arange(count) % 2
    waves = (torch.arange(32) // 4 % 2 * 160).float()
    images = torch.where(classes.view(-1, 1, 1) == 0, waves.view(1, 32, 1), waves.view(1, 1, 32))
    images = images + 60 * torch.rand((count, 32, 32), generator=generator)
    return Faces(images.to(torch.uint8), torch.eye(2)[classes])


def test_a_toy_problem_is_learned() -> None:
    test = stripes(32, seed=2)
    trained = pretrain(stripes(64, seed=0), stripes(8, seed=1), PARAMETERS, MILD, CPU)
    network = start(0, 2)
    network.load_state_dict(trained.state)
    table = confusion(classify(network, test.images, trained.preprocessing, CPU), test.targets)
    assert table.trace() >= 30
    assert [row.epoch for row in trained.curve] == [1, 2, 3]
    assert trained.curve[-1].train_loss < trained.curve[0].train_loss
    encoder, layer = apart(trained.state, ("lying", "standing"))
    resnet.check(encoder)
    features = resnet.build(encoder, trained.preprocessing, CPU)(test.images.unsqueeze(-1).expand(-1, -1, -1, 3))
    assert (layer.logits(features).argmax(dim=1) == test.targets.argmax(dim=1)).sum() == table.trace()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_training_gives_the_same_weights(precision: Precision) -> None:
    train, validation = stripes(32, seed=0), stripes(8, seed=1)
    parameters = dataclasses.replace(PARAMETERS, stages=((32, 1), (48, 1)), precision=precision)
    kept: list[Progress] = []
    whole = pretrain(train, validation, parameters, MILD, CPU, save=kept.append)
    interrupted: list[Progress] = []

    class StopError(Exception):
        """The machine was switched off."""

    def stop(progress: Progress) -> None:
        interrupted.append(progress)
        raise StopError

    with pytest.raises(StopError):
        pretrain(train, validation, parameters, MILD, CPU, save=stop)
    resumed = pretrain(train, validation, parameters, MILD, CPU, resume=interrupted[0])
    assert kept[0].curve == interrupted[0].curve
    assert resumed.curve == whole.curve
    assert all(torch.equal(value, resumed.state[name]) for name, value in whole.state.items())
    assert resumed.preprocessing.image_size == 48


class Read:
    """Images that are handed out run by run."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images.numpy()
        self.shape = self.images.shape

    def __len__(self) -> int:
        return len(self.images)

    def read(self, runs: Iterable[NDArray[np.intp]]) -> Iterator[NDArray[np.uint8]]:
        yield from (self.images[run] for run in runs)


def test_images_that_are_read_as_they_are_needed_give_the_same_weights() -> None:
    train, validation = stripes(32, seed=0), stripes(8, seed=1)
    parameters = dataclasses.replace(PARAMETERS, stages=((32, 1), (48, 1)))
    whole = pretrain(train, validation, parameters, MILD, CPU)
    faces = [Faces(Read(images), targets) for images, targets in ((train.images, train.targets), validation)]
    read = pretrain(*faces, parameters, MILD, CPU)
    assert read.curve == whole.curve
    assert all(torch.equal(value, read.state[name]) for name, value in whole.state.items())


def test_training_stops_when_nothing_gets_better() -> None:
    parameters = dataclasses.replace(PARAMETERS, stages=((32, 6),), learning_rate=1e-9, patience=2)
    trained = pretrain(stripes(16, seed=0), stripes(8, seed=1), parameters, STILL, CPU)
    best = max(trained.curve, key=lambda row: (row.validation_accuracy, row.epoch)).epoch
    assert len(trained.curve) in (best + 2, 6)


def test_class_weights_have_a_mean_of_one_over_the_images() -> None:
    # Frequencies 0.8 and 0.2 to the power of -0.5 are 1.118 and 2.236; over 0.8 * 1.118 + 0.2 * 2.236 = 1.342.
    targets = torch.tensor([[1.0, 0.0]] * 4 + [[0.0, 1.0]])
    assert class_weights(targets, 0.5).tolist() == pytest.approx([0.8333, 1.6667], abs=1e-3)
    assert class_weights(targets, 0.0).tolist() == pytest.approx([1.0, 1.0])


def test_a_class_without_images_weighs_nothing() -> None:
    targets = torch.tensor([[0.5, 0.5, 0.0]])
    assert class_weights(targets, 0.5).tolist() == pytest.approx([1.0, 1.0, 0.0])


def test_the_loss_is_the_cross_entropy_with_the_shares_of_votes() -> None:
    # Equal logits: log 2 whatever the votes. Logits log 3 and 0: probabilities 3/4 and 1/4.
    even = soft_cross_entropy(torch.zeros(1, 2), torch.tensor([[0.7, 0.3]]), torch.ones(2))
    assert float(even) == pytest.approx(0.6931, abs=1e-4)
    logits = torch.tensor([[3.0, 1.0]]).log()
    # 0.5 * log(4/3) + 0.5 * log(4) = 0.8370.
    assert float(soft_cross_entropy(logits, torch.tensor([[0.5, 0.5]]), torch.ones(2))) == pytest.approx(0.837, 1e-3)


def test_the_confusion_has_the_truth_in_rows() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 0.5], [0.0, 0.0, 3.0]])
    targets = torch.tensor([[0.6, 0.4, 0.0], [0.6, 0.4, 0.0], [0.0, 0.0, 1.0]])
    assert confusion(logits, targets).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_the_mean_recall_counts_rare_classes_like_common_ones() -> None:
    # 9 of 10, 1 of 2, and a class without images: (0.9 + 0.5) / 2.
    assert mean_recall(np.array([[9, 1, 0], [1, 1, 0], [0, 0, 0]])) == pytest.approx(0.7)


def test_the_precision_rounds_what_is_learned_and_the_weights_stay_float32() -> None:
    train, validation = stripes(32, seed=0), stripes(8, seed=1)
    exact, rounded = (
        pretrain(train, validation, dataclasses.replace(PARAMETERS, precision=precision), MILD, CPU)
        for precision in get_args(Precision)
    )
    assert all(value.dtype == rounded.state[name].dtype for name, value in exact.state.items())
    assert not torch.equal(exact.state["conv1.weight"], rounded.state["conv1.weight"])


def test_grey_faces_are_seen_as_the_encoder_will_see_them() -> None:
    faces = stripes(4, seed=0)
    preprocessing = preprocessing_of(faces, 48)
    assert preprocessing.channels == "grey"
    network = on_device(start(0, 2), CPU).eval()
    built = resnet.build(apart(network.state_dict(), ("a", "b"))[0], preprocessing, CPU)
    features = built(faces.images.unsqueeze(-1).expand(-1, -1, -1, 3))
    with torch.inference_mode():
        expected = network.fc(features)  # type: ignore[operator]
    found = classify(network, faces.images, preprocessing, CPU)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_colour_faces_keep_their_colour() -> None:
    faces = Faces(torch.zeros(2, 8, 8, 3, dtype=torch.uint8), torch.eye(2))
    assert preprocessing_of(faces, 96).channels == "colour"


def test_augmentation_off_leaves_all_but_the_mirroring() -> None:
    images = torch.rand(6, 1, 32, 32, generator=torch.Generator().manual_seed(0)).clamp(0.01, 0.99)
    found = augment(images, 32, STILL, torch.Generator().manual_seed(1))
    for image, after in zip(images, found, strict=True):
        assert any(torch.allclose(after, turned, atol=1e-5) for turned in (image, image.flip(-1)))


def test_a_face_can_only_rise() -> None:
    # A bright row at 24 of 32: moved up by at most a quarter of the side, it lies between 16 and 24.
    images = torch.zeros(20, 1, 32, 32)
    images[:, :, 24] = 1
    rising = dataclasses.replace(STILL, rise=0.25)
    rows = augment(images, 32, rising, torch.Generator().manual_seed(0)).mean(dim=(1, 3)).argmax(dim=1)
    assert rows.min() >= 16
    assert rows.max() <= 24
    assert len(set(rows.tolist())) > 3


def test_augmented_images_have_the_size_asked_for_and_values_from_0_to_1() -> None:
    images = torch.rand(8, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    strong = ImageAugmentParameters(20.0, (0.7, 1.5), 0.1, 0.2, 0.5, 1.0, 0.5, 0.5)
    for size in (32, 64):
        found = augment(images, size, strong, torch.Generator().manual_seed(0))
        assert found.shape == (8, 3, size, size)
        assert float(found.min()) >= 0
        assert float(found.max()) <= 1


@pytest.mark.parametrize(
    ("faces", "message"),
    [
        (Faces(torch.zeros(0, 8, 8, dtype=torch.uint8), torch.zeros(0, 2)), "0 images"),
        (Faces(torch.zeros(2, 8, 8), torch.eye(2)), "of torch.float32"),
        (Faces(torch.zeros(2, 8, 8, dtype=torch.uint8), 2 * torch.eye(2)), "no shares"),
    ],
)
def test_what_is_no_set_of_labelled_images_is_refused(faces: Faces, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pretrain(faces, stripes(4, seed=0), PARAMETERS, STILL, CPU)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stages": ()}, "stages is"),
        ({"stages": ((16, 1),)}, "image sizes from 32"),
        ({"batch_size": 1}, "batch_size"),
        ({"warm_up_share": 1.0}, "warm_up_share is 1.0"),
        ({"balance": -1.0}, "balance is -1.0"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PARAMETERS, **change)  # type: ignore[arg-type]
