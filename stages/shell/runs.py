"""Run records: which commit made what lies there, when, and on what. They stay on this machine, below `.dvc`.

A record is found by the digest of what was made, and stands in no output: the same input gives the same bytes. So what
comes back from a store or from DVC has the record it had, and what somebody else made has none.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cache import files, own_digest, strict_json
from cache.errors import InputError
from stages.shell import places

FORMAT = 1
# Of each stage; the oldest go.
MOST, MAXIMUM_BYTES = 500, 1 << 14
NAME = re.compile(r"[0-9a-f]{64}\.json")
CODE = Path(__file__).resolve().parents[2]
# What decides what a stage makes; the small files in `configs` that stages write themselves are none of it.
DECIDING = ("cache", "pipeline", "stages", "configs", "dvc.yaml", ":!configs/fingerprints", ":!configs/frames")


@dataclass(frozen=True)
class Record:
    """How a stage made what lies there.

    Attributes:
        commit: of the code; None outside git.
        changed: whether code or parameters differed from it.
        made: when it was done, as ISO 8601 in UTC.
        device: `cpu`, or the model of a GPU; empty where none was used.
        versions: of Python, and of numpy, torch and CUDA where they were in use.
        seconds: of the whole stage.
    """

    commit: str | None
    changed: bool
    made: str
    device: str
    versions: Mapping[str, str]
    seconds: float


@dataclass(frozen=True)
class Run:
    """A stage at work.

    Attributes:
        commit, changed: when it began: the code that runs is that one.
        began: by a clock that only counts on.
        before: of each path that it makes, the record of what lay there.
    """

    stage: str
    commit: str | None
    changed: bool
    began: float
    before: Mapping[Path, Record | None]

    def note(self, *, made: bool = True, device: str = "") -> None:
        """Leave a record of what lies there now; a disk that does not take it stops nothing.

        Args:
            made: whether anything was made; what was only kept keeps its record, if it has one.
            device: what it is called.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        seconds = round(time.monotonic() - self.began, 1)
        own = Record(self.commit, self.changed, now, device, _versions(), seconds)
        for path, earlier in self.before.items():
            record, place = own if made else earlier, _place(self.stage, path)
            if place is None:
                continue
            with suppress(InputError):
                files.sweep_temporaries(place.parent)
                if record is not None and (made or not place.is_file()):
                    _write(place, record)


def begin(stage: str, *paths: Path) -> Run:
    """Return a stage at work, which makes these files, or folders of shards or detectors."""
    before = {path: of(stage, path) for path in paths}
    commit, changed = commit_of(CODE) if places.remembered("runs") else (None, False)
    return Run(stage, commit, changed, time.monotonic(), before)


def of(stage: str, path: Path) -> Record | None:
    """Return how a stage made what lies at a path; None where it was not made here, or nobody remembers.

    Args:
        path: one of those that the stage names when it begins.
    """
    place = _place(stage, path)
    try:
        if place is None or place.stat().st_size > MAXIMUM_BYTES:
            return None
        told = strict_json.parse(place.read_bytes())
        if told.pop("format") != FORMAT:
            return None
        record = Record(**told)
        return record if _is_whole(record) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _is_whole(record: Record) -> bool:
    texts = (record.commit or "", record.made, record.device, *record.versions, *record.versions.values())
    return all(isinstance(text, str) for text in texts) and isinstance(record.seconds, float)


def commit_of(code: Path) -> tuple[str | None, bool]:
    """Return the commit of a folder of code, and whether files differ from it; None where git does not know it."""
    told = _git(code, "rev-parse", "--show-toplevel", "HEAD")
    if told is None:
        return None, False
    root, _, commit = told.rstrip("\n").rpartition("\n")
    if not Path(root).samefile(code):  # installed into a folder of something else's repository
        return None, False
    return commit, bool(_git(code, "status", "--porcelain", "--untracked-files=all", "--", *DECIDING))


def _git(folder: Path, *words: str) -> str | None:
    """Return what git says in a folder; None where it fails, or is missing."""
    git = shutil.which("git")
    if git is None:
        return None
    # Within a hook, git's variables name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    told = subprocess.run(
        [git, "--no-optional-locks", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return None if told.returncode else told.stdout


def _versions() -> dict[str, str]:
    """Return the versions of what numbers may depend on, as far as it is in use."""
    loaded = {name: sys.modules.get(name) for name in ("numpy", "torch")}
    told = {name: str(module.__version__) for name, module in loaded.items() if module is not None}
    cuda = getattr(getattr(loaded["torch"], "version", None), "cuda", None)
    return {"python": platform.python_version(), **told, **({"cuda": str(cuda)} if cuda else {})}


def _place(stage: str, path: Path) -> Path | None:
    """Return where the record of what lies at a path is; None where there is nothing, or no place for records."""
    folder = places.remembered("runs")
    try:
        return None if folder is None else folder / stage / f"{_digest(path)}.json"
    except (InputError, OSError):
        return None


def _digest(path: Path) -> str:
    """Return the digest of a file, or over the manifest or all detectors of a folder."""
    if not path.is_dir():
        return own_digest.of(path)
    held = sorted(each for each in path.iterdir() if each.suffix in (".json", ".safetensors"))
    if not held:
        raise InputError(f"{path} holds neither a manifest nor detectors.")
    return hashlib.sha256(json.dumps([(each.name, own_digest.of(each)) for each in held]).encode()).hexdigest()


def _write(place: Path, record: Record) -> None:
    """Write a record, and remove the oldest where there are too many."""
    with files.write_atomically(place) as temporary:
        temporary.write_text(json.dumps({"format": FORMAT, **asdict(record)}), encoding="utf-8")
    ours = [path for path in place.parent.iterdir() if NAME.fullmatch(path.name)]
    for path in sorted(ours, key=_age)[:-MOST]:
        path.unlink(missing_ok=True)


def _age(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # another process removed it
        return 0
