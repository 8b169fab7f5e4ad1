"""The long form goes on where it was stopped: what went well is not tried again, what failed or was cut short is."""

from __future__ import annotations

from pathlib import Path

from tests.faults.flips import Flip
from tests.faults.kills import Course
from tests.faults.log import Log

WELL, FAILED = Course("align", True, 3, kills=2, moments=["a"]), Course("align", False, 4, problems=["lost"])


def test_only_what_went_well_is_known_to_a_second_start(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    for case, ended in (("kill", WELL), ("kill", FAILED), ("flip", Flip("frames", 3, "a.h5", True, True))):
        log.add(case, ended)
    again = Log(tmp_path / "log.jsonl")
    known = again.find("kill", seed=3, stage="align", through_dvc=True)
    assert known is not None
    assert Course(**known) == WELL
    assert again.find("kill", seed=3, stage="align", through_dvc=False) is None
    assert again.find("kill", seed=4, stage="align", through_dvc=False) is None
    assert again.find("flip", seed=3, kind="frames") is not None
    assert again.find("flip", seed=3, kind="tables") is None


def test_a_line_that_was_cut_short_is_a_case_to_be_tried_and_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    Log(path).add("kill", WELL)
    path.write_text(path.read_text()[:-9])
    assert Log(path).find("kill", seed=3, stage="align", through_dvc=True) is None
    Log(path).add("kill", WELL)
    assert Log(path).find("kill", seed=3, stage="align", through_dvc=True) is not None
    assert Log(None).find("kill", seed=3, stage="align", through_dvc=True) is None
