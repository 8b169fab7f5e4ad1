"""A shard is hashed when it is new here or changed, not at every command: through the stages, in a checkout of DVC."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cache.shards.untrusted import UntrustedShard
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
SHARD = Path("data/features/ann_1.h5")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the shards that this process took a digest of."""
    seen: list[Path] = []
    take = UntrustedShard._sha256

    def counted(shard: UntrustedShard) -> str:
        seen.append(shard.path)
        return take(shard)

    monkeypatch.setattr(UntrustedShard, "_sha256", counted)
    return seen


def hashed_by(hashed: list[Path], stage: Run, name: str) -> int:
    """Run a stage, and return of how many shards it took the digest."""
    hashed.clear()
    told = stage(name)
    assert told.code == ExitCode.DONE, told.err
    return len(hashed)


def test_what_nothing_touched_is_hashed_once(begin: Begin, stage: Run, hashed: list[Path]) -> None:
    here = begin("extract")
    (here / ".dvc").mkdir()
    assert hashed_by(hashed, stage, "extract") == 3
    assert hashed_by(hashed, stage, "extract") == 0
    assert hashed_by(hashed, stage, "train") == 0
    assert hashed_by(hashed, stage, "detect") == 0
    assert hashed_by(hashed, stage, "align") == 3
    assert hashed_by(hashed, stage, "align") == 0
    os.utime(SHARD)
    assert hashed_by(hashed, stage, "detect") == 1
    assert hashed_by(hashed, stage, "extract") == 0


def test_without_dvc_nothing_is_remembered(begin: Begin, stage: Run, hashed: list[Path]) -> None:
    begin("extract")
    assert hashed_by(hashed, stage, "extract") == 3
    assert hashed_by(hashed, stage, "extract") == 3


def test_an_experiment_in_a_copy_of_the_checkout_leaves_no_record(
    begin: Begin, stage: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = begin("extract")
    (tmp_path / "checkout/.dvc").mkdir(parents=True)
    (here / ".dvc").mkdir()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "checkout"))
    assert stage("train").code == ExitCode.DONE
    assert not list(tmp_path.rglob("checked"))


def test_a_bit_flipped_with_the_time_set_back_is_noticed_and_made_good_all_the_same(
    begin: Begin, stage: Run, facespan: Run
) -> None:
    here = begin("extract")
    (here / ".dvc").mkdir()
    assert stage("extract").code == ExitCode.DONE
    whole, before = SHARD.read_bytes(), SHARD.stat()
    with SHARD.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(bytes([whole[-1] ^ 1]))
    os.utime(SHARD, ns=(before.st_atime_ns, before.st_mtime_ns))
    told = stage("train")
    assert told.code == ExitCode.SHARD
    assert "ann_1.h5: found SHA-256" in told.err
    assert facespan("cache", "verify", "data/features").code == ExitCode.DIFFERENCES
    assert "(1 new, 2 kept)" in stage("extract").out
    assert SHARD.read_bytes() == whole


def test_a_damaged_record_costs_time_alone(begin: Begin, stage: Run, hashed: list[Path]) -> None:
    here = begin("extract")
    (here / ".dvc").mkdir()
    assert stage("extract").code == ExitCode.DONE
    (record,) = (here / ".dvc/facespan/checked").iterdir()
    for damage in ('{"format": 1', "[]", '{"format": 1, "folder": 3}', "[" * 200_000):
        record.write_text(damage, encoding="utf-8")
        assert hashed_by(hashed, stage, "extract") == 3
        assert hashed_by(hashed, stage, "extract") == 0
