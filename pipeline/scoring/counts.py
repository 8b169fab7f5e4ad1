"""Counts of matched, detected and annotated, and their precision, recall and F1."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """How many matched, were detected and were annotated; a quotient with nothing below the line is 0.

    Precision is tp / n, recall tp / m, and F1 is 2 tp / (n + m), which equals the harmonic mean of the two. So nothing
    detected where nothing was annotated scores 0, not 1: such a video adds nothing to the corpus's sums either way.
    """

    tp: int
    n: int
    m: int

    @property
    def precision(self) -> float:
        """Return tp / n."""
        return ratio(self.tp, self.n)

    @property
    def recall(self) -> float:
        """Return tp / m."""
        return ratio(self.tp, self.m)

    @property
    def f1(self) -> float:
        """Return 2 tp / (n + m)."""
        return ratio(2 * self.tp, self.n + self.m)

    def figures(self) -> dict[str, int | float]:
        """Return the counts and their quotients by name, ready for JSON."""
        figures: dict[str, int | float] = {"tp": self.tp, "n": self.n, "m": self.m}
        return figures | {"precision": self.precision, "recall": self.recall, "f1": self.f1}


def ratio(numerator: float, denominator: float) -> float:
    """Return the quotient, or 0 where there is nothing to divide by."""
    return float(numerator / denominator) if denominator else 0.0
