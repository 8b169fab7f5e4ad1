"""Cross-validation folds, leave-one-subject-out: a score needs a detector that never saw the subject."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from pipeline.errors import DataError


@dataclass(frozen=True)
class Fold:
    """One split of the subjects; `held_out` is empty where nobody is left to be scored."""

    name: str
    train_subjects: tuple[str, ...]
    held_out: tuple[str, ...]


def leave_one_subject_out(subjects: Iterable[str]) -> list[Fold]:
    """Return one fold per subject, trained on all the others, named ``without-<subject>``, sorted by subject.

    Subjects may repeat (one per video, say) and come in any order.

    Raises:
        DataError: fewer than two different subjects.
    """
    return leave_groups_out(subjects, 1)


def leave_groups_out(subjects: Iterable[str], size: int) -> list[Fold]:
    """Return one fold per group of `size` subjects, in the order of their names; the last group may be smaller.

    Fewer detectors to train than one per subject, each trained on fewer people: cheaper, and no paper's protocol.

    Raises:
        DataError: `size` is below 1, or the subjects are not more than one group.
    """
    present = sorted(set(subjects))
    if size < 1 or len(present) <= size:
        raise DataError(
            f"Leaving {size} of the subjects out needs at least {max(size, 1) + 1} subjects, found "
            f"{', '.join(present) or 'none'}. Add videos of other subjects"
        )
    groups = [tuple(present[first : first + size]) for first in range(0, len(present), size)]
    return [Fold(f"without-{'-'.join(out)}", tuple(s for s in present if s not in out), out) for out in groups]


def leave_pairs_out(subjects: Iterable[str]) -> list[Fold]:
    """Return one fold for each two subjects, S (S - 1) / 2 in all, named ``without-<one>+<other>``.

    What such a detector finds in one of the two may choose a threshold for the other: it met neither.

    Raises:
        DataError: fewer than three different subjects, or names of which two pairs would make the same.
    """
    present = sorted(set(subjects))
    if len(present) < 3:
        raise DataError(
            f"Leaving pairs of subjects out needs at least 3 subjects, found {', '.join(present) or 'none'}"
        )
    folds = [
        Fold(f"without-{'+'.join(out)}", tuple(s for s in present if s not in out), out)
        for out in combinations(present, 2)
    ]
    names = [f"without-{name}" for name in present] + [fold.name for fold in folds]
    if len(set(names)) < len(names):
        raise DataError("Two folds would have one name: a '+' in a subject's name reads as a pair. Rename the subject")
    return folds


def everyone(subjects: Iterable[str]) -> Fold:
    """Return the fold named ``all``, trained on every subject: for new people, never for a score on these.

    Raises:
        DataError: no subject.
    """
    present = tuple(sorted(set(subjects)))
    if not present:
        raise DataError("No subjects to train on, expected at least 1. Check that the corpus has videos")
    return Fold("all", present, ())


def nobody() -> Fold:
    """Return the fold named ``none`` of a network that is not trained: it saw nobody, so anybody may be searched."""
    return Fold("none", (), ())
