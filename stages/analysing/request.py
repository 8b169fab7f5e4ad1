"""What is asked of every video of an analysis."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Asked:
    """What is asked of every video.

    Attributes:
        face: `largest`, `all`, or the number of a person from 1.
        align: the method of alignment, or `auto`.
        detectors: the folder of a trained run; None for the spotter without training.
        threshold: None for the one that belongs to the detectors.
        configs: where the parameters are, and the encoders below them.
        with_frames: curves or a page are to be written, which takes the kept frames.
    """

    face: str
    align: str
    detectors: Path | None
    threshold: float | None
    configs: Path
    device: str
    batch_size: int
    force: bool
    quiet: bool
    with_frames: bool
