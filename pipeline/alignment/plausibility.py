"""Check for aligned faces: whether the eyes lie where OpenFace's similarity alignment puts them."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from pipeline.alignment.mesh import LANDMARKS, MEAN_SHAPE
from pipeline.alignment.networks import MARGIN, Image, Mesh, Region
from pipeline.alignment.similarity import SCALE, SIZE

# Where the centres of the eyes lie in OpenFace's aligned faces in the mean, the right one first, in pixels of `SIZE`.
EYES = np.array([(65.9, 58.4), (157.9, 57.7)])
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
# Of eleven real videos that were aligned, 95 of 100 frames lie within 8 pixels (14 where heads are turned away). Of the
# same videos cut by a detector's box, as they are, or squeezed to a square, at most 72 of 100 lie within 14.
TOLERANCE = 14.0
LEAST_SHARE = 0.75
LEAST_PRESENCE = 0.5


class Locator(Protocol):
    """What finds landmarks in a region, as `face_networks.FaceNetworks` does."""

    def locate(self, frame: Image, region: Region) -> Mesh:
        """Return the landmarks in a region."""


def is_aligned(frame: Image, locator: Locator) -> bool:
    """Return whether a square frame shows a face where an aligned one has it; a mask outside the face does not matter.

    Args:
        frame: ``(S, S, 3)`` RGB, of any side S.
    """
    scale = frame.shape[1] / SIZE
    mesh = locator.locate(frame, _expected_region(scale))
    if mesh.presence >= LEAST_PRESENCE:
        # The second look is centred on the face that the first one saw.
        mesh = locator.locate(frame, mesh.region)
    if mesh.presence < LEAST_PRESENCE:
        return False
    points = mesh.points[LANDMARKS] / scale
    eyes = np.stack([points[eye].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE)])
    return bool(np.linalg.norm(eyes - EYES, axis=1).max() <= TOLERANCE)


def are_enough(aligned: int, frames: int) -> bool:
    """Return whether so many of so many frames make a video one of aligned faces; a few may show one that was lost."""
    return aligned >= LEAST_SHARE * frames


def _expected_region(scale: float) -> Region:
    """Return where the mean face lies in an aligned frame, with the margin that the network expects."""
    points = (MEAN_SHAPE * (SCALE * SIZE) + SIZE // 2) * scale
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = (low + high) / 2
    return Region(float(x), float(y), MARGIN * float((high - low).max()), 0.0)
