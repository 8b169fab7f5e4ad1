"""Detectors that left out two subjects: what one finds in the one may choose a threshold for the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path

from cache.errors import InputError
from cache.weights.detector_card import DetectorCard


def pairs_of(corpus: str, cards: Mapping[Path, DetectorCard]) -> dict[frozenset[str], Path]:
    """Return the detectors of a corpus that left two subjects out, by these two."""
    left_out = {path: card.held_out for path, card in cards.items() if card.corpus == corpus}
    return {frozenset(two): path for path, two in left_out.items() if len(two) == 2}


def complete_pairs(
    corpus: str, subjects: Iterable[str], cards: Mapping[Path, DetectorCard]
) -> dict[tuple[str, str], Path]:
    """Return a detector for each two subjects, who stand in the order of their names; none where there is none at all.

    Raises:
        InputError: there is one of some pairs, and none of others.
    """
    there = pairs_of(corpus, cards)
    wanted = list(combinations(sorted(subjects), 2))
    missing = [two for two in wanted if frozenset(two) not in there]
    if len(missing) == len(wanted):
        return {}
    if missing:
        raise InputError(
            f"of {len(wanted)} detectors that leave two subjects out, {len(missing)} are missing, the one without "
            f"{' and '.join(missing[0])} for instance. Run: dvc repro, which trains them"
        )
    return {two: there[frozenset(two)] for two in wanted}
