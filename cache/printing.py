"""Texts of somebody else made fit for a terminal: names, keys and values may hold its control codes."""

from __future__ import annotations


def printable(text: str, kept: str = "") -> str:
    """Return a text without what would move a terminal's cursor, start a line or change its colours.

    Args:
        kept: such characters that stay.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in kept else "?" for each in text)
