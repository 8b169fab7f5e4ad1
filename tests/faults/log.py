"""Log of the cases that ended, a line of JSON each, so that hours of them go on where they were stopped."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.flips import Flip
from tests.faults.kills import Course
from tests.faults.writers import Sight


class Log:
    """The cases that ended, a line of JSON each, in a file or nowhere."""

    def __init__(self, path: Path | None) -> None:
        """Read what went well before; a line that a kill cut short says nothing."""
        self.path = path
        self.done: dict[tuple[str, ...], dict[str, Any]] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else ():
            with contextlib.suppress(json.JSONDecodeError):
                case = json.loads(line)
                self.done[name_of(case.pop("case"), case)] = case

    def find(self, case: str, **named: Any) -> dict[str, Any] | None:
        """Return what is known of a case that went well; None of any other."""
        known = self.done.get(name_of(case, named))
        return None if known is None or known["problems"] else known

    def add(self, case: str, ended: Course | Flip | Sight) -> None:
        """Write a line; it begins anew where the one before was cut short."""
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" * (file.tell() > 0) + json.dumps({"case": case, **asdict(ended)}))


def name_of(case: str, told: dict[str, Any]) -> tuple[str, ...]:
    """Return by what a case is known: its seed, and what it was tried on."""
    return (case, *(f"{told.get(name)}" for name in ("seed", "stage", "through_dvc", "kind")))
