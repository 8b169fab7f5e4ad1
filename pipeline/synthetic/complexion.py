"""Synthetic identity: one invented person's shaded face at rest, painted once, with nose and surroundings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.synthetic.action_units import Floats

SIDE = 320  # pixels of the canvas
SCALE = 1.25  # canvas pixels per pixel of the 224 px crop
MARGIN = 16.0  # pixels of the crop that the canvas shows beyond it, so that the head can sway
MIDDLE = 111.9
LEFT_EYE, RIGHT_EYE = (65.9, 58.4), (157.9, 57.7)  # where OpenFace's similarity alignment puts them at 224 px
SKINS = np.array(
    [(238, 202, 182), (226, 184, 158), (212, 166, 134), (194, 144, 110), (168, 118, 88), (138, 95, 70), (108, 74, 56)],
    np.float32,
)
HAIRS = ((38, 28, 24), (62, 42, 30), (24, 20, 20), (112, 80, 50), (150, 118, 76), (90, 50, 30), (120, 116, 112))
IRISES = ((74, 48, 30), (96, 66, 38), (88, 104, 74), (92, 118, 140), (54, 36, 26), (112, 96, 58))


@dataclass(frozen=True)
class Identity:
    """One invented person; lengths in pixels of the 224 px crop, colours RGB between 0 and 255."""

    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    iris: tuple[float, float, float]
    lips: tuple[float, float, float]
    backdrop: tuple[float, float, float]
    eye_width: float
    eye_height: float
    eye_tilt: float
    brow_thickness: float
    brow_arch: float
    brow_level: float
    nose_width: float
    nose_level: float
    mouth_width: float
    mouth_level: float
    lip_fullness: float
    jaw_width: float
    chin_level: float
    cheekbones: float
    age: float
    beard: float
    freckles: float
    long_hair: bool
    light: tuple[float, float, float]
    texture_seed: int


def invent(generator: np.random.Generator, subject: int) -> Identity:
    """Return a person; skins are spread evenly over subjects, all else is chance."""
    shade = (0.13 + subject * 0.6180339887) % 1.0
    place = shade * (len(SKINS) - 1)
    low = min(int(place), len(SKINS) - 2)
    skin = SKINS[low] + (place - low) * (SKINS[low + 1] - SKINS[low]) + generator.normal(0, 3, 3)
    dark = shade > 0.45
    hair = HAIRS[int(generator.choice(3 if dark else len(HAIRS)))]
    iris = IRISES[int(generator.choice([0, 1, 4] if dark else len(IRISES)))]
    long_hair = bool(generator.random() < 0.5)
    u = generator.uniform
    light = np.array([u(-0.5, 0.5), u(-0.55, -0.25), 0.85])
    light /= np.linalg.norm(light)
    lips = skin * np.array([u(0.86, 0.93), u(0.67, 0.76), u(0.70, 0.80)])
    return Identity(
        skin=triple(skin), hair=triple(np.array(hair)), iris=triple(np.array(iris)), lips=triple(lips),
        backdrop=triple(u(60, 150) + generator.normal(0, 14, 3)),
        eye_width=u(19, 22.5), eye_height=u(7.6, 10.8), eye_tilt=u(-2.8, 1.0),
        brow_thickness=u(2.4, 3.8) if long_hair else u(3.6, 5.6), brow_arch=u(1, 7), brow_level=u(32, 37),
        nose_width=u(14, 19), nose_level=u(116, 122), mouth_width=u(33, 39), mouth_level=u(154, 159),
        lip_fullness=u(0.8, 1.3), jaw_width=u(92, 100), chin_level=u(206, 214), cheekbones=u(0.5, 1.3), age=u(0, 1),
        beard=0.0 if long_hair else float(generator.choice([0.0, 0.35, 0.8])), freckles=max(0.0, u(-0.6, 0.8)),
        long_hair=long_hair, light=triple(light), texture_seed=int(generator.integers(2**31)),
    )  # fmt: skip


def grid(side: int = SIDE) -> tuple[Floats, Floats]:
    """Return the ``(side, side)`` places of a canvas' pixels, in pixels of the 224 px crop."""
    line = ((np.arange(side, dtype=np.float32) + 0.5) * (SIDE / side) - 0.5) / SCALE - MARGIN
    x, y = np.meshgrid(line, line)
    return x.astype(np.float32), y.astype(np.float32)


def bump(x: Floats, y: Floats, at: tuple[float, float], size: tuple[float, float], turn: float = 0.0) -> Floats:
    """Return a Gaussian of height 1, with its axes turned by so many radians."""
    dx, dy = x - at[0], y - at[1]
    c, s = np.cos(turn), np.sin(turn)
    value = np.exp(-(((c * dx + s * dy) / size[0]) ** 2 + ((c * dy - s * dx) / size[1]) ** 2) / 2)
    return np.asarray(value, np.float32)


