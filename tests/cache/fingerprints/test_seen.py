"""What was seen of a corpus on this disk: a file that changes while it is read is not taken for what was there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cache.fingerprints import seen, units


def footage(place: Path, root: Path) -> dict[str, str | None]:
    return seen.compare(place, root, units.walk(root), {})


def test_what_changed_since_it_was_seen_is_not_noted_as_known(tmp_path: Path) -> None:
    root, place = tmp_path / "root", tmp_path / "seen.json"
    video = root / "a.avi"
    root.mkdir()
    video.write_bytes(bytes(seen.SMALL_BYTES + 1))
    first = footage(place, root)
    video.write_bytes(bytes(seen.SMALL_BYTES) + b"1")
    os.utime(video, (1, 1))
    (unit,) = units.walk(root)
    assert seen.unread(place, root) == {"a.avi"}
    seen.note(place, root, {"a.avi": units.content_of(root, unit)})
    assert seen.unread(place, root) == {"a.avi"}
    (content,) = footage(place, root).values()
    assert content is not None
    assert list(first.values()) == [None]


@pytest.mark.parametrize("damage", ["", "[]", '{"format": 1}', '{"format": 1, "root": "elsewhere", "units": {}}'])
def test_what_was_seen_may_be_lost(tmp_path: Path, damage: str) -> None:
    root, place = tmp_path / "root", tmp_path / "seen.json"
    root.mkdir()
    (root / "a.avi").write_bytes(b"1234")
    first = footage(place, root)
    place.write_text(damage, encoding="utf-8")
    assert footage(place, root) == first
