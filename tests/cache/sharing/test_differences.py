"""Two folders differ in videos, and in fields of the key, which is told by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from cache.errors import InputError
from cache.shards import manifest
from cache.shards.manifest import Manifest
from cache.sharing import differences
from tests.cache.sharing import invented


def held(folder: Path) -> Manifest:
    return manifest.read(folder)


def test_equal_folders_do_not_differ(tmp_path: Path) -> None:
    first, second = (invented.write_corpus(tmp_path / name) for name in "ab")
    found = differences.find(held(first), held(second))
    assert not found
    assert found.same == sorted(invented.PEOPLE)


def test_fields_of_the_key_are_named_with_both_values(tmp_path: Path) -> None:
    first = invented.write_corpus(tmp_path / "a", ["anneliese-1", "anneliese-2"])
    second = invented.write_corpus(tmp_path / "b", ["anneliese-2", "bartholomew-1"], changed={"precision": "tf32"})
    found = differences.find(held(first), held(second))
    assert found
    assert found.fields == {"precision": ("float32", "tf32")}
    assert (found.only_first, found.only_second) == (["anneliese-1"], ["bartholomew-1"])
    assert found.changed == {"anneliese-2": "key: precision"}


def test_when_every_stated_field_is_equal_the_frames_are_what_differs(tmp_path: Path) -> None:
    first, second = (invented.write_corpus(tmp_path / name) for name in "ab")
    entry = invented.write_features(second, "anneliese-1", "f" * 64, invented.FIELDS)
    manifest.write(second, Manifest("features", {**held(second).shards, "anneliese-1": entry}, held(second).run))
    found = differences.find(held(first), held(second))
    assert found.changed == {"anneliese-1": "key: the frames it was made from"}


def test_a_manifest_that_states_no_fields_is_compared_by_what_it_says_of_the_encoder(tmp_path: Path) -> None:
    first = invented.write_corpus(tmp_path / "a")
    second = invented.write_corpus(tmp_path / "b", changed={"encoder_digest": "d" * 64})
    earlier = held(second)
    del earlier.run["key_fields"]  # type: ignore[attr-defined]
    found = differences.find(held(first), earlier)
    assert found.fields == {"encoder_digest": ("e" * 64, "d" * 64)}
    assert found.unknown == ["code_version", "layer", "normalisation", "storage_dtype"]


def test_frames_are_not_compared_with_features(tmp_path: Path) -> None:
    made = invented.write_corpus(tmp_path)
    with pytest.raises(InputError, match="one folder holds features, the other frames"):
        differences.find(held(made), held(tmp_path / "frames"))


def test_only_frames_with_a_face_in_both_are_compared(tmp_path: Path) -> None:
    first, second = (invented.write_corpus(tmp_path / name) for name in "ab")
    one, other = ((folder, held(folder)) for folder in (first, second))
    both = differences.features_of_both(one, other, "anneliese-1")
    assert both is not None
    assert both[0].shape == both[1].shape == (5, 8)
    assert both[2] == 0