def pair(x: Floats, y: Floats, out: float, level: float, size: tuple[float, float], turn: float = 0.0) -> Floats:
    """Return two mirrored Gaussians, so far from the middle."""
    left = bump(x, y, (MIDDLE - out, level), size, -turn)
    return left + bump(x, y, (MIDDLE + out, level), size, turn)


def relief(who: Identity, x: Floats, y: Floats) -> Floats:
    """Return how far the resting face stands out towards the viewer at every point, in pixels of the crop."""
    z = 88 * np.sqrt(np.clip(1.04 - head(who, x, y), 0.004, 1))
    along = np.clip((y - 42) / (who.nose_level - 42), 0, 1.15)
    ridge = np.exp(-(((x - MIDDLE) / (8 + 5 * along)) ** 2) / 2) * np.clip(along, 0, 1) ** 1.3
    z += 18 * ridge / (1 + np.exp((y - who.nose_level - 1) / 4.2))
    z += 7 * bump(x, y, (MIDDLE, who.nose_level - 4), (10, 8))
    z += 7 * pair(x, y, who.nose_width * 0.85, who.nose_level + 1, (6.5, 6))
    z += 5 * pair(x, y, 44, who.brow_level + 4, (26, 8)) + 2 * bump(x, y, (MIDDLE, 36), (12, 9))
    z -= 8 * pair(x, y, 44, 60, (22, 11)) + 5 * pair(x, y, 22, 57, (8, 9))
    z += 3.5 * pair(x, y, 46, 58, (17, 9))
    z += 8 * who.cheekbones * pair(x, y, 58, 100, (24, 15), 0.35)
    z -= 6 * who.cheekbones * pair(x, y, 64, 142, (17, 24), 0.3)
    z += 5 * bump(x, y, (MIDDLE, who.mouth_level), (32, 18)) - 1.6 * bump(x, y, (MIDDLE, who.nose_level + 20), (4, 9))
    z -= 3.5 * bump(x, y, (MIDDLE, who.mouth_level + 20), (20, 6))
    z += 9 * bump(x, y, (MIDDLE, who.chin_level - 19), (18, 11))
    return np.asarray(z, np.float32)


def head(who: Identity, x: Floats, y: Floats) -> Floats:
    """Return the outline of the head: below 1 inside, 1 on it."""
    below = np.clip(y - 58, 0, None) / (who.chin_level + 1 - 58)
    above = np.clip(58 - y, 0, None) / 140
    wide = who.jaw_width + 5 - 17 * np.clip((y - 70) / 100, 0, 1) ** 1.5  # the jaw is narrower than the cheekbones
    return np.asarray((np.abs(x - MIDDLE) / wide) ** 2.2 + below**3.0 + above**2, np.float32)


