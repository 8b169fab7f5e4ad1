"""Two and four writers of one folder, some of them killed, beside a reader: each file is whole whenever it is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import writers
from tests.faults.harness import Project


def test_two_writers_and_a_reader(made: Project, tmp_path: Path) -> None:
    found = writers.side_by_side(made, tmp_path / "written", "align", 2, seed=1)
    assert not found.problems, found
    assert found.reads > 0


def test_four_writers_of_which_one_is_killed(made: Project, tmp_path: Path) -> None:
    found = writers.side_by_side(made, tmp_path / "written", "align", 4, seed=4, killed=1)
    assert not found.problems, found
    assert found.kills == 1


@pytest.mark.whole_line
def test_four_extractors_of_which_two_are_killed_again_and_again(made: Project, tmp_path: Path) -> None:
    found = writers.read_long(made, tmp_path / "written", 1.0, seed=7)
    assert not found.problems, found
    assert found.kills > 0
