"""Rates and faces come from the columns of the shards."""

from __future__ import annotations

from pathlib import Path

import pytest

from cache.sharing import coverage
from tests.cache.sharing import invented


def test_rates_faces_and_alignment_are_those_of_the_shards(tmp_path: Path) -> None:
    made = invented.write_corpus(tmp_path)
    found = coverage.examine(made)
    assert found.without_face == 3  # one of six in each of three videos
    assert found.alignment == {"builtin": 3}
    assert found.layers == {"avgpool": 3}
    assert found.videos["anneliese-1"].rate == pytest.approx(30)
    assert coverage.examine(tmp_path / "frames").alignment == {"builtin": 3}


def test_a_shard_that_cannot_be_read_is_told_and_the_others_are_counted(tmp_path: Path) -> None:
    made = invented.write_corpus(tmp_path)
    (made / "anneliese-1.h5").write_bytes(b"short")
    found = coverage.examine(made)
    assert sorted(found.videos) == ["anneliese-2", "bartholomew-1"]
    assert list(found.unread) == ["anneliese-1"]
