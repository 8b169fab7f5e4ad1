"""Kinds of outcome as the page tells them: a sign, a name and a sentence each; told apart without colour."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.diagnosis.mending import MISSED
from stages.page.document import Case


@dataclass(frozen=True)
class Kind:
    """How one kind of outcome is shown.

    Attributes:
        sign: one character, above a detection that is false, and in every list.
        meaning: a sentence without its full stop.
    """

    key: str
    sign: str
    name: str
    meaning: str


# The keys are those of `pipeline.diagnosis.outcomes.KINDS`, in their order, and what no detection found.
KINDS = (
    Kind("correct", "✓", "correct", "finds an expression of its own emotion at an IoU of 0.5 or more"),
    Kind("wrong_emotion", "≠", "wrong emotion", "fits an expression in time, but names another emotion"),
    Kind("double", "2", "double", "fits an expression that a more confident detection found already"),
    Kind("face_lost", "∅", "face lost", "fits nothing, and at least half of its frames have no face"),
    Kind("wrong_place", "↔", "wrong place", "overlaps an expression by an IoU of 0.1 or more, but by less than 0.5"),
    Kind("background", "!", "background", "overlaps no expression by 0.1 or more"),
    Kind(MISSED, "×", "missed", "an expression that no accepted detection fits, whatever the emotion"),
)
# Of a page that nobody's annotations judge.
FOUND = Kind("found", "•", "found", "was found; whether it is right, nobody said")
BY_KEY = {kind.key: kind for kind in (*KINDS, FOUND)}
# Where no expression is found: what the last row of a confusion table counts.
FALSE_KINDS = ("double", "face_lost", "wrong_place", "background")


def kind_of(case: Case) -> Kind:
    """Return how a case's kind is shown.

    Raises:
        ValueError: the page knows no such kind.
    """
    if case.kind not in BY_KEY:
        raise ValueError(f"a case of kind {case.kind!r}, expected one of {', '.join(BY_KEY)}")
    return BY_KEY[case.kind]
