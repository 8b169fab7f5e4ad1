"""The invented corpus on the disk: ordinary video files, a table of labels and a card that says how it was made."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cache import files
from cache.errors import InputError
from cache.tables import schema

FORMAT = 1
COLUMNS = ("subject", "video", "onset", "apex", "offset", "emotion")
QUALITY = 88  # of motion JPEG: below 85 the blocks are as strong as the camera noise
RECORDS, VIDEOS, LABELS, CARD = "records", "videos", "expressions.csv", "corpus.json"
STILLS = "faces.csv"


@dataclass(frozen=True)
class Label:
    """One annotated expression; frames 0-based and inclusive."""

    subject: str
    video: str
    onset: int
    apex: int
    offset: int
    emotion: str


@dataclass(frozen=True)
class DrawnVideo:
    """One video as it was written."""

    video: str
    subject: str
    frames: int
    key: str
    sha256: str


def key(facts: Mapping[str, Any]) -> str:
    """Return a digest of everything that a video depends on."""
    return hashlib.sha256(json.dumps({"format": FORMAT, **facts}, sort_keys=True).encode()).hexdigest()


def video_path(root: Path, video: str) -> Path:
    """Return where a video lies; motion JPEG, whose writer is part of every build of OpenCV."""
    return root / VIDEOS / f"{video}.avi"


def is_current(root: Path, video: str, expected_key: str) -> bool:
    """Return whether the video lies there as it was written, made from the same facts."""
    found = read_record(root, video)
    path = video_path(root, video)
    return found is not None and found.key == expected_key and path.is_file() and files.sha256_of(path) == found.sha256


def read_record(root: Path, video: str) -> DrawnVideo | None:
    """Return what is on record about a video; None when there is nothing, or nothing that can be read."""
    try:
        return DrawnVideo(**json.loads(_record_path(root, video).read_text(encoding="utf-8")))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError, TypeError):
        return None


def write_video(
    root: Path, video: str, subject: str, frames: Iterable[npt.NDArray[np.uint8]], frame_rate: float, facts_key: str
) -> DrawnVideo:
    """Write a video and, after it, its record.

    Args:
        frames: RGB pictures ``(H, W, 3)``, all of one size.

    Raises:
        InputError: the disk does not accept it, or the file holds other than the frames that were given.
    """
    path = video_path(root, video)
    with files.write_atomically(path) as temporary:
        # OpenCV writes to names with this ending only. What a killed run left under this one is overwritten.
        draft = path.with_name(f".{path.name}")
        try:
            count = _encode(draft, frames, frame_rate)
            if (found := _count(draft)) != count:
                raise InputError(f"{path}: {count} frames were written but {found} decode. Is the disk full?")
            temporary.write_bytes(draft.read_bytes())
        finally:
            draft.unlink(missing_ok=True)
    record = DrawnVideo(files.check_video_id(video), subject, count, facts_key, files.sha256_of(path))
    _write_json(_record_path(root, video), asdict(record))
    return record


def write_labels(root: Path, subjects: Mapping[str, str], labels: Sequence[Label]) -> None:
    """Write the table of expressions; a video without any has a row that says so.

    Args:
        subjects: subject of every video.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for video in sorted(subjects):
        own = sorted((label for label in labels if label.video == video), key=lambda label: label.onset)
        for label in own:
            writer.writerow([getattr(label, name) for name in COLUMNS])
        if not own:
            writer.writerow([subjects[video], video, "", "", "", ""])
    with files.write_atomically(root / LABELS) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def withdraw_card(root: Path) -> None:
    """Remove the card before videos change, so that no folder has one that is not true."""
    with files.explain_failures(root / CARD):
        (root / CARD).unlink(missing_ok=True)


def write_card(root: Path, records: Sequence[DrawnVideo], parameters: Mapping[str, Any]) -> None:
    """Write what the corpus is and how it was made; last, so that a folder that has the card is whole."""
    videos = {record.video: asdict(record) for record in sorted(records, key=lambda record: record.video)}
    _write_json(root / CARD, {"format": FORMAT, "parameters": dict(parameters), "videos": videos})


def remove_others(root: Path, videos: Iterable[str]) -> list[str]:
    """Remove videos that an earlier run with other parameters recorded; return their names. Foreign files stay."""
    files.sweep_temporaries(root)
    kept, removed = set(videos), []
    for path in sorted((root / RECORDS).glob("*.json")):
        if path.stem not in kept:
            video_path(root, path.stem).unlink(missing_ok=True)
            path.unlink()
            removed.append(path.stem)
    return removed


def write_stills(root: Path, stills: Iterable[tuple[str, str, npt.NDArray[np.uint8]]], quality: int = 95) -> int:
    """Write labelled RGB pictures and their table, and return how many.

    Args:
        root: gets `faces.csv` (path, label, subject) and a folder of JPEGs a label.
        stills: subject, label and picture of each.
    """
    rows: list[tuple[str, str, str]] = []
    for subject, label, picture in stills:
        path = root / label / f"{subject}_{len(rows):05d}.jpg"
        _, encoded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        with files.write_atomically(path) as temporary:
            temporary.write_bytes(encoded.tobytes())
        rows.append((path.relative_to(root).as_posix(), label, subject))
    schema.write_csv(root / STILLS, ("path", "label", "subject"), rows)
    return len(rows)


def write_sheet(path: Path, rows: Sequence[Sequence[npt.NDArray[np.uint8]]], quality: int = 74) -> None:
    """Write RGB pictures of one size, side by side and in rows, as one JPEG."""
    sheet = np.vstack([np.hstack(list(row)) for row in rows])
    _, encoded = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    with files.write_atomically(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def _record_path(root: Path, video: str) -> Path:
    return root / RECORDS / f"{video}.json"


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    with files.write_atomically(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _encode(path: Path, frames: Iterable[npt.NDArray[np.uint8]], frame_rate: float) -> int:
    writer, count = None, 0
    try:
        for frame in frames:
            if writer is None:
                size = (frame.shape[1], frame.shape[0])
                options = [cv2.VIDEOWRITER_PROP_QUALITY, QUALITY]
                writer = cv2.VideoWriter(
                    str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), frame_rate, size, options
                )
                if not writer.isOpened():
                    raise InputError(f"{path}: OpenCV cannot write motion JPEG here. Is there space in {path.parent}?")
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
            count += 1
    finally:
        if writer is not None:
            writer.release()
    return count


def _count(path: Path) -> int:
    video, count = cv2.VideoCapture(str(path)), 0
    try:
        while video.grab():
            count += 1
    finally:
        video.release()
    return count
