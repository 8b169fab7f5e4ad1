"""The rows of a team's own annotation CSV, checked one by one; what is wrong with them is collected, not raised."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cache.corpora.annotations import Kind
from cache.errors import InputError
from cache.files import check_video_id
from cache.tables.intervals import KINDS
from cache.tables.schema import nearest

REQUIRED = ("subject", "video", "onset", "offset", "emotion")
OPTIONAL = ("apex", "kind")
DEFAULT_KIND: Kind = "macro"

# Spreadsheets that hold an empty cell in a column save its whole numbers as 12.0.
_WHOLE = re.compile(r"(-?[0-9]{1,15})(\.0+)?")


@dataclass(frozen=True)
class LabelRow:
    """One row as annotated.

    Attributes:
        row: the number that a spreadsheet shows.
        onset: first frame, by its label.
        apex: strongest frame, None where there is none.
        offset: last frame, inclusive.
        is_empty: declares a video without an expression; the numbers mean nothing then.
    """

    row: int
    subject: str
    video: str
    onset: int
    apex: int | None
    offset: int
    kind: Kind
    emotion: str
    is_empty: bool


def parse(
    rows: Iterable[tuple[int, Mapping[str, str]]], emotions: Mapping[str, str]
) -> tuple[list[LabelRow], list[str]]:
    """Return the rows without a problem, and a text for each problem.

    Args:
        rows: row number and the cells of `REQUIRED` and `OPTIONAL`.
        emotions: class of each emotion as written.
    """
    parsed, problems = [], []
    for row, cells in rows:
        found = list(_problems(cells, emotions))
        problems += [f"row {row}: {problem}" for problem in found]
        if not found:
            parsed.append(_label_row(row, cells, emotions))
    return parsed, problems + _repeated(parsed) + _two_subjects(parsed)


def _problems(cells: Mapping[str, str], emotions: Mapping[str, str]) -> list[str]:
    found = [f"{name} is empty: fill it in" for name in ("subject", "video") if not cells[name]]
    if cells["video"]:
        found += _id_problems(cells["video"])
    given = [name for name in ("onset", "offset", "emotion") if cells[name]]
    if not given and not cells["apex"]:
        return found
    if len(given) < 3:
        missing = ", ".join(name for name in ("onset", "offset", "emotion") if not cells[name])
        return [
            *found,
            f"{missing} is empty: fill it in, or empty the whole row to declare a video without expression",
        ]
    found += [
        f"{name} is '{cells[name]}': expected a whole number of frames"
        for name in ("onset", "apex", "offset")
        if cells[name] and _whole(cells[name]) is None
    ]
    found = found or _order_problems(cells)
    if cells["emotion"] not in emotions:
        known = ", ".join(sorted(emotions))
        found.append(f"emotion '{cells['emotion']}' is unknown{nearest(cells['emotion'], emotions)}; known: {known}")
    if cells["kind"] and cells["kind"] not in KINDS:
        found.append(f"kind '{cells['kind']}' is unknown{nearest(cells['kind'], KINDS)}; known: {', '.join(KINDS)}")
    return found


def _id_problems(video: str) -> list[str]:
    try:
        check_video_id(video)
    except InputError as error:
        return [str(error)]
    return []


def _order_problems(cells: Mapping[str, str]) -> list[str]:
    onset, apex, offset = (_whole(cells[name]) for name in ("onset", "apex", "offset"))
    if onset is None or offset is None:
        return []
    if offset < onset:
        return [f"offset {offset} is before onset {onset}: correct one of them"]
    if apex is not None and not onset <= apex <= offset:
        return [f"apex {apex} is not between onset {onset} and offset {offset}: correct it or leave it empty"]
    return []


def _whole(text: str) -> int | None:
    found = _WHOLE.fullmatch(text)
    return int(found.group(1)) if found else None


def _label_row(row: int, cells: Mapping[str, str], emotions: Mapping[str, str]) -> LabelRow:
    is_empty = not cells["onset"]
    return LabelRow(
        row=row,
        subject=cells["subject"],
        video=cells["video"],
        onset=_whole(cells["onset"]) or 0,
        apex=_whole(cells["apex"]),
        offset=_whole(cells["offset"]) or 0,
        kind="micro" if cells["kind"] == "micro" else DEFAULT_KIND,
        emotion="" if is_empty else emotions[cells["emotion"]],
        is_empty=is_empty,
    )


def _repeated(rows: Iterable[LabelRow]) -> list[str]:
    first: dict[tuple[object, ...], int] = {}
    problems = []
    for row in rows:
        key = (row.video, row.onset, row.offset, row.kind, row.emotion)
        earlier = first.setdefault(key, row.row)
        if earlier != row.row and not row.is_empty:
            problems.append(f"row {row.row}: repeats row {earlier}: delete one, or it is counted twice")
    return problems


def _two_subjects(rows: Iterable[LabelRow]) -> list[str]:
    first: dict[str, LabelRow] = {}
    problems = []
    for row in rows:
        earlier = first.setdefault(row.video, row)
        if earlier.subject != row.subject:
            problems.append(
                f"row {row.row}: video {row.video} has subject {row.subject}, but {earlier.subject} in row "
                f"{earlier.row}: a video shows one subject"
            )
    return problems
