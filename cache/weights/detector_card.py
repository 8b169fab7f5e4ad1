"""The card of a detector: whom it learned from, whom it may be scored on, what it tells apart and how it is built.

It holds plain values; `stages` makes the network of them. Whatever is wrong with a file that should be a detector is a
`ShardError`: it may come from anybody.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cache.errors import InputError, ShardError
from cache.sharing import pseudonyms
from cache.tables.intervals import UNRECOGNISED
from cache.weights import tensors as weights
from cache.weights.tensors import Tensors

# Of cards from before networks had names.
FIRST_NETWORK = "fedn"
KEY = re.compile(r"[0-9a-f]{64}")
# Numbers up to here are whole in any language; a width beyond it is none.
MOST = 1 << 53
DEEPEST = 8


@dataclass(frozen=True)
class DetectorCard:
    """What a detector's file says of it.

    Attributes:
        corpus: whose subjects it learned from.
        fold: the split's name.
        train_subjects: whom it learned from.
        held_out: whom it may be scored on; none of one for new people.
        classes: the corpus' emotions.
        emotions: what it calls what it finds: the classes, or one name for all when it only spots.
        encoder: which encoder made the features that it learned from.
        network: the network's name.
        parameters: by part, the network's own and those of training.
        key: a hash over all that decides the weights.
        input_width: values of a feature; 0 until it is trained.
        curve: mean losses of each epoch, by name; empty until it is trained.
    """

    corpus: str
    fold: str
    train_subjects: tuple[str, ...]
    held_out: tuple[str, ...]
    classes: tuple[str, ...]
    emotions: tuple[str, ...]
    encoder: Mapping[str, Any]
    network: str
    parameters: Mapping[str, Mapping[str, Any]]
    key: str = ""
    input_width: int = 0
    curve: tuple[Mapping[str, float], ...] = ()

    def saw(self, corpus: str, subject: str) -> bool:
        """Return whether the detector learned from a subject of a corpus, or may have, under another name."""
        if self.corpus == corpus:
            return subject in self.train_subjects
        return pseudonyms.original_of(self.corpus) == pseudonyms.original_of(corpus)

    def described(self) -> dict[str, Any]:
        """Return what is known before the training, as JSON has it, without the key."""
        values = {name: getattr(self, name) for name in ("corpus", "classes", "emotions", "encoder", "network")}
        fold = {"name": self.fold, "train_subjects": self.train_subjects, "held_out": self.held_out}
        return _as_json({**values, "fold": fold, "parameters": self.parameters})  # type: ignore[no-any-return]


def write(path: Path, tensors: Tensors, card: DetectorCard) -> None:
    """Write a trained detector; the same input gives the same bytes.

    Raises:
        ShardError: a card that `read` would refuse.
        InputError: the disk refuses.
    """
    learned = {"key": card.key, "input_width": card.input_width, "curve": _as_json(card.curve)}
    told = card.described() | learned
    _card_of(told, path)
    weights.write(path, tensors, told)


def read(path: Path) -> DetectorCard:
    """Return the card of a file that may come from anybody.

    Raises:
        ShardError: not whole, or no detector; the message says what was found and expected.
    """
    try:
        told = weights.read_card(path)
    except InputError as error:
        raise ShardError(str(error)) from error
    return _card_of(told, path)


def read_folder(folder: Path) -> dict[Path, DetectorCard]:
    """Return the card of every detector of a folder, by path and in the order of names.

    Raises:
        InputError: there is none.
        ShardError: as in `read`, of any file there.
    """
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise InputError(f"{folder} holds no detectors (*.safetensors). Run: dvc repro, or give --detectors")
    return {path: read(path) for path in paths}


def refuse_renamed(cards: Mapping[Path, DetectorCard], corpus: str, subjects: Collection[str]) -> None:
    """Refuse detectors that learned from a corpus under other names than its subjects have: all would seem unseen.

    Raises:
        InputError: some learned from this corpus, or from it under pseudonyms, and none knows any of the subjects.
    """
    original = pseudonyms.original_of(corpus)
    # What learned nothing saw nobody.
    learned = {path: card for path, card in cards.items() if card.train_subjects}
    kin = {path: card for path, card in learned.items() if pseudonyms.original_of(card.corpus) == original}
    known = {name for card in kin.values() if card.corpus == corpus for name in (*card.train_subjects, *card.held_out)}
    if kin and subjects and known.isdisjoint(subjects):
        path, card = next(iter(kin.items()))
        raise InputError(
            f"{path} learned from {card.corpus} and knows none of the {len(subjects)} subjects of {corpus} by name "
            f"({sorted(subjects)[0]!r} for instance): they may be the people it learned from, under other names. "
            f"Train on {corpus} itself: dvc repro, or facespan train {corpus}"
        )


def without_digest(paths: Iterable[Path]) -> list[Path]:
    """Return those of whole detectors that an earlier version wrote: nothing tells whether a bit of them changed."""
    return [path for path in paths if not weights.carries_digest(path)]


def add_digest(path: Path) -> None:
    """Write a detector of an earlier version again, as it is, with its digest; errors as in `read` and `write`."""
    write(path, read_finite(path), read(path))


def read_tensors(path: Path, implied: Mapping[str, tuple[tuple[int, ...], str]]) -> Tensors:
    """Return a detector's tensors, which are looked at by name, shape and type before any is read.

    Args:
        implied: shape and numpy's name of the type, by name, of the network that the card describes.

    Raises:
        ShardError: not whole, other tensors than implied, or one that is not finite.
    """
    try:
        found = weights.read_shapes(path)
        differing = sorted(name for name in implied.keys() | found.keys() if implied.get(name) != found.get(name))
        if differing:
            name = differing[0]
            raise ShardError(
                f"{path} holds another detector than its card describes: {len(differing)} tensors differ, {name} for "
                f"instance is {_shape(found.get(name))}, expected {_shape(implied.get(name))}. "
                "Remove the file and run: dvc repro"
            )
    except InputError as error:
        raise ShardError(str(error)) from error
    return read_finite(path)


def read_finite(path: Path) -> Tensors:
    """Return a detector's tensors, of whatever shape.

    Raises:
        ShardError: not whole, or one that is not finite.
    """
    try:
        tensors = weights.read_tensors(path)
    except InputError as error:
        raise ShardError(str(error)) from error
    for name, value in tensors.items():
        if not math.isfinite(value.sum(dtype=float)):
            raise ShardError(f"{path}: {name} holds numbers that are not finite. Remove the file and run: dvc repro")
    return tensors


def _shape(told: tuple[tuple[int, ...], str] | None) -> str:
    return f"{told[0]} {told[1]}" if told else "absent"


def _card_of(told: Mapping[str, Any], path: Path) -> DetectorCard:
    missing = [name for name in RULES if name not in told and name != "network"]
    if missing:
        raise ShardError(f"{path} is no detector: its card lacks {', '.join(missing)}. Move it away, or run: dvc repro")
    values = {"network": FIRST_NETWORK, **told}
    problem = next((_fault(name, values[name], *rule) for name, rule in RULES.items() if not rule[0](values[name])), "")
    problem = problem or _contradiction(values)
    if problem:
        raise ShardError(f"{path} is no detector: {problem}. Move it away, or run: dvc repro")
    fold = values["fold"]
    return DetectorCard(
        fold=fold["name"],
        train_subjects=tuple(fold["train_subjects"]),
        held_out=tuple(fold["held_out"]),
        classes=tuple(values["classes"]),
        emotions=tuple(values["emotions"]),
        curve=tuple(values["curve"]),
        **{name: values[name] for name in ("corpus", "encoder", "network", "parameters", "key", "input_width")},
    )


def _fault(name: str, value: object, _rule: Callable[[Any], bool], expected: str) -> str:
    shown = repr(value)
    return f"its card's {name} is {shown if len(shown) <= 60 else f'{shown[:60]}...'}, expected {expected}"


def _contradiction(values: Mapping[str, Any]) -> str:
    both = sorted(set(values["fold"]["train_subjects"]) & set(values["fold"]["held_out"]))
    if both:
        return f"its card says that it learned from {', '.join(both)} and left the same out"
    if values["emotions"] not in (values["classes"], [UNRECOGNISED]):
        classes = ", ".join(values["classes"])
        return _fault("emotions", values["emotions"], _are_names, f"its classes, {classes}, or {UNRECOGNISED!r} alone")
    return ""


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) < 1000


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_name, value)) and len(set(value)) == len(value)


def _is_fold(value: object) -> bool:
    return (
        isinstance(value, dict)
        and _is_name(value.get("name"))
        and _are_names(value.get("train_subjects"))
        and _are_names(value.get("held_out"))
    )


def _is_plain(value: object, depth: int = DEEPEST) -> bool:
    """Return whether a value holds finite numbers, texts, lists and mappings alone, not nested without end."""
    if isinstance(value, dict):
        return depth > 0 and all(_is_plain(each, depth - 1) for each in value.values())
    if isinstance(value, list):
        return depth > 0 and all(_is_plain(each, depth - 1) for each in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str) or (isinstance(value, int) and abs(value) <= MOST)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and _is_plain(value)


# What each fact has to be, and how it is said.
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "corpus": (_is_name, "a text"),
    "fold": (_is_fold, "its name, its train_subjects and its held_out subjects, each once"),
    "classes": (lambda value: _are_names(value) and bool(value), "a list of texts, each once"),
    "emotions": (_are_names, "a list of texts, each once"),
    "encoder": (lambda value: isinstance(value, dict) and _is_plain(value), "a mapping of plain values"),
    "network": (_is_name, "a text"),
    "parameters": (
        lambda value: isinstance(value, dict) and _is_plain(value) and all(isinstance(v, dict) for v in value.values()),
        "a mapping of parts, each a mapping of plain values",
    ),
    "key": (lambda value: isinstance(value, str) and bool(KEY.fullmatch(value)), "64 hexadecimal digits"),
    "input_width": (lambda value: type(value) is int and 0 < value <= MOST, "a whole number above 0"),
    "curve": (
        lambda value: (
            isinstance(value, list)
            and all(isinstance(row, dict) and all(map(_is_number, row.values())) for row in value)
        ),
        "a list of mappings from names to numbers",
    ),
}


def _as_json(value: Any) -> Any:
    """Return plain values as they come back from a file: lists for tuples."""
    if isinstance(value, Mapping):
        return {name: _as_json(each) for name, each in value.items()}
    return [_as_json(each) for each in value] if isinstance(value, (list, tuple)) else value
