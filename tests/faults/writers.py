"""Several writers at one folder, some of them killed, and a reader beside them."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import kills
from tests.faults.harness import Project, differences
from tests.faults.reader import Reader


@dataclass
class Sight:
    """What a reader saw beside several writers.

    Attributes:
        starts: of writers, and how many of them were killed.
        reads: files opened and found whole.
        problems: in words; empty where nobody saw a part and all ended with the bytes of one undisturbed writer.
    """

    seed: int
    starts: int = 0
    kills: int = 0
    reads: int = 0
    problems: list[str] = field(default_factory=list)


def side_by_side(made: Project, folder: Path, stage: str, count: int, seed: int, *, killed: int = 0) -> Sight:
    """Start writers at random moments, kill some, let one more finish what is left, and compare."""
    chance = random.Random(seed)
    project = made.copy(folder, before=stage)
    found = Sight(seed)
    with Reader(project, made.contents(), stage) as reader:
        _write(project, stage, count, killed, chance, found)
        told = project.stage(stage)
    found.reads = reader.count
    found.problems += sorted(reader.problems)
    if told.code:
        found.problems.append(told.text)
    found.problems += differences(project.contents(stage), made.contents(stage))
    return found


def read_long(made: Project, folder: Path, seconds: float, seed: int) -> Sight:
    """Read for so long what four extractors make by force, two of which are killed each time."""
    chance, end = random.Random(seed), time.monotonic() + seconds
    project = made.copy(folder)
    found = Sight(seed)
    with Reader(project, made.contents(), "extract") as reader:
        while time.monotonic() < end:
            _write(project, "extract", 4, 2, chance, found, "--force")
        told = project.stage("extract")
    found.reads = reader.count
    found.problems += [*sorted(reader.problems), *([told.text] if told.code else [])]
    found.problems += differences(project.contents("extract"), made.contents("extract"))
    return found


def _write(
    project: Project, stage: str, count: int, killed: int, chance: random.Random, found: Sight, *more: str
) -> None:
    processes = []
    for number in range(count):
        environment = {}
        if number < killed:
            moment = f"stages.{stage}:{chance.randint(1, kills.CHANGES[stage])}:self"
            note = str(project.folder.with_name(f"{project.folder.name}-note"))
            environment = {"PYTHONPATH": str(kills.INSIDE), "FACESPAN_FAULT": moment, "FACESPAN_FAULT_NOTE": note}
        time.sleep(chance.uniform(0, 0.3))
        processes.append(project.start(*project.words(stage), *more, **environment))
    for number, process in enumerate(processes):
        text = process.communicate()[0]
        found.starts += 1
        found.kills += process.returncode == -9
        if process.returncode and not (process.returncode == -9 and number < killed):
            found.problems.append(f"a writer ended with {process.returncode}: {text[-600:]}")
