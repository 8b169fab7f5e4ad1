"""What a network looks at when it detects: the attention of the window behind a detection, in frames of the video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pipeline.detectors.contract import Network, Weights
from pipeline.precision import exact_float32
from pipeline.windows.cutting import see
from pipeline.windows.recordings import Cuts, Recording, Stack, stack
from pipeline.windows.sliding import Slid


@dataclass(frozen=True, eq=False)
class Attention:
    """One attention of a network over the window behind a detection.

    Attributes:
        name: for example `segment attention`.
        start, stop: of what each weight stands for, ``(A,)`` float64, half-open, in frames of the video.
        weight: ``(A,)`` float64; above the even one it looks there more than elsewhere.
        even: the weight that each would have, were all alike.
    """

    name: str
    start: npt.NDArray[np.float64]
    stop: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    even: float


def attend(
    detector: Network,
    recordings: Sequence[Recording],
    detections: Sequence[npt.NDArray[np.int64]],
    normalisation: str,
    window_stride: int,
    device: torch.device,
) -> list[list[list[Attention]]]:
    """Return of each recording, and of each of its detections, what the network looks at; nothing where it tells none.

    A detection is not told from which window it came, for suppression keeps one of many that are alike. It is taken for
    that of the finest rate whose windows are as long as it, with the centre nearest to its own: the one that sees most
    around it. With the normalisation "subject" give all videos of a subject together.

    Args:
        detector: on the device; its evaluation mode is set.
        recordings: one or more.
        detections: of each, ``(N, 2)`` half-open frames.
        normalisation: the one the detector was trained with.
        window_stride: frames between the starts of two windows, as in detection.
        device: where to compute.

    Raises:
        DataError: as in `decoding.detect`.
    """
    detector.eval()
    stacked = stack(recordings, normalisation, device)
    with exact_float32():
        return [
            _attend_video(detector, stacked, video, len(recording.features), intervals, window_stride)
            for video, (recording, intervals) in enumerate(zip(recordings, detections, strict=True))
        ]


def nearest(slid: Slid, length: int, interval: npt.NDArray[np.int64]) -> int:
    """Return which window is taken for the one behind an interval; the earlier one of two that are as near.

    Args:
        slid: the windows of the video.
        length: frames of a window at rate 1.
        interval: ``(2,)`` half-open frames.
    """
    start, stop = interval.tolist()
    lengths = slid.rates * length
    fitting = lengths[lengths >= stop - start]
    own = fitting.min() if len(fitting) else lengths.max()
    apart = np.abs(slid.starts + lengths / 2 - (start + stop) / 2)
    return int(np.where(lengths == own, apart, np.inf).argmin())


@torch.inference_mode()
def _attend_video(
    detector: Network,
    stacked: Stack,
    video: int,
    frame_count: int,
    intervals: npt.NDArray[np.int64],
    window_stride: int,
) -> list[list[Attention]]:
    cutting = detector.cutting
    slid = cutting.slide(frame_count, window_stride)
    rows = cutting.rows(frame_count)
    chosen = [nearest(slid, rows * cutting.row_frames, interval) for interval in intervals]
    windows = sorted(set(chosen))  # several detections have one
    told: dict[int, list[Attention]] = {}
    for window in windows:
        start, rate = float(slid.starts[window]), float(slid.rates[window])
        place = (torch.tensor([value], device=stacked.features.device) for value in (start, rate))
        cuts = Cuts(torch.tensor([video], device=stacked.features.device), *place)
        said = detector.attention(*see(stacked, cuts, cutting, rows))
        told[window] = [_in_frames(each, start, rate * cutting.row_frames, frame_count) for each in said]
    return [told[window] for window in chosen]


def _in_frames(said: Weights, first: float, row_frames: float, frame_count: int) -> Attention:
    """Return weights of rows as those of frames of the video; without what lies outside of it."""
    start, stop = (
        np.clip(first + row_frames * rows.cpu().double().numpy(), 0, frame_count) for rows in (said.start, said.stop)
    )
    inside = start < stop
    weight = said.weight[0].cpu().double().numpy()
    return Attention(said.name, start[inside], stop[inside], weight[inside], said.even)
