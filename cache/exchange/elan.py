"""ELAN's .eaf, out and back, by pympi: one file a video, a tier of its own for whatever shares frames with another.

The value of an annotation is a plain emotion of the controlled vocabulary; confidences stand in tiers that depend on
those of the detections. Every annotation has time slots of its own, so that moving one in ELAN moves no other.
"""

from __future__ import annotations

import json
import mimetypes
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.parsers import expat

import pympi

from cache import strict_json
from cache.errors import InputError
from cache.exchange import clocks, returned, tiers
from cache.exchange.returned import Mark, Returned
from cache.exchange.tiers import CORRECTIONS, DETECTIONS, Exported, TieredVideo, TierInterval

# A property of the file's header: which video it is of, and what the tiers of reference were.
PROPERTY = "facespan"
VOCABULARY, TYPE, DEPENDENT = "emotions", "emotion", "confidence"
LANGUAGE = ("und", "http://cdb.iso.org/lg/CDB-00130975-001", "undetermined (und)")
# The same intervals give the same bytes; ELAN writes the day when it saves.
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
NO_DATE = "1970-01-01T00:00:00+00:00"
# An annotation takes five.
MOST_ELEMENTS = 500_000


def write(videos: Sequence[TieredVideo], exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of a file for each video."""
    for video in videos:
        yield f"{video.video}.eaf", _document(video, exported)


def read(path: Path) -> list[Returned]:
    """Return the marks of a file.

    Raises:
        InputError: it is no XML, declares a document type or entities, or is no EAF as ELAN writes it.
    """
    _look(path)
    try:
        found = pympi.Eaf(path.absolute(), suppress_version_warning=True)
        marks, said = _marks(path, found), _said(found)
        media = [one.get("MEDIA_URL") or one.get("RELATIVE_MEDIA_URL") or "" for one in found.media_descriptors]
    except (KeyError, IndexError, ValueError, OverflowError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is no annotation document as ELAN writes it ({error!r}). Save it again in ELAN"
        ) from error
    names = (*((said["video"],) if said else ()), path.stem, *map(returned.stem, media))
    return [Returned(path.name, names, clocks.MILLISECONDS, marks, said["reference"] if said else None)]


def _document(video: TieredVideo, exported: Exported) -> bytes:
    eaf = _empty(exported.classes)
    if video.media is not None:
        place = Path(os.path.relpath(video.media.absolute(), exported.folder.absolute())).as_posix()
        kind = mimetypes.guess_type(video.media.name)[0] or "video/*"
        eaf.add_linked_file(place, relpath=f"./{place}", mimetype=kind)
    lanes = _lanes(video)
    clock = clocks.in_milliseconds(video.columns)
    eaf.add_property(PROPERTY, json.dumps({"video": video.video, "reference": returned.digest_of(video, clock)}))
    borders = sorted({(time, name, number, side) for name, lane in lanes.items() for number, one in enumerate(lane)
                      for side, time in enumerate(clock.say(one.start, one.stop))})  # fmt: skip
    slots = {border[1:]: eaf.generate_ts_id(border[0]) for border in borders}
    for name, lane in lanes.items():
        eaf.add_tier(name, TYPE, part=video.subject)
        dependent = f"{DEPENDENT} ({name})"
        if any(one.confidence is not None for one in lane):
            eaf.add_tier(dependent, DEPENDENT, parent=name, part=video.subject)
        for number, one in enumerate(lane):
            _add(eaf, name, dependent, one, (slots[name, number, 0], slots[name, number, 1]))
    text: bytes = pympi.Elan.to_string(eaf, encoding="UTF-8")
    return DECLARATION + text + b"\n"


def _empty(classes: Sequence[str]) -> Any:
    eaf = pympi.Eaf(author="facespan")
    eaf.adocument["DATE"] = NO_DATE
    eaf.header |= {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"}
    eaf.properties.clear()
    eaf.tiers.clear()
    eaf.linguistic_types.clear()
    eaf.maxts = eaf.maxaid = 1
    eaf.add_language(*LANGUAGE)
    eaf.add_controlled_vocabulary(VOCABULARY)
    eaf.add_cv_description(VOCABULARY, LANGUAGE[0], "the emotions of the corpus")
    for number, name in enumerate(classes):
        eaf.add_cv_entry(VOCABULARY, f"cveid{number}", [(name, LANGUAGE[0], None)])
    eaf.add_linguistic_type(TYPE)
    eaf.linguistic_types[TYPE]["CONTROLLED_VOCABULARY_REF"] = VOCABULARY
    eaf.add_linguistic_type(DEPENDENT, "Symbolic_Association", timealignable=False)
    return eaf


def _lanes(video: TieredVideo) -> dict[str, list[TierInterval]]:
    """Return what each tier of the file holds, by its name; corrections first, for a coder works there."""
    found = {}
    for tier in (CORRECTIONS, *(name for name in tiers.TIERS if name != CORRECTIONS and name in video.tiers)):
        for kind in video.kinds:
            marked = [one for one in video.tiers.get(tier, ()) if one.kind == kind]
            if kind == "micro" and tier in (DETECTIONS, tiers.BELOW):
                continue
            for number, lane in enumerate(tiers.in_lanes(marked)):
                found[tiers.lane_name(tier, kind, number)] = lane
    return found


def _add(eaf: Any, name: str, dependent: str, one: TierInterval, slots: tuple[str, str]) -> None:
    number = eaf.generate_annotation_id()
    eaf.annotations[number] = name
    eaf.tiers[name][0][number] = (*slots, one.emotion, None)
    if one.confidence is not None:
        below = eaf.generate_annotation_id()
        eaf.annotations[below] = dependent
        eaf.tiers[dependent][1][below] = (number, f"{one.confidence:.3f}", None, None)


def _look(path: Path) -> None:
    """Refuse what is no XML, declares a document type (and so entities), or has elements without end."""
    count = 0

    def refuse(*_: object) -> None:
        raise InputError(
            f"{path} declares a document type, which ELAN never does, and may hold entities. Save it in ELAN"
        )

    def element(*_: object) -> None:
        nonlocal count
        count += 1
        if count > MOST_ELEMENTS:
            raise InputError(f"{path} has more than {MOST_ELEMENTS} elements. Is it a file of annotations?")

    # With namespaces, as pympi's own parser: a prefix that nobody declared ends there in a bare Exception.
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartDoctypeDeclHandler, parser.StartElementHandler = refuse, element
    try:
        parser.Parse(returned.read_bytes(path), True)
    except (expat.ExpatError, ValueError) as error:
        raise InputError(f"{path} is no XML ({error}). Can ELAN open it?") from error


def _marks(path: Path, eaf: Any) -> dict[str, tuple[Mark, ...]]:
    """Return the marks by tier: of ours all lanes of one together, of others those that have times."""
    found: dict[str, list[Mark]] = {}
    for name, (aligned, dependent, attributes, _) in eaf.tiers.items():
        if dependent or attributes.get("PARENT_REF"):
            continue
        ours = tiers.tier_of(name)
        tier, kind = ours or (name, "macro")
        marks = found.setdefault(tier, [])
        for number, (first, last, value, _) in aligned.items():
            told = f"{path.name}, tier {name!r}, annotation {number}"
            begin, end = eaf.timeslots[first], eaf.timeslots[last]
            if begin is None or end is None:
                raise InputError(f"{told} ({value!r}) has no time. Give it one in ELAN")
            marks.append(Mark(float(begin), float(end), str(value), kind, told))
    return {tier: tuple(marks) for tier, marks in found.items()}


def _said(eaf: Any) -> dict[str, str] | None:
    """Return what our property says; None where there is none."""
    text = dict(eaf.properties).get(PROPERTY)
    if text is None:
        return None
    said = strict_json.parse(str(text))
    return {"video": str(said["video"]), "reference": str(said["reference"])}
