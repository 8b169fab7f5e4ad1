"""Objects of DVC's cache: kept when they are what they are called, and listings that stay inside their folder."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.errors import ShardError
from cache.sharing import dvc_objects

CONTENT = b"features"
NAME = hashlib.md5(CONTENT).hexdigest()


def test_an_object_is_kept_when_it_is_what_it_is_called(tmp_path: Path) -> None:
    path = dvc_objects.path_of(tmp_path, NAME)
    assert dvc_objects.receive(path, NAME, io.BytesIO(CONTENT).read, len(CONTENT)) == 8
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o777 == 0o444
    assert dvc_objects.describe_damage(path, NAME) is None


@pytest.mark.parametrize("sent", [b"", CONTENT[:-1], b"Features", CONTENT + b"!"])
def test_other_bytes_leave_nothing(tmp_path: Path, sent: bytes) -> None:
    path = dvc_objects.path_of(tmp_path, NAME)
    with pytest.raises(ShardError, match="expected"):
        dvc_objects.receive(path, NAME, io.BytesIO(sent).read, len(CONTENT))
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == []


def test_a_stream_without_end_is_read_no_further_than_it_may(tmp_path: Path) -> None:
    asked = []

    def read(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    with pytest.raises(ShardError, match="more than 100 bytes"):
        dvc_objects.receive(dvc_objects.path_of(tmp_path, NAME), NAME, read, 100)
    assert sum(asked) == 101


@pytest.mark.parametrize("name", ["", "../../x", NAME[:-1], NAME.upper(), NAME + ".dir.dir", NAME + "\n", f"/{NAME}"])
def test_a_name_that_is_no_md5_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ShardError, match="expected 32 hexadecimal digits"):
        dvc_objects.path_of(tmp_path, name)


@given(st.text(alphabet="a./\\~ \0\n:B", max_size=12))
def test_no_listed_path_leaves_its_folder(path: str) -> None:
    content = json.dumps([{"md5": NAME, "relpath": path}]).encode()
    try:
        (found,) = dvc_objects.parse_listing(content, 1)
    except ValueError:
        return
    parts = PurePosixPath(found).parts
    assert found == "/".join(parts)
    assert not PurePosixPath(found).is_absolute()
    assert not {"..", "."} & set(parts)
    assert not any(part.startswith(".") for part in parts)


def test_a_listing_is_what_dvc_writes() -> None:
    content = json.dumps([{"md5": NAME, "relpath": "0f/ann_1.h5"}, {"md5": NAME, "relpath": "manifest.json"}]).encode()
    assert dvc_objects.parse_listing(content, 2) == {"0f/ann_1.h5": NAME, "manifest.json": NAME}
    with pytest.raises(ValueError, match="expected a list of 3 files"):
        dvc_objects.parse_listing(content, 3)
