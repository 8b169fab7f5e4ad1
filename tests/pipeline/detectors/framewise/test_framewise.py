"""The spotter without training: whole videos in pieces, features as they are, curves of probabilities."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
import torch

from pipeline.detectors import decoding, registry
from pipeline.detectors.framewise.class_map import ClassMapParameters
from pipeline.detectors.framewise.framewise import Framewise, FramewiseParameters
from pipeline.detectors.framewise.rises import RiseParameters
from pipeline.encoder import class_layer
from pipeline.encoder.class_layer import BIAS, WEIGHT
from pipeline.errors import DataError
from pipeline.windows.recordings import Recording
from tests.pipeline.invented_features import DETECT

CPU = torch.device("cpu")
CLASSES = ("happiness", "anger")
SMILE, SCOWL = slice(60, 100), slice(200, 230)
PARAMETERS = FramewiseParameters(
    ClassMapParameters({"anger": "anger", "happiness": "happiness", "neutral": None}),
    RiseParameters(9, 0.1, 0.5, 0.3, 8, 900),
)


def detector() -> Framewise:
    """Return one that reads happiness in the first channel and anger in the second; 3 is as neutral as nothing is."""
    weight = torch.zeros(3, 512)
    weight[1, 0] = weight[2, 1] = 1.0
    layer = class_layer.build(("neutral", "happiness", "anger"), {WEIGHT: weight, BIAS: torch.tensor([3.0, 0.0, 0.0])})
    network = Framewise.build(PARAMETERS, 512, len(CLASSES))
    network.take(layer, CLASSES)
    return network


def video(frames: int = 300) -> Recording:
    """Return one with a smile and a scowl, and other channels that mean nothing."""
    features = np.random.default_rng(0).normal(100, 30, (frames, 512)).astype(np.float16)
    features[:, :2] = 0
    features[SMILE, 0] = features[SCOWL, 1] = 8
    nothing = np.zeros((0, 2), np.int64)
    return Recording("v", "s", features, np.ones(frames, bool), nothing, nothing[:, 0])


def test_a_smile_and_a_scowl_are_found_and_named() -> None:
    found = decoding.search(detector(), [video()], "none", DETECT, CPU)[0]
    rows = sorted(zip(found.detections.intervals.tolist(), found.detections.emotions.tolist(), strict=True))
    # Nine frames around a bound hold four or five of either side: 4/9 is above 0.3, and so is 3/9.
    assert rows == [([58, 102], 0), ([198, 232], 1)]
    assert (found.detections.confidence > 0.8).all()


def test_the_curve_is_the_smoothed_probability_itself() -> None:
    found = decoding.search(detector(), [video()], "none", DETECT, CPU)[0]
    sure = np.exp(8) / (np.exp(8) + np.exp(3) + 1)
    usual = 1 / (np.exp(3) + 2)
    assert found.curve.shape == (300, 2)
    np.testing.assert_allclose(found.curve[70:90, 0], sure, atol=1e-3)
    np.testing.assert_allclose(found.curve[120:180], usual, atol=1e-3)
    np.testing.assert_allclose(found.curve[60, 0], (5 * sure + 4 * usual) / 9, atol=1e-3)


@pytest.mark.parametrize("size", [1, 7, 128, 299])
def test_where_a_video_is_cut_into_pieces_is_of_no_consequence(size: int) -> None:
    recording = video()
    whole = decoding.search(detector(), [recording], "none", DETECT, CPU)[0]

    def pieces() -> Iterator[tuple[npt.NDArray[np.float16], npt.NDArray[np.bool_]]]:
        for start in range(0, 300, size):
            yield recording.features[start : start + size], recording.face_found[start : start + size]

    found = decoding.search_in_pieces(detector(), pieces(), DETECT, CPU)
    np.testing.assert_array_equal(found.detections.intervals, whole.detections.intervals)
    np.testing.assert_allclose(found.curve, whole.curve, atol=1e-3)


def test_of_a_long_video_one_piece_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "PIECE_FRAMES", 64)
    network, seen = detector(), list[int]()
    network.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[1]))
    decoding.search(network, [video()], "none", DETECT, CPU)
    assert seen == [64, 64, 64, 64, 44]


def test_a_video_without_a_face_has_nothing() -> None:
    recording = video()
    recording.face_found[:] = False
    found = decoding.search(detector(), [recording], "none", DETECT, CPU)[0]
    assert len(found.detections.intervals) == 0
    assert not found.curve.any()


def test_features_that_are_of_another_encoder_or_no_numbers_are_refused() -> None:
    with pytest.raises(DataError, match=r"expected finite ones, 512 wide"):
        decoding.search_in_pieces(detector(), [(np.zeros((3, 8), np.float16), np.ones(3, bool))], DETECT, CPU)
    broken = np.full((3, 512), np.nan, np.float16)
    with pytest.raises(DataError, match="not finite"):
        decoding.search_in_pieces(detector(), [(broken, np.ones(3, bool))], DETECT, CPU)
    with pytest.raises(DataError, match="No frames"):
        decoding.search_in_pieces(detector(), [], DETECT, CPU)


def test_it_is_a_network_by_name_that_learns_nothing() -> None:
    network = registry.build("framewise", PARAMETERS, 512, 2)
    assert not network.learns
    assert not any(values.abs().sum() for values in network.state_dict().values())  # of no encoder yet
