"""On a GPU nothing mixes devices, and no step waits for the processor; shown without one, on tensors without values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException
from torchvision.models import resnet18

from pipeline.detectors import curves, decoding, registry
from pipeline.detectors.contract import FrameNetwork, Network
from pipeline.detectors.fedn.attention import SEGMENT_ATTENTIONS, SEGMENT_SCORES, WINDOW_ATTENTIONS
from pipeline.detectors.fedn.classification import CLASSIFICATIONS
from pipeline.detectors.fedn.heads import BRANCHES
from pipeline.detectors.fedn.losses import INTERVAL_LOSSES
from pipeline.detectors.framewise.class_map import ClassMapParameters
from pipeline.detectors.framewise.framewise import FramewiseParameters
from pipeline.detectors.framewise.rises import RiseParameters
from pipeline.encoder import resnet
from pipeline.encoder.augmentation import ImageAugmentParameters, augment
from pipeline.encoder.preparation import CHANNELS, Preprocessing
from pipeline.encoder.resnet import Encoder
from pipeline.training import fold
from pipeline.training.fold import FoldParameters, Generators, Lesson
from pipeline.training.folds import Fold
from pipeline.windows.augmentation import Noise
from pipeline.windows.cutting import Whole, see, tell
from pipeline.windows.recordings import Cuts, Stack, stack
from pipeline.windows.sampling import most_seen
from tests.pipeline import tiny_networks
from tests.pipeline.fake_gpu import GPU, Watch, fake_gpu
from tests.pipeline.invented_features import CLASS_COUNT, DETECT, fold_parameters, record
from tests.pipeline.tiny_networks import LevelParameters, LinearParameters, RowParameters, UntrainedParameters

CPU, META = torch.device("cpu"), torch.device("meta")
WIDTH, WINDOWS, LENGTH = 8, 4, 128
RECORDINGS = record(seed=5, subjects=3, videos=1, frame_count=300, width=WIDTH, expressions=3)
PARAMETERS = fold_parameters(8, epochs=2, warm_up_epochs=0, batch_size=WINDOWS, ema_decay=0.9, gradient_clip_norm=1.0)
STACKED = stack(RECORDINGS, "video", CPU)
MOST = most_seen(STACKED, LENGTH)


def variant(**changes: str) -> FoldParameters:
    """Return the parameters with another part, in the detector and in the loss."""
    own: Any = PARAMETERS.own
    parts = {}
    for name, part in (("detector", own.detector), ("loss", own.loss)):
        names = {field.name for field in dataclasses.fields(part)}
        parts[name] = dataclasses.replace(part, **{k: v for k, v in changes.items() if k in names})
    return dataclasses.replace(PARAMETERS, own=dataclasses.replace(own, **parts))


# Each once: every part has a default that all the others share.
VARIANTS = list(
    dict.fromkeys(
        variant(**{part: name})
        for part, names in {
            "segment_attention": SEGMENT_ATTENTIONS,
            "segment_scores": SEGMENT_SCORES,
            "window_attention": WINDOW_ATTENTIONS,
            "head": BRANCHES,
            "classification": CLASSIFICATIONS,
            "interval_loss": INTERVAL_LOSSES,
        }.items()
        for name in names
    )
)
VARIANTS += [
    dataclasses.replace(PARAMETERS, network="linear", own=LinearParameters(RowParameters(8, 4, 3.0))),
    dataclasses.replace(PARAMETERS, network="untrained", own=UntrainedParameters(LevelParameters(1.0))),
    dataclasses.replace(
        PARAMETERS,
        network="framewise",
        own=FramewiseParameters(
            ClassMapParameters({"joy": "a", "rest": None}), RiseParameters(9, 0.1, 0.5, 0.3, 8, 99)
        ),
    ),
]
LEARNING = [parameters for parameters in VARIANTS if parameters.network not in ("untrained", "framewise")]


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, network in tiny_networks.NETWORKS.items():
        monkeypatch.setitem(registry.NETWORKS, name, network)


def build(parameters: FoldParameters) -> Network:
    return registry.build(parameters.network, parameters.own, WIDTH, CLASS_COUNT)


def lesson_of(parameters: FoldParameters) -> Lesson:
    """Return what a fold on all recordings learns from."""
    return fold._prepare(build(parameters), STACKED, Fold("all", ("s0", "s1", "s2"), ()), parameters)


def cuts_on(device: torch.device) -> Cuts:
    """Return windows of the first video."""
    starts = torch.arange(WINDOWS, dtype=torch.float32)
    return Cuts(*(values.to(device) for values in (torch.zeros(WINDOWS).long(), starts, torch.ones(WINDOWS))))


def noise_on(device: torch.device, windows: int = WINDOWS) -> Noise:
    return Noise(torch.zeros(windows, 1, WIDTH, device=device), torch.ones(windows, 1, WIDTH, device=device))


def stacked_on(device: torch.device) -> Stack:
    return Stack(*(values.to(device) for values in STACKED))


@pytest.fixture
def gpu() -> Iterator[Watch]:
    with fake_gpu() as watch:
        yield watch


def test_the_watch_sees_what_waits(gpu: Watch) -> None:
    values = torch.ones(3, device=GPU)
    values.cpu()
    torch.zeros(3).copy_(values)
    with pytest.raises(DataDependentOutputException):
        values.sum().item()
    assert gpu.reads == ["aten._to_copy.default", "aten.copy_.default", "aten._local_scalar_dense.default"]
    assert gpu.writes == []
    torch.zeros(3).to(GPU)
    torch.tensor([1.0], device=GPU)
    values.copy_(torch.zeros(3))
    values[torch.tensor([0, 2])].add_(1)
    assert gpu.writes == ["aten._to_copy.default", "aten._to_copy.default", "aten.copy_.default", "aten.index.Tensor"]
    with pytest.raises(RuntimeError, match="same device"):
        values + torch.ones(3)


def test_recordings_go_to_the_gpu_and_stay_there(gpu: Watch) -> None:
    stacked = stack(RECORDINGS, "video", GPU)
    assert {values.device for values in stacked} == {GPU}
    assert gpu.reads == []


@pytest.mark.parametrize("parameters", VARIANTS)
def test_windows_targets_answers_and_loss_are_made_on_the_gpu_alone(parameters: FoldParameters) -> None:
    network = build(parameters)
    rows = network.cutting.rows(300)
    with fake_gpu() as gpu:
        network.to(GPU)
        stacked, cuts = stacked_on(GPU), cuts_on(GPU)
        gpu.writes.clear()
        features, mask = see(stacked, cuts, network.cutting, rows)
        truths = tell(stacked, cuts, network.cutting, MOST)
        total, parts = network.loss(network(features, mask), truths, mask)
        seen = [values for each in network.attention(features, mask) for values in (each.start, each.weight)]
    assert (gpu.reads, gpu.writes) == ([], [])
    assert {values.device for values in (features, mask, truths.intervals, total, *parts, *seen)} == {GPU}


@pytest.mark.parametrize("parameters", LEARNING)
def test_a_whole_step_with_its_gradients_asks_for_no_value(parameters: FoldParameters) -> None:
    # Backward does not run on a fake GPU; without a device an answer that needs values fails just as well.
    network = build(parameters).to(META)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-4, foreach=True)
    rows, noise = network.cutting.rows(300), noise_on(META)
    losses = fold._step(network, stacked_on(META), cuts_on(META), rows, noise, MOST, parameters, optimiser)
    assert losses.shape == (1 + len(network.loss_names),)
    assert all(weights.grad is not None for weights in network.parameters())


@pytest.mark.parametrize("parameters", [PARAMETERS, LEARNING[-1]], ids=lambda parameters: parameters.network)
def test_an_epoch_is_read_back_once_when_all_its_steps_are_on_their_way(
    parameters: FoldParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []

    def backward(loss: Tensor) -> None:
        """Give gradients, which a fake GPU cannot work out."""
        assert gpu.reads == []
        assert not steps or gpu.writes == []
        gpu.writes.clear()
        steps.append(1)
        for weights in network.parameters():
            weights.grad = torch.zeros_like(weights)

    monkeypatch.setattr(torch.autograd, "backward", backward)
    monkeypatch.setattr(fold, "draw_noise", lambda windows, *_: noise_on(GPU, windows))
    parameters = dataclasses.replace(parameters, train=dataclasses.replace(parameters.train, batch_size=2))
    network = build(parameters)
    generators = Generators(torch.Generator().manual_seed(0), torch.Generator().manual_seed(0))
    lesson = lesson_of(parameters)
    assert {values.device for cuts in lesson.among for values in cuts} == {CPU}
    batches = fold._draw_batches(network, lesson, parameters, torch.Generator().manual_seed(0))
    if isinstance(network.cutting, Whole):
        # How long the videos of a batch are is asked of the processor, which has no values here either.
        monkeypatch.setattr(
            fold, "_draw_batches", lambda *_: [(Cuts(*(v.to(GPU) for v in cuts)), rows) for cuts, rows in batches]
        )
    with fake_gpu() as gpu:
        network.to(GPU)
        epochs = fold._learn(
            network, lesson._replace(stacked=stacked_on(GPU)), parameters, generators, lambda losses: None
        )
        with pytest.raises(DataDependentOutputException):
            next(epochs)
    assert len(steps) == len(batches) > 1
    assert gpu.reads == ["aten._local_scalar_dense.default"]
    assert gpu.writes == []


@pytest.mark.parametrize("parameters", VARIANTS)
def test_detection_does_not_wait_between_two_batches(parameters: FoldParameters) -> None:
    network = build(parameters).eval()
    with fake_gpu() as gpu:
        network.to(GPU)
        stacked, cuts = stacked_on(GPU), cuts_on(GPU)
        gpu.writes.clear()
        with torch.no_grad():
            told = decoding._look_at_windows(network, stacked, cuts, 300)
            said = [*told, *decoding._rank(told, DETECT)]
            curve = curves.blank(300, told.scores.shape[-1], GPU)
            curves.raise_to(curve, decoding._nearest(told.intervals, 300), told.scores, told.possible)
            spread = curves.spread(curve)
            if isinstance(network, FrameNetwork):
                mask = torch.ones(WINDOWS, 300, dtype=torch.bool, device=GPU)
                said.append(network.curve(torch.zeros(WINDOWS, 300, CLASS_COUNT, device=GPU), mask))
    assert (gpu.reads, gpu.writes) == ([], [])
    assert {values.device for values in (*said, spread)} == {GPU}
    assert {values.shape[0] for values in said} == {WINDOWS}
    assert spread.shape == (300, told.scores.shape[-1])


def test_a_video_is_read_back_once_when_all_its_batches_are_on_their_way() -> None:
    network, waited = build(PARAMETERS).eval(), []
    network.register_forward_hook(lambda *_: waited.append([*gpu.reads, *gpu.writes]))
    parameters = dataclasses.replace(DETECT, window_stride=32, batch_size=2)
    with fake_gpu() as gpu:
        network.to(GPU)
        stacked = stacked_on(GPU)
        gpu.writes.clear()
        with torch.no_grad(), pytest.raises(DynamicOutputShapeException, match="nonzero"):
            # Without inference mode, in which what happens inside an operation is not seen.
            decoding._search_video.__wrapped__(network, stacked, 0, 300, parameters)
    # 7 windows, from 0 to 172 at most, in batches of 2; where they start is brought to the GPU once.
    assert waited == [["aten._to_copy.default"]] * 4


@pytest.mark.parametrize("channels", CHANNELS)
def test_the_encoder_takes_frames_to_the_gpu_and_brings_nothing_back(channels: str) -> None:
    network = resnet._fold(resnet18(weights=None).eval())
    network.fc = nn.Identity()
    preprocessing = Preprocessing(48, channels, (0.5,) * 3, (0.25,) * 3)  # type: ignore[arg-type]
    with fake_gpu() as gpu:
        frames = torch.zeros(2, 64, 64, 3, dtype=torch.uint8)
        built = Encoder(network, preprocessing, GPU, "float32")
        gpu.writes.clear()
        features = built(frames)
    assert (features.shape, features.dtype, features.device) == ((2, resnet.WIDTH), torch.float32, GPU)
    assert gpu.reads == []
    assert len(gpu.writes) == 1  # the frames, as bytes


def test_images_are_disturbed_on_the_gpu(gpu: Watch) -> None:
    parameters = ImageAugmentParameters(5.0, (0.9, 1.1), 0.02, 0.02, 0.1, 0.1, 0.1, 0.1)
    images = augment(torch.zeros(2, 1, 64, 64, device=GPU), 48, parameters, torch.Generator().manual_seed(0))
    assert (images.shape, images.device, gpu.reads) == ((2, 1, 48, 48), GPU, [])
