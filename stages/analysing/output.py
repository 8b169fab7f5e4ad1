"""What an analysis prints and writes: a table for people, CSV, JSON, and the score curves."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from cache import files
from cache.analysed import parts, records
from cache.analysed.records import AnalysedVideo
from cache.errors import InputError
from cache.media import suffixes
from stages.analysing.analysis import Kept
from stages.shell import console
from stages.shell.params import ParameterError

_HEADINGS = ("video", "person", "frames", "seconds", "emotion", "confidence")


def as_text(analysed: Sequence[AnalysedVideo]) -> str:
    """Return a table of all that was found, and a line that counts it; frames are inclusive, from 0."""
    rows = [row for video in analysed for row in video.found]
    seconds = sum(video.seconds for video in analysed)
    last = f"{len(rows)} found in {len(analysed)} {'video' if len(analysed) == 1 else 'videos'}, {seconds:,.1f} s"
    if not rows:
        return last
    told = [
        (
            row.video,
            str(row.person),
            f"{row.onset}-{row.offset}",
            f"{row.onset_seconds:.2f}-{row.offset_seconds:.2f}",
            row.emotion,
            f"{row.confidence:.3f}",
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *told, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (_HEADINGS, *told)
    ]
    return "\n".join([*lines, "", last])


def as_json(analysed: Sequence[AnalysedVideo]) -> str:
    """Return all that is known of each video, its rows among it."""
    return json.dumps([asdict(video) for video in analysed], indent=2)


def check_paths(csv: Path | None, curves: Path | None, page: Path | None, videos: Sequence[str]) -> None:
    """Refuse to write tables over anything but earlier ones.

    Args:
        page: the file of the page, where one is asked for.

    Raises:
        ParameterError: a path is a video, or two are the same.
        InputError: something that is no such table lies there.
    """
    taken = {os.path.realpath(video): f"the video {video}" for video in videos}
    if page is not None:
        taken[os.path.realpath(page)] = "the file of --page"
    for option, path, columns in (("--csv", csv, records.COLUMNS), ("--curves", curves, records.CURVE_COLUMNS)):
        if path is None:
            continue
        if (other := taken.get(os.path.realpath(path))) is not None:
            raise ParameterError(f"{option} {path} is {other}, which would be overwritten: expected a file of its own")
        if path.suffix.lower() in suffixes.VIDEOS:
            raise ParameterError(f"{option} {path} is called as a video is: expected the file of a table, as found.csv")
        _check_ours(path, columns)
        taken[os.path.realpath(path)] = f"the file of {option}"


def _check_ours(path: Path, columns: Sequence[str]) -> None:
    if not os.path.lexists(path):
        return
    head = ",".join(columns).encode()
    try:
        descriptor = files.open_regular(path, follow_links=False)
    except InputError as problem:
        raise InputError(f"{problem} It would be overwritten: give another path, or move it away.") from problem
    with os.fdopen(descriptor, "rb") as file:
        found = file.read(len(head))
    if found not in (head, b""):
        raise InputError(
            f"{path} does not begin with {head.decode()}, so it is no such table of facespan analyse and would be "
            "overwritten. Give another path, or move it away."
        )


def write_csv(path: Path, analysed: Sequence[AnalysedVideo]) -> None:
    """Write the rows of all videos; InputError where the disk refuses."""
    with files.write_atomically(path) as temporary:
        temporary.write_text(records.as_csv([row for video in analysed for row in video.found]), encoding="utf-8")


def write_curves(path: Path, kept: Sequence[Kept]) -> None:
    """Write the score of each emotion at each frame, of every video and person that was looked at, as one CSV.

    Raises:
        InputError: the disk refuses, or a kept curve is damaged.
        ShardError: kept frames are damaged.
    """
    with files.write_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        for number, each in enumerate(kept):
            stated = parts.read(each.frames)
            for place, person in enumerate(p.person for p in each.analysed.people if p.is_analysed):
                scores = records.curve(each.found, person)
                records.check_curve(scores, each.analysed, each.found)
                columns = parts.columns_of(each.frames, stated, person - 1)
                lines = records.curve_lines(each.analysed.video, person, columns, each.analysed.classes, scores)
                if number or place:
                    next(lines)  # the heading stands once
                file.writelines(lines)


def say(analysed: AnalysedVideo) -> None:
    """Tell what the user should know of a video."""
    for note in analysed.notes:
        console.say(f"analyse: {analysed.video}: {note}")
