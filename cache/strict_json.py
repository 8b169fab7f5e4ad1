"""JSON documents from anybody, strictly: no key twice, no NaN, and no more values than a file of its size holds."""

from __future__ import annotations

import json
from typing import Any

# A value of two characters takes 64 bytes of memory or more; those of our largest files have 25 characters each.
CHARACTERS_A_VALUE = 24
# Lists of numbers in small files have fewer.
FREE_VALUES = 500_000


def parse(document: str | bytes) -> Any:
    """Return what a JSON document holds.

    Args:
        document: bytes are UTF-8.

    Raises:
        ValueError: it is no JSON, has a key twice, is nested without end, or has more values than its size explains.
    """
    text = document.decode("utf-8") if isinstance(document, bytes) else document
    most = FREE_VALUES + len(text) // CHARACTERS_A_VALUE
    if sum(map(text.count, ",[{")) > most:
        raise ValueError(f"it has more than {most} values")
    try:
        return json.loads(text, object_pairs_hook=_without_double_keys, parse_constant=_refuse)
    except RecursionError as problem:
        raise ValueError("it is nested too deeply") from problem


def is_format(stored: object, expected: int) -> bool:
    """Return whether what stands for the version of a format is this number; ``true``, which equals 1, is not."""
    return type(stored) is int and stored == expected


def _without_double_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        double = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {double[:80]!r} stands twice in one object")
    return found


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
