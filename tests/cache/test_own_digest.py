"""A file's own digest is that of all its bytes, by a rule that anybody can follow without this code."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cache import files, own_digest
from cache.errors import InputError


def test_the_digest_is_that_of_the_file_with_zeros_for_it(tmp_path: Path) -> None:
    text = f'{{"own_digest": "{own_digest.BLANK}"}}'
    (tmp_path / "a.json").write_text(text, encoding="ascii")
    own_digest.put(tmp_path / "a.json")
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert (tmp_path / "a.json").read_text(encoding="ascii") == text.replace("0" * 64, digest)
    assert own_digest.check(tmp_path / "a.json")


@pytest.mark.parametrize("before", range(0, 220, 7))
def test_a_digest_is_found_where_a_large_file_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    monkeypatch.setattr(files, "CHUNK_BYTES", 100)
    path = tmp_path / "a"
    path.write_bytes(b"x" * before + b"own_digest" + own_digest.BLANK.encode() + b"y" * 150)
    own_digest.put(path)
    assert own_digest.check(path)
    path.write_bytes(path.read_bytes()[:-1] + b"z")
    with pytest.raises(InputError, match="is not as it was written"):
        own_digest.check(path)


def test_a_file_without_a_digest_is_told_apart_from_one_whose_digest_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"of an earlier version")
    assert not own_digest.check(path)
    path.write_bytes(b"own_digest but nothing after it")
    with pytest.raises(InputError, match="the SHA-256 that it carries is damaged"):
        own_digest.check(path)


def test_the_digest_in_a_content_is_that_in_a_file(tmp_path: Path) -> None:
    content = own_digest.filled(f'{{"own_digest": "{own_digest.BLANK}", "a": 1}}').encode()
    (tmp_path / "a.json").write_bytes(content)
    assert own_digest.check(tmp_path / "a.json")
    assert own_digest.check_content(content)
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1
        with pytest.raises(ValueError, match="is not as it was written"):
            own_digest.check_content(bytes(changed))
    assert not own_digest.check_content(b'{"a": 1}')
