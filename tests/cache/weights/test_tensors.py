"""Weights on disk: what was written is read, and what was damaged is refused."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from cache.errors import InputError
from cache.weights import tensors as weights

TENSORS: weights.Tensors = {"b": np.arange(6, dtype=np.float16).reshape(2, 3), "a": np.ones(2, np.float32)}
CARD = {"name": "mine", "classes": ["anger", "joy"], "accuracy": 0.5}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    weights.write(tmp_path / "mine.safetensors", TENSORS, CARD)
    tensors, card = weights.read(tmp_path / "mine.safetensors")
    assert card == CARD == weights.read_card(tmp_path / "mine.safetensors")
    assert set(tensors) == {"a", "b"}
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype
        np.testing.assert_array_equal(tensors[name], value)


def test_the_order_of_names_is_of_no_consequence_for_the_bytes(tmp_path: Path) -> None:
    weights.write(tmp_path / "one", TENSORS, CARD)
    weights.write(tmp_path / "two", {name: TENSORS[name] for name in reversed(TENSORS)}, dict(reversed(CARD.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_view_is_written_as_it_looks(tmp_path: Path) -> None:
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T
    weights.write(tmp_path / "mine", {"turned": turned}, CARD)
    np.testing.assert_array_equal(weights.read_tensors(tmp_path / "mine")["turned"], turned)


@pytest.mark.parametrize("kept", [0, 7, 60, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    weights.write(tmp_path / "mine", TENSORS, CARD)
    (tmp_path / "mine").write_bytes((tmp_path / "mine").read_bytes()[:kept])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        weights.read(tmp_path / "mine")


def test_a_bit_changed_anywhere_in_weights_or_card_is_noticed(tmp_path: Path) -> None:
    path, generator = tmp_path / "mine.safetensors", np.random.default_rng(0)
    weights.write(path, {"a": np.ones(50, np.float32)}, CARD)
    whole = path.read_bytes()
    for place in [*generator.integers(0, len(whole), 40), whole.index(b"own_digest"), whole.index(b"sha256 with")]:
        changed = bytearray(whole)
        changed[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(changed)
        for read in (weights.read, weights.read_card):
            with pytest.raises(InputError, match=r"mine\.safetensors (is not|holds tensors but no card)"):
                read(path)


def test_weights_of_an_earlier_version_carry_no_digest_and_are_read(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(save(TENSORS, {"card": '{"name": "old"}'}))
    assert weights.read(tmp_path / "old")[1] == {"name": "old"}
    assert not weights.carries_digest(tmp_path / "old")
    weights.write(tmp_path / "new", TENSORS, {"name": "new"})
    assert weights.carries_digest(tmp_path / "new")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        weights.read(tmp_path / "nothing")


@pytest.mark.parametrize("metadata", [None, {"card": "[1]"}, {"other": "{}"}])
def test_a_file_without_a_card_is_refused_but_its_tensors_can_be_read(
    tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    (tmp_path / "foreign").write_bytes(save(TENSORS, metadata))
    with pytest.raises(InputError, match="no card"):
        weights.read(tmp_path / "foreign")
    assert set(weights.read_tensors(tmp_path / "foreign")) == {"a", "b"}


def test_a_card_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "foreign").write_bytes(save(TENSORS, {"card": "{"}))
    with pytest.raises(InputError, match="not a whole"):
        weights.read_card(tmp_path / "foreign")


def test_a_larger_file_than_any_weights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights.write(tmp_path / "mine", TENSORS, CARD)
    monkeypatch.setattr(weights, "MAXIMUM_BYTES", 10)
    with pytest.raises(InputError, match="at most 10 are read"):
        weights.read(tmp_path / "mine")


def test_a_full_disk_leaves_the_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine"
    weights.write(path, TENSORS, CARD)
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="disk is full"):
        weights.write(path, TENSORS, {"name": "other"})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
