"""The corpus file and the CSV of a new corpus: what was seen in its folder, with what people have to decide."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cache.printing import printable
from stages.project.survey import NAMES, Survey
from stages.shell import documents, params
from stages.shell.params import ParameterError

PRESETS = Path("configs/presets")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
COLUMNS = ("subject", "video", "onset", "apex", "offset", "emotion")
# What many coders' words are; a corpus with others says so.
USUAL_EMOTIONS = ("happiness", "surprise", "disgust", "anger", "fear", "sadness")

_METHODS = {
    "builtin": "# Without OpenFace, by two small packages (docs/alignment.md). Or openface; or none, for aligned faces",
    "openface": "# OpenFace is run over every video (docs/alignment.md). Or builtin, which needs none",
    "openface-output": "# What OpenFace wrote is taken as it is",
}


@dataclass(frozen=True)
class Choices:
    """What a corpus file says that nobody can see in a folder."""

    labels: str
    emotions: Sequence[str]
    method: str
    preset: str
    frame_rate: float | None


def check_name(name: str) -> None:
    """Raise ParameterError for what cannot name a corpus: files, folders and stages of DVC are called after it."""
    if not NAME.fullmatch(name) or documents.parse(name) != name:
        raise ParameterError(
            f"{name!r} cannot name a corpus: expected a letter, then up to 63 of A-Z a-z 0-9 _ -, and no word that "
            "YAML takes for something else (yes, no, null)"
        )


def preset(name: str) -> tuple[str, dict[str, Any]]:
    """Return the sections of `overrides` that a preset gives: as its file has them, and as values.

    Raises:
        ParameterError: there is no such preset, with those there are.
    """
    path = PRESETS / f"{name}.yaml"
    known = sorted(one.stem for one in PRESETS.glob("*.yaml"))
    if name not in known:
        raise ParameterError(f"--preset {name!r}: expected one of {', '.join(known)}")
    return path.read_text(encoding="utf-8").partition("\n")[2], params.load(path)


def text_of(name: str, survey: Survey, choices: Choices) -> str:
    """Return the corpus file, each line with what it means; nothing in it says where the corpus lies."""
    rates = sorted({round(sight.frame_rate, 3) for sight in survey.sights if sight.frame_rate})
    told = f", {rates[0]:g} to {rates[-1]:g} frames a second" if len(rates) > 1 else ""
    told = f", {rates[0]:g} frames a second" if len(rates) == 1 else told
    left_out = [
        f"    - {json.dumps(path)}  # {printable(' '.join(why.split()))[:200]}" for path, why in survey.unusable.items()
    ]
    emotions = _flow(choices.emotions)
    rate = "null" if choices.frame_rate is None else f"{choices.frame_rate:g}"
    first = "# number of a video's first frame in the CSV: 0 or 1"
    lines = [
        f"# {name}: {len(survey.sights)} {NAMES[survey.source]}, about {survey.frame_count:,} frames{told}, when "
        "`facespan new` saw it. Where it",
        "# lies stands in configs/places.yaml, which git ignores. All that can stand here: docs/corpora.md.",
        "reader: table",
        "facts:",
        f"  labels: {_flow([choices.labels])[1:-1]}  # in the corpus folder; {','.join(COLUMNS)}",
        "  folder: .                # where the videos lie, at any depth, below the corpus folder",
        f"  {f'source: {survey.source}':<24} # video | images | openface",
        f"  {f'first_frame: {survey.first_frame}':<24} {first}",
        f"  {f'frame_rate: {rate}':<24} # frames a second, where a source has no times; videos carry their own",
        "  # The words of the CSV. `{smile: positive, grin: positive}` instead makes classes of other words.",
        f"  emotions: {emotions}",
        "  allow_truncated: false   # true takes videos of which only the beginning decodes, with a row in the audit",
    ]
    if left_out:
        lines += [
            "  # What lies there and is no part of the corpus. Repair it, take out its line, add its row to the CSV.",
            "  leave_out:",
            *left_out,
        ]
    lines += [
        "# What a detector learns to name: take out what nobody shows, here and above.",
        f"classes: {emotions}",
        "",
        f"# Single values of configs/params.yaml that this corpus needs otherwise: preset {choices.preset}.",
        "overrides:",
        "  align:",
        f"    {_METHODS[choices.method]}",
        f"    method: {choices.method}",
        *(f"  {line}".rstrip() for line in preset(choices.preset)[0].splitlines()),
    ]
    return "\n".join(lines) + "\n"


def rows_to_fill(survey: Survey) -> list[tuple[str, ...]]:
    """Return a row for each video, with its subject where a sub-folder may name one: no expression is declared yet."""
    return [(sight.subject, sight.video, "", "", "", "") for sight in survey.sights]


def _flow(words: Sequence[str]) -> str:
    """Return words as a YAML list on one line, in quotation marks where they need them."""
    return yaml.safe_dump(list(words), default_flow_style=True, width=10_000, allow_unicode=True).strip()
