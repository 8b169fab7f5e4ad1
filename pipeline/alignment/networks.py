"""Face detection and landmarks: MediaPipe's BlazeFace and face mesh.

Regions of interest are cut as MediaPipe cuts them: square, turned so that the eyes lie level, half as large again as
the face.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

MESH_POINTS = 468
# The outer corners of the eyes in the mesh.
RIGHT_EYE, LEFT_EYE = 33, 263
MARGIN = 1.5
DETECTOR_SIZE, MESH_SIZE = 128, 192
# BlazeFace, short range: two anchors at each of 16 x 16 places, six at each of 8 x 8.
ANCHORS_AT = ((16, 2), (8, 6))
LEAST_SCORE = 0.5
LARGEST_OVERLAP = 0.3


@dataclass(frozen=True)
class Region:
    """A square in a frame: its centre and side in pixels, and by which angle it is turned, in radians."""

    x: float
    y: float
    side: float
    angle: float


@dataclass(frozen=True)
class Mesh:
    """A face as the network sees it.

    Attributes:
        points: ``(468, 2)`` x and y in pixels of the frame.
        presence: how sure it is that there is a face, 0 to 1.
    """

    points: Floats
    presence: float

    @property
    def region(self) -> Region:
        """Where to look for this face in the next frame."""
        across = self.points[LEFT_EYE] - self.points[RIGHT_EYE]
        angle = float(np.arctan2(across[1], across[0]))
        level = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        upright = self.points @ level.T
        low, high = upright.min(axis=0), upright.max(axis=0)
        x, y = level.T @ ((low + high) / 2)
        return Region(float(x), float(y), MARGIN * float((high - low).max()), angle)


class FaceNetworks:
    """The two networks, ready to run on one thread."""

    def __init__(self, detector: bytes, mesh: bytes) -> None:
        """Load them; a ModuleNotFoundError when the package that runs them is not installed."""
        # Optional: only this method needs it.
        from ai_edge_litert.interpreter import Interpreter

        self._detector, self._mesh = _Network(Interpreter, detector), _Network(Interpreter, mesh)

    def detect(self, frame: Image) -> list[Region]:
        """Return the faces in a ``(H, W, 3)`` RGB frame, the surest first."""
        height, width = frame.shape[:2]
        whole = Region(width / 2, height / 2, max(height, width), 0.0)
        cut, placement = _cut(frame, whole, DETECTOR_SIZE)
        told = self._detector.run(np.multiply(cut, np.float32(1 / 127.5), dtype=np.float32) - np.float32(1))
        scores = _sigmoid(told["classificators"][0, :, 0].astype(np.float64))
        found = np.flatnonzero(scores >= LEAST_SCORE)
        boxes = told["regressors"][0, found].reshape(-1, 8, 2).astype(np.float64) / DETECTOR_SIZE
        boxes[:, 0] += _ANCHORS[found]
        boxes[:, 2:] += _ANCHORS[found, None]
        back = np.asarray(cv2.invertAffineTransform(placement), dtype=np.float64)
        order = np.argsort(-scores[found], kind="stable")
        return _without_doubles([_region(box, back) for box in boxes[order]])

    def locate(self, frame: Image, region: Region) -> Mesh:
        """Return the face in a region of a frame; whether there is one is for its presence to say."""
        cut, placement = _cut(frame, region, MESH_SIZE)
        told = self._mesh.run(np.multiply(cut, np.float32(1 / 255), dtype=np.float32))
        points = told["conv2d_20"].reshape(MESH_POINTS, 3)[:, :2].astype(np.float64)
        back = np.asarray(cv2.invertAffineTransform(placement), dtype=np.float64)
        presence = float(_sigmoid(told["conv2d_30"].astype(np.float64)).ravel()[0])
        return Mesh(points @ back[:, :2].T + back[:, 2], presence)


class _Network:
    def __init__(self, interpreter: Any, weights: bytes) -> None:
        self._run = interpreter(model_content=weights, num_threads=1)
        self._run.allocate_tensors()
        self._input = self._run.get_input_details()[0]["index"]
        self._outputs = {output["name"]: output["index"] for output in self._run.get_output_details()}

    def run(self, image: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Return each output by name, for one ``(size, size, 3)`` image."""
        self._run.set_tensor(self._input, image[None])
        self._run.invoke()
        return {name: self._run.get_tensor(index) for name, index in self._outputs.items()}


def overlap(first: Region, second: Region) -> float:
    """Return the intersection over union of two regions as if neither were turned."""
    half = (first.side + second.side) / 2
    wide, high = (
        max(0.0, min(half - abs(a - b), first.side, second.side)) for a, b in ((first.x, second.x), (first.y, second.y))
    )
    shared = wide * high
    return shared / (first.side**2 + second.side**2 - shared)


def _without_doubles(regions: list[Region]) -> list[Region]:
    kept: list[Region] = []
    for region in regions:
        if all(overlap(region, other) < LARGEST_OVERLAP for other in kept):
            kept.append(region)
    return kept


def _region(box: Floats, back: Floats) -> Region:
    """Return the region of a detection: centre, size and six points, the first two of them the eyes."""
    scale = DETECTOR_SIZE * float(np.hypot(*back[:, 0]))
    x, y = (box[0] * DETECTOR_SIZE) @ back[:, :2].T + back[:, 2]
    across = box[3] - box[2]
    angle = float(np.arctan2(across[1], across[0]))
    return Region(float(x), float(y), MARGIN * scale * float(box[1].max()), angle)


def _cut(frame: Image, region: Region, size: int) -> tuple[Image, Floats]:
    """Return a region upright, ``(size, size, 3)``, and the ``(2, 3)`` placement that cut it."""
    scale = size / region.side
    turn = scale * np.array(
        [[np.cos(region.angle), np.sin(region.angle)], [-np.sin(region.angle), np.cos(region.angle)]]
    )
    placement = np.column_stack([turn, np.full(2, size / 2) - turn @ (region.x, region.y)])
    cut = cv2.warpAffine(frame, placement, (size, size), flags=cv2.INTER_LINEAR)
    return np.asarray(cut, dtype=np.uint8), placement


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))), dtype=np.float64)


def _anchors() -> Floats:
    """Return the ``(896, 2)`` centres that detections are told from, 0 to 1."""
    grids = []
    for places, each in ANCHORS_AT:
        y, x = np.divmod(np.arange(places * places), places)
        grids.append(np.repeat((np.stack([x, y], axis=1) + 0.5) / places, each, axis=0))
    return np.concatenate(grids)


_ANCHORS = _anchors()
