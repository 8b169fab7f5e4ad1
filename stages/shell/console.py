"""Console output and progress bars: results on stdout, everything else on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 10.0


class Advance(Protocol):
    """Called with the number of units that were done since the last call."""

    def __call__(self, units: int = 1) -> None: ...


def say(line: str) -> None:
    """Print one line of the log to stderr."""
    print(line, file=sys.stderr, flush=True)


def result(line: str) -> None:
    """Print one line of the result to stdout."""
    print(line, flush=True)


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
