"""Decoding: from what a network says of windows, or of a whole video, to detections in frames of the video."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline.detectors import curves
from pipeline.detectors.contract import FrameNetwork, Network
from pipeline.detectors.suppression import suppress
from pipeline.errors import DataError
from pipeline.precision import exact_float32
from pipeline.windows.cutting import see
from pipeline.windows.recordings import Cuts, Recording, Stack, check, stack

# Frames that a network of frames looks at together: 8 MB of features.
PIECE_FRAMES = 4096
# Features (n, C) and face_found (n,) of consecutive frames.
Piece = tuple[npt.NDArray[np.float16], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class DetectParameters:
    """How a video is searched: window stride, ranking, score floor and suppression.

    Attributes:
        window_stride: frames between the starts of two windows; a network that sees videos whole has none.
        batch_size: windows at once; of no consequence for the result beyond rounding.
        ranking: what a prediction's confidence is, a name in `RANKINGS`.
        score_floor: detections less confident than this are dropped.
        suppression_overlap: of two detections with an IoU above this the less confident is dropped.
        suppression_per_class: only detections of the same emotion suppress each other.
        keep: at most so many detections of a video, the most confident ones.
    """

    window_stride: int
    batch_size: int
    ranking: Literal["highest", "any"]
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


def _any_class(scores: Tensor) -> Tensor:
    """Return the chance of any class, ``(B, P)`` of ``(B, P, K)``, as if classes were independent."""
    return 1 - (1 - scores).prod(dim=-1)


# The paper takes the highest class score; the chance of any class keeps what is surely an expression of unsure emotion.
RANKINGS: dict[str, Callable[[Tensor], Tensor]] = {"highest": lambda scores: scores.amax(dim=-1), "any": _any_class}


class Detections(NamedTuple):
    """What was found in one video, the most confident first; nothing is ``(0, 2)``, ``(0,)``, ``(0,)``."""

    intervals: npt.NDArray[np.int64]  # (N, 2) half-open frames of the video
    emotions: npt.NDArray[np.int64]  # (N,) class indices
    confidence: npt.NDArray[np.float32]  # (N,)


class Searched(NamedTuple):
    """What was found in one video, and how near every other frame came to it.

    `curve` ``(T, K)`` float16: of each class the highest score, before suppression and score floor, of any candidate
    interval that covers the frame; 0 where none does. Of a network of frames, how probable it says the class is.
    """

    detections: Detections
    curve: npt.NDArray[np.float16]


class Candidates(NamedTuple):
    """What is said of B windows: intervals ``(B, P, 2)`` in frames of the video, scores ``(B, P, K)``.

    `possible` ``(B, P)``: whether one lasts, lies in the video, and is for a window of this rate to find.
    """

    intervals: Tensor
    scores: Tensor
    possible: Tensor


def detect(
    detector: Network,
    recordings: Sequence[Recording],
    normalisation: str,
    parameters: DetectParameters,
    device: torch.device,
) -> list[Detections]:
    """Return the detections of each recording, as `search` does, without the curves."""
    return [found.detections for found in search(detector, recordings, normalisation, parameters, device)]


def search(
    detector: Network,
    recordings: Sequence[Recording],
    normalisation: str,
    parameters: DetectParameters,
    device: torch.device,
) -> list[Searched]:
    """Return detections and curve of each recording, in the order given; their expressions are not looked at.

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
    if isinstance(detector, FrameNetwork):
        pieces = (_pieces(recording, detector.input_width) for recording in recordings)
        return [search_in_pieces(detector, each, parameters, device) for each in pieces]
    detector.eval()
    stacked = stack(recordings, normalisation, device)
    with exact_float32():
        return [
            _search_video(detector, stacked, video, len(recording.features), parameters)
            for video, recording in enumerate(recordings)
        ]


@torch.inference_mode()
def search_in_pieces(
    detector: FrameNetwork,
    pieces: Iterable[Piece],
    parameters: DetectParameters,
    device: torch.device,
) -> Searched:
    """Return what a network of frames finds in one video, of which a piece at a time is in memory.

    Args:
        detector: on the device.
        pieces: one after the other, features ``(n, C)`` and face_found ``(n,)``; where they are cut is of no
            consequence beyond rounding.
        parameters: see DetectParameters.
        device: where to compute.

    Raises:
        DataError: there is no frame, or features are not finite or of another width than the detector's.
    """
    detector.eval()
    said, masks = [], []
    with exact_float32():
        for features, face_found in pieces:
            if features.shape[1:] != (detector.input_width,) or not np.isfinite(features).all():
                raise DataError(
                    f"a piece of features is {features.shape} or holds values that are not finite, expected finite "
                    f"ones, {detector.input_width} wide. Extract this video again, with the detector's encoder"
                )
            mask = torch.from_numpy(face_found).to(device)[None]  # (1, n)
            said.append(detector(torch.from_numpy(features).to(device).float()[None], mask))
            masks.append(mask)
        if not said:
            raise DataError("No frames, expected at least one")
        outputs, mask = torch.cat(said, dim=1), torch.cat(masks, dim=1)
        intervals, scores = detector.decode(outputs, mask)
        frame_count = mask.shape[1]
        possible = (intervals[..., 1] > intervals[..., 0]) & mask.any()
        found = _choose([_rank(Candidates(intervals, scores, possible), parameters)], frame_count, parameters)
        return Searched(found, detector.curve(outputs, mask)[0].half().cpu().numpy())


