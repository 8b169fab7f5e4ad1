"""Our count is the paper's table, and libraries that count by themselves agree with every part."""

from __future__ import annotations

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet18

from pipeline.detectors import flops, registry
from pipeline.detectors.fedn.attention import SegmentAttention, SegmentMean
from pipeline.detectors.fedn.network import Detector
from tests.pipeline import tiny_networks
from tests.pipeline.detectors.fedn.plain_attention import PlainSegmentAttention, PlainSegmentMean
from tests.pipeline.networks import PAPER, fedn
from tests.pipeline.tiny_networks import LinearParameters, RowParameters

WINDOW = torch.zeros(1, 128, 512), torch.ones(1, 128, dtype=torch.bool)
COUNTED = {"linear", "matmul", "einsum", "conv", "bmm", "addmm"}


def multiply_adds(module: nn.Module, *inputs: torch.Tensor) -> float:
    """Return what fvcore counts, without normalisation: it counts a multiply-add as one."""
    analysis = FlopCountAnalysis(module, inputs).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return sum(count for operator, count in analysis.by_operator().items() if operator in COUNTED)


def count(parameters: object, name: str = "fedn") -> dict[str, dict]:
    """Return the counts of a network on 512-wide features, 4 emotions, 224 pixels, windows 16 frames apart."""
    return flops.count(name, parameters, 512, 4, 224, 16, 1800)


@pytest.fixture(scope="module")
def counts() -> dict[str, dict]:
    return count(fedn(PAPER))


@pytest.mark.parametrize(
    ("ablation", "published", "counted"),
    [
        ("full", 466.4, 466.40),
        ("without_segment_attention", 465.4, 465.04),
        ("without_window_attention", 466.4, 466.35),
        ("without_both", 465.3, 464.99),
    ],
)
def test_our_count_is_within_0_4_g_of_the_papers_table(
    counts: dict, ablation: str, published: float, counted: float
) -> None:
    # Counted by hand from the paper's words and the two hidden layers of each tower.
    assert counts["paper"][ablation] == pytest.approx(counted, abs=0.005)
    assert counts["paper"][ablation] == pytest.approx(published, abs=0.4)


@pytest.mark.parametrize("image_size", [96, 112, 224])
def test_the_encoder_is_resnet18(image_size: int) -> None:
    encoder = resnet18()
    encoder.fc = nn.Identity()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        encoder(torch.zeros(1, 3, image_size, image_size))
    assert flops.encoder_flops(image_size) == counter.get_total_flops()
    assert flops.encoder_weights(image_size) == sum(weight.numel() for weight in encoder.parameters())


def test_an_image_of_224_pixels_takes_3_627_g() -> None:
    assert flops.encoder_flops(224) / 1e9 == pytest.approx(3.627, abs=0.0005)


def test_plain_segment_attention_is_counted_as_fvcore_counts_it(counts: dict) -> None:
    fast = SegmentAttention(512, 512, 8, PAPER.segments, "softmax")
    plain = PlainSegmentAttention(fast, torch.zeros(512))
    counted = 2 * multiply_adds(plain, *WINDOW) / 1e9
    assert counts["parts"]["segment_attention"]["paper"] == pytest.approx(counted, rel=0.001)


def test_the_plain_mean_is_counted_as_fvcore_counts_it() -> None:
    plain = PlainSegmentMean(SegmentMean(512, 512, 8, PAPER.segments, "softmax"))
    parts = count(fedn(PAPER, segment_attention="mean"))["parts"]
    assert parts["segment_attention"]["paper"] == pytest.approx(2 * multiply_adds(plain, *WINDOW) / 1e9)


@pytest.mark.parametrize("head", ["decoupled", "coupled"])
@pytest.mark.parametrize("classification", ["joint", "objectness", "confidence", "spotting"])
def test_all_other_parts_are_run_as_they_are_counted(head: str, classification: str) -> None:
    parts = count(fedn(PAPER, head=head, classification=classification))["parts"]
    for name in ("window_attention", "blocks", "neck", "heads"):
        assert parts[name]["as_run"] == pytest.approx(parts[name]["paper"], rel=1e-9), name


def test_the_whole_detector_is_run_as_fvcore_counts_it(counts: dict) -> None:
    detector = Detector(PAPER, 512, 4)
    counted = 2 * multiply_adds(detector, *WINDOW) / 1e9
    ours = counts["as_run"]["full"] - counts["parts"]["encoder"]["as_run"]
    assert ours == pytest.approx(counted, rel=0.001)


def test_segment_attention_takes_less_than_a_quarter_of_the_papers_operations(counts: dict) -> None:
    part = counts["parts"]["segment_attention"]
    assert part["as_run"] < part["paper"] / 4


def test_only_frames_that_are_new_are_encoded(counts: dict) -> None:
    part = counts["parts"]["encoder"]
    assert part["as_run"] == pytest.approx(part["paper"] * 16 / 128)


def test_weights_of_the_parts_are_those_of_the_detector(counts: dict) -> None:
    counted = sum(part["weights"] for name, part in counts["parts"].items() if name != "encoder")
    assert counted == sum(weight.numel() for weight in Detector(PAPER, 512, 4).parameters())


def test_a_network_that_sees_videos_whole_is_counted_on_one_and_without_a_paper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(registry.NETWORKS, "linear", tiny_networks.Linear)
    counted = count(LinearParameters(RowParameters(16, 4, 1.0)), "linear")
    # 1800 frames are 450 means of 4, padded to 452; 512 to 16 to 4 emotions.
    assert counted["parts"]["hidden"] == {"as_run": 2 * 452 * 512 * 16 / 1e9, "weights": 512 * 16 + 16}
    assert counted["parts"]["last"] == {"as_run": 2 * 452 * 16 * 4 / 1e9, "weights": 16 * 4 + 4}
    assert counted["parts"]["encoder"]["as_run"] == pytest.approx(1800 * 3.627, rel=0.001)
    assert list(counted) == ["as_run", "parts"]
