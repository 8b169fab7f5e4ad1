"""Annotations as label files state them: the choices of a corpus file, a row as annotated, and the rows used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from cache.tables.audit import AuditRow

Kind = Literal["macro", "micro"]
Number = int | float


@dataclass(frozen=True)
class Rules:
    """What is done with rows that cannot be taken as they stand.

    Attributes:
        offset_zero: an offset of 0 or less; `drop` also ends a row whose rule needs an apex that it lacks.
        offset_before_apex: an offset before the apex. `apex` ends the expression there; `keep` believes the offset.
        fraction: a frame number with a fraction: `outward` keeps all of the interval, `nearest` rounds.
        overlaps: two expressions of one video that share frames; `drop_later` keeps the one that begins first.
        note_longer_than: longer expressions, in frames as labelled, are kept and noted.
    """

    offset_zero: Literal["apex", "apex+20", "onset+20", "drop"]
    offset_before_apex: Literal["apex", "apex+20", "keep", "drop"]
    fraction: Literal["outward", "nearest"]
    overlaps: Literal["keep", "drop_later"]
    note_longer_than: int


@dataclass(frozen=True)
class Expected:
    """Totals of the genuine label file, before any row is repaired or dropped; None or empty is not compared.

    Attributes:
        macro_emotions: class map -> class -> number of macro-expressions.
    """

    macro: int | None
    micro: int | None
    subjects: int | None
    macro_emotions: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CorpusFacts:
    """The facts that the readers of corpora with workbooks share; paths are relative to the corpus folder.

    Attributes:
        labels: the label file.
        frames: the folder with the frames.
        frame_rate: of the recording, frames a second.
        frame_step: every how many recorded frames one is taken.
        label_set: which column of the label file says the emotion.
        class_map: which of `class_maps` is used.
        class_maps: name -> word in the label file -> class; null drops the row.
        kinds: which expressions are used.
        unlabelled_videos: how many videos without a row the corpus is known to have.
        gaps: what a number missing between the frames of a video means.
        digest: what stands for the images of a video: their names and sizes in bytes, or also their contents, which
            reads everything and looks at every image instead of three.
    """

    labels: str
    frames: str
    frame_rate: float
    frame_step: int
    label_set: str
    class_map: str
    class_maps: dict[str, dict[str, str | None]]
    kinds: tuple[Kind, ...]
    unlabelled_videos: int | Literal["any"]
    gaps: Literal["refuse", "keep"]
    digest: Literal["sizes", "contents"]
    rules: Rules
    expected: Expected

    @property
    def classes(self) -> dict[str, str | None]:
        """Return the class map in force."""
        return self.class_maps[self.class_map]

    def __post_init__(self) -> None:
        if not self.kinds or len(set(self.kinds)) != len(self.kinds):
            raise ValueError(f"kinds must name macro, micro or both once, found {list(self.kinds)}")
        if self.class_map not in self.class_maps:
            raise ValueError(f"class_map is {self.class_map!r}; expected one of {', '.join(self.class_maps)}")
        if self.frame_step < 1 or not self.frame_rate > 0:
            raise ValueError(
                f"frame_step must be 1 or more and frame_rate positive, found {self.frame_step}, {self.frame_rate}"
            )


@dataclass(frozen=True, slots=True)
class Annotation:
    """One row of a label file.

    Attributes:
        onset: number of the first frame, as labelled.
        apex: of the strongest frame; `NO_APEX` where none is annotated, or what is annotated cannot be one.
        offset: of the last frame, inclusive; 0 or less where it was not annotated.
        emotion: its class; None where the row is without.
        row: where it stands in the sheet, from 1.
    """

    video: str
    subject: str
    onset: Number
    apex: Number
    offset: Number
    kind: Kind
    emotion: str | None
    row: int


@dataclass(frozen=True)
class Labels:
    """A label file, read.

    Attributes:
        found: every row, before rules.
        used: the rows that become expressions, repaired, in the order of the file.
        audit: everything that was not taken as it stood.
        subjects: whom the label file lists by itself, with or without a row; empty where it has no such list.
        silent: rows that declare a video without an expression; their frame numbers and kinds mean nothing.
        missing: what could not be read for want of a file, in words; empty when all is there. Classes are then those of
            another label set than the corpus file's.
    """

    found: tuple[Annotation, ...]
    used: tuple[Annotation, ...]
    audit: tuple[AuditRow, ...]
    subjects: frozenset[str] = frozenset()
    silent: tuple[Annotation, ...] = ()
    missing: str = ""


def note(
    rule: str, annotation: Annotation, field: str = "", before: object = "", after: object = "", note: str = ""
) -> AuditRow:
    """Return the audit row about one annotation."""
    return AuditRow(rule, annotation.video, annotation.subject, annotation.row, field, str(before), str(after), note)


def differences(found: Iterable[Annotation], facts: CorpusFacts) -> list[AuditRow]:
    """Return one audit row `total_differs` for each total that is not the expected one."""
    rows = list(found)
    expected = facts.expected
    kinds = Counter(row.kind for row in rows)
    totals: list[tuple[str, int | None, int]] = [
        ("macro", expected.macro, kinds["macro"]),
        ("micro", expected.micro, kinds["micro"]),
        ("subjects", expected.subjects, len({row.subject for row in rows})),
    ]
    emotions: Mapping[str, int] = expected.macro_emotions.get(facts.class_map, {}) if "macro" in facts.kinds else {}
    counted = Counter(row.emotion for row in rows if row.kind == "macro")
    totals += [(f"macro {emotion}", count, counted[emotion]) for emotion, count in emotions.items()]
    return [
        AuditRow("total_differs", "", "", field=name, before=str(count), after=str(wanted), note="before: in the file")
        for name, wanted, count in totals
        if wanted is not None and wanted != count
    ]
