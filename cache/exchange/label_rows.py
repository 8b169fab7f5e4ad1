"""The label CSV of a `table` corpus, with what coders say put into it: rows that nobody changed stay as they were."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cache.corpora import positions, table
from cache.corpora.annotations import Annotation
from cache.corpora.rows import Problems
from cache.corpora.table import TableFacts
from cache.errors import InputError
from cache.exchange import clocks
from cache.exchange.returned import Corrected
from cache.exchange.tiers import TieredVideo, TierInterval
from cache.files import write_atomically
from cache.tables.audit import NO_ROW, AuditRow
from cache.tables.intervals import NO_APEX, Expression

HEADER = ("subject", "video", "onset", "apex", "offset", "emotion", "kind")
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class LabelRow:
    """One row of the CSV.

    Attributes:
        cells: as they stand, by column.
        number: as a spreadsheet shows it; 0 of a row that is new.
        interval: what it annotates; None where it declares a video without expressions, or a video that is not here.
    """

    cells: Mapping[str, str]
    number: int
    interval: TierInterval | None


@dataclass(frozen=True)
class LabelRows:
    """A label CSV.

    Attributes:
        words: what this CSV calls each class.
        start: what the file begins with, of a spreadsheet's own.
        line_end: how its lines end.
    """

    header: tuple[str, ...]
    rows: tuple[LabelRow, ...]
    words: Mapping[str, str]
    start: str = ""
    line_end: str = "\n"


def read(path: Path, facts: TableFacts, videos: Mapping[str, TieredVideo]) -> LabelRows:
    """Return the rows of a corpus' CSV; of videos that are not known, the cells alone.

    Raises:
        InputError: what is wrong with the rows, as `index` says it.
    """
    problems = Problems(str(path))
    found = table.labels(path, facts, problems)
    problems.stop()
    annotations = {one.row: one for one in found.found}
    text = path.read_bytes().decode()
    start = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    lines = list(csv.reader(io.StringIO(text.removeprefix(start), newline="")))
    header = tuple(name.strip() for name in lines[0])
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise InputError(f"{path} has two columns called {twice[0]!r}: rename one, so that both can be kept")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in line):
            cells = dict(zip(header, line, strict=True))
            rows.append(LabelRow(cells, number, _interval(annotations.get(number), videos)))
    emotions = facts.emotions if isinstance(facts.emotions, Mapping) else {name: name for name in facts.emotions}
    words = {emotion: word for word, emotion in reversed(list(emotions.items()))}
    words |= {emotion: emotion for word, emotion in emotions.items() if word == emotion}
    return LabelRows(header, tuple(rows), words, start, "\r\n" if "\r\n" in text else "\n")


def of_tables(
    videos: Mapping[str, TieredVideo], expressions: Iterable[Expression], classes: Sequence[str]
) -> LabelRows:
    """Return the rows of a corpus that is read from elsewhere: one for each expression, and for a video without any."""
    by_video: dict[str, list[TierInterval]] = {name: [] for name in videos}
    for one in expressions:
        by_video[one.video].append(
            TierInterval(one.start, one.stop, one.emotion, one.kind, apex=one.apex, onset=one.onset, offset=one.offset)
        )
    empty = LabelRows(HEADER, (), {name: name for name in classes})
    rows = [
        _row(empty, videos[name], one)
        for name, found in by_video.items()
        for one in (sorted(found) if found else [None])
    ]
    return replace(empty, rows=tuple(rows))


def put(labels: LabelRows, corrected: Corrected) -> tuple[LabelRows, list[AuditRow]]:
    """Return the rows with what a coder says of a video, and a line of the audit for each that is not as it was.

    What the coder took out of what went out is removed, what is new is added, and of these two, those that share frames
    are one row that was changed. A row that others wrote meanwhile is kept.
    """
    video, said = corrected.video, set(corrected.expressions)
    if "kind" not in labels.header and any(one.kind == "micro" for one in said):
        labels = replace(labels, header=(*labels.header, "kind"))
    held = {row.interval for row in labels.rows if row.interval is not None and _is_of(row, video)}
    gone = sorted((corrected.truth or frozenset()) - said)
    new = sorted(said - held - (corrected.truth or frozenset()))
    audit = [_note("expression_gone_before", corrected, None, one, None) for one in gone if one not in held]
    changed = _pairs([one for one in gone if one in held], new)
    rows: list[LabelRow] = []
    for row in labels.rows:
        if not _is_of(row, video) or row.interval is None or row.interval not in gone:
            rows.append(row)
        elif (now := changed.get(row.interval)) is not None:
            after = _where_moved(row.interval, now)
            rows.append(_changed(labels, row, after, video))
            audit.append(_note("expression_changed", corrected, row, row.interval, after))
        else:
            audit.append(_note("expression_removed", corrected, row, row.interval, None))
    added = [one for one in new if one not in changed.values()]
    audit += [_note("expression_added", corrected, None, None, one) for one in added]
    rows += [_row(labels, video, one) for one in added]
    return replace(labels, rows=tuple(_declared(labels, rows, video))), audit


def write(path: Path, labels: LabelRows) -> None:
    """Write the CSV; where a link stands, what it leads to. Errors as `write_atomically`."""
    with write_atomically(path.resolve()) as temporary:
        temporary.write_text(as_text(labels), encoding="utf-8", newline="")


def as_text(labels: LabelRows) -> str:
    """Return the CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=labels.line_end)
    writer.writerow(labels.header)
    writer.writerows([row.cells.get(name, "") for name in labels.header] for row in labels.rows)
    return labels.start + text.getvalue()


