"""Every subject is searched by a detector that never saw it, whatever the cards say of whom they left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from cache.errors import InputError
from stages.detect import Held, choose


def held(name: str, trained_on: list[str], held_out: object) -> Held:
    """Return a detector of the corpus `mine`."""
    fold = {"name": name, "train_subjects": trained_on, "held_out": held_out}
    return Held(Path(f"{name}.safetensors"), {"corpus": "mine", "fold": fold})


def test_a_subject_whose_name_is_part_of_another_is_not_taken_for_it() -> None:
    detectors = [held("without-s10", ["s1", "s2"], ["s10"]), held("without-s1", ["s10", "s2"], ["s1"])]
    assert choose(detectors, "mine", ["s1"])["s1"].name == "without-s1"
    assert choose(detectors, "mine", ["s10"])["s10"].name == "without-s10"


def test_a_detector_that_saw_a_subject_never_searches_it_whatever_else_its_card_says() -> None:
    # A text, as cards had it before: "s1" is part of "s10".
    with pytest.raises(InputError, match="has never seen subject 's1' of mine"):
        choose([held("without-s10", ["s1", "s2"], "s10")], "mine", ["s1"])


def test_a_group_that_was_left_out_together_is_searched_by_its_detector() -> None:
    detectors = [held("without-a-b", ["c"], ["a", "b"]), held("all", ["a", "b", "c"], [])]
    assert {name: one.name for name, one in choose(detectors, "mine", ["a", "b"]).items()} == {
        "a": "without-a-b",
        "b": "without-a-b",
    }


def test_a_stranger_is_searched_by_the_one_trained_on_everyone() -> None:
    detectors = [held("without-a", ["b"], ["a"]), held("without-b", ["a"], ["b"]), held("all", ["a", "b"], [])]
    assert choose(detectors, "another", ["x"])["x"].name == "all"
