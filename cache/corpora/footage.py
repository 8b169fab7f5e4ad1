"""Where the videos of a corpus lie, and which frames each has: a video file, or images with numbers in their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from cache.corpora.annotations import Annotation, CorpusFacts
from cache.corpora.rows import Problems, Said
from cache.errors import InputError
from cache.files import sha256_of
from cache.media import image_files, image_folders, images, video_files
from cache.tables.audit import AuditRow
from cache.tables.videos import Video

Facts_co = TypeVar("Facts_co", covariant=True)

FIRST_LABEL = 1
# 29.97 is told as 30; 25 is not.
RATE_TOLERANCE = 0.01


@dataclass(frozen=True)
class ReadContext(Generic[Facts_co]):
    """What is known while a corpus is read, and where each step writes what is wrong and what it repaired or left out.

    Attributes:
        root: the corpus folder.
    """

    root: Path
    facts: Facts_co
    problems: Problems
    audit: list[AuditRow]


@dataclass(frozen=True)
class Location:
    """Where the frames of one video lie, and whose they are."""

    video: str
    subject: str
    path: Path


@dataclass(frozen=True)
class Footage:
    """The frames of one video.

    Attributes:
        video: with the count and the rate of the frames that are taken.
        labels: ``(F,)`` strictly increasing numbers of all recorded frames, also of those not taken.
    """

    video: Video
    labels: NDArray[np.int64]


def frames_folder(context: ReadContext[CorpusFacts]) -> Path:
    """Return the folder of frames; InputError says what lies beside when there is none."""
    root, folder = context.root, context.root / context.facts.frames
    if folder.is_dir():
        return folder
    beside = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    raise InputError(
        f"{folder} is missing: the frames of the corpus are expected there. {root} holds "
        f"{', '.join(beside) or 'no folders'}. Set `frames` in the corpus file, or copy the frames."
    )


def is_video(path: Path) -> bool:
    """Return whether a directory entry may hold one video: a folder, or a video file."""
    return not path.name.startswith(".") and (path.is_dir() or path.suffix.lower() in video_files.SUFFIXES)


def ignored(path: Path, context: ReadContext[object]) -> None:
    """Write to the audit that a folder or video among the corpus' own is left alone."""
    context.audit.append(AuditRow("ignored_folder", "", "", before=path.relative_to(context.root).as_posix()))


def by_video(
    locations: Iterable[Location], annotations: Sequence[Annotation], context: ReadContext[CorpusFacts]
) -> dict[str, Location]:
    """Return the locations by video; noted are videos found twice, annotated ones not found, too many without a row."""
    found: dict[str, Location] = {}
    for location in locations:
        other = found.setdefault(location.video, location)
        if other is not location:
            beside = Said(f"{location.video} a second time, beside {other.path.relative_to(context.root).as_posix()}")
            context.problems.add(str(location.path), beside, "each video once", "Remove one.")
    _check_all_there(found, annotations, context)
    silent = sorted(set(found) - {annotation.video for annotation in annotations})
    known = context.facts.unlabelled_videos
    if known != "any" and len(silent) > known:
        context.problems.add(
            str(context.root / context.facts.frames),
            Said(f"{len(silent)} videos without a row in {context.facts.labels} ({', '.join(silent[:10])})"),
            f"at most {known}",
            "Remove what is not of the corpus, or set unlabelled_videos in the corpus file.",
        )
    return found


def _check_all_there(
    found: dict[str, Location], annotations: Sequence[Annotation], context: ReadContext[CorpusFacts]
) -> None:
    subjects = {location.subject for location in found.values()}
    said = set[str]()
    for annotation in annotations:
        if annotation.video in found:
            continue
        is_subject_there = annotation.subject in subjects
        what = f"video {annotation.video}" if is_subject_there else f"subject {annotation.subject}"
        if what not in said:
            context.problems.add(
                f"{context.facts.labels}, row {annotation.row}",
                Said(f"no frames of {what}"),
                f"them below {context.root / context.facts.frames}",
                "Copy the folder again from the corpus.",
            )
        said.add(what)


def inspect(location: Location, context: ReadContext[CorpusFacts]) -> Footage:
    """Return the frames of a video, of which every `frame_step`-th is taken; what is odd about them goes to the audit.

    Raises:
        InputError: the video is damaged, of another frame rate, or lacks frames that may not be missing.
    """
    if location.path.is_dir():
        return _of_images(location, context)
    facts = context.facts
    return of_file(location, context, FIRST_LABEL, frame_rate=facts.frame_rate, frame_step=facts.frame_step)


def of_file(
    location: Location,
    context: ReadContext[object],
    first_label: int,
    *,
    frame_rate: float | None = None,
    frame_step: int = 1,
    allow_truncated: bool = False,
) -> Footage:
    """Return the frames of a video file, numbered from `first_label`.

    Raises:
        InputError: it does not decode to its end, or has another rate than `frame_rate`, if one is given.
    """
    found = video_files.inspect(location.path, allow_truncated)
    if frame_rate is not None and abs(found.frame_rate / frame_rate - 1) > RATE_TOLERANCE:
        raise InputError(
            f"{location.path}: found {found.frame_rate:g} frames a second, expected {frame_rate:g}. "
            "It was converted: frame numbers no longer fit the labels. Take the corpus' own file."
        )
    context.audit.extend(_about_file(found, location))
    labels = np.arange(first_label, first_label + found.frame_count, dtype=np.int64)
    size, digest = (found.width, found.height), sha256_of(location.path)
    return taken(location, context.root, "video", labels, found.frame_rate, size, digest, frame_step)


