"""The process behind `import facespan`: questions come in through a pipe, answers and what is said go back."""

from __future__ import annotations

import io
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from cache.errors import InputError, ShardError
from pipeline.errors import DataError
from stages.facade import answers
from stages.shell.params import ParameterError

SAID, DONE, REFUSED = "said", "done", "refused"


class Said(io.TextIOBase):
    """What takes lines for stderr to where they can be read: a notebook shows none of another process."""

    def __init__(self, connection: Connection) -> None:
        """Begin with nothing said."""
        self._connection = connection

    def write(self, text: str) -> int:
        """Send what is said; once nobody listens any more, what is being answered is interrupted."""
        try:
            self._connection.send((SAID, text))
        except OSError:
            signal.raise_signal(signal.SIGINT)
        return len(text)


def serve(descriptor: int) -> None:
    """Answer until the pipe is closed, or Ctrl-C ends it; a fault of ours ends the process with its traceback.

    Args:
        descriptor: of a pipe on which come name and arguments of functions of `answers`.
    """
    signal.signal(signal.SIGINT, _interrupt)
    connection = Connection(descriptor)
    sys.stderr = Said(connection)
    with suppress(KeyboardInterrupt, ConnectionError):  # whoever asked went away in the midst of a question
        while (question := _next(connection)) is not None:
            connection.send(_answer(*question))


def _next(connection: Connection) -> tuple[str, tuple[Any, ...]] | None:
    """Return name and arguments of the next question; None once the pipe is closed."""
    try:
        question: tuple[str, tuple[Any, ...]] = connection.recv()
    except EOFError:
        return None
    return question


def _answer(name: str, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return DONE, getattr(answers, name)(*arguments)
    except (InputError, ShardError, DataError, ParameterError) as error:
        return REFUSED, str(error)


def _interrupt(number: int, frame: object) -> NoReturn:
    """Interrupt what is being answered, once: what it started is cleared up after in peace."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
