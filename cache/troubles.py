"""Failures of one video, told apart from those of every video: a full disk, no memory, a bug."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from cache import files
from cache.errors import DiskError, InputError, ShardError

ROOT = Path(__file__).parents[1]
ROOMS = ("cache", "pipeline", "stages")


@contextmanager
def alone(video: str, failures: dict[str, str]) -> Iterator[None]:
    """Note in `failures` what is wrong with one video, and go on after the block; pass on what stops all of them.

    A reader's or library's own error (of the system, OpenCV, a network's runner) is this video's, told with its place
    in our code.

    Raises:
        DiskError: the disk takes no file.
        InputError: memory is used up.
    """
    try:
        yield
    except (DiskError, BrokenPipeError, NotImplementedError, RecursionError):
        raise
    except (InputError, ShardError) as problem:
        failures[video] = str(problem)
    except (OSError, cv2.error, RuntimeError, MemoryError) as problem:
        if _is_short_of_memory(problem):
            raise InputError(
                f"memory ran out at {video} ({describe(problem)}). What is finished is kept: free some memory, or do "
                "less at once (extract --batch-size), and run the same command again."
            ) from problem
        if isinstance(problem, OSError) and problem.errno in files.WHOLE_DISK:
            remedy = files.WRITE_REMEDIES[problem.errno]
            raise DiskError(f"{video} could not be made ({os.strerror(problem.errno)}): {remedy}.") from problem
        failures[video] = f"{describe(problem)}. Look at what this video is made from, and run the same command again."


def describe(problem: Exception) -> str:
    """Return an error in one line: its kind, what it says, and the last place of ours it came through."""
    kind = type(problem)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    told = " ".join(f"{name}: {problem}".split())
    passed = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(problem.__traceback__)]
    ours = [(path, line) for path, line in passed if any(path.is_relative_to(ROOT / room) for room in ROOMS)]
    return f"{told} (at {ours[-1][0].relative_to(ROOT)}:{ours[-1][1]})" if ours else told


def _is_short_of_memory(problem: Exception) -> bool:
    if isinstance(problem, cv2.error):
        return bool(getattr(problem, "code", 0) == cv2.Error.STS_NO_MEM)
    return isinstance(problem, MemoryError) or (isinstance(problem, OSError) and problem.errno == errno.ENOMEM)
