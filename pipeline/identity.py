"""Who an invented person is: the numbers that stay the same over all recordings of one subject."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Skin, hair and irises as sRGB, from light to dark; people are drawn between neighbours.
SKINS = ((238, 202, 182), (228, 184, 156), (210, 160, 126), (184, 130, 96), (146, 98, 70), (104, 68, 50))
HAIRS = ((24, 20, 19), (46, 32, 25), (84, 56, 38), (150, 112, 70), (112, 58, 36), (128, 124, 120))
IRISES = ((58, 36, 24), (84, 54, 32), (98, 84, 48), (84, 106, 92), (96, 124, 148), (44, 28, 20))
HAIR_STYLES = ("short", "long", "fringe", "bob", "cropped", "long", "short", "receding")
GOLDEN = 0.618034


@dataclass(frozen=True)
class Identity:
    """One invented person. Colours are linear-light RGB (3,); lengths are pixels of the 224-pixel crop.

    Numbers named without a unit are strengths around 0 (-1 to 1) or, where only one sign makes sense, 0 to 1.
    """

    skin: Floats
    hair: Floats
    iris: Floats
    lips: Floats
    hair_style: str
    feminine: float
    age: float
    face_width: float
    jaw_square: float
    chin_drop: float
    nose_width: float
    nose_length: float
    nose_bridge: float
    brow_thickness: float
    brow_lift: float
    brow_arch: float
    brow_gap: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    lid_crease: float
    mouth_width: float
    mouth_drop: float
    upper_lip: float
    lower_lip: float
    cheeks: float
    beard: float
    glasses: bool
    freckles: float
    redness: float
    asymmetry: Floats
    texture_seed: int


def linear(colour: tuple[float, float, float] | Floats) -> Floats:
    """Return an sRGB colour of 0 to 255 as linear light; gamma 2 stands in for sRGB's curve, its root being cheap."""
    return np.asarray(np.square(np.asarray(colour, dtype=np.float32) / 255), dtype=np.float32)


def _between(colours: tuple[tuple[int, int, int], ...], position: float) -> Floats:
    """Return the linear colour at `position` (0 to 1) along a row of sRGB colours."""
    table = np.asarray(colours, dtype=np.float32)
    place = position * (len(table) - 1)
    return linear(np.asarray([np.interp(place, range(len(table)), table[:, c]) for c in range(3)], np.float32))


def invent(rng: np.random.Generator, subject: int, offset: float = 0.0) -> Identity:
    """Return the person number `subject` (from 0).

    Skin, sex and hair walk round with the subject's number, so that any few subjects in a row differ clearly
    whatever the seed (`offset`, 0 to 1, turns the walk); all the rest is drawn from `rng`.
    """
    tone = float((subject * GOLDEN + 0.13 + offset) % 1.0)
    skin = _between(SKINS, tone)
    style = HAIR_STYLES[subject % len(HAIR_STYLES)]
    feminine = float(rng.uniform(0.7, 1.0) if style in ("long", "bob", "fringe") else rng.uniform(0.0, 0.25))
    dark = tone > 0.55
    hair = _between(HAIRS[:2] if dark else HAIRS, float(rng.uniform()))
    age = float(rng.uniform(0.05, 0.9))
    beard = 0.0 if feminine > 0.5 else float(rng.choice([0.12, 0.35, 0.9], p=[0.35, 0.35, 0.3]))
    # Lips are the skin's own colour, redder; the pigment makes them relatively darker on light skin.
    lips = skin * np.asarray((0.80, 0.44, 0.46), np.float32) * rng.uniform(0.92, 1.06)
    lips = lips + feminine * np.asarray((0.05, -0.01, 0.0), np.float32)

    def spread(width: float = 0.55) -> float:
        return float(np.clip(rng.normal(0, width), -1, 1))

    return Identity(
        skin=skin,
        hair=hair,
        iris=_between(IRISES[:2] if dark else IRISES, float(rng.uniform())),
        lips=np.clip(lips, 0.02, 1).astype(np.float32),
        hair_style=style,
        feminine=feminine,
        age=age,
        face_width=98 + 5 * spread() - 3 * feminine,
        jaw_square=spread() - 0.6 * feminine + 0.25,
        chin_drop=212 + 5 * spread() - 4 * feminine,
        nose_width=spread() - 0.45 * feminine + (0.6 if tone > 0.75 else 0.0),
        nose_length=spread(),
        nose_bridge=spread(),
        brow_thickness=float(np.clip(0.95 + 0.35 * spread() - 0.4 * feminine, 0.4, 1.4)),
        brow_lift=2.2 * spread() + 1.5 * feminine,
        brow_arch=0.6 * spread() + 0.5 * feminine,
        brow_gap=spread(),
        eye_width=21.5 + 1.6 * spread(),
        eye_height=1 + 0.16 * spread() + 0.08 * feminine,
        eye_tilt=2.0 * spread() + 0.8,
        lid_crease=float(rng.uniform(0.15, 1.0)),
        mouth_width=36 + 3.2 * spread() - 1.2 * feminine,
        mouth_drop=155.5 + 2.6 * spread(),
        upper_lip=6.6 + 1.6 * spread() + 0.8 * feminine + (1.6 if tone > 0.7 else 0.0),
        lower_lip=9.0 + 1.7 * spread() + 0.8 * feminine + (1.4 if tone > 0.7 else 0.0),
        cheeks=spread(),
        beard=beard,
        glasses=bool(subject % 5 == 3),
        freckles=float(rng.uniform(0.3, 1) if tone < 0.25 and rng.uniform() < 0.6 else 0.0),
        redness=float(rng.uniform(0.3, 1.0)),
        asymmetry=rng.normal(0, 0.6, 8).astype(np.float32),
        texture_seed=int(rng.integers(2**31)),
    )
