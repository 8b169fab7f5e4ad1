"""Pseudonyms are by a key that stays at home, and what is written under them is known to hold no name."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest

from cache.errors import InputError
from cache.files import check_video_id
from cache.shards import manifest
from cache.sharing import pseudonyms
from cache.sharing.pseudonyms import Pseudonyms
from cache.tables import intervals, videos
from cache.tables.intervals import Expression
from tests.cache.sharing import invented

NAMES = Pseudonyms(b"k" * 32)


def test_a_pseudonym_is_the_hmac_that_the_document_states() -> None:
    expected = hmac.new(b"k" * 32, b"video\0anneliese-1", hashlib.sha256).hexdigest()
    assert NAMES.video("anneliese-1") == f"v{expected[:16]}"
    assert check_video_id(NAMES.video("anneliese-1"))


def test_a_subject_and_a_video_of_one_name_have_two_pseudonyms_and_another_key_gives_others() -> None:
    assert NAMES.video("anneliese")[1:] != NAMES.subject("anneliese")[1:]
    assert NAMES.video("anneliese") != Pseudonyms(b"l" * 32).video("anneliese")


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    names, is_new = pseudonyms.read_or_make_key(tmp_path / "key")
    assert is_new
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert pseudonyms.read_or_make_key(tmp_path / "key") == (names, False)
    other, _ = pseudonyms.read_or_make_key(tmp_path / "other")
    assert other != names


def test_a_key_that_others_may_read_and_one_that_is_none_are_refused(tmp_path: Path) -> None:
    pseudonyms.read_or_make_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(InputError, match=r"may be read or changed by others.*chmod 600"):
        pseudonyms.read_or_make_key(tmp_path / "key")
    (tmp_path / "none").write_text("secret")
    (tmp_path / "none").chmod(0o600)
    with pytest.raises(InputError, match="holds no key: expected 64 hexadecimal digits"):
        pseudonyms.read_or_make_key(tmp_path / "none")


def test_tables_hold_no_name_and_not_their_order(tmp_path: Path) -> None:
    invented.write_corpus(tmp_path)
    table, known = (
        videos.read(tmp_path / "videos.parquet"),
        intervals.read(tmp_path / "expressions.parquet", Expression),
    )
    renamed, labels = pseudonyms.of_videos(NAMES, table), pseudonyms.of_expressions(NAMES, known)
    assert [video.video for video in renamed] == sorted(NAMES.video(name) for name in invented.PEOPLE)
    assert {video.subject for video in renamed} == {NAMES.subject("anneliese"), NAMES.subject("bartholomew")}
    assert {video.path for video in renamed} == {video.video for video in renamed}
    assert table[0].source_digest not in {video.source_digest for video in renamed}
    assert [row.row for row in labels] == [0, 1, 2]
    assert [row.video for row in labels] == [video.video for video in renamed]
    assert not any(name in repr((renamed, labels)) for name in ("anneliese", "bartholomew"))


def test_only_facts_that_say_how_features_were_made_go_along(tmp_path: Path) -> None:
    held = manifest.read(invented.write_corpus(tmp_path))
    held.run["note"] = held.run["encoder"]["note"] = "of Anneliese"  # type: ignore[index]
    held.run["missing"] = ["anneliese-3"]  # type: ignore[index]
    told = pseudonyms.of_facts(held)
    assert set(told) == {"corpus", "encoder", "precision", "key_fields"}
    assert set(told["encoder"]) == {"name", "digest", "image_size", "has_learned"}


@pytest.mark.parametrize(
    ("text", "refused"), [("tuned on anneliese_2", True), ("anneliesesque", False), ("s15", False)]
)
def test_a_text_that_goes_along_as_it_is_must_not_hold_a_name(text: str, refused: bool) -> None:
    if refused:
        with pytest.raises(InputError, match="the encoder holds the name 'anneliese'"):
            pseudonyms.refuse_names([("the encoder", text)], ["anneliese", "15"])
    else:
        pseudonyms.refuse_names([("the encoder", text)], ["anneliese", "15"])
