"""Prefetching in a thread of its own, so that whoever computes never waits for the disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
END = object()


def ahead(items: Iterable[T], depth: int) -> Iterator[T]:
    """Yield the same items in the same order, at most `depth` of them made before they are asked for.

    An exception raised while an item is made is raised here, in its place. When the consumer stops early, the
    thread ends after the items already asked for.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as thread:
        pending = deque(thread.submit(next, iterator, END) for _ in range(depth))
        while (item := pending.popleft().result()) is not END:
            pending.append(thread.submit(next, iterator, END))
            yield item  # type: ignore[misc]  # END is the only item that is not a T
