"""Synthetic recordings: a timeline of expressions, and of blinks, talking and other distractors, for one subject."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.synthetic import action_units, complexion, faces
from pipeline.synthetic.action_units import COLUMN, OPTIONAL, PROTOTYPES, Floats

EMOTIONS = tuple(PROTOTYPES)
NEUTRAL = "neutral"
# Who is shown in stills is nobody of a corpus.
FIRST_OF_STILLS = 1000
IDENTITY, ACTION, CAMERA, STILLS = (
    0,
    1,
    2,
    3,
)  # streams of chance, so that a change of one leaves the others as they were


@dataclass(frozen=True)
class PerformanceParameters:
    """What the recordings are like; lengths and gaps in frames."""

    seed: int
    frame_rate: int
    duration_seconds: float
    fewest_expressions: int
    most_expressions: int
    median_length: float
    length_spread: float
    shortest: int
    longest: int
    smallest_gap: int
    weakest: float

    @property
    def frame_count(self) -> int:
        """Frames of one recording."""
        return round(self.frame_rate * self.duration_seconds)

    def __post_init__(self) -> None:
        if not 0 < self.shortest <= self.median_length <= self.longest:
            raise ValueError(f"shortest <= median_length <= longest expected, found {self}")
        if not 0 < self.fewest_expressions <= self.most_expressions:
            raise ValueError(f"0 < fewest_expressions <= most_expressions expected, found {self}")
        needed = self.most_expressions * (self.longest + self.smallest_gap) + self.smallest_gap
        if needed > self.frame_count:
            raise ValueError(
                f"{self.most_expressions} expressions of up to {self.longest} frames need {needed} frames, "
                f"but a recording has {self.frame_count}: make duration_seconds longer or most_expressions fewer"
            )


@dataclass(frozen=True)
class Played:
    """One expression: first, strongest and last frame, inclusive."""

    onset: int
    apex: int
    offset: int
    emotion: str


@dataclass(frozen=True)
class Performance:
    """One recording: the expressions in it, and the look of each frame."""

    expressions: tuple[Played, ...]
    looks: tuple[faces.Look, ...]


def perform(parameters: PerformanceParameters, subject: int, recording: int) -> Performance:
    """Return what happens in one recording; it depends on the seed, the subject and the recording alone."""
    chance = _stream(parameters, subject, recording, ACTION)
    played = plan(parameters, chance, 2 * subject + recording)
    units = np.zeros((parameters.frame_count, len(action_units.UNITS)), np.float32)
    lean = np.zeros(parameters.frame_count, np.float32)
    for expression in played:
        _express(units, lean, expression, parameters.weakest, chance)
    return Performance(tuple(played), tuple(_looks(parameters, units, lean, chance)))


def render(
    parameters: PerformanceParameters, subject: int, recording: int, acted: Performance
) -> Iterator[faces.Frame]:
    """Yield the recording's ``(224, 224, 3)`` RGB frames."""
    cv2.setNumThreads(1)
    who = complexion.invent(_stream(parameters, subject, 0, IDENTITY), subject)
    face = faces.build(who, _stream(parameters, subject, recording, CAMERA))
    for look in acted.looks:
        yield faces.render(face, look)


def sheet(parameters: PerformanceParameters, subjects: int) -> list[list[faces.Frame]]:
    """Return pictures of every subject (rows): at rest, then in each emotion at its strongest."""
    rows = []
    for subject in range(subjects):
        who = complexion.invent(_stream(parameters, subject, 0, IDENTITY), subject)
        face = faces.build(who, _stream(parameters, subject, 0, CAMERA))
        units = [{}, *PROTOTYPES.values()]
        rows.append([faces.render(face, faces.Look(action_units.intensities(row))) for row in units])
    return rows


def stills(parameters: PerformanceParameters, person: int, count: int) -> Iterator[tuple[str, faces.Frame]]:
    """Yield pictures of a person who is in no recording, with what they show: at rest and in each emotion.

    Args:
        person: from 0; everybody's pictures are the same whoever else is drawn.
        count: pictures of each.
    """
    subject = FIRST_OF_STILLS + person
    chance = _stream(parameters, subject, 0, STILLS)
    face = faces.build(
        complexion.invent(_stream(parameters, subject, 0, IDENTITY), subject), _stream(parameters, subject, 0, CAMERA)
    )
    for emotion in (NEUTRAL, *EMOTIONS):
        for _ in range(count):
            strength = chance.uniform(parameters.weakest, 1.0)
            shown = {unit: strength * share for unit, share in PROTOTYPES.get(emotion, {}).items()}
            look = faces.Look(
                units=action_units.intensities(
                    {unit: value * chance.uniform(0.85, 1) for unit, value in shown.items()}
                ),
                asymmetry=float(chance.normal(0, 0.1)),
                gaze=(float(chance.normal(0, 0.7)), float(chance.normal(0, 0.35))),
                pose=(float(chance.normal(0, 2.6)), float(chance.normal(0, 1.8))),
                roll=float(chance.normal(0, 0.008)),
                light=float(chance.uniform(0.9, 1.1)),
                noise=int(chance.integers(1 << 16)),
            )
            yield emotion, faces.render(face, look)


