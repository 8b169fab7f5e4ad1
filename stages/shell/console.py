"""Console output and progress bars: results on stdout, everything else on stderr."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cache.printing import printable

SECONDS_BETWEEN_LINES = 10.0
_FORGED_LINE = re.compile(r"\n(?!  )")


class Advance(Protocol):
    """Called with the number of units that were done since the last call."""

    def __call__(self, units: int = 1) -> None: ...


def say(line: str, *, has_lines: bool = False) -> None:
    """Print one line of the log to stderr; what names and values of others hold of control codes is not printed.

    A line may be followed by others that begin with two spaces: a name with a line feed forges none of ours.

    Args:
        has_lines: any line may follow.
    """
    shown = printable(line, kept="\n")
    print(shown if has_lines else _FORGED_LINE.sub("?", shown), file=sys.stderr, flush=True)


def result(lines: str) -> None:
    """Print lines of the result to stdout, without control codes."""
    print(printable(lines, kept="\n"), flush=True)


@contextmanager
def progress(name: str, total: int, unit: str, quiet: bool = False) -> Iterator[Advance]:
    """Show how far a stage is, with the rate and the time left: a bar in a terminal, else a plain line now and then."""
    if quiet:
        yield lambda units=1: None
    elif sys.stderr.isatty():
        with _bar(name, total, unit) as advance:
            yield advance
    else:
        yield _lines(name, total, unit)


@contextmanager
def _bar(name: str, total: int, unit: str) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started, done = time.monotonic(), 0
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=total, rate="")

        def advance(units: int = 1) -> None:
            nonlocal done
            done += units
            rate = done / max(time.monotonic() - started, 1e-9)
            bar.update(task, advance=units, rate=_per_second(rate, unit))

        yield advance


def _lines(name: str, total: int, unit: str) -> Advance:
    started = printed = time.monotonic()
    done = 0

    def advance(units: int = 1) -> None:
        nonlocal done, printed
        done += units
        now = time.monotonic()
        if now - printed < SECONDS_BETWEEN_LINES and done < total:
            return
        printed = now
        rate = done / max(now - started, 1e-9)
        say(f"{name}: {done:,} of {total:,} {unit}, {_per_second(rate, unit)}, {(total - done) / rate:.0f} s left")

    return advance


def _per_second(rate: float, unit: str) -> str:
    return f"{rate:,.0f} {unit}/s" if rate >= 10 else f"{rate:.2f} {unit}/s"
