"""Repair rules for annotations that cannot be taken as they stand, one function a rule, each recorded in the audit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from cache.corpora.annotations import Annotation, CorpusFacts, Labels, Number, Rules, differences, note
from cache.tables.audit import AuditRow
from cache.tables.intervals import NO_APEX

FRAMES_AFTER = 20


def settle(found: Sequence[Annotation], facts: CorpusFacts, audit: Iterable[AuditRow]) -> Labels:
    """Return the rows that are used, after every rule, with the audit so far continued.

    The order: select kinds, drop rows without an emotion, then fractions, apexes, offsets, empty intervals, overlaps.
    """
    rows = [*audit, *differences(found, facts)]
    used = []
    for annotation in found:
        repaired = _repair(annotation, facts, rows)
        if repaired is not None:
            used.append(repaired)
    return Labels(tuple(found), tuple(_overlaps(used, facts.rules, rows)), tuple(rows))


def _repair(annotation: Annotation, facts: CorpusFacts, audit: list[AuditRow]) -> Annotation | None:
    if annotation.kind not in facts.kinds:
        audit.append(note("kind_not_selected", annotation, "kind", annotation.kind))
        return None
    if annotation.emotion is None:
        # The reader has written why.
        return None
    annotation = _fractions(annotation, facts.rules, audit)
    annotation = _onset(annotation, audit)
    annotation = _apex(annotation, audit)
    ended = _offset(annotation, facts.rules, audit)
    if ended is None:
        return None
    if ended.offset < ended.onset:
        audit.append(
            note("interval_empty", ended, "offset", ended.offset, "", f"before the onset {ended.onset}: dropped")
        )
        return None
    length = ended.offset - ended.onset + 1
    if length > facts.rules.note_longer_than:
        audit.append(
            note("long_expression", ended, "", length, length, f"over {facts.rules.note_longer_than} frames, kept")
        )
    return ended


def _fractions(annotation: Annotation, rules: Rules, audit: list[AuditRow]) -> Annotation:
    whole: dict[str, Number] = {}
    for name, outward in (("onset", math.floor), ("apex", round), ("offset", math.ceil)):
        before: Number = getattr(annotation, name)
        if before != int(before):
            # Halves go up, so that two runs and two readers agree; Python would round 2.5 to 2 and 3.5 to 4.
            whole[name] = outward(before) if rules.fraction == "outward" else math.floor(before + 0.5)
            audit.append(note("fraction", annotation, name, before, whole[name], rules.fraction))
        else:
            whole[name] = int(before)
    return replace(annotation, onset=whole["onset"], apex=whole["apex"], offset=whole["offset"])


def _onset(annotation: Annotation, audit: list[AuditRow]) -> Annotation:
    if annotation.onset > 0:
        return annotation
    audit.append(note("onset_zero", annotation, "onset", annotation.onset, 0, "begins with the video's first frame"))
    return replace(annotation, onset=0)


def _apex(annotation: Annotation, audit: list[AuditRow]) -> Annotation:
    if annotation.apex > 0 and annotation.apex >= annotation.onset:
        return annotation
    rule = "apex_missing" if annotation.apex <= 0 else "apex_before_onset"
    audit.append(note(rule, annotation, "apex", annotation.apex, "", "used without an apex"))
    return replace(annotation, apex=NO_APEX)


def _offset(annotation: Annotation, rules: Rules, audit: list[AuditRow]) -> Annotation | None:
    rule, choice = "", ""
    if annotation.offset <= 0:
        rule, choice = "offset_zero", rules.offset_zero
        end = _end(annotation, choice)
    elif annotation.offset < annotation.apex:
        rule, choice = "offset_before_apex", rules.offset_before_apex
        if choice == "keep":
            audit.append(note(rule, annotation, "apex", annotation.apex, "", "keep: the offset is believed"))
            return replace(annotation, apex=NO_APEX)
        end = _end(annotation, choice)
    else:
        return annotation
    if end is None:
        why = "dropped" if choice == "drop" else f"{choice} needs an apex: dropped"
        audit.append(note(rule, annotation, "offset", annotation.offset, "", why))
        return None
    audit.append(note(rule, annotation, "offset", annotation.offset, end, choice))
    return replace(annotation, offset=end)


def _end(annotation: Annotation, choice: str) -> Number | None:
    if choice == "onset+20":
        return annotation.onset + FRAMES_AFTER
    if choice == "drop" or annotation.apex == NO_APEX:
        return None
    return annotation.apex + (FRAMES_AFTER if choice == "apex+20" else 0)


def _overlaps(annotations: Sequence[Annotation], rules: Rules, audit: list[AuditRow]) -> list[Annotation]:
    dropped: set[int] = set()
    ordered = sorted(range(len(annotations)), key=lambda i: (annotations[i].video, annotations[i].onset, i))
    for place, i in enumerate(ordered):
        if i in dropped:
            continue
        for j in ordered[place + 1 :]:
            first, second = annotations[i], annotations[j]
            if second.video != first.video or second.onset > first.offset:
                break
            if j not in dropped:
                audit.append(_overlap(first, second, rules))
                dropped |= {j} if rules.overlaps == "drop_later" else set()
    return [annotation for i, annotation in enumerate(annotations) if i not in dropped]


def _overlap(first: Annotation, second: Annotation, rules: Rules) -> AuditRow:
    rule = "shared_onset" if first.onset == second.onset else "overlap"
    interval = f"[{second.onset}, {second.offset}]"
    other = f"row {first.row} has [{first.onset}, {first.offset}]: {rules.overlaps}"
    return note(rule, second, "", interval, interval if rules.overlaps == "keep" else "", other)
