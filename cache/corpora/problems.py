"""Collected faults of a corpus, reported together, because repairing one fault a run takes days."""

from __future__ import annotations

from cache.errors import InputError

MOST = 20


class Problems:
    """A list of faults; the same fault in many rows is said once, with how often."""

    def __init__(self, corpus: str) -> None:
        self._corpus = corpus
        self._texts: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._texts)

    @property
    def texts(self) -> list[str]:
        """The faults, each once."""
        return list(self._texts.values())

    def add(self, where: str, found: object, expected: str, remedy: str, like: str = "") -> None:
        """Note one fault.

        Args:
            where: file, sheet, row and column, or the folder.
            like: faults with the same text here are alike: only the first is written out.
        """
        said = "nothing" if found is None else found if isinstance(found, Said) else repr(found)
        self.tell(f"{where}: found {said}, expected {expected}. {remedy}", like)

    def tell(self, text: str, like: str = "") -> None:
        """Note one fault in words that say all of it already."""
        self._texts.setdefault(like or text, text)
        self._counts[like or text] = self._counts.get(like or text, 0) + 1

    def stop(self) -> None:
        """Raise InputError when there is any fault, with the first `MOST` of them."""
        if not self._texts:
            return
        lines = [f"  {text}{_more(self._counts[key])}" for key, text in list(self._texts.items())[:MOST]]
        left = len(self._texts) - MOST
        if left > 0:
            lines.append(f"  and {left} more; correct these first.")
        total = sum(self._counts.values())
        raise InputError("\n".join([f"{self._corpus}: {total} problem{'s' * (total > 1)}", *lines]))


class Said(str):
    """A finding in words, to be printed without quotation marks."""


def _more(count: int) -> str:
    return f" ({count - 1} more like this.)" if count > 1 else ""
