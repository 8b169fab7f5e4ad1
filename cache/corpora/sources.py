"""Discovery of a corpus' videos, and the kind of each: a video file, a folder of images, or OpenFace output."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.files import sha256_of
from cache.media import image_files, image_folders, video_files
from cache.openface import output as openface
from cache.tables.audit import AuditRow
from cache.tables.videos import SOURCES, Video


@dataclass(frozen=True)
class Source:
    """One video of a corpus as it lies on disk.

    Attributes:
        labels: ``(T,)`` strictly increasing numbers that the corpus gives to the frames.
        audit: what was repaired or ignored.
    """

    video: Video
    labels: NDArray[np.int64]
    audit: tuple[AuditRow, ...]


def find(folder: Path, kind: str) -> tuple[list[tuple[str, Path]], list[AuditRow]]:
    """Return ``(video id, path)`` of every video below a folder, sorted, and an audit of the files left out.

    The id is the stem of a video file or of OpenFace's CSV, or the name of a folder of images.

    Raises:
        InputError: no such folder, or an unknown kind of source.
    """
    if kind not in SOURCES:
        raise InputError(f"source is '{kind}'; expected one of {', '.join(SOURCES)}.")
    if not folder.is_dir():
        raise InputError(f"{folder} is missing or is no folder. Correct the folder of videos in the corpus file.")
    found: list[tuple[str, Path]] = []
    ignored: Counter[str] = Counter()
    for name, below, files in os.walk(folder):
        place = Path(name)
        below[:] = [entry for entry in below if not entry.startswith(".")]
        if kind == "video":
            taken = [file for file in files if _has_suffix(file, video_files.SUFFIXES)]
            found += [(Path(file).stem, place / file) for file in taken]
            ignored.update(Path(file).suffix for file in set(files) - set(taken))
        elif kind == "images" and any(_has_suffix(file, image_files.SUFFIXES) for file in files):
            found.append((place.name, place))
        elif kind == "openface":
            below[:] = [entry for entry in below if not entry.endswith(openface.ALIGNED)]
            found += [(stem, place / f"{stem}.csv") for stem in openface.stems(place)]
    return sorted(found), [
        AuditRow("ignored_files", "", "", before=f"{count} files '{suffix or 'without suffix'}'", note="not a video")
        for suffix, count in sorted(ignored.items())
    ]


def inspect(
    root: Path,
    path: Path,
    kind: str,
    *,
    video: str,
    subject: str,
    first_frame: int,
    frame_rate: float | None,
    allow_truncated: bool,
) -> Source:
    """Return what a video is, by decoding it or by looking at each of its images.

    Args:
        root: the corpus folder; `path` lies in it.
        first_frame: the number the annotation gives to the first frame of a video or of OpenFace output. Images carry
            their numbers in their names.
        frame_rate: for sources without timestamps.

    Raises:
        InputError: the source is damaged, or says less than needed.
    """
    if not path.is_relative_to(root):
        raise InputError(f"{path} lies outside the corpus folder {root}. Move it inside.")
    if kind == "video":
        facts = video_files.inspect(path, allow_truncated)
        size, rate, digest = (facts.width, facts.height), facts.frame_rate, sha256_of(path)
        labels = first_frame + np.arange(facts.frame_count, dtype=np.int64)
        audit = about_video(facts)
    elif kind == "openface":
        output = openface.read_folder(path, frame_rate=frame_rate)
        size, rate, digest = (output.width, output.height), output.frame_rate, output.source_digest
        labels = first_frame + np.arange(len(output), dtype=np.int64)
        audit = [AuditRow("openface_warning", "", "", note=warning) for warning in output.warnings]
    else:
        folder = image_folders.read_folder(path)
        size, rate, digest = (folder.width, folder.height), _known(path, frame_rate), folder.source_digest
        labels = folder.labels
        _check_first_label(path, int(labels[0]), first_frame)
        audit = [AuditRow("ignored_file", "", "", before=name, note="not an image") for name in folder.ignored]
    relative = path.relative_to(root).as_posix()
    count, first_label = len(labels), int(labels[0])
    found = Video(video, subject, relative, kind, count, rate, first_label, size[0], size[1], digest)
    return Source(found, labels, tuple(replace(row, video=video, subject=subject) for row in audit))


def _has_suffix(name: str, suffixes: tuple[str, ...]) -> bool:
    return not name.startswith(".") and name.lower().endswith(suffixes)


def about_video(facts: video_files.VideoFacts) -> list[AuditRow]:
    """Return what is odd about a video file that is taken all the same."""
    rows = []
    if facts.complaints:
        note = "parts of the file are damaged; the decoder guessed what they show"
        rows.append(
            AuditRow(
                "decoder_complained",
                "",
                "",
                before=" | ".join(facts.complaints[: video_files.MOST_COMPLAINTS]),
                note=note,
            )
        )
    if facts.frame_count < facts.header_count:
        note = "the file is cut" if facts.is_truncated else "headers are often a little off"
        before, after = str(facts.header_count), str(facts.frame_count)
        rows.append(AuditRow("fewer_frames_than_header", "", "", before=before, after=after, note=note))
    if not facts.has_timestamps:
        note = "the container's times do not increase"
        rows.append(AuditRow("time_from_frame_rate", "", "", after=str(facts.frame_rate), note=note))
    return rows


def _known(path: Path, frame_rate: float | None) -> float:
    if frame_rate is None or not 0 < frame_rate < float("inf"):
        raise InputError(f"{path}: images have no times. Give frame_rate, frames a second, in the corpus file.")
    return frame_rate


def _check_first_label(path: Path, first_label: int, first_frame: int) -> None:
    # An annotation from 0 beside images from 1 would be off by one in every row, and still look right.
    if first_label < first_frame or (first_frame, first_label) == (0, 1):
        raise InputError(
            f"{path}: the images are numbered from {first_label}, but first_frame is {first_frame}. Onsets name the "
            f"numbers of the images: set first_frame to {first_label}, or number both alike."
        )
