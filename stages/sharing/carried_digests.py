"""Verification of what else is shared of a corpus: tables, detectors, encoders and what git tracks of it.

Each is read as the stage reads it that uses it, so its own digest is checked, and its values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cache import own_digest
from cache.errors import InputError, ShardError
from cache.fingerprints import fingerprint, stated_frames
from cache.printing import printable
from cache.shards import manifest
from cache.sharing import inventory
from cache.sharing.inventory import EXPRESSIONS, VIDEOS
from cache.tables import curves, intervals, searches, videos
from cache.tables.intervals import Detection, Expression
from cache.weights import detector_card
from stages.parts import detectors, encoders
from stages.sharing import removed_frames
from stages.shell import params

RESULTS, CONFIGS = Path("results"), Path("configs")
Read = Callable[[Path], object]


def verify(corpus: Path, folders: Sequence[Path], encoder_folder: Path) -> dict[str, Any]:
    """Return what was looked at of a corpus and every fault, JSON-ready, in the form of a report of a folder.

    Args:
        corpus: the folder of its tables, of its name.
        folders: of its shards, whose manifests name encoders.
    """
    found = [(path, read) for path, read in _files(corpus, folders, encoder_folder) if path.is_file()]
    faults, without = [], []
    for path, read in found:
        try:
            read(path)
            if not own_digest.check(path):
                without.append(str(path))
        except (InputError, ShardError, params.ParameterError) as problem:
            faults.append({"video": "", "problem": "damaged", "detail": printable(str(problem))})
    faults += removed_frames.faults(corpus.name)
    return {
        "folder": str(corpus),
        "kind": "tables, detectors and encoders",
        "files": [str(path) for path, _ in found],
        "without_digest": without,
        "faults": faults,
    }


def _files(corpus: Path, folders: Sequence[Path], encoder_folder: Path) -> Iterator[tuple[Path, Read]]:
    name = corpus.name
    yield corpus / VIDEOS, videos.read
    yield corpus / EXPRESSIONS, lambda path: intervals.read(path, Expression)
    yield CONFIGS / "fingerprints" / f"{name}.json", fingerprint.read
    yield CONFIGS / "frames" / f"{name}.json", stated_frames.read
    for encoder in sorted({_encoder_of(folder) for folder in folders} - {"", encoders.RANDOM}):
        yield encoders.path_of(encoder_folder, encoder), _read_encoder
    yield from ((path, read_detector) for path in sorted((RESULTS / name / "detectors").glob("*.safetensors")))
    yield RESULTS / name / "detections.parquet", read_detections
    yield RESULTS / name / "nested.parquet", read_detections
    yield RESULTS / name / "curves.parquet", curves.read


def _encoder_of(folder: Path) -> str:
    try:
        return inventory.encoder_name(manifest.read(folder))
    except ShardError:
        return ""  # told where the folder itself is verified


def _read_encoder(path: Path) -> None:
    encoders.load(path.stem, path.parent, image_size=0)  # of the random one alone


def read_detector(path: Path) -> None:
    """Read a detector whole: its card, its network and how it takes features; errors as when it is used."""
    card = detector_card.read(path)
    detectors.load(path, card)
    detectors.normalisation_of(path, card)


def read_detections(path: Path) -> None:
    """Read detections and who searched; errors as when they are evaluated."""
    intervals.read(path, Detection)
    searches.read(path)
