"""The section `train` of the parameters: one flat section, split over the parts of the code that it controls."""

from __future__ import annotations

from pathlib import Path

from pipeline.training.fold import PARTS, FoldParameters
from stages.shell import params


def read(path: Path, corpus: Path) -> FoldParameters:
    """Return the section after a corpus' overrides; ParameterError also for parts of it that contradict each other."""
    parts = params.read_parts(path, "train", PARTS, corpus)
    try:
        return FoldParameters(*parts)
    except ValueError as error:
        raise params.ParameterError(f"{params.origin(path, 'train', corpus).about(str(error))}: {error}") from error
