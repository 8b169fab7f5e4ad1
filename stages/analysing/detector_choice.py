"""Which detectors look at a video that belongs to no corpus, what they learned from, and what they accept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from cache.errors import InputError, ShardError
from cache.weights import detector_card
from cache.weights.detector_card import DetectorCard
from pipeline.detectors.contract import Network
from pipeline.detectors.decoding import DetectParameters
from stages.parts import detectors as stored
from stages.results.figures_file import read_figures
from stages.shell import params

# Of detectors that nobody evaluated.
PLAIN_THRESHOLD = 0.5


@dataclass(frozen=True)
class DetectorChoice:
    """Detectors that look at a video together.

    Attributes:
        cards: by path, one or more, all of one encoder and one set of emotions.
        parameters: how they search.
        threshold: what is at least as confident is accepted.
        told: what they learned from, and where the threshold comes from: sentences.
    """

    cards: Mapping[Path, DetectorCard]
    parameters: DetectParameters
    threshold: float
    told: tuple[str, ...]

    @property
    def first(self) -> DetectorCard:
        """The card of one of them."""
        return next(iter(self.cards.values()))

    @property
    def encoder(self) -> Mapping[str, Any]:
        """The encoder whose features they know."""
        return self.first.encoder

    def networks(self) -> list[tuple[Network, str]]:
        """Return each network and the normalisation that it learned with; ShardError for one that is damaged."""
        return [(stored.load(path, card), stored.normalisation_of(path, card)) for path, card in self.cards.items()]

    @property
    def emotions(self) -> tuple[str, ...]:
        """What they call what they find."""
        return self.first.emotions


def choose(folder: Path, configs: Path, threshold: float | None) -> DetectorChoice:
    """Return the detectors of a run for people they never saw: the one that left nobody out, else all folds together.

    Args:
        threshold: what the user asks for; None takes the median of those that the run's evaluation chose.

    Raises:
        InputError: there are no detectors.
        ShardError: a file is none, or they come from different encoders, or name different emotions.
    """
    cards = detector_card.read_folder(folder)
    everybody = {path: card for path, card in cards.items() if not card.held_out}
    # A detector that left two out is one more of the same people; with those that left one out, all had their say.
    fewest = min(len(card.held_out) for card in cards.values())
    chosen = dict(list(everybody.items())[:1]) or {
        path: card for path, card in cards.items() if len(card.held_out) == fewest
    }
    _check_alike(chosen)
    first = next(iter(chosen.values()))
    described = configs / "corpora" / f"{first.corpus}.yaml"
    parameters = params.read(
        configs / "params.yaml", "detect", DetectParameters, described if described.is_file() else None
    )
    limit, why = _threshold(folder, first.corpus, threshold)
    return DetectorChoice(chosen, parameters, limit, (_learned(chosen), why))


def _check_alike(cards: Mapping[Path, DetectorCard]) -> None:
    (path, first), *others = cards.items()
    for other, card in others:
        if (card.encoder, card.emotions, card.corpus) != (first.encoder, first.emotions, first.corpus):
            raise ShardError(
                f"{path} and {other} do not belong together: of {first.corpus}, {first.encoder} and {card.corpus}, "
                f"{card.encoder}. Give a folder with the detectors of one run"
            )


def _learned(cards: Mapping[Path, DetectorCard]) -> str:
    first = next(iter(cards.values()))
    people = len({subject for card in cards.values() for subject in card.train_subjects})
    if not people:
        return f"detector {first.network}: it learned from nobody"
    who = f"{people} people of the corpus {first.corpus}"
    if len(cards) == 1:
        return f"detector {first.network}, fold {first.fold}: learned from {who}"
    return f"{len(cards)} detectors {first.network} of {first.corpus}, each without some people: learned from {who}"


def _threshold(folder: Path, corpus: str, asked: float | None) -> tuple[float, str]:
    if asked is not None:
        return asked, f"threshold {asked:g}, as asked for"
    try:
        rows = read_figures(folder.resolve().parent, corpus)["per_subject"].values()
        return float(median(row["threshold"] for row in rows)), (
            "threshold: the median of those that the evaluation of the run chose, each on other people"
        )
    except (InputError, KeyError, TypeError, ValueError, AttributeError):
        return PLAIN_THRESHOLD, f"threshold {PLAIN_THRESHOLD}: the run was not evaluated, so nothing better is known"
