"""The hair of an invented face: brows, stubble and what frames the face, drawn stroke by stroke."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.synthetic.action_units import Floats
from pipeline.synthetic.complexion import MARGIN, MIDDLE, SCALE, Identity, bump, grid, head, noise, step, triple


def grow(who: Identity, picture: Floats, generator: np.random.Generator) -> Floats:
    """Return a ``(320, 320, 3)`` face with its hair on."""
    x, y = grid()
    _brows(who, picture, generator)
    if who.beard > 0.5:
        _stubble(who, picture, x, y, generator)
    picture = _hair(who, picture, generator)
    return np.asarray(np.clip(cv2.GaussianBlur(picture, (0, 0), 0.6), 0, 255), np.float32)


def _strokes(picture: Floats, lines: list[tuple[Floats, tuple[float, float, float], float]]) -> Floats:
    """Return the picture with fine hairs: ``(points (n, 2) in crop pixels, colour, opacity)`` each."""
    layer = picture.copy()
    for points, colour, _ in lines:
        pixels = np.round((points + MARGIN) * SCALE * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(layer, [pixels], False, colour, 1, cv2.LINE_AA, 4)
    opacity = lines[0][2] if lines else 0.0
    return np.asarray(picture + opacity * (layer - picture), np.float32)


def _brows(who: Identity, picture: Floats, generator: np.random.Generator) -> None:
    tone = np.array(who.hair) * 0.55 + np.array(who.skin) * 0.08
    for share in range(3):
        lines = []
        for side in (-1, 1):
            for _ in range(130):
                t = generator.beta(1.1, 1.25)
                spread = who.brow_thickness * (1 - 0.72 * t**1.6) * generator.uniform(-1, 1)
                start = np.array(
                    [
                        19 + 50 * t,
                        who.brow_level
                        + 7
                        - who.brow_arch * 2.4 * np.sin(np.pi * min(1, t * 0.85 + 0.05)) * 0.8
                        + 3.0 * t
                        + spread,
                    ]
                )
                angle = -1.15 + 1.35 * t + generator.normal(0, 0.14) + 0.05 * share
                length = generator.uniform(4.5, 8) * (1 - 0.35 * t)
                end = start + length * np.array([np.cos(angle), np.sin(angle)])
                points = np.stack([start, end]).astype(np.float32)
                points[:, 0] = MIDDLE + side * points[:, 0]
                lines.append((points, triple(tone * generator.uniform(0.7, 1.3)), 0.34))
        picture[:] = _strokes(picture, lines)


def _stubble(who: Identity, picture: Floats, x: Floats, y: Floats, generator: np.random.Generator) -> None:
    jaw = np.clip((y - 140) / 30, 0, 1) * step((1 - head(who, x, y)) / 0.05)
    area = np.clip(jaw + bump(x, y, (MIDDLE, 143), (30, 5)), 0, 1) * (
        1 - bump(x, y, (MIDDLE, who.mouth_level), (34, 8))
    )
    hairs = np.clip(0.5 + 0.45 * noise(generator, 0.6), 0, 1.5) * area * who.beard * 0.55
    hairs = np.clip(hairs, 0, 0.85)[..., None]
    picture += hairs * (np.array(who.hair, np.float32) * 0.9 - picture)


def _hair(who: Identity, picture: Floats, generator: np.random.Generator) -> Floats:
    """Return the picture with hair around the face: a body in soft light first, then single hairs along it."""
    tone = np.array(who.hair, np.float32)
    body, sheen = _hair_body(who, generator)
    shadow = cv2.GaussianBlur(body, (0, 0), 7) * (1 - body)
    haired: Floats = np.asarray(picture * (1 - 0.45 * shadow)[..., None], np.float32)
    haired += (0.96 * body)[..., None] * (tone * sheen[..., None] - haired)
    for _ in range(4):
        lines = []
        for _ in range(150 if who.long_hair else 70):
            side = int(generator.choice([-1, 1]))
            levels = np.linspace(-18, 245 if who.long_hair else generator.uniform(25, 70), 12, dtype=np.float32)
            along = _hairline(who, levels) + generator.uniform(0, 34 if who.long_hair else 12)
            along = along + 1.6 * np.sin(levels / generator.uniform(22, 45) + generator.uniform(0, 6))
            points = np.stack([MIDDLE + side * along, levels], axis=-1).astype(np.float32)
            lines.append((points, triple(np.clip(tone * generator.uniform(0.35, 1.55), 0, 255)), 0.4))
        haired = _strokes(haired, lines)
    changed = step(np.abs(haired - picture).sum(axis=-1) / 60)[..., None]
    return np.asarray(haired + changed * (cv2.GaussianBlur(haired, (0, 0), 0.9) - haired), np.float32)


def _hair_body(who: Identity, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Return where hair is, between 0 and 1, and how it shines."""
    x, y = grid()
    out = np.abs(x - MIDDLE)
    edge = _hairline(who, y) + 1.2 * np.sin(y / 5 + who.texture_seed % 9) + 1.0 * noise(generator, 4)
    outer = who.jaw_width + (30 if who.long_hair else 9 - 0.10 * np.clip(y, 0, None))
    body = step((out - edge) / 5) * step((outer - out) / 4)
    if not who.long_hair:
        body *= step((74 - y + 0.5 * (out - who.jaw_width)) / 26)
    sheen = 0.62 + 0.3 * np.exp(-(((y - 46 - 0.3 * out) / 30) ** 2)) + 0.10 * noise(generator, 3)
    return body, np.asarray(sheen - 0.25 * np.exp(-(((out - edge - 4) / 9) ** 2)), np.float32)


def _hairline(who: Identity, y: Floats) -> Floats:
    """Return how far from the middle the hair begins, at each level."""
    temple = who.jaw_width - (9 if who.long_hair else 1)
    crown = np.clip(26 - y, 0, None)
    value = (
        temple
        - crown**1.45 * (0.62 if who.long_hair else 0.5)
        + (0.10 * np.clip(y - 80, 0, None) if who.long_hair else 0)
    )
    return np.asarray(value, np.float32)
