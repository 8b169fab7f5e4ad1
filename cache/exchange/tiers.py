"""Intervals of one video in tiers: truth, detections, those below the threshold, and corrections, which come back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cache.columns import FrameColumns
from cache.tables.intervals import NO_APEX, NO_LABEL

TRUTH, DETECTIONS, BELOW, CORRECTIONS = "truth", "detections", "below threshold", "corrections"
# What a coder reads; the last, `CORRECTIONS`, is what a coder edits and what is taken back.
REFERENCE = (TRUTH, DETECTIONS, BELOW)
TIERS = (*REFERENCE, CORRECTIONS)
MICRO = " micro"
# Intervals that share frames take tiers of their own, numbered from 2.
_NAME = re.compile(r"(?P<tier>.+?)(?P<micro> micro)?( [2-9]| [1-9][0-9]+)?")


@dataclass(frozen=True, order=True)
class TierInterval:
    """What is marked in a tier: the half-open ``[start, stop)``, in positions of frames.

    Attributes:
        confidence: of a detection; None of everything else, and no part of what makes two intervals equal.
        apex: position of the strongest frame, or `NO_APEX`; likewise.
        onset: number of the first frame as annotated, of a video of which not every frame is taken; else `NO_LABEL`.
        offset: likewise of the last one, inclusive.
    """

    start: int
    stop: int
    emotion: str
    kind: str = "macro"
    confidence: float | None = field(default=None, compare=False)
    apex: int = field(default=NO_APEX, compare=False)
    onset: int = field(default=NO_LABEL, compare=False)
    offset: int = field(default=NO_LABEL, compare=False)

    def shares_frames(self, other: TierInterval) -> int:
        """Return how many frames lie in both."""
        return max(0, min(self.stop, other.stop) - max(self.start, other.start))


@dataclass(frozen=True, eq=False)
class TieredVideo:
    """A video and all that is marked in it.

    Attributes:
        columns: number and time of each of its T frames.
        media: its file; None where it is none, or not here.
        path: the same relative to the corpus folder, wherever that is; for images their folder.
        frame_rate: frames a second of the file.
        frame_step: every how many frames of the file one is in `columns`.
        tiers: by name, one or more of `TIERS`; each in the order of time.
    """

    video: str
    subject: str
    columns: FrameColumns
    media: Path | None
    path: str
    frame_rate: float
    frame_step: int
    tiers: Mapping[str, tuple[TierInterval, ...]]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return macro, and micro where anything of that kind is marked."""
        micro = any(one.kind == "micro" for tier in self.tiers.values() for one in tier)
        return ("macro", "micro") if micro else ("macro",)


@dataclass(frozen=True)
class Exported:
    """What is said of all videos of one export.

    Attributes:
        classes: the emotions a coder chooses from.
        folder: where the files will lie, which paths of videos are relative to.
    """

    corpus: str
    classes: tuple[str, ...]
    folder: Path


def proposed(truth: Iterable[TierInterval], detections: Iterable[TierInterval]) -> tuple[TierInterval, ...]:
    """Return what the tier of corrections holds before anybody corrected: the truth, and detections beside it.

    A detection that shares frames with an annotated expression is left to that one.
    """
    known = tuple(truth)
    beside = (one for one in detections if not any(one.shares_frames(other) for other in known))
    plain = (replace(one, confidence=None, apex=NO_APEX) for one in (*known, *beside))
    return tuple(sorted(set(plain)))


def in_lanes(intervals: Sequence[TierInterval]) -> list[list[TierInterval]]:
    """Return the intervals spread over as few lanes as hold them without two that share a frame; one lane for none."""
    lanes: list[list[TierInterval]] = [[]]
    for one in sorted(intervals):
        free = next((lane for lane in lanes if not lane or lane[-1].stop <= one.start), None)
        if free is None:
            lanes.append(free := [])
        free.append(one)
    return lanes


def lane_name(tier: str, kind: str, lane: int) -> str:
    """Return what a lane is called, numbered from 0: `corrections`, `corrections 2`, `corrections micro`."""
    return f"{tier}{MICRO if kind == 'micro' else ''}{f' {lane + 1}' if lane else ''}"


def tier_of(name: str, known: Iterable[str] = TIERS) -> tuple[str, str] | None:
    """Return the tier, one of those known, and the kind behind the name of a lane; None where it is another's."""
    found = _NAME.fullmatch(name)
    if name in known:
        return name, "macro"
    if found is None or found["tier"] not in known:
        return None
    return found["tier"], "micro" if found["micro"] else "macro"
