"""What waits on disk comes back by number, in any order, and leaves nothing in its folder."""

from __future__ import annotations

from pathlib import Path

from cache.shards.spool import Spool


def test_what_was_put_is_got_by_its_number_in_any_order_and_while_more_is_put(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        assert [spool.put(content) for content in (b"first", b"", b"third")] == [0, 1, 2]
        assert [spool.get(number) for number in (2, 0, 1)] == [b"third", b"first", b""]
        assert spool.put(b"x" * 100_000) == 3
        assert spool.get(3) == b"x" * 100_000
        assert spool.get(0) == b"first"


def test_it_has_no_name_so_a_killed_process_leaves_none(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.put(b"content")
        assert list(tmp_path.iterdir()) == []
