"""One path from a corpus' label file to its three tables, and the readers of corpora by the names that files give them.

A label file becomes rows with named cells (`rows`), these become annotations, repaired or refused (`repairs`), the
videos are found and looked at (`footage`), and annotations become intervals of positions in them (`positions`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from cache.corpora import casme2, casme3, footage, positions, samm_lv, table
from cache.corpora.annotations import Annotation, Labels, note
from cache.corpora.footage import Footage, Location, ReadContext
from cache.corpora.rows import Problems
from cache.tables.audit import EXPRESSION_OF_FAILED, OF_FAILED, VIDEO_FAILED, AuditRow
from cache.tables.intervals import Expression
from cache.tables.videos import Video
from cache.troubles import alone

Tables = tuple[list[Video], list[Expression], list[AuditRow]]


def _as_they_are(_: Path, facts: Any) -> tuple[Any, str]:
    return facts, ""


@dataclass(frozen=True)
class Reader:
    """What is a corpus' own on the path.

    Attributes:
        facts: what its corpus file says, with `labels`, the label file relative to the corpus folder.
        labels: the label file -> annotations; what is wrong is noted.
        locate: the corpus folder and its labels -> where each video lies, by video; what is wrong is noted.
        inspect: a location -> the frames there; InputError when that one video cannot be read.
        place: an annotation and the frames of its video -> an expression; None when that is noted as wrong.
        countable: the label file -> the facts by which it can be counted by itself, and what is missing then.
        folders: facts that name folders of footage, which must lie in the corpus folder.
        told_of: what a message about all that is wrong begins with.
    """

    facts: type[Any]
    labels: Callable[[Path, Any, Problems], Labels]
    locate: Callable[[Labels, ReadContext[Any]], Mapping[str, Location]]
    inspect: Callable[[Location, ReadContext[Any]], Footage] = footage.inspect
    place: Callable[[Annotation, Footage, ReadContext[Any]], Expression | None] = positions.place
    countable: Callable[[Path, Any], tuple[Any, str]] = _as_they_are
    folders: tuple[str, ...] = ("frames",)
    told_of: Literal["corpus", "label file"] = "corpus"


READERS = {
    "casme2": Reader(casme2.Facts, casme2.labels, casme2.locate),
    "casme3": Reader(
        casme3.Facts,
        casme3.labels,
        casme3.locate,
        countable=casme3.countable,
    ),
    "samm_lv": Reader(samm_lv.Facts, samm_lv.labels, samm_lv.locate),
    "table": Reader(
        table.TableFacts,
        table.labels,
        table.locate,
        table.inspect,
        table.place,
        folders=("folder",),
        told_of="label file",
    ),
}


def read(reader: Reader, root: Path, facts: Any) -> Tables:
    """Return videos by id, expressions by video, start, stop and row, and the audit of a corpus in a folder.

    A video that cannot be read is left out with its expressions, each with a row in the audit (`audit.failures`).

    Raises:
        InputError: everything that is wrong with labels and folders, or no video at all can be read.
    """
    path = root / facts.labels
    problems = Problems(str(root if reader.told_of == "corpus" else path))
    context = ReadContext(root, facts, problems, [])
    labels = reader.labels(path, facts, problems)
    locations = reader.locate(labels, context)
    found, failed = _inspect(reader, locations, context)
    expressions = [
        expression
        for annotation in labels.used
        if annotation.video in found
        for expression in [reader.place(annotation, found[annotation.video], context)]
        if expression is not None
    ]
    if problems or not found:
        for problem in failed.values():
            problems.tell(problem)
        problems.stop()
    left_out = [note(EXPRESSION_OF_FAILED, one, note=OF_FAILED) for one in labels.used if one.video in failed]
    silent = _without_expressions(labels, {video: locations[video] for video in found})
    return (
        [one.video for one in found.values()],
        sorted(expressions, key=lambda one: (one.video, one.start, one.stop, one.row)),
        [*labels.audit, *context.audit, *left_out, *silent],
    )


def read_labels(reader: Reader, path: Path, facts: Any) -> Labels:
    """Return what a label file says by itself, without a look at the videos; InputError with everything wrong in it."""
    countable, missing = reader.countable(path, facts)
    problems = Problems(str(path))
    labels = reader.labels(path, countable, problems)
    problems.stop()
    return replace(labels, audit=(*labels.audit, *_declared(labels)), missing=missing)


def check_names(reader: Reader, root: Path, labels: Labels, facts: Any) -> None:
    """Raise InputError with all that is wrong between labels and the names of videos; no video is opened."""
    problems = Problems(str(root / facts.labels))
    reader.locate(labels, ReadContext(root, facts, problems, []))
    problems.stop()


def _inspect(
    reader: Reader, locations: Mapping[str, Location], context: ReadContext[Any]
) -> tuple[dict[str, Footage], dict[str, str]]:
    """Return the videos that can be read, by id, and what is wrong with each of the others."""
    found, failed = dict[str, Footage](), dict[str, str]()
    for video, location in sorted(locations.items()):
        with alone(video, failed):
            found[video] = reader.inspect(location, context)
        if video in failed:
            context.audit.append(AuditRow(VIDEO_FAILED, video, location.subject, note=failed[video]))
    return found, failed


def _without_expressions(labels: Labels, locations: Mapping[str, Location]) -> list[AuditRow]:
    """Return, of the videos at these locations, what has no expression: declared so by a row, or named by none."""
    named = {one.video for one in (*labels.found, *labels.silent)}
    unnamed = [location for video, location in locations.items() if video not in named]
    own = replace(
        labels,
        found=tuple(one for one in labels.found if one.video in locations),
        silent=tuple(one for one in labels.silent if one.video in locations),
    )
    rule, why = "video_without_expressions", "no row names it: kept"
    return [*_declared(own), *(AuditRow(rule, one.video, one.subject, note=why) for one in unnamed)]


def _declared(labels: Labels) -> list[AuditRow]:
    """Return what rows declare to have no expression: videos, subjects, and rows that others contradict."""
    videos = {one.video for one in labels.found}
    rows = [
        note("contradicted_row", one, note="declares no expression; other rows do")
        if one.video in videos
        else note("video_without_expressions", one, note="kept")
        for one in labels.silent
    ]
    subjects = sorted({one.subject for one in labels.silent} - {one.subject for one in labels.found})
    return rows + [AuditRow("subject_without_expressions", "", subject, note="kept") for subject in subjects]
