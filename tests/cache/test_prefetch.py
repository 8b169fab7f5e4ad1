"""Reading ahead changes when things are made, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from cache.prefetch import ahead


def test_the_items_come_out_in_order() -> None:
    assert list(ahead(range(100), depth=3)) == list(range(100))


def test_an_error_is_raised_where_its_item_would_have_been() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("disk gone")

    items = ahead(broken(), depth=2)
    assert next(items) == 1
    with pytest.raises(OSError, match="disk gone"):
        next(items)


def test_a_consumer_that_stops_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    for item in ahead(iter(int, 1), depth=2):  # an endless row of zeros
        assert item == 0
        break
    assert threading.active_count() == before


def test_no_more_than_the_depth_is_made_ahead() -> None:
    made: list[int] = []
    items = ahead((made.append(i) or i for i in range(50)), depth=2)
    next(items)
    for _ in range(100):
        threading.Event().wait(0.001)
    assert len(made) <= 1 + 2  # the one taken and two waiting
    items.close()  # type: ignore[attr-defined]