def paint(who: Identity, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the resting face without hair, eyes and lips, ``(320, 320, 3)`` RGB, and its ``(320, 320)`` relief."""
    x, y = grid()
    z = relief(who, x, y)
    shading, gloss = _light(who, z, generator)
    picture = _skin_colour(who, x, y, generator) * shading[..., None]
    shine = (16 + 0.10 * (255 - who.skin[0])) * np.array([1.0, 0.97, 0.93], np.float32)
    picture += gloss[..., None] * shine
    picture *= _occlusion(who, x, y)[..., None]
    return _surround(who, picture, x, y, generator), z


def triple(values: object) -> tuple[float, float, float]:
    """Return three numbers as plain floats."""
    first, second, third = (float(value) for value in np.asarray(values, np.float64))
    return first, second, third


def noise(generator: np.random.Generator, sigma: float) -> Floats:
    """Return smooth noise of standard deviation 1."""
    field = cv2.GaussianBlur(generator.standard_normal((SIDE, SIDE)).astype(np.float32), (0, 0), sigma)
    return np.asarray(field / field.std(), np.float32)


def _light(who: Identity, z: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
    rough = z + 0.07 * noise(generator, 1.0) + 0.06 * noise(generator, 2.2) + 0.35 * noise(generator, 12)
    down, right = np.gradient(cv2.GaussianBlur(rough, (0, 0), 0.9), 1 / SCALE)
    normal = np.stack([-right, -down, np.full_like(z, 1.25)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    light = np.array(who.light, np.float32)
    diffuse = np.clip((_along(normal, light) + 0.3) / 1.3, 0, None)
    half = light + np.array([0, 0, 1], np.float32)
    gloss = np.clip(_along(normal, half / np.linalg.norm(half)), 0, 1) ** 16
    return np.asarray(0.27 + 0.84 * diffuse, np.float32), np.asarray(gloss, np.float32)


def _along(normal: Floats, direction: Floats) -> Floats:
    # Not a matrix product: its last digits depend on the number of threads, and the videos' bytes must not.
    return np.asarray(sum(normal[..., axis] * direction[axis] for axis in range(3)), np.float32)


def _skin_colour(who: Identity, x: Floats, y: Floats, generator: np.random.Generator) -> Floats:
    colour = np.ones((SIDE, SIDE, 3), np.float32) * np.array(who.skin, np.float32)
    red = pair(x, y, 58, 106, (26, 20)) + 0.8 * bump(x, y, (MIDDLE, who.nose_level - 2), (14, 10))
    red += 0.3 * bump(x, y, (MIDDLE, who.chin_level - 16), (16, 10)) + 0.18 * noise(generator, 7)
    under_eye = pair(x, y, 44, 74, (17, 6))
    colour += red[..., None] * (who.skin[1] / 200) ** 1.5 * np.array([4, -10, -8], np.float32)
    colour += under_eye[..., None] * (0.6 + 0.6 * who.age) * np.array([-16, -16, -8], np.float32)
    colour *= (1 + 0.018 * noise(generator, 14) + 0.014 * noise(generator, 3.5) + 0.016 * noise(generator, 0.8))[
        ..., None
    ]
    spots = np.clip(noise(generator, 1.1) - 1.75, 0, 1) * (pair(x, y, 48, 100, (36, 22)) + 0.25)
    colour -= 46 * who.freckles * spots[..., None] * np.array([0.7, 1.0, 1.0], np.float32)
    shadow = np.clip((y - 135) / 40, 0, 1) * (1 - 0.8 * bump(x, y, (MIDDLE, 148), (50, 14)))
    colour -= 26 * who.beard * shadow[..., None] * np.array([1.0, 0.85, 0.65], np.float32)
    return colour


def _occlusion(who: Identity, x: Floats, y: Floats) -> Floats:
    """Return where little light comes in: nostrils, wings of the nose, sockets, beneath the lower lip."""
    n, w = who.nose_level, who.nose_width
    dark = 0.72 * pair(x, y, w * 0.52, n + 5.5, (3.6, 1.7), 0.3) + 0.12 * bump(x, y, (MIDDLE, n + 9), (w * 0.8, 3.0))
    dark += 0.24 * pair(x, y, w * 1.32, n + 2, (2.0, 5), -0.25) + 0.10 * pair(x, y, 33, n + 15, (3.5, 13), -0.55)
    dark += 0.30 * pair(x, y, 25, 55, (7, 8)) + 0.18 * pair(x, y, 46, 50, (22, 4))
    dark += 0.22 * bump(x, y, (MIDDLE, who.mouth_level + 19), (17, 4))
    return np.asarray(np.clip(1 - dark, 0.08, 1), np.float32)


def _surround(who: Identity, picture: Floats, x: Floats, y: Floats, generator: np.random.Generator) -> Floats:
    backdrop = np.array(who.backdrop, np.float32) * (1 + 0.12 * noise(generator, 40))[..., None]
    backdrop = backdrop * (1.05 - 0.0012 * y)[..., None]
    round_off = 1 - 0.5 * np.clip(np.abs(x - MIDDLE) / 76, 0, 1) ** 3
    neck = np.array(who.skin, np.float32) * ((0.34 + 0.004 * np.clip(y - 190, 0, 50)) * round_off)[..., None]
    in_neck = step((66 + 0.02 * np.clip(y - 190, 0, None) ** 2 - np.abs(x - MIDDLE)) / 6) * step((y - 150) / 4)
    around = backdrop + in_neck[..., None] * (neck - backdrop)
    for side in (-1, 1):
        ear = step(1.6 - 1.6 * (((x - MIDDLE - side * (who.jaw_width + 3)) / 11) ** 2 + ((y - 84) / 27) ** 2))
        tone = (
            np.array(who.skin, np.float32)
            * (0.62 - 0.2 * bump(x, y, (MIDDLE + side * (who.jaw_width + 4), 82), (4, 15)))[..., None]
        )
        around = around + ear[..., None] * (tone - around)
    inside = step((1 - head(who, x, y)) / 0.035)
    return np.asarray(around + inside[..., None] * (picture - around), np.float32)


def step(value: npt.NDArray[np.floating[Any]]) -> Floats:
    """Return a smooth rise from 0 to 1 where the value does so."""
    value = np.clip(value, 0, 1)
    return np.asarray(value * value * (3 - 2 * value), np.float32)
