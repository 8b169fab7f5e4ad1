"""One bit flipped in something that is shared, its time and size kept: whether `facespan cache verify` finds it.

`verify` alone is asked, of the corpus, and what its repair line says is what is run.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.harness import CORPUS, ROOT, WEIGHTS, Project, differences

# From what is flipped to where it lies; `{}` is the encoder.
KINDS = {
    "frames": "data/casme2/frames/*.h5",
    "features": "data/casme2/features/{}/*.h5",
    "manifest of frames": "data/casme2/frames/manifest.json",
    "manifest of features": "data/casme2/features/{}/manifest.json",
    "tables": "data/casme2/*.parquet",
    "detections": "results/casme2/detections.parquet",
    "detectors": "results/casme2/detectors/*.safetensors",
    "weights": f"configs/weights/{WEIGHTS}.safetensors",
}
REPAIR = re.compile(r"dvc repro(?: --[\w-]+)* [\w-]+@[\w-]+|dvc repro(?=[,.;]|$)")
REMOVE = re.compile(r"[Rr]emove (?:it|a detector) and run")
# A line about one video, as `verify` has it.
VIDEO = re.compile(r"^\d+_\d+: ", re.MULTILINE)


@dataclass
class Flip:
    """What became of one flipped bit.

    Attributes:
        place: file, byte and bit.
        is_found: `verify` did not end with 0.
        is_named: it named the video or the file.
        is_repaired: after what the repair line says, all bytes are as they were, and the other shards were kept; None
            where that was not tried.
    """

    kind: str
    seed: int
    place: str
    is_found: bool
    is_named: bool
    is_repaired: bool | None = None
    problems: list[str] = field(default_factory=list)


def flip(project: Project, kind: str, chance: random.Random) -> tuple[Path, int, int]:
    """Flip one bit of one file of a kind, in place; return the file, the byte and the bit."""
    path = chance.choice(sorted(project.folder.glob(KINDS[kind].format(project.encoder))))
    known = path.stat()
    position, bit = chance.randrange(known.st_size), chance.randrange(8)
    with path.open("r+b") as file:
        file.seek(position)
        value = file.read(1)[0]
        file.seek(position)
        file.write(bytes([value ^ 1 << bit]))
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
    return path, position, bit


def attempt(project: Project, kind: str, seed: int, *, repair: bool) -> Flip:
    """Flip a bit, ask `verify`, repair by what it says, and put the file back, whatever came of it."""
    before = project.contents()
    weights = project.folder / KINDS["weights"]
    path, position, bit = flip(project, kind, random.Random(seed))
    told = project.facespan("cache", "verify", CORPUS)
    name = path.relative_to(project.folder)
    found = Flip(kind, seed, f"{name}: bit {bit} of byte {position}", told.code != 0, _names(told.text, path))
    if not found.is_found:
        found.problems.append("verify did not find it")
    elif not found.is_named:
        found.problems.append(f"verify did not name it: {told.text}")
    if repair and found.is_found and kind != "weights":
        _repair(project, found, told.text, before)
    if kind == "weights":
        shutil.copy(ROOT / KINDS["weights"], weights)
    restore(project, before)
    return found


def _names(text: str, path: Path) -> bool:
    if path.name == "manifest.json":
        # What a manifest says of a video may be wrong, or the video's shard: nobody can tell which.
        return VIDEO.search(text) is not None or path.name in text
    return path.name in text or re.search(rf"^{re.escape(path.stem)}: ", text, re.MULTILINE) is not None


def _repair(project: Project, found: Flip, text: str, before: dict[str, bytes]) -> None:
    """Run what the repair line says, each command once; remove what it says to remove."""
    lines = repair_lines(text)
    commands = list(dict.fromkeys(match[0] for line in lines for match in REPAIR.finditer(line)))
    for name in {name for line in lines if REMOVE.search(line) for name in before if name in line}:
        (project.folder / name).unlink()
    said = "".join(project.run("-m", *command.split()).text for command in commands)
    found.problems += differences(project.contents(), before)
    if project.facespan("cache", "verify", CORPUS).code:
        found.problems.append("verify still finds something")
    expected = {"frames": 1, "features": 1, "manifest of frames": 0, "manifest of features": 0}.get(found.kind)
    if expected is not None and f"({expected} new, {4 - expected} kept)" not in said:
        found.problems.append(f"not {expected} shards were made anew: {said[-600:]}")
    found.is_repaired = not found.problems
    if not commands:
        found.problems.append(f"no repair line: {text}")


def repair_lines(text: str) -> Sequence[str]:
    """Return the lines of `verify` that say what to run."""
    return [line for line in text.splitlines() if line.startswith("repair: ") or "Run: " in line or REMOVE.search(line)]


def restore(project: Project, before: dict[str, bytes]) -> None:
    """Put back what differs, so that the next flip finds everything whole."""
    for name, content in before.items():
        path = project.folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.write_bytes(content)
    for name in project.contents().keys() - before.keys():
        (project.folder / name).unlink()
