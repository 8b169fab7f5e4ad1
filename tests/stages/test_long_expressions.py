"""CAS(ME)^3's long macro-expressions, by quantiles of length: each has a target under the corpus' own parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.training.fold import FoldParameters
from stages.parts import train_parameters
from stages.shell import params
from tests.benchmarks.long_expressions import QUANTILES, lengths_of, record, taught_share

ROOT = Path(__file__).resolve().parents[2]


def parameters_of(corpus: str | None) -> FoldParameters:
    """Return the parameters in force for a corpus of configs/corpora, or the plain ones."""
    place = ROOT / f"configs/corpora/{corpus}.yaml" if corpus else None
    return train_parameters.build(params.in_force(ROOT / "configs/params.yaml", "train", place), "train")


def test_the_invented_lengths_have_the_quantiles() -> None:
    lengths = lengths_of((np.arange(3346) + 0.5) / 3346)
    assert lengths.max() == pytest.approx(4336, rel=0.03)
    assert np.quantile(lengths, [share for share, _ in QUANTILES[1:-1]]) == pytest.approx(
        [frames for _, frames in QUANTILES[1:-1]], rel=0.02
    )
    # As of the genuine ones: of 832 no window of 128 frames holds nine tenths.
    assert (lengths * 0.9 >= 128).sum() == pytest.approx(832, rel=0.02)


def test_every_length_has_a_target_in_casme3_and_a_quarter_has_none_in_windows_of_128() -> None:
    recordings = record(seed=7, subjects=8, videos=2, expressions=12)
    assert max(np.diff(recording.intervals).max() for recording in recordings) > 3000
    assert taught_share(recordings, parameters_of("casme3")) == 1.0
    assert taught_share(recordings, parameters_of(None)) < 0.8
