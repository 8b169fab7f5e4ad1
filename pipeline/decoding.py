"""From what the detector says about windows to detections in the video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline import windows
from pipeline.detector import Detector
from pipeline.recordings import Cuts, Recording, Stack, cut, stack
from pipeline.suppression import suppress


@dataclass(frozen=True)
class DetectParameters:
    """How a video is searched.

    Attributes:
        window_stride: frames between the starts of two windows.
        batch_size: windows at once; of no consequence for the result beyond rounding.
        score_floor: detections less confident than this are dropped.
        suppression_overlap: of two detections with an IoU above this the less confident is dropped.
        suppression_per_class: only detections of the same emotion suppress each other.
        keep: at most so many detections of a video, the most confident ones.
    """

    window_stride: int
    batch_size: int
    score_floor: float
    suppression_overlap: float
    suppression_per_class: bool
    keep: int

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        for name in ("window_stride", "batch_size", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")
        for name in ("score_floor", "suppression_overlap"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 to 1")


class Detections(NamedTuple):
    """What was found in one video, the most confident first; nothing is ``(0, 2)``, ``(0,)``, ``(0,)``."""

    intervals: npt.NDArray[np.int64]  # (N, 2) half-open frames of the video
    emotions: npt.NDArray[np.int64]  # (N,) class indices
    confidence: npt.NDArray[np.float32]  # (N,)


def detect(
    detector: Detector,
    recordings: Sequence[Recording],
    normalisation: str,
    parameters: DetectParameters,
    device: torch.device,
) -> list[Detections]:
    """Return the detections of each recording, in the order given; their expressions are not looked at.

    A video without any face has none. With the normalisation "subject" give all videos of a subject together.

    Args:
        detector: on the device; its evaluation mode is set.
        recordings: one or more.
        normalisation: the one the detector was trained with.
        parameters: see DetectParameters.
        device: where to compute.

    Raises:
        DataError: a recording contradicts itself (see `stack`), or its width is not the detector's.
    """
    detector.eval()
    stacked = stack(recordings, normalisation, device)
    return [_detect_video(detector, stacked, video, parameters) for video in range(len(recordings))]


@torch.inference_mode()
def _detect_video(detector: Detector, stacked: Stack, video: int, parameters: DetectParameters) -> Detections:
    length, frame_count = detector.window_frames, int(stacked.frame_counts[video])
    starts = torch.from_numpy(windows.slide(frame_count, length, parameters.window_stride)[:, 0]).float()
    found = [
        _detect_windows(detector, stacked, video, batch.to(stacked.features.device), frame_count, parameters)
        for batch in torch.split(starts, parameters.batch_size)
    ]
    intervals, emotions, confidence = (torch.cat(parts).cpu().numpy() for parts in zip(*found, strict=True))
    intervals = to_frames(intervals, frame_count)
    staying = suppress(
        intervals,
        confidence,
        emotions,
        parameters.suppression_overlap,
        parameters.keep,
        parameters.suppression_per_class,
    )
    return Detections(intervals[staying], emotions[staying], confidence[staying])


def _detect_windows(
    detector: Detector, stacked: Stack, video: int, starts: Tensor, frame_count: int, parameters: DetectParameters
) -> tuple[Tensor, Tensor, Tensor]:
    """Return intervals ``(n, 2)`` in frames of the video, emotions and confidence ``(n,)`` of a batch of windows."""
    cuts = Cuts(torch.full_like(starts, video, dtype=torch.int64), starts, torch.ones_like(starts))
    features, mask = cut(stacked, cuts, detector.window_frames)
    outputs = detector(features, mask)
    confidence, emotions = detector.scores(outputs.logits).max(dim=-1)  # (B, P)
    intervals = outputs.intervals + starts[:, None, None]
    kept = confidence >= parameters.score_floor
    kept &= (intervals[..., 0] < frame_count) & (intervals[..., 1] > 0)
    kept &= mask.any(dim=1, keepdim=True)  # nothing can be seen in a window without a face
    return intervals[kept], emotions[kept], confidence[kept]


def to_frames(intervals: npt.NDArray[np.float32], frame_count: int) -> npt.NDArray[np.int64]:
    """Return intervals in whole frames of a video, each bound to the nearest, each interval at least 1 frame long.

    Args:
        intervals: ``(N, 2)`` that overlap ``[0, frame_count)``.
        frame_count: frames of the video, at least 1.
    """
    nearest = np.rint(intervals).astype(np.int64)
    starts = np.clip(nearest[:, 0], 0, frame_count - 1)
    return np.stack([starts, np.clip(nearest[:, 1], starts + 1, frame_count)], axis=1)
