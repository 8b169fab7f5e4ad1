"""Who is trained on and who is tested: an honest score needs a detector that never saw the subject."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fold:
    """One split of the subjects; `held_out` is None where nobody is left to be scored."""

    name: str
    train_subjects: tuple[str, ...]
    held_out: str | None


def leave_one_subject_out(subjects: Iterable[str]) -> list[Fold]:
    """Return one fold per subject, trained on all the others, named ``without-<subject>``, sorted by subject.

    Subjects may repeat (one per video, say) and come in any order.

    Raises:
        ValueError: fewer than two different subjects.
    """
    present = sorted(set(subjects))
    if len(present) < 2:
        raise ValueError(
            f"Leaving one subject out needs at least 2 subjects, found {', '.join(present) or 'none'}. "
            "Add videos of other subjects"
        )
    return [Fold(f"without-{out}", tuple(s for s in present if s != out), out) for out in present]


def everyone(subjects: Iterable[str]) -> Fold:
    """Return the fold named ``all``, trained on every subject: for new people, never for a score on these.

    Raises:
        ValueError: no subject.
    """
    present = tuple(sorted(set(subjects)))
    if not present:
        raise ValueError("No subjects to train on, expected at least 1. Check that the corpus has videos")
    return Fold("all", present, None)