def plan(parameters: PerformanceParameters, chance: np.random.Generator, turn: int) -> list[Played]:
    """Return the expressions of one recording, in order and apart from each other and from both ends.

    Every class comes about equally often: the classes follow each other in shuffled rounds, which `turn` offsets.
    """
    count = int(chance.integers(parameters.fewest_expressions, parameters.most_expressions + 1))
    rounds = np.roll(np.arange(max(count, len(EMOTIONS))) % len(EMOTIONS), -turn)[:count]
    lengths = chance.lognormal(np.log(parameters.median_length), parameters.length_spread, count)
    lengths = np.clip(np.round(lengths), parameters.shortest, parameters.longest).astype(int)
    free = parameters.frame_count - int(lengths.sum()) - (count + 1) * parameters.smallest_gap
    gaps = parameters.smallest_gap + np.floor(free * chance.dirichlet(np.full(count + 1, 2.0))).astype(int)
    onsets = np.cumsum(gaps[:-1]) + np.concatenate([[0], np.cumsum(lengths)[:-1]])
    played = []
    for onset, length, kind in zip(onsets, lengths, chance.permutation(rounds), strict=True):
        apex = int(onset + round((length - 1) * chance.uniform(0.25, 0.5)))
        played.append(Played(int(onset), apex, int(onset + length - 1), EMOTIONS[int(kind)]))
    return played


