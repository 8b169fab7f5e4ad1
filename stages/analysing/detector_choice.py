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
from pipeline.detectors import registry
from pipeline.detectors.contract import FrameNetwork, Network
from pipeline.detectors.decoding import DetectParameters
from pipeline.encoder import resnet
from stages.analysing import face_features
from stages.parts import class_layers, encoders, train_parameters
from stages.parts.detectors import load, normalisation_of
from stages.parts.encoders import StoredEncoder
from stages.results.figures_file import read_figures
from stages.shell import params

# Of detectors that nobody evaluated.
PLAIN_THRESHOLD = 0.5
# A name in `registry.NETWORKS`.
WITHOUT_TRAINING = "framewise"


@dataclass(frozen=True)
class DetectorChoice:
    """Detectors that look at a video together.

    Attributes:
        networks: each with the normalisation that it knows, one or more.
        encoder: whose features they know.
        emotions: what they call what they find.
        parameters: how they search.
        threshold: what is at least as confident is accepted.
        told: what they learned from, and where the threshold comes from: sentences.
        loaded: the encoder itself, where it was needed for the choice.
    """

    networks: tuple[tuple[Network, str], ...]
    encoder: Mapping[str, Any]
    emotions: tuple[str, ...]
    parameters: DetectParameters
    threshold: float
    told: tuple[str, ...]
    loaded: StoredEncoder | None = None


def choose(folder: Path | None, configs: Path, threshold: float | None) -> DetectorChoice:
    """Return the detectors of a run, or without one the spotter that needs no training; errors as in either."""
    if folder is None:
        return _without_training(configs, threshold)
    return _of_run(folder, configs, threshold)


def _without_training(configs: Path, threshold: float | None) -> DetectorChoice:
    """Return the spotter that needs nothing but the encoder's class layer.

    Raises:
        InputError: the encoder has none, or its classes are not mapped.
        ParameterError: a parameter is wrong or missing.
    """
    path, folder = configs / "params.yaml", configs / "weights"
    name = str(params.load_section(path, "extract")["weights"])
    values = params.load_section(path, "train") | {"network": WITHOUT_TRAINING}
    values |= {
        "normalisation": values.get(WITHOUT_TRAINING, {}).get("normalisation")
    }  # not said aloud: nobody chose it
    parameters = train_parameters.build(values, params.origin(path, "train", None))
    kind = registry.NETWORKS[WITHOUT_TRAINING]
    if not issubclass(kind, FrameNetwork):
        raise TypeError(f"{kind} is no network of frames")
    stored = encoders.load(name, folder, face_features.RANDOM_SIZE)
    encoder = face_features.told_of(name, stored)
    layer = class_layers.of_stored(stored, name, folder, WITHOUT_TRAINING)
    spoken_for = values[WITHOUT_TRAINING]["classes"]
    classes = tuple(dict.fromkeys(own for each in layer.names if (own := spoken_for.get(each)) is not None))
    parameters, told = class_layers.settle_for(parameters, kind, layer, classes)
    network = class_layers.build(parameters, told, resnet.WIDTH, len(classes))
    limit = 0.0 if threshold is None else threshold
    return DetectorChoice(
        networks=((network, parameters.train.normalisation),),
        encoder=encoder,
        emotions=classes,
        parameters=params.read(path, "detect", DetectParameters),
        threshold=limit,
        told=(
            f"detector {WITHOUT_TRAINING}: trained on no video; it follows the class layer of the encoder {name}, so "
            "it sees what a still face shows, and neither subtle nor micro-expressions",
            "threshold: none, every rise over the person's usual face is told"
            if threshold is None
            else f"threshold {limit:g}, as asked for",
        ),
        loaded=stored,
    )


def _of_run(folder: Path, configs: Path, threshold: float | None) -> DetectorChoice:
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
    networks = [(load(path, card), normalisation_of(path, card)) for path, card in chosen.items()]
    return DetectorChoice(tuple(networks), first.encoder, first.emotions, parameters, limit, (_learned(chosen), why))


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
