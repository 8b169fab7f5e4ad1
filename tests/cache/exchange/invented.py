"""Videos of invented frame times, with intervals in tiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from cache.columns import FrameColumns
from cache.exchange.tiers import CORRECTIONS, DETECTIONS, TRUTH, TieredVideo, TierInterval, proposed

CLASSES = ("happiness", "surprise", '<disgust> & "co"', "Ärger; x,y")
RATES = (25.0, 30000 / 1001, 30.0, 200.0)


def columns_of(seconds: Sequence[float], first_label: int = 1) -> FrameColumns:
    """Return the columns of frames shown at these times, numbered from `first_label`."""
    count = len(seconds)
    labels = np.arange(first_label, first_label + count, dtype=np.int64)
    return FrameColumns(np.asarray(seconds, np.float64), labels, np.ones(count, np.bool_), np.ones(count, np.float32))


def video_of(columns: FrameColumns, frame_rate: float = 30.0, **tiers: Any) -> TieredVideo:
    """Return a video called v1 of subject s1 with these tiers."""
    marked: Mapping[str, tuple[TierInterval, ...]] = {
        name.replace("_", " "): tuple(found) for name, found in tiers.items()
    }
    return TieredVideo("v1", "s1", columns, None, "videos/v1.mp4", frame_rate, 1, marked)


def seconds() -> st.SearchStrategy[tuple[float, list[float]]]:
    """Return mean frame rate and the time of every frame: constant rates, and a webcam's, down to 0.1 ms apart."""
    constant = st.builds(
        lambda rate, count: (rate, [position / rate for position in range(count)]),
        st.sampled_from(RATES),
        st.integers(2, 400),
    )
    gaps = st.lists(st.floats(0.0001, 0.4), min_size=1, max_size=200)
    variable = gaps.map(lambda found: (1 / float(np.mean(found)), [0.0, *np.cumsum(found).tolist()]))
    return st.one_of(constant, variable)


@st.composite
def videos(draw: st.DrawFn) -> TieredVideo:
    """Return a video with truth, detections and what is proposed; intervals may overlap, touch and repeat."""
    rate, times = draw(seconds())
    count = len(times)

    def interval(confident: bool, kinds: tuple[str, ...]) -> TierInterval:
        start = draw(st.integers(0, count - 1))
        stop = draw(st.integers(start + 1, count))
        confidence = draw(st.floats(0, 1)) if confident else None
        return TierInterval(start, stop, draw(st.sampled_from(CLASSES)), draw(st.sampled_from(kinds)), confidence)

    truth = {interval(False, ("macro", "micro")) for _ in range(draw(st.integers(0, 5)))}
    found = [interval(True, ("macro",)) for _ in range(draw(st.integers(0, 5)))]
    tiers = {TRUTH: sorted(truth), DETECTIONS: sorted(set(found)), CORRECTIONS: proposed(truth, found)}
    return video_of(columns_of(times), rate, **tiers)
