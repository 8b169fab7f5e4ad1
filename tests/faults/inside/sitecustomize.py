"""Python imports this at its start in every process of the harness: SIGKILL at the n-th change of the disk.

FACESPAN_FAULT is `<word of the command>:<n>:<whom>`: `self`, the process; `group`, what it was started with as well;
`parent`, who started it, while it goes on. With 0 for n the changes are counted. The file FACESPAN_FAULT_NOTE gets the
count, before anybody is killed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.utime", "os.chmod"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
here, note = Path.cwd(), os.environ.get("FACESPAN_FAULT_NOTE", "")
word, _, rest = os.environ.get("FACESPAN_FAULT", "").partition(":")
wanted, _, whom = rest.partition(":")
count = 0


def is_below(path: Any) -> bool:
    return isinstance(path, str | os.PathLike) and Path(path).absolute().is_relative_to(here)


def changed() -> None:
    global count
    count += 1
    if int(wanted) in (0, count):
        descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.write(descriptor, str(count).encode())
        os.close(descriptor)
    if count == int(wanted):
        if whom == "group":
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os.kill(os.getppid() if whom == "parent" else os.getpid(), signal.SIGKILL)


def audit(event: str, arguments: tuple[Any, ...]) -> None:
    opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
    if (opened or event in CHANGES) and is_below(arguments[0]):
        changed()


def synced(descriptor: int) -> None:
    changed()
    fsync(descriptor)
    changed()


fsync = os.fsync
if word and word in sys.orig_argv:
    sys.addaudithook(audit)
    os.fsync = synced
