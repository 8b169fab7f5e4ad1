"""Entry point and error handling of every command: errors -> one clear line and an exit code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import IntEnum
from typing import ParamSpec

import typer

from cache.errors import InputError, ShardError
from pipeline.errors import DataError
from stages.shell import console
from stages.shell.params import ParameterError

P = ParamSpec("P")
INTERRUPTED = "interrupted; what is finished is kept, run the same command again to go on"


class ExitCode(IntEnum):
    """What a caller can tell from the exit status."""

    DONE = 0
    DIFFERENCES = 1
    USAGE = 2
    PARTIAL = 3
    INPUT = 4
    SHARD = 5
    INTERRUPTED = 130


def guarded(function: Callable[P, None]) -> Callable[P, None]:
    """Return the command with its errors printed as one line and turned into an exit code.

    These are the errors that are about what a command was given. Anything else, a plain `ValueError` too, is a fault of
    ours and keeps its traceback.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except ParameterError as error:
            # Shows what to write in a file, line by line.
            raise _stop(error, ExitCode.USAGE, has_lines=True) from None
        except ShardError as error:
            raise _stop(error, ExitCode.SHARD) from None
        except (InputError, DataError) as error:
            raise _stop(error, ExitCode.INPUT) from None
        except KeyboardInterrupt:
            raise _stop(INTERRUPTED, ExitCode.INTERRUPTED) from None

    return call


def run(function: Callable[..., None]) -> None:
    """Run one command as `python -m stages.<name>`."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(guarded(function))
    app()


def _stop(error: Exception | str, code: ExitCode, *, has_lines: bool = False) -> typer.Exit:
    console.say(f"error: {error}", has_lines=has_lines)
    return typer.Exit(int(code))
