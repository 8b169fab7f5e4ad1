"""A walk over a corpus folder: which files are one unit, and what its digests say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cache.errors import InputError
from cache.fingerprints import units
from cache.fingerprints.units import Unit


def write(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1234")
    return root


def walk(root: Path) -> dict[str, Unit]:
    return {unit.path: unit for unit in units.walk(root)}


def test_a_video_file_is_a_unit_and_the_other_files_of_a_folder_are_one(tmp_path: Path) -> None:
    root = write(tmp_path, "a.avi", "b.MP4", "labels.csv", "s1/v1/1.jpg", "s1/v1/2.jpg", "s1/v2/1.jpg", "s1/.hidden")
    found = walk(root)
    assert sorted(found) == [".", "a.avi", "b.MP4", "s1/v1", "s1/v2"]
    assert {path: unit.count for path, unit in found.items() if unit.count != 1} == {"s1/v1": 2}
    assert found["s1/v1"].bytes == 8
    assert "." not in {unit.path for unit in units.walk(root, [root / "labels.csv"])}


def test_a_unit_found_by_its_path_is_the_one_of_the_walk(tmp_path: Path) -> None:
    found = walk(write(tmp_path, "a.avi", "c.png", "s1/v1/1.jpg", "s1/b.avi"))
    assert {path: units.at(tmp_path, path) for path in found} == found
    assert units.at(tmp_path, "nowhere") is None


def test_names_and_sizes_are_one_digest_and_times_another(tmp_path: Path) -> None:
    first = walk(write(tmp_path, "v/1.jpg", "v/2.jpg"))["v"]
    os.utime(tmp_path / "v/1.jpg", (1, 1))
    second = walk(tmp_path)["v"]
    assert (second.names == first.names, second.times == first.times) == (True, False)
    (tmp_path / "v/1.jpg").rename(tmp_path / "v/3.jpg")
    third = walk(tmp_path)["v"]
    assert third.names != first.names
    (tmp_path / "v/3.jpg").write_bytes(b"12345")
    assert walk(tmp_path)["v"].names not in (first.names, third.names)


def test_what_a_link_leads_to_is_seen_and_no_circle_is_walked_twice(tmp_path: Path) -> None:
    write(tmp_path, "disk/more/1.jpg", "root/v/1.jpg")
    root = tmp_path / "root"
    (root / "linked").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/back").symlink_to(root)
    (root / "v/2.jpg").symlink_to(tmp_path / "disk/more/1.jpg")
    (root / "v/3.jpg").symlink_to("3.jpg")
    found = walk(root)
    assert sorted(found) == ["linked/more", "v"]
    assert (found["v"].count, found["v"].bytes) == (3, 8)
    assert units.content_of(root, found["v"]) != units.content_of(root, found["linked/more"])


def test_what_is_no_file_is_named_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(write(tmp_path, "v/1.jpg") / "v/pipe")
    os.mkfifo(tmp_path / "pipe.avi")
    found = walk(tmp_path)
    assert {path: unit.count for path, unit in found.items()} == {"v": 2, "pipe.avi": 1}
    assert all(units.content_of(tmp_path, unit) for unit in found.values())


def test_a_name_that_is_no_text_is_a_name(tmp_path: Path) -> None:
    first = walk(write(tmp_path, "v/1.jpg"))["v"]
    Path(os.fsdecode(os.fsencode(tmp_path / "v") + b"/\xff.jpg")).touch()
    assert walk(tmp_path)["v"].names != first.names


def test_a_folder_that_cannot_be_looked_at_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere cannot be looked at"):
        walk(tmp_path / "nowhere")
