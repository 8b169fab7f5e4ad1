"""Tasks done several at once, in processes that end with whoever started them: no orphan writes after a SIGKILL."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from multiprocessing.queues import Queue
from typing import TypeVar

import torch

Task = TypeVar("Task")
Advance = Callable[[int], None]
SECONDS_BETWEEN_LOOKS = 0.2


def count(asked: int, tasks: int) -> int:
    """Return how many processes to use: as asked, or one a core when 0 is asked, and never more than tasks."""
    return max(1, min(asked or len(os.sched_getaffinity(0)), tasks))


def run(function: Callable[[Task, Advance], None], tasks: Sequence[Task], processes: int) -> Iterator[int]:
    """Call `function(task, advance)` for every task, several at once, and yield the units as they are advanced.

    Each process has one thread, so that results do not depend on how many there are; one process is this one.
    `function` and tasks must be importable and picklable. The first error ends the others and is raised.
    """
    if processes == 1:
        yield from _run_here(function, tasks)
        return
    spawn = multiprocessing.get_context("spawn")
    advanced: Queue[int] = spawn.Queue()
    with ProcessPoolExecutor(processes, spawn, _begin, (advanced,)) as pool:
        futures = [pool.submit(_call, function, task) for task in tasks]
        try:
            yield from _follow(futures, advanced)
            wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()


def _run_here(function: Callable[[Task, Advance], None], tasks: Sequence[Task]) -> Iterator[int]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for task in tasks:
            units: list[int] = []
            function(task, units.append)
            yield sum(units)
    finally:
        torch.set_num_threads(threads)


def _follow(futures: Sequence[Future[None]], advanced: Queue[int]) -> Iterator[int]:
    while True:
        done, left = wait(futures, timeout=0, return_when=FIRST_EXCEPTION)
        finished = not left or any(future.exception() for future in done)
        try:
            yield advanced.get(timeout=SECONDS_BETWEEN_LOOKS)
        except queue.Empty:
            if finished:
                return


class _Channel:
    """Where a worker process reports to; set once, when the process begins."""

    advanced: Queue[int]


def _begin(advanced: Queue[int]) -> None:
    _Channel.advanced = advanced
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _call(function: Callable[[Task, Advance], None], task: Task) -> None:
    function(task, _Channel.advanced.put)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
