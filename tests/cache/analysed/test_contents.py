"""What a media file is known by: its content, and of a long one size, time and samples."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from cache.analysed import contents


def test_a_short_file_is_known_by_all_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"short")
    os.utime(path, (1, 1))
    assert contents.digest_of(path) == hashlib.sha256(b"short").hexdigest()


@pytest.mark.parametrize("place", [0, 5_500, -1])
def test_a_long_file_is_known_by_size_time_and_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    monkeypatch.setattr(contents, "LONG_BYTES", 1000)
    monkeypatch.setattr(contents, "SAMPLE_BYTES", 1000)
    path, content = tmp_path / "a", bytearray(20_000)
    path.write_bytes(content)
    os.utime(path, (1, 1))
    before = contents.digest_of(path)
    assert contents.digest_of(path) == before
    content[place] ^= 1
    path.write_bytes(content)
    os.utime(path, (1, 1))
    assert contents.digest_of(path) != before
    path.write_bytes(bytes(20_000))
    os.utime(path, (2, 2))
    assert contents.digest_of(path) != before
