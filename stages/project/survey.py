"""What lies in a folder that is to become a corpus: videos, folders of images or OpenFace's output, at a first look.

No video is decoded to its end: `index` does that, and lists what is damaged further on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cache.corpora import table
from cache.errors import InputError
from cache.files import check_video_id
from cache.media import image_folders, images, video_files
from cache.openface import output as openface
from cache.openface import rows as openface_rows
from cache.troubles import alone
from stages.shell.params import ParameterError

NAMES = {"video": "video files", "images": "folders of images", "openface": "OpenFace outputs"}


@dataclass(frozen=True)
class Sight:
    """One video at a first look.

    Attributes:
        video: its id.
        path: the file, the folder of images, or OpenFace's CSV.
        frame_count: as a header promises it; 0 where nothing says.
        frame_rate: frames a second; 0 where nothing says.
        width: of a frame; 0 where nothing says.
        height: likewise.
        first_label: the number of the first image; 0 of a video, 1 of OpenFace's output.
        subject: the sub-folder that it lies in; empty where that says nothing of people.
    """

    video: str
    path: Path
    frame_count: int
    frame_rate: float
    width: int
    height: int
    first_label: int
    subject: str = ""


@dataclass(frozen=True)
class Survey:
    """What a folder holds.

    Attributes:
        source: a key of `NAMES`.
        sights: the videos that can be used, by id.
        unusable: path below the folder -> what is wrong with it.
    """

    source: str
    sights: tuple[Sight, ...]
    unusable: Mapping[str, str]

    @property
    def frame_count(self) -> int:
        """Frames of all videos together, as far as they are known."""
        return sum(sight.frame_count for sight in self.sights)

    @property
    def subjects(self) -> list[str]:
        """Sub-folders that may be people; none where a video lies in none."""
        return sorted({sight.subject for sight in self.sights if sight.subject})

    @property
    def first_frame(self) -> int:
        """The number of a video's first frame, 0 or 1."""
        return min(1, min(sight.first_label for sight in self.sights))


def look(folder: Path, labels: Path, asked: str | None) -> Survey:
    """Return what a folder holds.

    Args:
        labels: the label file, which may lie among the videos.
        asked: which of several kinds of material to take.

    Raises:
        InputError: there is nothing that can be read, or images that are numbered from 0 and from 1.
        ParameterError: an unknown kind, or several kinds, and nobody said which to take.
    """
    if asked is not None and asked not in NAMES:
        raise ParameterError(f"--source is {asked!r}, expected one of {', '.join(NAMES)}")
    found = {kind: _find(folder, kind, labels) for kind in ([asked] if asked else NAMES)}
    present = [kind for kind, places in found.items() if places]
    if not present:
        wanted = NAMES[asked] if asked else "neither video files nor folders of images nor OpenFace's output"
        suffixes = ", ".join(video_files.SUFFIXES)
        raise InputError(f"{folder} holds {'no ' if asked else ''}{wanted} ({suffixes}). Correct the path")
    if len(present) > 1:
        told = " and ".join(f"{len(found[kind])} {NAMES[kind]}" for kind in present)
        raise ParameterError(f"{folder} holds {told}: say which, --source {' or --source '.join(present)}")
    return _survey(folder, present[0], found[present[0]])


def _find(folder: Path, kind: str, labels: Path) -> list[tuple[str, Path]]:
    """Return ``(video id, path)`` of all of a kind; images that OpenFace aligned are its output, no images."""
    found = table.find(folder, kind, labels, [])
    if kind != "images":
        return found
    return [(video, path) for video, path in found if not _is_of_openface(path)]


def _is_of_openface(path: Path) -> bool:
    stem = path.name.removesuffix(openface.ALIGNED)
    return stem != path.name and openface_rows.is_openface(path.with_name(f"{stem}.csv"))


def _survey(folder: Path, kind: str, found: Sequence[tuple[str, Path]]) -> Survey:
    names, unusable, sights = Counter(video.casefold() for video, _ in found), dict[str, str](), list[Sight]()
    for video, path in found:
        below = path.relative_to(folder).as_posix()
        with alone(below, unusable):
            check_video_id(video)
            if names[video.casefold()] > 1:
                raise InputError(f"{names[video.casefold()]} have the name {video}, which would be one id. Rename them")
            sights.append(LOOKS[kind](video, path))
    # A corpus file is shared, and tells nobody where the corpus lies.
    unusable = {below: why.replace(f"{folder}/", "") for below, why in unusable.items()}
    if not sights:
        first = next(iter(unusable.items()))
        raise InputError(f"none of {len(found)} {NAMES[kind]} in {folder} can be used; {first[0]}: {first[1]}")
    if kind == "images":
        _refuse_two_numberings(sights)
    return Survey(kind, tuple(_with_subjects(folder, sights)), unusable)


def _refuse_two_numberings(sights: Sequence[Sight]) -> None:
    from_zero = [sight.video for sight in sights if sight.first_label == 0]
    if from_zero and len(from_zero) < len(sights):
        others = next(sight.video for sight in sights if sight.first_label)
        raise InputError(
            f"the images of {len(from_zero)} videos ({from_zero[0]}) are numbered from 0, those of others ({others}) "
            "are not: onsets would not mean the same. Renumber them, or make two corpora"
        )


def _with_subjects(folder: Path, sights: Sequence[Sight]) -> list[Sight]:
    """Return videos with the first sub-folder of each; of none where one lies in none, or all lie in the same."""
    above = [sight.path.relative_to(folder).parts[:-1] for sight in sights]
    if not all(above) or len({parts[0] for parts in above}) < 2:
        return list(sights)
    return [_of_subject(sight, parts[0]) for sight, parts in zip(sights, above, strict=True)]


def _of_subject(sight: Sight, subject: str) -> Sight:
    return Sight(**{**vars(sight), "subject": subject})


def _look_at_file(video: str, path: Path) -> Sight:
    seen = video_files.glance(path)
    return Sight(video, path, seen.frame_count, seen.frame_rate, seen.width, seen.height, 0)


def _look_at_images(video: str, path: Path) -> Sight:
    numbered, _ = image_folders.by_number(path)
    height, width = images.image_size(next(iter(numbered.values())).read_bytes())
    return Sight(video, path, len(numbered), 0.0, width, height, next(iter(numbered)))


def _look_at_openface(video: str, path: Path) -> Sight:
    aligned = path.with_name(f"{video}{openface.ALIGNED}")
    for part in (path, aligned):
        if not part.exists():
            raise InputError(f"{part} is missing: run FeatureExtraction again with {openface.FLAGS}")
    rows = openface_rows.read(path)
    last = int(rows.seconds.argmax())
    seconds = float(rows.seconds[last])
    rate = (int(rows.frame[last]) - 1) / seconds if seconds > 0 else 0.0
    return Sight(video, path, int(rows.frame.max()), rate, 0, 0, 1)


LOOKS: Mapping[str, Callable[[str, Path], Sight]] = {
    "video": _look_at_file,
    "images": _look_at_images,
    "openface": _look_at_openface,
}
