"""Alignment of one video into parts: by the built-in networks while it decodes, by OpenFace, or taken as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache.analysed.parts import Stated, Writer
from cache.errors import InputError
from cache.media import video_files
from cache.media.video_files import Playback
from cache.openface import model as openface_model
from cache.openface import output as openface_output
from cache.openface import rows as openface_rows
from cache.openface import runs as openface_runs
from cache.openface.runs import Command
from cache.prefetch import ahead
from cache.shards import layout
from cache.shards.frames import Frame, encode_image, join
from cache.weights import face_networks
from pipeline.alignment import similarity
from pipeline.alignment import tracks as face_tracks
from pipeline.alignment.networks import Region
from pipeline.alignment.tracks import FaceTrack
from stages.aligning import builtin_aligner
from stages.shell import console

# As in the stage `align`, whose frames these are; raised when they would be others on purpose.
QUALITY, VERSION = 95, 1
FRAMES_AHEAD = 8
METHODS = ("auto", "openface", "builtin", "none")

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Method:
    """How faces are aligned: the name, and all that decides the frames."""

    name: str
    fields: Mapping[str, str]

    @property
    def key(self) -> str:
        """The fingerprint of what it makes of any video."""
        told: dict[str, int | str] = {"method": self.name, "quality": QUALITY, "version": VERSION, **self.fields}
        return layout.fingerprint(told)


def choose(asked: str) -> Method:
    """Return the method: for `auto` OpenFace where its command is found, else the built-in networks.

    Raises:
        InputError: OpenFace is asked for by name and is not there.
    """
    if asked in ("auto", "openface"):
        try:
            command = openface_model.find_command(None)
        except InputError:
            if asked == "openface":
                raise
        else:
            # Not a digest of its models, which are read for seconds: whoever installs others installs a command.
            found = command.stat()
            return Method("openface", {"openface": f"{command} {found.st_size} {found.st_mtime_ns}"})
    return Method("none", {}) if asked == "none" else Method("builtin", face_networks.DIGESTS)


def align(path: Path, folder: Path, method: Method, key: str, advance: Advance) -> Stated:
    """Align what is missing of a video into the parts of a folder, and return what is stated of it then.

    Args:
        key: the fingerprint of the video and the method.
        advance: told how many frames are done, those of earlier runs first.

    Raises:
        InputError: the file is damaged, the method cannot work, or the disk refuses; finished parts stay.
        ShardError: what lies in the folder is damaged.
    """
    black = encode_image(np.zeros((similarity.SIZE, similarity.SIZE, 3), np.uint8), QUALITY)
    writer = Writer(folder, key, method.name, black)
    if writer.stated.facts is None:
        advance(writer.stated.frame_count)
        ALIGNERS[method.name](path, writer, advance)
    return writer.stated


def _builtin(path: Path, writer: Writer, advance: Advance) -> None:
    networks = builtin_aligner.load_networks(console.say)
    playback, start = Playback(path, allow_truncated=True), writer.stated.frame_count
    known = [_restored(told) for told in writer.stated.state or []]

    def take(position: int, rgb: NDArray[np.uint8], tracks: list[FaceTrack]) -> None:
        faces = {}
        for number, track in enumerate(tracks):
            if position in track.placements:
                # Nobody looks back, and hours of video would fill the memory.
                placement, presence = track.placements.pop(position), track.presences.pop(position)
                faces[number] = builtin_aligner.cut(rgb, placement, position, presence, QUALITY)
        writer.add(playback.told(position), faces)
        advance(1)
        if writer.is_full:
            writer.settle([_state_of(track) for track in tracks])

    frames = ahead(enumerate(playback.frames(start=start), start), FRAMES_AHEAD)
    tracks = face_tracks.follow(frames, networks, take, known)  # type: ignore[arg-type]  # it is handed its own list
    writer.settle([_state_of(track) for track in tracks], _facts(playback, [track.size for track in tracks]))


def _state_of(track: FaceTrack) -> dict[str, Any]:
    return {"region": asdict(track.region), "size": track.size, "is_seen": track.is_seen}


def _restored(told: Mapping[str, Any]) -> FaceTrack:
    region = Region(**{name: float(value) for name, value in told["region"].items()})
    return FaceTrack(region, size=float(told["size"]), is_seen=bool(told["is_seen"]))


def _none(path: Path, writer: Writer, advance: Advance) -> None:
    playback, start = Playback(path, allow_truncated=True), writer.stated.frame_count
    for position, rgb in enumerate(ahead(playback.frames(start=start), FRAMES_AHEAD), start):
        if rgb.shape[0] != rgb.shape[1]:
            raise InputError(
                f"{path} has frames of {rgb.shape[1]} x {rgb.shape[0]} pixels, and an aligned face is square. "
                "Have it aligned: leave out --align none"
            )
        writer.add(playback.told(position), {0: Frame(encode_image(rgb, QUALITY), 0.0, position, True, 1.0)})
        advance(1)
        if writer.is_full:
            writer.settle(None)
    writer.settle(None, _facts(playback, [1.0]))


def _openface(path: Path, writer: Writer, advance: Advance) -> None:
    """Have OpenFace run over the file once and take its images over; killed before its end, it begins anew."""
    command = Command(openface_model.find_command(None), "jpg", None)
    playback = Playback(path, allow_truncated=True)
    for _ in playback.grab(None):
        pass
    count, start = playback.facts.frame_count, writer.stated.frame_count
    console.say(f"analyse: OpenFace runs over {path}; it does not tell how far it is")
    with openface_runs.own_workspace(writer.folder / ".openface") as workspace:
        try:
            openface_runs.try_out(command, workspace)
        except InputError as problem:
            raise InputError(f"{problem} Or leave OpenFace aside: --align builtin") from problem
        with (
            openface_runs.Runs(command, ["video"], lambda *_: path, workspace, 1) as runs,
            runs.output("video") as (folder, said),
        ):
            try:
                faces = _faces_of_openface(folder, playback.facts.frame_rate, count)
            except InputError as problem:
                raise InputError(f"{problem}{said}") from problem
            for position, seen in enumerate(zip(*(face.images for face in faces), strict=True)):
                if position >= start:
                    found = {number: frame for number, frame in enumerate(seen) if frame.face_found}
                    writer.add(playback.told(position), found)
                    advance(1)
                if writer.is_full:
                    writer.settle(None)
    writer.settle(None, _facts(playback, [float(face.is_largest) for face in faces]))


@dataclass(frozen=True)
class _OpenFaceFace:
    images: Iterator[Frame]
    is_largest: bool


def _faces_of_openface(folder: Path, frame_rate: float, count: int) -> list[_OpenFaceFace]:
    largest = openface_output.read_folder(folder, None, frame_rate, count)
    numbers = np.unique(openface_rows.read(folder / f"{largest.stem}.csv").face).tolist()
    found = [openface_output.read_folder(folder, int(number), frame_rate, count) for number in numbers]
    return [_OpenFaceFace(join(face.images(), face.columns), face.face == largest.face) for face in found]


def _facts(playback: Playback, sizes: list[float]) -> dict[str, Any]:
    facts = playback.facts
    return {
        "frame_count": facts.frame_count,
        "header_count": facts.header_count,
        "frame_rate": facts.frame_rate,
        "has_timestamps": facts.has_timestamps,
        "is_truncated": facts.is_truncated,
        "width": facts.width,
        "height": facts.height,
        "sizes": sizes,
    }


ALIGNERS: dict[str, Callable[[Path, Writer, Advance], None]] = {
    "builtin": _builtin,
    "none": _none,
    "openface": _openface,
}


def length_of(path: Path) -> int:
    """Return how many frames a video has as its container promises; one that promises nothing is decoded for it.

    Raises:
        InputError: it does not open as a video, or nothing decodes.
    """
    promised = video_files.promised_frames(path)
    if promised:
        return promised
    console.say(f"analyse: {path} does not tell how long it is: counting its frames")
    return video_files.count_frames(path, allow_truncated=True).frame_count


def people_of(stated: Stated, face: str) -> list[int]:
    """Return the numbers of the faces to look at, from 0: those seen at all, the largest of them, or one by number.

    Raises:
        InputError: there is no such face, or none at all.
    """
    seen = [number for number, count in sorted(stated.seen.items()) if count]
    if not seen:
        return []
    if face == "all":
        return seen
    if face == "largest":
        sizes = (stated.facts or {})["sizes"]
        return [max(seen, key=lambda number: float(sizes[number]))]
    number = int(face) - 1
    if number not in seen:
        raise InputError(f"there is no person {face}: {len(seen)} were seen, {', '.join(str(n + 1) for n in seen)}")
    return [number]
