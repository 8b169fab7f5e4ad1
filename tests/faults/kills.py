"""SIGKILL at random moments of a stage, or of `dvc repro` in it: what it comes to in the end, and what readers saw."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.harness import CORPUS, LINE, PATIENCE_SECONDS, Project, Told, differences
from tests.faults.reader import Reader

INSIDE = Path(__file__).with_name("inside")
MARK = "FACESPAN_FAULTS_OF"
# How often an undisturbed stage changes the disk, and DVC while it repeats that stage; and how long that takes, about.
# A moment that is never reached is a run to the end, and no kill.
CHANGES = {
    "check": 9,
    "fingerprint": 9,
    "index": 26,
    "align": 113,
    "extract": 92,
    "train": 60,
    "detect": 8,
    "evaluate": 36,
}
CHANGES_OF_DVC = {
    "check": 74,
    "fingerprint": 49,
    "index": 150,
    "align": 103,
    "extract": 119,
    "train": 169,
    "detect": 184,
    "evaluate": 266,
}
# Of `train` that trains several at once, what a process of these does, and what is left to the one that started them.
WORKER, CHANGES_OF_WORKER, CHANGES_OF_PARENT = "--multiprocessing-fork", 25, 9
# DVC killed while it writes which files are in use leaves that file empty, and stops at it ever after.
DVCS_LOCK, DVCS_LOCK_MESSAGE = Path(".dvc/tmp/rwlock"), "Unable to read RWLock-file"
SECONDS = {"check": 3, "fingerprint": 1, "index": 1, "align": 1, "extract": 4, "train": 6, "detect": 3, "evaluate": 1}
# What keeps its finished work when it runs again.
KEEPING = ("align", "extract", "train")


@dataclass
class Course:
    """What became of one project that was killed several times and then left alone.

    Attributes:
        kills: that hit something; `moments` says where.
        has_resumed: whether the last run kept work of those that were killed.
        problems: in words; empty where nothing was lost and nobody saw a part.
    """

    stage: str
    through_dvc: bool
    seed: int
    kills: int = 0
    moments: list[str] = field(default_factory=list)
    has_resumed: bool = False
    reads: int = 0
    problems: list[str] = field(default_factory=list)


def command(project: Project, stage: str, through_dvc: bool) -> list[str]:
    """Return what is started: a stage as DVC does, or DVC for it."""
    return ["-m", "dvc", "repro", f"{stage}@{CORPUS}"] if through_dvc else project.words(stage)


def course(made: Project, folder: Path, stage: str, through_dvc: bool, seed: int, *, clock: bool = True) -> Course:
    """Kill a stage at up to three moments one after the other, let it end, and compare; all of it by the seed.

    Args:
        clock: whether some moments are by the clock, which hang on the speed of the machine.
    """
    chance = random.Random(seed)
    project = made.copy(folder, before=stage)
    found = Course(stage, through_dvc, seed)
    words = command(project, stage, through_dvc)
    more = ["--processes", "1"] if stage == "train" and not through_dvc and chance.random() < 0.7 else []
    allowed = made.contents()
    try:
        with Reader(project, allowed, stage) as reader:
            for _ in range(chance.randint(1, 3)):
                _kill(project, [*words, *more], stage, through_dvc, chance, found, clock)
            told = project.run(*words, *more)
            if DVCS_LOCK_MESSAGE in told.text:  # DVC's own trouble; its user is told the same in docs/workflow.md
                (project.folder / DVCS_LOCK).unlink()
                told = project.run(*words, *more)
            _wait_for_others(project)
        found.reads, found.problems = reader.count, sorted(reader.problems)
        _judge(found, told, project, made)
    finally:
        if not found.problems:
            shutil.rmtree(folder)
            shutil.rmtree(folder.with_name(f"{folder.name}-site"), ignore_errors=True)
    return found


def _judge(found: Course, told: Told, project: Project, made: Project) -> None:
    stages = LINE[: LINE.index(found.stage) + 1]
    if told.code:
        found.problems.append(f"ended with {told.code} once nobody killed it: {told.text[-600:]}")
    found.problems += differences(project.contents(*stages), made.contents(*stages))
    found.has_resumed = found.stage in KEEPING and (", 0 kept" not in told.text or "from the store" in told.text)


def _kill(
    project: Project, words: list[str], stage: str, through_dvc: bool, chance: random.Random, found: Course, clock: bool
) -> None:
    """Start the command and kill it at a change of the disk, of which there are some dozens, or by the clock."""
    note = project.folder.with_name(f"{project.folder.name}-note")
    note.unlink(missing_ok=True)
    whom = chance.choice(["self", "group", "parent"]) if through_dvc else "self"
    if through_dvc and chance.random() < 0.4:
        moment = f"repro:{chance.randint(1, CHANGES_OF_DVC[stage])}:{'group' if whom == 'parent' else whom}"
    elif through_dvc and stage == "train" and chance.random() < 0.5:
        moment = f"{WORKER}:{chance.randint(1, CHANGES_OF_WORKER)}:self"
    else:
        most = CHANGES_OF_PARENT if through_dvc and stage == "train" else CHANGES[stage]
        moment = f"stages.{stage}:{chance.randint(1, most)}:{whom}"
    seconds = chance.uniform(0.1, SECONDS[stage])
    by_clock = chance.random() < 0.3 and clock
    environment = {"PYTHONPATH": str(INSIDE), MARK: str(project.folder)}
    if not by_clock:
        environment |= {"FACESPAN_FAULT": moment, "FACESPAN_FAULT_NOTE": str(note)}
    process = project.start(*words, **environment)
    if by_clock:
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=seconds)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            found.kills += 1
            found.moments.append(f"after {seconds:.2f} s")
        return
    process.communicate(timeout=PATIENCE_SECONDS)
    if note.exists():
        found.kills += 1
        found.moments.append(moment)


def _wait_for_others(project: Project) -> None:
    """Wait for processes whose parent was killed: they end by themselves."""
    patience = time.monotonic() + PATIENCE_SECONDS
    while _others(project) and time.monotonic() < patience:
        time.sleep(0.02)


def _others(project: Project) -> list[str]:
    told = f"{MARK}={project.folder}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if told in (entry / "environ").read_bytes().split(b"\0"):
                found.append(entry.name)
    return found
