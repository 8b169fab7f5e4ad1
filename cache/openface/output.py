"""OpenFace 2.x output becomes aligned frames: one per frame of the video, the images byte for byte as they came.

OpenFace exits with 0 when its input was missing, cut or junk, and skips unknown options: only what lies on disk counts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cache.columns import FrameColumns
from cache.errors import InputError
from cache.files import sha256_of
from cache.media import image_files
from cache.openface import rows as openface_rows
from cache.openface import tracks as openface_tracks
from cache.openface.tracks import Track

SIZE = 224
FLAGS = "-simalign -simsize 224 -nomask -format_aligned png"
ALIGNED = "_aligned"
_IMAGE_NAME = re.compile(r"frame_det_([0-9]{1,6})_([0-9]{1,9})\.(bmp|jpg|jpeg|png)", re.IGNORECASE)


@dataclass(frozen=True)
class OpenFaceOutput:
    """What OpenFace wrote of one video of ``T`` frames, for one face.

    Attributes:
        stem: name of the CSV without its suffix.
        files: ``T`` paths; None where OpenFace wrote no image.
        columns: ``T`` times, labels from 1, whether there is a face, and its confidence (0 where there is no row).
        face: the `face_id` taken.
        frame_rate: mean frames a second.
        source_digest: over the CSV and all images, of all faces.
        warnings: what the user should know although the output is usable.
    """

    stem: str
    files: tuple[Path | None, ...]
    columns: FrameColumns
    width: int
    height: int
    face: int
    frame_rate: float
    source_digest: str
    warnings: tuple[str, ...]

    def __len__(self) -> int:
        """Return ``T``."""
        return len(self.files)

    def images(self) -> Iterator[bytes]:
        """Yield ``T`` encoded images as they lie on disk; a black one of the same size where there is none."""
        suffix = next(path.suffix for path in self.files if path is not None)
        black = cv2.imencode(suffix, np.zeros((self.height, self.width, 3), dtype=np.uint8))[1].tobytes()
        for path in self.files:
            yield black if path is None else path.read_bytes()


def stems(folder: Path) -> list[str]:
    """Return the stems of which a folder holds OpenFace output, sorted: one per video.

    Half of an output counts, a CSV or a folder of images, so that `read_folder` can say what is missing.

    Raises:
        InputError: no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is missing or is no folder. Give the folder that OpenFace wrote to (-out_dir).")
    tables = {path.stem for path in folder.glob("*.csv") if openface_rows.is_openface(path)}
    aligned = {path.name.removesuffix(ALIGNED) for path in folder.glob(f"*{ALIGNED}") if path.is_dir()}
    return sorted(tables | aligned)


def read_folder(
    folder_or_csv: Path, face: int | None = None, frame_rate: float | None = None, frame_count: int | None = None
) -> OpenFaceOutput:
    """Return one video's output, checked against itself and against the video.

    Args:
        folder_or_csv: a folder with the output of one video, or `<stem>.csv` of one among several.
        face: which `face_id` of several; None takes the face with the largest sum of size over its frames (of
            presence, when the CSV has neither landmarks nor `p_scale`).
        frame_rate: for output of an image folder (`-fdir`), whose timestamps are 0 throughout.
        frame_count: frames of the video by decoding; without it the last frame that the CSV names ends the video.

    Raises:
        InputError: CSV or images missing or damaged, counts that disagree, images of several sizes, no such face, or
            no usable times.
    """
    csv_path = _csv_path(folder_or_csv)
    track = openface_tracks.follow(csv_path, openface_rows.read(csv_path), face, frame_rate, frame_count)
    every_image = _find_images(csv_path)
    images_of_face = {frame: path for (number, frame), path in every_image.items() if number == track.face}
    _check_images(csv_path, track, images_of_face)
    files = tuple(images_of_face.get(int(label)) for label in track.columns.frame_label)
    written = [path for path in files if path is not None]
    found = image_files.inspect(written)
    digests = {path: sha256_of(path) for path in (csv_path, *(set(every_image.values()) - set(written)))}
    digests |= dict(zip(written, found.digests, strict=True))
    face_found = _found_faces(track, files, found.is_black)
    return OpenFaceOutput(
        stem=csv_path.stem,
        files=files,
        columns=replace(track.columns, face_found=face_found),
        width=found.width,
        height=found.height,
        face=track.face,
        frame_rate=track.frame_rate,
        source_digest=image_files.digest_of((path.name, digest) for path, digest in digests.items()),
        warnings=(*track.warnings, *_about_look(csv_path, files, face_found, found.width)),
    )


