"""On a GPU nothing mixes devices, and no step waits for the processor; shown without one, on tensors without values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException
from torchvision.models import resnet18

from pipeline.detectors import decoding
from pipeline.detectors.fedn.attention import SEGMENT_ATTENTIONS, SEGMENT_SCORES, WINDOW_ATTENTIONS
from pipeline.detectors.fedn.classification import CLASSIFICATIONS
from pipeline.detectors.fedn.heads import BRANCHES
from pipeline.detectors.fedn.losses import INTERVAL_LOSSES, detection_loss
from pipeline.detectors.fedn.network import Detector
from pipeline.detectors.fedn.targets import assign
from pipeline.encoder import resnet
from pipeline.encoder.augmentation import ImageAugmentParameters, augment
from pipeline.encoder.resnet import PREPARATIONS, Encoder, Preprocessing
from pipeline.training import fold
from pipeline.training.fold import FoldParameters, Generators
from pipeline.windows.augmentation import Noise
from pipeline.windows.membership import reach_of
from pipeline.windows.recordings import Cuts, Stack, cut, stack, truths_of
from pipeline.windows.sampling import candidates, most_seen
from tests.pipeline.fake_gpu import GPU, Watch, fake_gpu
from tests.pipeline.invented_features import CLASS_COUNT, DETECT, fold_parameters, record

CPU, META = torch.device("cpu"), torch.device("meta")
WIDTH, WINDOWS, LENGTH = 8, 4, 128
RECORDINGS = record(seed=5, subjects=3, videos=1, frame_count=300, width=WIDTH, expressions=3)
PARAMETERS = fold_parameters(8, epochs=2, warm_up_epochs=0, batch_size=WINDOWS, averaging=0.9, gradient_limit=1.0)
STACKED = stack(RECORDINGS, "video", CPU)
AMONG = candidates(STACKED, LENGTH, 32, (1,), 0.9)
MOST = most_seen(STACKED, LENGTH)


def variant(**changes: str) -> FoldParameters:
    """Return the parameters with another part, in the detector and in the loss."""
    parts = []
    for part in (PARAMETERS.detector, PARAMETERS.loss):
        names = {field.name for field in dataclasses.fields(part)}
        parts.append(dataclasses.replace(part, **{k: v for k, v in changes.items() if k in names}))  # type: ignore[type-var]
    return dataclasses.replace(PARAMETERS, detector=parts[0], loss=parts[1])


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
    detector = Detector(parameters.detector, WIDTH, CLASS_COUNT)
    with fake_gpu() as gpu:
        detector.to(GPU)
        stacked, cuts = stacked_on(GPU), cuts_on(GPU)
        gpu.writes.clear()
        features, mask = cut(stacked, cuts, LENGTH)
        reach = reach_of(cuts, LENGTH, (1, 4))
        targets = assign(*truths_of(stacked, cuts), reach, detector.anchors, LENGTH, parameters.match, MOST)
        losses = detection_loss(detector(features, mask), targets, parameters.loss)
    assert (gpu.reads, gpu.writes) == ([], [])
    assert {values.device for values in (features, mask, *targets, *losses)} == {GPU}


@pytest.mark.parametrize("parameters", VARIANTS)
def test_a_whole_step_with_its_gradients_asks_for_no_value(parameters: FoldParameters) -> None:
    # Backward does not run on a fake GPU; without a device an answer that needs values fails just as well.
    detector = Detector(parameters.detector, WIDTH, CLASS_COUNT).to(META)
    optimiser = torch.optim.Adam(detector.parameters(), lr=1e-3, weight_decay=1e-4, foreach=True)
    losses = fold._step(detector, stacked_on(META), cuts_on(META), noise_on(META), MOST, parameters, optimiser)
    assert losses.shape == (3,)
    assert all(weights.grad is not None for weights in detector.parameters())


def test_an_epoch_is_read_back_once_when_all_its_steps_are_on_their_way(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    def backward(loss: Tensor) -> None:
        """Give gradients, which a fake GPU cannot work out."""
        assert gpu.reads == []
        assert not steps or gpu.writes == []
        gpu.writes.clear()
        steps.append(1)
        for weights in detector.parameters():
            weights.grad = torch.zeros_like(weights)

    monkeypatch.setattr(torch.autograd, "backward", backward)
    monkeypatch.setattr(fold, "draw_noise", lambda windows, *_: noise_on(GPU, windows))
    detector = Detector(PARAMETERS.detector, WIDTH, CLASS_COUNT)
    generators = Generators(torch.Generator().manual_seed(0), torch.Generator().manual_seed(0))
    with fake_gpu() as gpu:
        detector.to(GPU)
        among = type(AMONG)(*(Cuts(*(values.to(GPU) for values in cuts)) for cuts in AMONG))
        epochs = fold._learn(detector, stacked_on(GPU), among, MOST, PARAMETERS, generators, print)
        with pytest.raises(DataDependentOutputException):
            next(epochs)
    positive, background = (len(cuts.starts) for cuts in AMONG)
    windows = positive + min(background, round(0.5 * positive))
    assert len(steps) == -(-windows // WINDOWS) > 2
    assert gpu.reads == ["aten._local_scalar_dense.default"]
    assert gpu.writes == []


@pytest.mark.parametrize("parameters", VARIANTS)
def test_detection_does_not_wait_between_two_batches(parameters: FoldParameters) -> None:
    detector = Detector(parameters.detector, WIDTH, CLASS_COUNT).eval()
    with fake_gpu() as gpu:
        detector.to(GPU)
        stacked, cuts = stacked_on(GPU), cuts_on(GPU)
        gpu.writes.clear()
        with torch.no_grad():
            said = decoding._detect_windows(detector, stacked, cuts, 300, DETECT)
    assert (gpu.reads, gpu.writes) == ([], [])
    assert {values.device for values in said} == {GPU}
    assert {values.shape[0] for values in said} == {WINDOWS}


def test_a_video_is_read_back_once_when_all_its_batches_are_on_their_way() -> None:
    detector, waited = Detector(PARAMETERS.detector, WIDTH, CLASS_COUNT).eval(), []
    detector.register_forward_hook(lambda *_: waited.append([*gpu.reads, *gpu.writes]))
    parameters = dataclasses.replace(DETECT, window_stride=32, batch_size=2)
    with fake_gpu() as gpu:
        detector.to(GPU)
        stacked = stacked_on(GPU)
        gpu.writes.clear()
        with torch.no_grad(), pytest.raises(DynamicOutputShapeException, match="nonzero"):
            # Without inference mode, in which what happens inside an operation is not seen.
            decoding._detect_video.__wrapped__(detector, stacked, 0, 300, parameters)
    # 7 windows, from 0 to 172 at most, in batches of 2; where they start is brought to the GPU once.
    assert waited == [["aten._to_copy.default"]] * 4


@pytest.mark.parametrize("channels", PREPARATIONS)
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