def _interval(annotation: Annotation | None, videos: Mapping[str, TieredVideo]) -> TierInterval | None:
    if annotation is None or annotation.video not in videos:
        return None
    video, onset, offset = videos[annotation.video], int(annotation.onset), int(annotation.offset)
    start, stop = positions.of_numbers(video.columns.frame_label, onset, offset, video.frame_step)
    return TierInterval(start, stop, str(annotation.emotion), annotation.kind, onset=onset, offset=offset)


def _pairs(gone: Sequence[TierInterval], new: Sequence[TierInterval]) -> dict[TierInterval | None, TierInterval]:
    """Return which new interval took the place of which that is gone: of those that share frames, the most first."""
    shared = [(one.shares_frames(other), -index, one, other) for index, one in enumerate(gone) for other in new]
    found: dict[TierInterval | None, TierInterval] = {}
    for frames, _, one, other in sorted(shared, reverse=True):
        if frames and one not in found and other not in found.values():
            found[one] = other
    return found


def _where_moved(before: TierInterval, after: TierInterval) -> TierInterval:
    """Return the interval after, with the annotated numbers of an onset or offset that a coder left where it was."""
    return replace(
        after,
        onset=before.onset if after.start == before.start else after.onset,
        offset=before.offset if after.stop == before.stop else after.offset,
    )


def _row(labels: LabelRows, video: TieredVideo, one: TierInterval | None) -> LabelRow:
    cells = dict.fromkeys(labels.header, "") | {"subject": video.subject, "video": video.video}
    return LabelRow(cells | (_cells(labels, video, one) if one else {}), 0, one)


def _changed(labels: LabelRows, row: LabelRow, after: TierInterval, video: TieredVideo) -> LabelRow:
    """Return a row with another interval; its apex stays where it still lies in it, and so do columns of others."""
    cells = {**row.cells, **_cells(labels, video, after)}
    apex = row.cells.get("apex", "").strip()
    if apex and int(cells["onset"]) <= float(apex) <= int(cells["offset"]):
        cells["apex"] = row.cells["apex"]
    return LabelRow(cells, row.number, after)


def _cells(labels: LabelRows, video: TieredVideo, one: TierInterval) -> dict[str, str]:
    onset, offset = clocks.numbers_of(video, one)
    strongest = None if one.apex == NO_APEX else int(video.columns.frame_label[one.apex])
    # The nearest taken frame may lie outside what was annotated, and an apex outside is refused.
    apex = str(strongest) if strongest is not None and onset <= strongest <= offset else ""
    cells = {"onset": str(onset), "offset": str(offset), "emotion": labels.words[one.emotion]}
    return (
        cells
        | ({"apex": apex} if "apex" in labels.header else {})
        | ({"kind": one.kind} if "kind" in labels.header else {})
    )


def _declared(labels: LabelRows, rows: list[LabelRow], video: TieredVideo) -> list[LabelRow]:
    """Return the rows with one that declares the video where it has no expression left, and none where it has some."""
    of_video = [row for row in rows if _is_of(row, video)]
    if not of_video:
        return [*rows, _row(labels, video, None)]
    if any(row.interval for row in of_video):
        return [row for row in rows if row.interval is not None or not _is_of(row, video)]
    return rows


def _is_of(row: LabelRow, video: TieredVideo) -> bool:
    return row.cells["video"].strip() == video.video


def _note(
    rule: str, corrected: Corrected, row: LabelRow | None, before: TierInterval | None, after: TierInterval | None
) -> AuditRow:
    video = corrected.video
    was, now = ("" if one is None else _text(one, video) for one in (before, after))
    note = ",".join(row.cells.values()) if row else corrected.expressions.get(after, "") if after else ""
    number = row.number if row else NO_ROW
    return AuditRow(rule, video.video, video.subject, number, before=was, after=now, note=note)


def _text(one: TierInterval, video: TieredVideo) -> str:
    onset, offset = clocks.numbers_of(video, one)
    return f"{onset}-{offset} {one.emotion}{'' if one.kind == 'macro' else f' {one.kind}'}"
