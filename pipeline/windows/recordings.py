"""Features of a whole corpus as one tensor, and windows cut from it by index: training opens no file per window."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline import intervals
from pipeline.errors import DataError
from pipeline.windows.normalisation import NORMALISATIONS

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


class Corpus(NamedTuple):
    """Recordings in one stack, and whose each is: folds take rows of it, and no fold copies a frame."""

    videos: tuple[str, ...]  # V names
    subjects: tuple[str, ...]  # of the V videos
    stacked: Stack


class Cuts(NamedTuple):
    """Where B windows lie: `rates` frames of the video pass in one frame of the window."""

    videos: Tensor  # (B,) int64: position in the stack
    starts: Tensor  # (B,) float32: frames from the start of the video
    rates: Tensor  # (B,) float32: 1, or a coarser rate, times how far the window is stretched


def gather(recordings: Iterable[Recording], room: npt.NDArray[np.float16], normalisation: str) -> Corpus:
    """Return recordings as one corpus on the CPU, in the order given.

    Args:
        recordings: each is let go of before the next one is asked for, so they may be read from disk one by one.
        room: ``(F, C)`` for the features, F the frames of all recordings together. It is written over, and is what the
            corpus holds: where other processes see it, they need no copy.
        normalisation: a name in `NORMALISATIONS`; measured here, once, and never on labels.

    Raises:
        DataError: there is no recording, one is empty, a feature is not finite, its width is not that of `room`, or an
            expression does not last or lies outside its video.
        ValueError: the arrays of a recording disagree, the frames are not F, or the normalisation has no such name.
    """
    if normalisation not in NORMALISATIONS:
        raise ValueError(f"normalisation is {normalisation!r}, expected one of {', '.join(NORMALISATIONS)}")
    kept = list(_fill(recordings, room))
    if not kept:
        raise DataError("No recordings, expected at least one video")
    counts = np.array([len(recording.features) for recording in kept])
    measured = NORMALISATIONS[normalisation](_Faces(kept), [recording.subject for recording in kept])
    truths, emotions = _pad([recording.intervals for recording in kept], [recording.emotions for recording in kept])
    stacked = Stack(
        features=torch.from_numpy(room),
        face_found=torch.from_numpy(np.concatenate([recording.face_found for recording in kept])),
        first=torch.from_numpy(np.cumsum(counts) - counts),
        frame_counts=torch.from_numpy(counts),
        mean=torch.from_numpy(measured.mean),
        scale=torch.from_numpy(1 / measured.deviation),
        intervals=truths,
        emotions=emotions,
    )
    return Corpus(tuple(r.video for r in kept), tuple(r.subject for r in kept), stacked)


def stack(recordings: Sequence[Recording], normalisation: str, device: torch.device) -> Stack:
    """Return the recordings as tensors on the device, in the order given.

    `normalisation` is a name in `NORMALISATIONS`. "subject" measures over all the given videos of a subject: give the
    same videos in training and in detection.

    Raises:
        DataError, ValueError: as in `gather`.
    """
    return on_device(gather_in_memory(recordings, normalisation), device).stacked


def gather_in_memory(recordings: Sequence[Recording], normalisation: str) -> Corpus:
    """Return recordings, which are all in memory, as one corpus; errors as in `gather`."""
    frames = sum(len(recording.features) for recording in recordings)
    width = recordings[0].features.shape[-1] if recordings else 0
    return gather(recordings, np.empty((frames, width), np.float16), normalisation)


def on_device(corpus: Corpus, device: torch.device) -> Corpus:
    """Return the corpus on a device; nothing is copied where it is there already."""
    return corpus._replace(stacked=Stack(*(values.to(device) for values in corpus.stacked)))


def take(stacked: Stack, rows: Sequence[int]) -> Stack:
    """Return the stack of some of the videos, in this order. It holds the frames of all: none is copied."""
    chosen = torch.tensor(rows, device=stacked.first.device)
    emotions = stacked.emotions[chosen]
    most = max(1, int((emotions != NO_EMOTION).sum(dim=1).max()))  # as if the others had never been there
    return stacked._replace(
        first=stacked.first[chosen],
        frame_counts=stacked.frame_counts[chosen],
        mean=stacked.mean[chosen],
        scale=stacked.scale[chosen],
        intervals=stacked.intervals[chosen, :most],
        emotions=emotions[:, :most],
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


class _Faces(Sequence[npt.NDArray[np.float16]]):
    """Of every video the features of its frames with a face, copied only when asked for."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self.recordings = recordings

    def __len__(self) -> int:
        return len(self.recordings)

    @overload
    def __getitem__(self, video: int) -> npt.NDArray[np.float16]: ...
    @overload
    def __getitem__(self, video: slice) -> _Faces: ...
    def __getitem__(self, video: int | slice) -> npt.NDArray[np.float16] | _Faces:
        if isinstance(video, slice):
            return _Faces(self.recordings[video])
        recording = self.recordings[video]
        return recording.features if recording.face_found.all() else recording.features[recording.face_found]


def _fill(recordings: Iterable[Recording], room: npt.NDArray[np.float16]) -> Iterator[Recording]:
    """Yield each recording with its features where they lie in the room, in which they follow each other."""
    first = 0
    for recording in recordings:
        check(recording, room.shape[1])
        stop = first + len(recording.features)
        if stop > len(room):
            raise ValueError(f"video {recording.video!r} ends at frame {stop} of all, expected at most {len(room)}")
        room[first:stop] = recording.features
        yield dataclasses.replace(recording, features=room[first:stop])
        first = stop
    if first != len(room):
        raise ValueError(f"the recordings have {first} frames together, expected {len(room)}")


def check(recording: Recording, width: int) -> None:
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
    if (recording.emotions < 0).any():
        raise ValueError(f"{name}: emotions are {sorted(set(recording.emotions.tolist()))}, expected 0 or more")
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
