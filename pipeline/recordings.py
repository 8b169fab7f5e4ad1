"""Videos as one tensor: windows are cut from memory by index, so training never opens a file per window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline import intervals
from pipeline.errors import DataError
from pipeline.normalisation import NORMALISATIONS

NO_EMOTION = -1


@dataclass(frozen=True)
class Recording:
    """The features of one video and its expressions; both arrays of expressions are empty when nothing is known.

    Shapes: features ``(T, C)`` float16, face_found ``(T,)`` bool, intervals ``(G, 2)`` int64 half-open frames,
    emotions ``(G,)`` int64 class indices.
    """

    video: str
    subject: str
    features: npt.NDArray[np.float16]
    face_found: npt.NDArray[np.bool_]
    intervals: npt.NDArray[np.int64]
    emotions: npt.NDArray[np.int64]


class Stack(NamedTuple):
    """Recordings on one device, V videos of F frames together and at most G expressions each.

    Features stay float16, as on disk: they are normalised when a window is cut, with the video's `mean` and `scale`.
    """

    features: Tensor  # (F, C) float16
    face_found: Tensor  # (F,) bool
    first: Tensor  # (V,) int64: where a video's frames begin in F
    frame_counts: Tensor  # (V,) int64
    mean: Tensor  # (V, C) float32
    scale: Tensor  # (V, C) float32
    intervals: Tensor  # (V, G, 2) float32, zeros where a video has fewer
    emotions: Tensor  # (V, G) int64, NO_EMOTION where a video has fewer


class Cuts(NamedTuple):
    """Where B windows lie: `rates` frames of the video pass in one frame of the window."""

    videos: Tensor  # (B,) int64: position in the stack
    starts: Tensor  # (B,) float32: frames from the start of the video
    rates: Tensor  # (B,) float32: 1 unless the window is stretched


def stack(recordings: Sequence[Recording], normalisation: str, device: torch.device) -> Stack:
    """Return the recordings as tensors on the device, in the order given.

    `normalisation` is a name in `NORMALISATIONS`. "subject" measures over all the given videos of a subject: give the
    same videos in training and in detection.

    Raises:
        DataError: a recording is empty, a feature is not finite, widths differ, or an expression does not last or lies
            outside its video.
        ValueError: the arrays of a recording disagree, or the normalisation has no such name.
    """
    if not recordings:
        raise DataError("No recordings, expected at least one video")
    if normalisation not in NORMALISATIONS:
        raise ValueError(f"normalisation is {normalisation!r}, expected one of {', '.join(NORMALISATIONS)}")
    for recording in recordings:
        _check(recording, width=recordings[0].features.shape[-1])
    counts = np.array([len(recording.features) for recording in recordings])
    measured = NORMALISATIONS[normalisation](
        [recording.features[recording.face_found] for recording in recordings],
        [recording.subject for recording in recordings],
    )
    truths, emotions = _pad([r.intervals for r in recordings], [r.emotions for r in recordings])
    return Stack(
        features=torch.from_numpy(np.concatenate([recording.features for recording in recordings])).to(device),
        face_found=torch.from_numpy(np.concatenate([recording.face_found for recording in recordings])).to(device),
        first=torch.from_numpy(np.cumsum(counts) - counts).to(device),
        frame_counts=torch.from_numpy(counts).to(device),
        mean=torch.from_numpy(measured.mean).to(device),
        scale=torch.from_numpy(1 / measured.deviation).to(device),
        intervals=truths.to(device),
        emotions=emotions.to(device),
    )


def cut(stacked: Stack, cuts: Cuts, length: int) -> tuple[Tensor, Tensor]:
    """Return normalised features ``(B, length, C)`` float32 and where they are real, ``(B, length)`` bool.

    A stretched window takes the nearest frames: one that is repeated was at least seen, one that is blended was not.
    Frames without a face are marked False, and so are those outside the video, which hold the nearest one's features.
    """
    steps = torch.arange(length, device=cuts.starts.device) + 0.5  # (L,)
    positions = (cuts.starts[:, None] + steps * cuts.rates[:, None]).floor().long()  # (B, L)
    last = stacked.frame_counts[cuts.videos, None] - 1  # (B, 1)
    inside = (positions >= 0) & (positions <= last)
    frames = stacked.first[cuts.videos, None] + positions.clamp(min=0).minimum(last)
    mask = stacked.face_found[frames] & inside
    features = stacked.features[frames].float()  # (B, L, C)
    return features.sub_(stacked.mean[cuts.videos, None]).mul_(stacked.scale[cuts.videos, None]), mask


def truths_of(stacked: Stack, cuts: Cuts) -> tuple[Tensor, Tensor]:
    """Return every expression of each window's video in frames of the window, ``(B, G, 2)``, and its class ``(B, G)``.

    Those before or after the window are there too, with bounds below 0 or beyond its length.
    """
    shifted = stacked.intervals[cuts.videos] - cuts.starts[:, None, None]  # (B, G, 2)
    return shifted / cuts.rates[:, None, None], stacked.emotions[cuts.videos]


def _check(recording: Recording, width: int) -> None:
    """Raise DataError, with the video's name, where a recording contradicts itself."""
    name, features = f"video {recording.video!r}", recording.features
    if features.ndim != 2 or not features.size:
        raise DataError(f"{name}: features have shape {features.shape}, expected (T, C) with at least one frame")
    if features.shape[1] != width:
        raise DataError(f"{name}: features are {features.shape[1]} wide, others {width}. Extract all with one encoder")
    if recording.face_found.shape != features.shape[:1] or recording.face_found.dtype != np.bool_:
        found = f"{recording.face_found.dtype} {recording.face_found.shape}"
        raise ValueError(f"{name}: face_found is {found}, expected bool {features.shape[:1]}")
    if not np.isfinite(features).all():
        frame = int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])
        raise DataError(f"{name}: the features of frame {frame} are not finite. Extract this video again")
    if recording.emotions.shape != recording.intervals.shape[:1]:
        raise ValueError(f"{name}: {len(recording.intervals)} intervals but {len(recording.emotions)} emotions")
    intervals.check(recording.intervals, f"{name}: intervals")
    outside = (recording.intervals < 0) | (recording.intervals > len(features))
    if outside.any():
        row = recording.intervals[outside.any(axis=1)][0].tolist()
        raise DataError(f"{name}: expression {row} lies outside its {len(features)} frames. Run the index stage again")


def _pad(truths: list[npt.NDArray[Any]], emotions: list[npt.NDArray[np.int64]]) -> tuple[Tensor, Tensor]:
    """Return ``(V, G, 2)`` float32 and ``(V, G)`` int64 with G the most of any video, at least 1."""
    most = max(1, *(len(rows) for rows in truths), 1)
    bounds = torch.zeros(len(truths), most, 2)
    classes = torch.full((len(truths), most), NO_EMOTION)
    for video, (rows, names) in enumerate(zip(truths, emotions, strict=True)):
        bounds[video, : len(rows)] = torch.from_numpy(np.asarray(rows, np.float32))
        classes[video, : len(rows)] = torch.from_numpy(np.asarray(names, np.int64))
    return bounds, classes
