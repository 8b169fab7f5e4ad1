"""Which detector of a run is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from cache.errors import InputError
from cache.weights import detector_card
from cache.weights.detector_card import DetectorCard
from stages.facade import searching

FOLDER = Path("detectors")


def card(fold: str, learned: tuple[str, ...], left_out: tuple[str, ...], corpus: str = "tiny") -> DetectorCard:
    return DetectorCard(corpus, fold, learned, left_out, ("anger",), ("anger",), {}, "fedn", {})


def chosen(monkeypatch: pytest.MonkeyPatch, unseen: str | None, *cards: DetectorCard) -> str:
    """Return the fold of the detector that is meant among these."""
    held = {FOLDER / f"{index}.safetensors": one for index, one in enumerate(cards)}
    monkeypatch.setattr(detector_card, "read_folder", lambda _: held)
    monkeypatch.setattr(detector_card, "without_digest", lambda _: [])
    return searching.choose(FOLDER, "tiny", unseen)[1].fold


def test_of_a_nested_run_the_one_that_left_out_nobody_else_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [
        card("without-ann-ben", ("cem",), ("ann", "ben")),
        card("without-ann", ("ben", "cem"), ("ann",)),
        card("all", ("ann", "ben", "cem"), ()),
    ]
    assert chosen(monkeypatch, "ann", *cards) == "without-ann"
    assert chosen(monkeypatch, None, *cards) == "all"
    with pytest.raises(InputError, match="has no detector that left out 'ben' alone"):
        chosen(monkeypatch, "ben", *cards)


def test_a_network_that_learns_nothing_never_saw_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch, "ann", card("nobody", (), ())) == "nobody"
    assert chosen(monkeypatch, None, card("nobody", (), ())) == "nobody"


def test_a_detector_of_another_corpus_is_not_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="has no detector for new people"):
        chosen(monkeypatch, None, card("all", ("ann",), (), corpus="other"))