def _stream(parameters: PerformanceParameters, subject: int, recording: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([parameters.seed, subject, recording, purpose])


def _express(units: Floats, lean: Floats, played: Played, weakest: float, chance: np.random.Generator) -> None:
    """Add one expression to the units of every frame, in place: each unit rises, holds and falls in its own time."""
    strength = chance.uniform(weakest, 1.0)
    optional = OPTIONAL[played.emotion]
    dropped = optional[int(chance.integers(len(optional)))] if chance.random() < 0.45 else None
    length = played.offset - played.onset + 1
    frames = np.arange(length, dtype=np.float32)
    rise = played.apex - played.onset + 1
    hold = chance.uniform(0.1, 0.5) * (length - rise)
    for unit, share in PROTOTYPES[played.emotion].items():
        late = 0.15 * rise * chance.random()
        up = _smooth((frames + 1 - late) / (rise - late))
        down = _smooth((length - frames) / (length - rise - hold + 1))
        value = strength * share * chance.uniform(0.85, 1.0) * np.minimum(up, down)
        if unit != dropped:
            column = units[played.onset : played.offset + 1, COLUMN[unit]]
            np.maximum(column, value, out=column)
    lean[played.onset : played.offset + 1] = chance.normal(0, 0.1)


def _looks(
    parameters: PerformanceParameters, units: Floats, lean: Floats, chance: np.random.Generator
) -> Iterator[faces.Look]:
    """Yield the look of every frame: the expressions' units among blinks, speech, gaze, sway, flicker and a hand."""
    total, rate = parameters.frame_count, parameters.frame_rate
    busy = units.max(axis=1) > 0
    _blink(units, rate, chance)
    _speak(units, busy, rate, chance)
    units[:, COLUMN[25]] = np.clip(units[:, COLUMN[25]], 0, 1)
    gaze = _gaze(total, rate, chance)
    sway = np.stack([_wander(total, rate * 1.6, chance) for _ in range(6)], axis=1)
    yaw, pitch = 2.6 * sway[:, 0], 1.8 * sway[:, 1]
    flicker = _flicker(total, rate, chance)
    hand = _hand_path(total, rate, busy, chance)
    for t in range(total):
        yield faces.Look(
            units=units[t],
            asymmetry=float(lean[t]),
            gaze=(float(gaze[t, 0] - 0.25 * yaw[t]), float(gaze[t, 1])),
            pose=(float(yaw[t]), float(pitch[t])),
            roll=float(0.008 * sway[t, 2]),
            shift=(float(0.6 * sway[t, 3]), float(0.6 * sway[t, 4])),
            zoom=float(1 + 0.006 * sway[t, 5]),
            light=float(flicker[t]),
            hand=hand.get(t),
            noise=int(chance.integers(1 << 16)),
        )


def _smooth(value: Floats) -> Floats:
    value = np.clip(value, 0, 1)
    return np.asarray(value * value * (3 - 2 * value), np.float32)


def _wander(total: int, slowness: float, chance: np.random.Generator) -> Floats:
    """Return a slow random walk around 0 of standard deviation 1."""
    pad = int(4 * slowness)
    line = chance.standard_normal(total + 2 * pad)
    kernel = np.exp(-((np.arange(-pad, pad + 1) / slowness) ** 2) / 2)
    return np.asarray(np.convolve(line, kernel / np.sqrt((kernel**2).sum()), mode="valid")[:total], np.float32)


def _blink(units: Floats, rate: int, chance: np.random.Generator) -> None:
    """Close the eyes for a fifth of a second every few seconds, sometimes twice."""
    lids = units[:, COLUMN[45]]
    shape = np.array([0.35, 0.85, 1.0, 0.95, 0.65, 0.35, 0.12], np.float32)
    at = int(rate * chance.uniform(0.5, 3))
    while at + len(shape) < len(lids):
        lids[at : at + len(shape)] = np.maximum(lids[at : at + len(shape)], shape * chance.uniform(0.85, 1.0))
        at += int(rate * (0.4 if chance.random() < 0.12 else chance.gamma(4, 0.9) + 0.5))


def _speak(
    units: Floats, busy: np.ndarray[tuple[int], np.dtype[np.bool_]], rate: int, chance: np.random.Generator
) -> None:
    """Say a few words, at about four syllables a second, where no expression is."""
    for _ in range(int(chance.integers(1, 4))):
        length = int(rate * chance.uniform(0.8, 2.5))
        start = int(chance.integers(0, max(1, len(units) - length)))
        if start + length > len(units) or busy[start : start + length].any():
            continue
        t = np.arange(length) / rate
        fade = _smooth(np.minimum(t, t[::-1]) * 5)
        wave = 0.5 + 0.5 * np.sin(2 * np.pi * (chance.uniform(3.2, 4.6) * t + 0.35 * np.sin(5.1 * t)))
        loud = 0.6 + 0.4 * np.sin(2 * np.pi * 0.9 * t + chance.uniform(0, 6))
        units[start : start + length, COLUMN[25]] += (fade * (0.12 + 0.5 * wave * loud)).astype(np.float32)
        units[start : start + length, COLUMN[26]] += (fade * 0.42 * wave * loud).astype(np.float32)
        units[start : start + length, COLUMN[23]] += (fade * 0.45 * (1 - wave) * (1 - loud)).astype(np.float32)


def _gaze(total: int, rate: int, chance: np.random.Generator) -> Floats:
    """Return ``(T, 2)`` shifts of the irises: still, then a jump, mostly to near the middle."""
    gaze, at, place = np.zeros((total, 2), np.float32), 0, np.zeros(2)
    while at < total:
        gaze[at:] = place
        at += int(rate * chance.gamma(2.5, 0.55)) + 3
        wide = chance.random() < 0.2
        place = chance.normal(0, 1, 2) * ((3.0, 0.9) if wide else (0.7, 0.35))
        place = np.clip(place, (-5.0, -1.6), (5.0, 1.6))
    blurred = cv2.blur(gaze, (1, 3), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred + 0.06 * chance.standard_normal((total, 2)), np.float32)


def _flicker(total: int, rate: int, chance: np.random.Generator) -> Floats:
    """Return factors of brightness: a slow drift, mains flicker beating with the camera, and sometimes a jump."""
    t = np.arange(total) / rate
    light = (
        1
        + 0.02 * _wander(total, rate * 3, chance)
        + chance.uniform(0, 0.02) * np.sin(2 * np.pi * chance.uniform(2, 9) * t)
    )
    if chance.random() < 0.5:
        light[int(chance.integers(total)) :] *= chance.uniform(0.86, 1.12)
    return np.asarray(light, np.float32)


def _hand_path(
    total: int, rate: int, busy: np.ndarray[tuple[int], np.dtype[np.bool_]], chance: np.random.Generator
) -> dict[int, tuple[float, float]]:
    """Return where a hand that touches the face is, for the frames that show one; none where an expression is."""
    length = int(rate * chance.uniform(0.9, 1.8))
    path: dict[int, tuple[float, float]] = {}
    starts = [s for s in range(0, total - length, 5) if not busy[s : s + length].any()]
    if not starts:
        return path
    start, level, reach = int(chance.choice(starts)), chance.uniform(95, 175), chance.uniform(95, 150)
    for t in range(length):
        come = float(_smooth(np.array(min(t, length - 1 - t) / (0.3 * length), np.float32)))
        path[start + t] = (224 + (reach - 224) * come, level + 30 * (1 - come))
    return path
