"""Faults in the long form: SIGKILL, flipped bits, a reader for as long as asked. By hand, on a copy made for it:

    python -m tests.faults --kills 200 --flips 200 --json FILE

FILE gets a line of JSON for each case as soon as it ended. The same command goes on where it was stopped: what FILE
says went well is not tried again, what failed is.
Each case has a seed of its own, printed where it fails; `--seed N --kills 1` or `--flips 1` repeats what began with it.
Exit code 1 when a case failed.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.faults import flips, harness, kills, writers
from tests.faults.flips import Flip
from tests.faults.harness import LINE, WEIGHTS, Project
from tests.faults.kills import Course
from tests.faults.log import Log

DIRECT = ("extract", "align", "train")
SUBJECTS = [*((stage, False) for stage in DIRECT), *((stage, True) for stage in LINE)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--flips", type=int, default=200)
    parser.add_argument("--repair-every", type=int, default=1, help="repair one of so many flips of a kind; 0 none")
    parser.add_argument("--reading", type=float, default=0, help="seconds to read while four write and are killed")
    parser.add_argument("--minutes", type=float, default=0, help="at most so long for the kills, and for the flips")
    parser.add_argument("--stages", default="", help="kill only in these, by commas: extract, dvc:train, ...")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    log = Log(asked.json)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    made = harness.make(folder / "made", WEIGHTS)
    courses = list(kill(made, folder, asked, log))
    print(table_of_kills(courses), flush=True)
    flipped = list(flip(made.copy(folder / "flipped"), asked, log))
    print(table_of_flips(flipped), flush=True)
    read = writers.read_long(made, folder / "read", asked.reading, asked.seed) if asked.reading else None
    if read is not None:
        log.add("reading", read)
        print(read, flush=True)
    failed = [one for one in (*courses, *flipped) if one.problems]
    if failed or (read is not None and read.problems):
        sys.exit(f"{len(failed)} cases failed; what they left is in {folder}")
    shutil.rmtree(folder)


def kill(made: Project, folder: Path, asked: argparse.Namespace, log: Log) -> Iterator[Course]:
    """Yield courses, one stage after the other, until so many kills hit something."""
    end = time.monotonic() + 60 * asked.minutes if asked.minutes else float("inf")
    wanted = [(name.removeprefix("dvc:"), name.startswith("dvc:")) for name in asked.stages.split(",") if name]
    count = 0
    for seed, (stage, through_dvc) in zip(itertools.count(asked.seed), itertools.cycle(wanted or SUBJECTS)):
        if count >= asked.kills or time.monotonic() > end:
            return
        known = log.find("kill", seed=seed, stage=stage, through_dvc=through_dvc)
        if known is None:
            found = kills.course(made, folder / f"kill-{seed}", stage, through_dvc, seed)
            log.add("kill", found)
        else:
            found = Course(**known)
        count += found.kills
        for problem in found.problems:
            print(f"seed {seed}: {named(stage, through_dvc)}: {', '.join(found.moments)}: {problem}", flush=True)
        yield found


def flip(project: Project, asked: argparse.Namespace, log: Log) -> Iterator[Flip]:
    """Yield flips, one kind after the other."""
    end = time.monotonic() + 60 * asked.minutes if asked.minutes else float("inf")
    for number in range(asked.flips):
        if time.monotonic() > end:
            return
        kind = list(flips.KINDS)[number % len(flips.KINDS)]
        turn = number // len(flips.KINDS)
        repair = bool(asked.repair_every) and turn % asked.repair_every == 0
        if (known := log.find("flip", seed=asked.seed + number, kind=kind)) is not None:
            yield Flip(**known)
            continue
        found = flips.attempt(project, kind, asked.seed + number, repair=repair)
        log.add("flip", found)
        for problem in found.problems if found.is_found else ():
            print(f"seed {found.seed}: {kind}: {found.place}: {problem}", flush=True)
        yield found


def named(stage: str, through_dvc: bool) -> str:
    return f"dvc repro {stage}" if through_dvc else stage


def table_of_kills(courses: Sequence[Course]) -> str:
    """Return a line for each stage: kills, cases in which work of the killed was kept, cases with the same bytes."""
    rows = []
    for stage, through_dvc in SUBJECTS:
        of = [one for one in courses if (one.stage, one.through_dvc) == (stage, through_dvc)]
        resumed = f"{sum(one.has_resumed for one in of)}" if stage in kills.KEEPING else "-"
        same = sum(not one.problems for one in of)
        reads = sum(one.reads for one in of)
        rows.append([named(stage, through_dvc), len(of), sum(one.kills for one in of), resumed, same, reads])
    return table(["stage", "cases", "kills", "resumed", "same bytes", "files read whole"], rows)


def table_of_flips(flipped: Sequence[Flip]) -> str:
    """Return a line for each kind: flips, found, named, repaired of those that were to be."""
    rows = []
    for kind in flips.KINDS:
        of = [one for one in flipped if one.kind == kind]
        tried = [one for one in of if one.is_repaired is not None]
        repaired = f"{sum(bool(one.is_repaired) for one in tried)} of {len(tried)}"
        rows.append([kind, len(of), sum(one.is_found for one in of), sum(one.is_named for one in of), repaired])
    return table(["kind", "flips", "found", "named", "repaired"], rows)


def table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    cells = [titles, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(titles))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)


if __name__ == "__main__":
    main()
