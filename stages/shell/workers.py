"""Process pool for tasks, whose processes end with whoever started them: no orphan writes after a SIGKILL."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.queues import Queue
from typing import Any, TypeVar

from cache.errors import InputError

Task = TypeVar("Task")
Result = TypeVar("Result")
Advance = Callable[[int], None]
SECONDS_BETWEEN_LOOKS = 0.2


def count(asked: int, tasks: int) -> int:
    """Return how many processes to use: as asked, or one a core when 0 is asked, and never more than tasks."""
    return max(1, min(asked or len(os.sched_getaffinity(0)), tasks))


def run(
    function: Callable[..., Result],
    tasks: Sequence[Task],
    processes: int,
    advance: Advance,
    common: tuple[Any, ...] = (),
    finished: Callable[[Result], None] = lambda result: None,
    remedy: str = "Run the same command again with --processes 1",
) -> None:
    """Call `function(task, advance, *common)` for every task, several at once; `advance` is called in this process.

    One process is this one. `function` and tasks must be importable and picklable. The first error is raised, and
    like Ctrl-C it ends the others in the middle of their tasks; what they were writing is a temporary file.

    Args:
        common: handed to each process once, when it starts: the way for what no task could carry (`SharedArray`).
        finished: called in this process with what the function returned, task by task as they end.
        remedy: what to do when a process was killed.

    Raises:
        InputError: a process was killed from outside, as the system does when memory runs out.
    """
    if processes == 1:
        for task in tasks:
            finished(function(task, advance, *common))
        return
    spawn = multiprocessing.get_context("spawn")
    advanced: Queue[int] = spawn.Queue()
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(processes, spawn, _begin, (advanced, common)) as pool:
        try:
            with _interrupts_held():
                futures = [pool.submit(_call, function, task) for task in tasks]
            _follow(futures, advanced, advance, finished)
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
        except BrokenProcessPool as error:
            raise InputError(
                f"one of {processes} processes was killed, most often because memory ran out. {remedy}: what is "
                "finished is kept"
            ) from error
        except BaseException:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            pool.shutdown(cancel_futures=True)
            raise


def _follow(
    futures: Sequence[Future[Result]],
    advanced: Queue[int],
    advance: Advance,
    finished: Callable[[Result], None],
) -> None:
    told: set[Future[Result]] = set()
    while True:
        done, left = wait(futures, timeout=0, return_when=FIRST_EXCEPTION)
        for future in done - told:
            if future.exception() is None:
                finished(future.result())
        told |= done
        is_over = not left or any(future.exception() for future in done)
        try:
            advance(advanced.get(timeout=SECONDS_BETWEEN_LOOKS))
        except queue.Empty:
            if is_over:
                return


class _Channel:
    """Where a worker process reports to, and what all its tasks are given; set once, when the process begins."""

    advanced: Queue[int]
    common: tuple[Any, ...]


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back in the block; processes started in it never get it, for the one that started them ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(advanced: Queue[int], common: tuple[Any, ...]) -> None:
    _Channel.advanced, _Channel.common = advanced, common
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _call(function: Callable[..., Result], task: Task) -> Result:
    return function(task, _Channel.advanced.put, *_Channel.common)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
