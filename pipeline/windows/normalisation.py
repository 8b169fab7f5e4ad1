"""Feature normalisation by video or subject (mean, deviation): features tell identity louder than expression.

Mean and deviation come from frames alone, never from labels, so measuring them on a held-out subject's own frames is
no leak: the same could be done with the video of any new person. What it costs is that a whole video (or all videos
of a subject) must be there before the first detection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

# A channel that hardly moves in a video would be blown up to the size of the others, and with it its noise.
SMALLEST_SHARE_OF_MEAN_DEVIATION = 0.05


class Measured(NamedTuple):
    """Mean and deviation of each video's features, subtracted and divided by, each ``(V, C)`` float32."""

    mean: npt.NDArray[np.float32]
    deviation: npt.NDArray[np.float32]


# Per video, the features of its frames with a face (n, C); n may be 0. Each is asked for once, when its turn comes.
Faces = Sequence[npt.NDArray[Any]]


def leave(faces: Faces, subjects: Sequence[str]) -> Measured:
    """Return mean 0 and deviation 1: features stay as the encoder made them."""
    shape = (len(faces), faces[0].shape[1])
    return Measured(np.zeros(shape, np.float32), np.ones(shape, np.float32))


def by_video(faces: Faces, subjects: Sequence[str]) -> Measured:
    """Return each video's own mean and deviation: also removes light and camera of one sitting."""
    return _measure_groups(faces, [str(video) for video in range(len(faces))])


def by_subject(faces: Faces, subjects: Sequence[str]) -> Measured:
    """Return mean and deviation over all videos of a subject: short videos borrow the subject's other neutral faces."""
    return _measure_groups(faces, subjects)


NORMALISATIONS: dict[str, Callable[[Faces, Sequence[str]], Measured]] = {
    "none": leave,
    "video": by_video,
    "subject": by_subject,
}


def _measure_groups(faces: Faces, groups: Sequence[str]) -> Measured:
    members: dict[str, list[int]] = {}
    for video, group in enumerate(groups):
        members.setdefault(group, []).append(video)
    measured = {group: _measure([faces[video] for video in videos]) for group, videos in members.items()}
    means, deviations = zip(*(measured[group] for group in groups), strict=True)
    return Measured(np.stack(means), np.stack(deviations))


def _measure(faces: Faces) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return mean and deviation ``(C,)`` over the frames of all; 0 and 1 where nothing moves or there is no frame."""
    count, width = sum(map(len, faces)), faces[0].shape[1]
    if count == 0:
        return np.zeros(width, np.float32), np.ones(width, np.float32)
    mean = sum((frames.sum(axis=0, dtype=np.float64) for frames in faces), np.zeros(width)) / count
    squares = sum(((frames - mean) ** 2).sum(axis=0) for frames in faces)
    deviation = np.sqrt(squares / count)
    smallest = SMALLEST_SHARE_OF_MEAN_DEVIATION * deviation.mean()
    deviation = np.maximum(deviation, smallest) if smallest > 0 else np.ones(width)
    return mean.astype(np.float32), deviation.astype(np.float32)