def _pieces(recording: Recording, width: int) -> Iterator[Piece]:
    check(recording, width)
    for start in range(0, len(recording.features), PIECE_FRAMES):
        piece = slice(start, start + PIECE_FRAMES)
        yield recording.features[piece], recording.face_found[piece]


@torch.inference_mode()
def _search_video(
    detector: Network, stacked: Stack, video: int, frame_count: int, parameters: DetectParameters
) -> Searched:
    slid = detector.cutting.slide(frame_count, parameters.window_stride)
    starts, rates = torch.from_numpy(np.stack(slid)).float().to(stacked.features.device)  # (W,) each
    videos = torch.full_like(starts, video, dtype=torch.int64)
    batches = zip(*(torch.split(values, parameters.batch_size) for values in (videos, starts, rates)), strict=True)
    said: list[tuple[Tensor, ...]] = []
    curve = torch.empty(0)
    for batch in batches:
        told = _look_at_windows(detector, stacked, Cuts(*batch), frame_count)
        if not said:
            curve = curves.blank(frame_count, told.scores.shape[-1], told.scores.device)
        curves.raise_to(curve, _nearest(told.intervals, frame_count), told.scores, told.possible)
        said.append(_rank(told, parameters))
    return Searched(_choose(said, frame_count, parameters), curves.spread(curve).cpu().numpy())


def _choose(said: Sequence[tuple[Tensor, ...]], frame_count: int, parameters: DetectParameters) -> Detections:
    """Return what stays of all that `_rank` kept of a video."""
    *values, kept = (torch.cat(parts) for parts in zip(*said, strict=True))  # (W, P, ...)
    # Once a video: how many are kept is known on the GPU alone, and asking for it would halt every batch.
    rows = kept.nonzero(as_tuple=True)
    found, emotions, confidence = (each[rows].cpu().numpy() for each in values)
    intervals = to_frames(found, frame_count)
    staying = suppress(
        intervals,
        confidence,
        emotions,
        parameters.suppression_overlap,
        parameters.keep,
        parameters.suppression_per_class,
    )
    return Detections(intervals[staying], emotions[staying], confidence[staying])


def _look_at_windows(detector: Network, stacked: Stack, cuts: Cuts, frame_count: int) -> Candidates:
    """Return what is said of a batch of windows; nothing is read back from a GPU."""
    cutting = detector.cutting
    features, mask = see(stacked, cuts, cutting, cutting.rows(frame_count))
    found, scores = detector.decode(detector(features, mask), mask)  # (B, P, 2) in rows, (B, P, K)
    intervals = found * (cuts.rates * cutting.row_frames)[:, None, None] + cuts.starts[:, None, None]
    lasting = found[..., 1] - found[..., 0]  # (B, P)
    possible = (intervals[..., 0] < frame_count) & (intervals[..., 1] > 0)
    # What is shorter than a coarse rate's least is a finer one's; what does not last is no candidate.
    possible &= (lasting > 0) & (lasting >= cutting.reach(cuts).least[:, None] / cutting.row_frames)
    possible &= mask.any(dim=1, keepdim=True)  # nothing can be seen in a window without a face
    return Candidates(intervals, scores, possible)


def _rank(told: Candidates, parameters: DetectParameters) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return intervals, emotions and confidence, and which are kept for suppression; all but the first ``(B, P)``."""
    confidence, emotions = RANKINGS[parameters.ranking](told.scores), told.scores.argmax(dim=-1)
    return told.intervals, emotions, confidence, told.possible & (confidence >= parameters.score_floor)


def _nearest(intervals: Tensor, frame_count: int) -> Tensor:
    """Return what `to_frames` does, where the intervals lie; of those outside the video, anything."""
    # What is no number is no candidate, but it must not become an index either.
    nearest = intervals.nan_to_num(0.0).clamp(-1, frame_count + 1).round().long()
    starts = nearest[..., 0].clamp(0, frame_count - 1)
    stops = torch.maximum(nearest[..., 1], starts + 1).clamp(max=frame_count)
    return torch.stack([starts, stops], dim=-1)


def to_frames(intervals: npt.NDArray[np.float32], frame_count: int) -> npt.NDArray[np.int64]:
    """Return intervals in whole frames of a video, each bound to the nearest, each interval at least 1 frame long.

    Args:
        intervals: ``(N, 2)`` that overlap ``[0, frame_count)``.
        frame_count: frames of the video, at least 1.
    """
    # Bound before they become whole numbers, which hold no infinity.
    nearest = np.rint(np.clip(intervals, -1, frame_count + 1)).astype(np.int64)
    starts = np.clip(nearest[:, 0], 0, frame_count - 1)
    return np.stack([starts, np.clip(nearest[:, 1], starts + 1, frame_count)], axis=1)