def _csv_path(folder_or_csv: Path) -> Path:
    if not folder_or_csv.is_dir():
        return folder_or_csv
    found = stems(folder_or_csv)
    if len(found) != 1:
        listed = f"output of {len(found)} videos ({', '.join(found[:5])}): give the CSV of one" if found else "none"
        raise InputError(f"{folder_or_csv}: expected <stem>.csv and <stem>{ALIGNED}/ of one video, found {listed}.")
    return folder_or_csv / f"{found[0]}.csv"


def _find_images(csv_path: Path) -> dict[tuple[int, int], Path]:
    """Return the images beside a CSV by face and frame."""
    folder = csv_path.with_name(csv_path.stem + ALIGNED)
    if not folder.is_dir():
        raise InputError(f"{csv_path} has no images beside it: {folder} is missing. Run FeatureExtraction with {FLAGS}")
    found: dict[tuple[int, int], Path] = {}
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file())
    for name in names:
        numbers = _IMAGE_NAME.fullmatch(name)
        if numbers is None:
            continue
        path, key = folder / name, (int(numbers.group(1)), int(numbers.group(2)))
        if key in found:
            raise InputError(
                f"{folder} has two images of face {key[0]} in frame {key[1]}: {found[key].name} and {path.name}. "
                "Two runs wrote into one folder: run FeatureExtraction again into an empty one."
            )
        found[key] = path
    if not found:
        raise InputError(f"{folder} holds no images (frame_det_00_000001.png). Run FeatureExtraction with {FLAGS}")
    return found


def _check_images(csv_path: Path, track: Track, by_frame: dict[int, Path]) -> None:
    """Refuse images without rows and rows without images, except the ones that -nobadaligned leaves out."""
    again = "OpenFace stopped early or files were lost: run FeatureExtraction again into an empty folder."
    counts = f"{csv_path}: face {track.face} has {int(track.has_row.sum())} rows and {len(by_frame)} images"
    rows = set((np.flatnonzero(track.has_row) + 1).tolist())
    successes = set((np.flatnonzero(track.columns.face_found) + 1).tolist())
    without_row = sorted(by_frame.keys() - rows)
    if without_row:
        raise InputError(f"{counts}; frame {without_row[0]} has an image and no row. {again}")
    without_image = sorted(successes - by_frame.keys())
    if without_image:
        raise InputError(
            f"{counts}; {len(without_image)} frames with success 1 have no image, the first is {without_image[0]}. "
            f"{again}"
        )
    failures = rows - successes
    lost = failures - by_frame.keys()
    if lost and lost != failures:
        raise InputError(
            f"{counts}; of {len(failures)} frames with success 0, {len(lost)} have no image, the first is {min(lost)}: "
            f"-nobadaligned leaves out all or none. {again}"
        )
    if not by_frame:
        raise InputError(f"{counts}: no frame shows it. Take another face, or another video.")


def _found_faces(track: Track, files: tuple[Path | None, ...], is_black: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return ``(T,)``: success, and an image that shows something."""
    shows_something = np.zeros(len(files), dtype=bool)
    shows_something[[path is not None for path in files]] = ~is_black
    return np.asarray(track.columns.face_found & shows_something, dtype=bool)


def _about_look(csv_path: Path, files: tuple[Path | None, ...], face_found: NDArray[np.bool_], width: int) -> list[str]:
    """Return a warning for images made without the flags that FEDN needs."""
    faults = []
    if width != SIZE:
        faults.append(f"{width} px wide, not {SIZE}")
    if _are_masked([path for path, found in zip(files, face_found, strict=True) if found and path is not None]):
        faults.append("masked (black outside the face)")
    if not faults:
        return []
    return [f"{csv_path.name}: images are {' and '.join(faults)}. Better: run FeatureExtraction with {FLAGS}"]


def _are_masked(paths: list[Path]) -> bool:
    """Return whether both lower corners are black in each of up to 16 images; a mask hides what is beside the chin."""
    if not paths:
        return False
    for path in paths[:: max(1, len(paths) // 16)][:16]:
        rgb = image_files.decode(path)
        corner = max(1, len(rgb) // 16)
        if max(rgb[-corner:, :corner].max(), rgb[-corner:, -corner:].max()) > image_files.BLACK:
            return False
    return True
