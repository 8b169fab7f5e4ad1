"""The process behind `import facespan`: questions come in through a pipe, answers and what is said go back."""

from __future__ import annotations

import io
import signal
import sys
from multiprocessing.connection import Connection

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
        """Send what is said."""
        self._connection.send((SAID, text))
        return len(text)


def serve(descriptor: int) -> None:
    """Answer until the pipe is closed; a fault of ours ends the process with its traceback.

    Args:
        descriptor: of a pipe on which come name and arguments of functions of `answers`.
    """
    # Whoever asked ends this process when Ctrl-C ends the question.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(descriptor)
    sys.stderr = Said(connection)
    while True:
        try:
            name, arguments = connection.recv()
        except EOFError:
            return
        try:
            answer = DONE, getattr(answers, name)(*arguments)
        except (InputError, ShardError, DataError, ParameterError) as error:
            answer = REFUSED, str(error)
        connection.send(answer)