def taken(
    location: Location,
    root: Path,
    source: str,
    labels: NDArray[np.int64],
    frame_rate: float,
    size: tuple[int, int],
    digest: str,
    frame_step: int = 1,
) -> Footage:
    """Return the footage of which every `frame_step`-th frame is taken.

    Args:
        source: one of `videos.SOURCES`.
        labels: ``(F,)`` numbers of all recorded frames.
        frame_rate: of all recorded frames.
        size: width and height.
    """
    if not location.path.is_relative_to(root):
        raise InputError(f"{location.path} lies outside the corpus folder {root}. Move it inside.")
    video = Video(
        video=location.video,
        subject=location.subject,
        path=location.path.relative_to(root).as_posix(),
        source=source,
        frame_count=-(-len(labels) // frame_step),
        frame_rate=frame_rate / frame_step,
        first_label=int(labels[0]),
        width=size[0],
        height=size[1],
        source_digest=digest,
        frame_step=frame_step,
    )
    return Footage(video, labels)


def _about_file(facts: video_files.VideoFacts, location: Location) -> list[AuditRow]:
    """Return what is odd about a video file that is taken all the same."""
    about = location.video, location.subject
    rows = []
    if facts.complaints:
        before = " | ".join(facts.complaints[: video_files.MOST_COMPLAINTS])
        note = "parts of the file are damaged; the decoder guessed what they show"
        rows.append(AuditRow("decoder_complained", *about, before=before, note=note))
    if facts.frame_count < facts.header_count:
        note = "the file is cut" if facts.is_truncated else "headers are often a little off"
        before, after = str(facts.header_count), str(facts.frame_count)
        rows.append(AuditRow("fewer_frames_than_header", *about, before=before, after=after, note=note))
    if not facts.has_timestamps:
        note = "the container's times do not increase"
        rows.append(AuditRow("time_from_frame_rate", *about, after=str(facts.frame_rate), note=note))
    return rows


def _of_images(location: Location, context: ReadContext[CorpusFacts]) -> Footage:
    facts, about = context.facts, (location.video, location.subject)
    by_number, others = image_folders.by_number(location.path)
    labels = np.array(list(by_number), dtype=np.int64)
    if others:
        note = f"{len(others)} are no images"
        context.audit.append(AuditRow("ignored_file", *about, before=", ".join(others[:5]), note=note))
    _check_gaps(labels, location, context)
    if labels[0] != FIRST_LABEL:
        note = "not 1: numbers are kept"
        context.audit.append(AuditRow("first_label", *about, before=str(labels[0]), note=note))
    size, digest = _look(location.path, list(by_number.values()), facts)
    return taken(location, context.root, "images", labels, facts.frame_rate, size, digest, facts.frame_step)


def _check_gaps(labels: NDArray[np.int64], location: Location, context: ReadContext[CorpusFacts]) -> None:
    """Tell where numbers are missing between the first and the last: in the audit, or as an InputError."""
    after = np.flatnonzero(np.diff(labels) > 1)
    if len(after) == 0:
        return
    gaps = [(int(labels[i]) + 1, int(labels[i + 1]) - 1) for i in after]
    missing = sum(last - first + 1 for first, last in gaps)
    said = ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in gaps[:5])
    said += ", ..." if len(gaps) > 5 else ""
    if context.facts.gaps == "refuse":
        raise InputError(
            f"{location.path}: found no frames {said} ({missing} missing), expected every number from {labels[0]} to "
            f"{labels[-1]}. Copy the folder again from the corpus, or set gaps: keep in the corpus file."
        )
    note = f"{missing} numbers missing, kept"
    context.audit.append(AuditRow("frame_gaps", location.video, location.subject, before=said, note=note))


def _look(folder: Path, paths: Sequence[Path], facts: CorpusFacts) -> tuple[tuple[int, int], str]:
    """Return width and height of the images, and what stands for all of them."""
    if facts.digest == "contents":
        found = image_folders.read_folder(folder)
        return (found.width, found.height), found.source_digest
    sample = {path.name: _size(path) for path in (paths[0], paths[len(paths) // 2], paths[-1])}
    if len(set(sample.values())) > 1:
        sizes = ", ".join(f"{name} {width} x {height}" for name, (width, height) in sample.items())
        raise InputError(f"{folder}: images of different sizes ({sizes}); the images of one video have one size")
    return sample[paths[0].name], image_files.digest_of((path.name, str(path.stat().st_size)) for path in paths)


def _size(path: Path) -> tuple[int, int]:
    try:
        height, width = images.image_size(path.read_bytes())
    except InputError as error:
        raise InputError(f"{path}: {error}. Copy it again from the corpus.") from error
    return width, height
