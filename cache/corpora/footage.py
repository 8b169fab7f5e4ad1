"""The frames of one video of a corpus with workbooks: images or a video file, checked against what the corpus is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache.corpora import sources
from cache.corpora.annotations import CorpusFacts
from cache.corpora.problems import Problems, Said
from cache.errors import InputError
from cache.files import sha256_of
from cache.media import image_files, image_folders, images, video_files
from cache.tables.audit import VIDEO_FAILED, AuditRow
from cache.tables.videos import Video
from cache.troubles import alone

FIRST_LABEL = 1
# 29.97 is told as 30; 25 is not.
RATE_TOLERANCE = 0.01
_NUMBER = re.compile(r"(.*?)([0-9]{1,15})[^0-9]*", re.DOTALL)


@dataclass(frozen=True)
class Footage:
    """One video as it lies on disk.

    Attributes:
        video: with the count and the rate of the frames that are taken.
        labels: ``(F,)`` strictly increasing numbers of all recorded frames, also of those not taken.
    """

    video: Video
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Desk:
    """Problems and audit that every reader writes to while it looks at a corpus folder."""

    root: Path
    facts: CorpusFacts
    problems: Problems
    audit: list[AuditRow]


def is_video(place: Path) -> bool:
    """Return whether a directory entry may hold one video: a folder, or a video file."""
    return not place.name.startswith(".") and (place.is_dir() or place.suffix.lower() in video_files.SUFFIXES)


def take(place: Path, video: str, subject: str, desk: Desk) -> Footage | None:
    """Return the frames at a place; None after an audit row `VIDEO_FAILED` that says what is wrong with them."""
    own = replace(desk, problems=Problems(video))
    found, failed = None, dict[str, str]()
    with alone(video, failed):
        found = _images(place, video, subject, own) if place.is_dir() else _file(place, video, subject, own)
    for problem in failed.values():
        own.problems.tell(f"{place}: {problem}")
    if found is None:
        desk.audit.append(AuditRow(VIDEO_FAILED, video, subject, note="; ".join(own.problems.texts)))
        return None
    return _sampled(found, desk.facts.frame_step)


def _sampled(found: Footage, step: int) -> Footage:
    count = -(-len(found.labels) // step)
    taken = replace(found.video, frame_count=count, frame_rate=found.video.frame_rate / step, frame_step=step)
    return replace(found, video=taken)


def _file(place: Path, video: str, subject: str, desk: Desk) -> Footage | None:
    found = video_files.inspect(place)
    if abs(found.frame_rate / desk.facts.frame_rate - 1) > RATE_TOLERANCE:
        desk.problems.add(
            str(place),
            Said(f"{found.frame_rate:g} frames a second"),
            f"{desk.facts.frame_rate:g}",
            "It was converted: frame numbers no longer fit the labels. Take the corpus' own file.",
        )
        return None
    desk.audit.extend(replace(row, video=video, subject=subject) for row in sources.about_video(found))
    path, digest = place.relative_to(desk.root).as_posix(), sha256_of(place)
    labels = np.arange(FIRST_LABEL, FIRST_LABEL + found.frame_count, dtype=np.int64)
    count, rate = found.frame_count, found.frame_rate
    taken = Video(video, subject, path, "video", count, rate, FIRST_LABEL, found.width, found.height, digest)
    return Footage(taken, labels)


def _images(place: Path, video: str, subject: str, desk: Desk) -> Footage | None:
    by_label, ignored = _numbered(place)
    labels = np.array(sorted(by_label), dtype=np.int64)
    paths = [by_label[int(label)] for label in labels]
    if ignored:
        desk.audit.append(
            AuditRow(
                "ignored_file", video, subject, before=", ".join(ignored[:5]), note=f"{len(ignored)} are no images"
            )
        )
    if not _gaps_are_allowed(place, labels, video, subject, desk):
        return None
    if labels[0] != FIRST_LABEL:
        desk.audit.append(
            AuditRow("first_label", video, subject, before=str(labels[0]), note="not 1: numbers are kept")
        )
    width, height, digest = _look(place, paths, desk.facts)
    path = place.relative_to(desk.root).as_posix()
    rate = desk.facts.frame_rate
    return Footage(
        Video(video, subject, path, "images", len(labels), rate, int(labels[0]), width, height, digest), labels
    )


def _numbered(place: Path) -> tuple[Mapping[int, Path], list[str]]:
    by_label: dict[int, Path] = {}
    ignored, prefixes = [], set()
    for path in sorted(place.iterdir()):
        found = _NUMBER.fullmatch(path.stem)
        if path.suffix.lower() not in image_files.SUFFIXES or path.name.startswith("."):
            ignored.append(path.name)
        elif found is None:
            raise InputError(f"the image {path.name} has no number; remove it, or rename it")
        elif int(found.group(2)) in by_label:
            other = by_label[int(found.group(2))].name
            raise InputError(f"frame {int(found.group(2))} is there twice, {other} and {path.name}; remove one")
        else:
            by_label[int(found.group(2))] = path
            prefixes.add(found.group(1))
    if not by_label:
        raise InputError(f"no images ({', '.join(image_files.SUFFIXES)}); copy the folder again from the corpus")
    if len(prefixes) > 1:
        raise InputError(f"images of two videos, named {' and '.join(f'{one}*' for one in sorted(prefixes)[:2])}")
    return by_label, ignored


def _gaps_are_allowed(place: Path, labels: NDArray[np.int64], video: str, subject: str, desk: Desk) -> bool:
    """Note where numbers are missing between the first and the last: as a problem, or in the audit."""
    after = np.flatnonzero(np.diff(labels) > 1)
    if len(after) == 0:
        return True
    gaps = [(int(labels[i]) + 1, int(labels[i + 1]) - 1) for i in after]
    missing = sum(last - first + 1 for first, last in gaps)
    said = ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in gaps[:5])
    said += ", ..." if len(gaps) > 5 else ""
    if desk.facts.gaps == "keep":
        desk.audit.append(AuditRow("frame_gaps", video, subject, before=said, note=f"{missing} numbers missing, kept"))
        return True
    desk.problems.add(
        str(place),
        Said(f"no frames {said} ({missing} missing)"),
        f"every number from {labels[0]} to {labels[-1]}",
        "Copy the folder again from the corpus, or set gaps: keep in the corpus file.",
    )
    return False


def _look(place: Path, paths: list[Path], facts: CorpusFacts) -> tuple[int, int, str]:
    if facts.digest == "contents":
        folder = image_folders.read_folder(place)
        return folder.width, folder.height, folder.source_digest
    sample = {path.name: _size(path) for path in (paths[0], paths[len(paths) // 2], paths[-1])}
    if len(set(sample.values())) > 1:
        sizes = ", ".join(f"{name} {width} x {height}" for name, (height, width) in sample.items())
        raise InputError(f"images of different sizes ({sizes}); the images of one video have one size")
    height, width = sample[paths[0].name]
    return width, height, image_files.digest_of((path.name, str(path.stat().st_size)) for path in paths)


def _size(path: Path) -> tuple[int, int]:
    try:
        return images.image_size(path.read_bytes())
    except InputError as error:
        raise InputError(f"{path.name}: {error}; copy it again from the corpus") from error
