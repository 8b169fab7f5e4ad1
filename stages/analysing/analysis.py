"""The analysis of one video: what was found before is read; else it is aligned, encoded and searched, and kept.

Nothing here imports torch before something is to be made: an analysis that was made before takes a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.analysed import contents, parts, records
from cache.analysed.records import AnalysedVideo, Person
from cache.errors import InputError, ShardError
from cache.shards import layout
from stages.analysing import inputs, place
from stages.analysing.place import Place
from stages.analysing.request import Asked
from stages.parts import shard_folders
from stages.shell import console

if TYPE_CHECKING:
    from stages.analysing.search import Searcher

# Encoder and detectors are loaded, torch with them, while a video is aligned.
Loading = Callable[[], "Future[Searcher]"]
# Raised when the same video and detectors would give another table on purpose.
VERSION = 2


@dataclass(frozen=True)
class Kept:
    """An analysis, and where its parts lie.

    Attributes:
        frames: the folder of aligned faces.
        found: the folder of the record and the curves.
    """

    analysed: AnalysedVideo
    frames: Path
    found: Path


def analyse(given: str, asked: Asked, where: Place, loading: Loading) -> Kept:
    """Return the analysis of one video, made anew where it was not made before of the same content.

    Args:
        loading: begins to load what searches, when it is first needed.

    Raises:
        InputError: it is no video, or no face is seen in it; or the disk refuses, and then what is finished stays.
        ShardError: detectors and encoder do not belong together.
    """
    path = inputs.check(given)
    digest = contents.digest_of(path)
    with place.claimed(where, digest) as folder:
        method, found = _folders(folder, digest, asked)
        frames = folder / f"frames-{method[:16]}"
        known = None if asked.force else records.read(found, given)
        if known is not None and asked.with_frames and not _has_frames(frames, known):
            console.say(f"analyse: what was kept of the faces in {given} is damaged and made again")
            place.remove(frames)
            known = None
        if known is not None:
            return Kept(known, frames, found)
        with shard_folders.refusals():
            try:
                made = _make(path, given, folder, frames, found, method, asked, loading)
            except ShardError as problem:
                if not str(problem).startswith(str(folder)):
                    raise
                # All of it was made here, and of nothing but this video.
                console.say(f"analyse: {problem} What was kept of {given} is damaged and made again")
                place.remove(folder)
                made = _make(path, given, folder, frames, found, method, asked, loading)
        return Kept(made, frames, found)


def _folders(folder: Path, digest: str, asked: Asked) -> tuple[str, Path]:
    """Return the key of video and alignment, and the folder of what was found by all that decides it."""
    from stages.analysing import face_parts  # OpenCV

    method = layout.fingerprint({"video": digest, "alignment": face_parts.choose(asked.align).key})
    decides: dict[str, str | int] = {
        "frames": method,
        "face": asked.face,
        "threshold": str(asked.threshold),
        "device": asked.device,
        "version": VERSION,
        **_identities(asked),
    }
    return method, folder / f"found-{layout.fingerprint(decides)[:16]}"


def _has_frames(frames: Path, known: AnalysedVideo) -> bool:
    """Return whether all frames of the people who were looked at are there."""
    try:
        stated = parts.read(frames)
        if stated.frame_count != known.frames:
            return False
        for person in known.people:
            if person.is_analysed:
                parts.columns_of(frames, stated, person.person - 1)
    except (InputError, ShardError):
        return False
    return True


def _identities(asked: Asked) -> Mapping[str, str]:
    """Return what changes whenever parameters, encoders or detectors do, without reading the large ones."""
    small = [asked.configs / "params.yaml", *sorted((asked.configs / "corpora").glob("*.yaml"))]
    large = sorted((asked.configs / "weights").glob("*.safetensors"))
    if asked.detectors is not None:
        large += sorted(asked.detectors.glob("*.safetensors"))
        small.append(asked.detectors.resolve().parent / "figures.json")
    told = {str(path.resolve()): contents.digest_of(path) for path in small if path.is_file()}
    for path in large:
        found = path.stat()
        told[str(path.resolve())] = f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"
    return told


def _make(
    path: Path,
    given: str,
    folder: Path,
    frames: Path,
    found: Path,
    method: str,
    asked: Asked,
    loading: Loading,
) -> AnalysedVideo:
    from stages.analysing import face_parts

    chosen = face_parts.choose(asked.align)
    try:
        total = face_parts.length_of(path)
    except InputError as problem:
        raise inputs.refused(path, problem) from problem
    loaded = loading()
    with console.progress(f"analyse: {path.name}: align ({chosen.name})", total, "frames", asked.quiet) as advance:

        def go_on(units: int) -> None:
            if loaded.done():
                loaded.result()  # what refuses does so now, not after hours of alignment
            advance(units)

        stated = face_parts.align(path, frames, chosen, method, go_on)
    search = loaded.result()
    faces = face_parts.people_of(stated, asked.face)
    if not faces:
        raise InputError(
            f"no face is seen in any of the {stated.frame_count:,} frames of {given}: nothing can be found there. "
            "A face that is smaller than about a tenth of the picture, turned away or dark is not seen"
        )
    facts = stated.facts or {}
    features = folder / f"features-{layout.fingerprint({'frames': method, 'encoder': search.encoder.key})[:16]}"
    with console.progress(
        f"analyse: {path.name}: encode", stated.frame_count * len(faces), "frames", asked.quiet
    ) as advance:
        for face in faces:
            search.encoder.make(features, frames, stated, face, advance)
    told = [search.person(given, frames, features, stated, face) for face in faces]
    first, last = told[0].columns.pts_seconds[[0, -1]].tolist()
    analysed = AnalysedVideo(
        video=given,
        frames=stated.frame_count,
        frame_rate=float(facts["frame_rate"]),
        seconds=float(last - first),
        width=int(facts["width"]),
        height=int(facts["height"]),
        alignment=chosen.name,
        encoder=search.encoder_name,
        detector=search.told,
        threshold=search.threshold,
        classes=search.emotions,
        people=tuple(Person(face + 1, count, face in faces) for face, count in sorted(stated.seen.items()) if count),
        notes=tuple(_notes(facts, stated.seen, faces)),
        found=tuple(row for person in told for row in person.rows),
    )
    records.write(found, analysed, ((face + 1, person.curve) for face, person in zip(faces, told, strict=True)))
    return analysed


def _notes(facts: Mapping[str, Any], seen: Mapping[int, int], faces: Sequence[int]) -> list[str]:
    """Return what the user should know of a video that was analysed all the same."""
    notes = []
    if facts["is_truncated"]:
        notes.append(
            f"the file is cut: its header promises {facts['header_count']} frames, {facts['frame_count']} decode and "
            "were analysed"
        )
    if not facts["has_timestamps"]:
        notes.append(f"the times in the file do not increase: seconds are frames at {facts['frame_rate']:g} a second")
    others = [number for number, count in sorted(seen.items()) if count and number not in faces]
    if others:
        shown = [f"person {number + 1} in {count} frames" for number, count in sorted(seen.items()) if count]
        taken = ", ".join(str(face + 1) for face in faces)
        notes.append(f"{len(shown)} people are seen ({', '.join(shown)}): analysed is {taken}; --face all takes each")
    return notes
