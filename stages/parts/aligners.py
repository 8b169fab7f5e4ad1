"""Alignment methods by name (`align.method`): landmarks, from wherever they come, -> aligned faces."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache import foreign_lines
from cache.errors import InputError
from cache.files import sha256_of
from cache.media import image_folders, raw_frames
from cache.media.raw_frames import RawFrame
from cache.openface import landmarks as openface_landmarks
from cache.openface import model as openface_model
from cache.openface import runs as openface_runs
from cache.openface.runs import Command
from cache.prefetch import ahead
from cache.shards import aligned
from cache.shards.aligned import Alignment, AlignParameters
from cache.shards.frames import Frame, encode_image
from cache.tables.videos import Video
from cache.weights import face_networks
from pipeline.alignment import similarity
from pipeline.alignment import tracks as face_tracks
from pipeline.alignment.networks import FaceNetworks
from pipeline.alignment.tracks import FaceTrack
from stages.parts import alignment_check
from stages.shell import console, corpora

WORKSPACE = ".openface"
FRAMES_AHEAD = 8


@dataclass(frozen=True)
class Job:
    """What is to be aligned: the videos whose shards are missing, and a folder to work in, which may go at any time."""

    root: Path
    parameters: AlignParameters
    videos: Sequence[Video]
    workspace: Path


@dataclass(frozen=True)
class Prepared:
    """A method ready to work.

    Attributes:
        read: gives the alignment of a video, to be used in a `with`.
        facts: what it works with, for the manifest.
    """

    read: Callable[[Video], AbstractContextManager[Alignment]]
    facts: Mapping[str, Any]


def _no_more(*_: object) -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Method:
    """One way to aligned faces.

    Attributes:
        sources: what it can read.
        counting: the parameters that change what it gives, and so belong to a shard's key.
        prepare: makes it ready for a job.
        ingredients: what else it makes the frames of a video from, by digest, for the key.
        common: likewise, what it makes those of every video with, from the parameters and the facts of an earlier run;
            it lies outside the corpus folder, where DVC does not look. InputError where it is missing.
    """

    sources: tuple[str, ...]
    counting: tuple[str, ...]
    prepare: Callable[[Job], AbstractContextManager[Prepared]]
    ingredients: Callable[[Path, Video, AlignParameters], Mapping[str, str]] = _no_more
    common: Callable[[AlignParameters, Mapping[str, Any]], Mapping[str, str]] = _no_more


def check(video: Video, parameters: AlignParameters) -> None:
    """Raise InputError when the method asked for cannot read what the corpus holds of a video."""
    sources = METHODS[parameters.method].sources
    if video.source not in sources:
        raise InputError(
            f"{video.video} is of source {video.source!r}, which align.method {parameters.method!r} cannot read "
            f"(it reads {', '.join(sources)}). Set align.method in configs/params.yaml or in the corpus file."
        )


@contextmanager
def _as_they_are(job: Job) -> Iterator[Prepared]:
    guard = alignment_check.prepare(job.parameters, _networks, lambda line: console.say(f"align: {line}"))

    def read(video: Video) -> AbstractContextManager[Alignment]:
        warnings = guard.check(job.root, video)
        alignment = aligned.of_file(job.root, video, job.parameters)
        return nullcontext(Alignment(alignment.frames, (*warnings, *alignment.warnings)))

    yield Prepared(read, {"none": dict(guard.facts)})


@contextmanager
def _from_openface_output(job: Job) -> Iterator[Prepared]:
    yield Prepared(lambda video: nullcontext(aligned.of_openface(job.root, video, job.parameters)), {})


@contextmanager
def _by_openface(job: Job) -> Iterator[Prepared]:
    parameters = job.parameters
    path = openface_model.find_command(parameters.openface_folder)
    command = Command(path, parameters.openface_format, parameters.openface_model)
    digest = openface_model.digest_of(path, parameters.openface_model)
    at_once = parameters.processes or len(os.sched_getaffinity(0))
    names = [video.video for video in job.videos]
    with openface_runs.own_workspace(job.workspace) as workspace:
        told = openface_runs.try_out(command, workspace)
        with openface_runs.Runs(command, names, _source(job), workspace, at_once) as runs:

            @contextmanager
            def read(video: Video) -> Iterator[Alignment]:
                with runs.output(video.video) as (folder, said):
                    yield aligned.of_openface_run(folder, said, job.root, video)

            yield Prepared(read, {"openface": {**told, "digest": digest}})


def _openface(parameters: AlignParameters, known: Mapping[str, Any]) -> dict[str, str]:
    try:
        path = openface_model.find_command(parameters.openface_folder)
    except InputError:
        # Whoever was given the frames need not have OpenFace: they stay those of the run that made them.
        return {"openface": str(known.get("openface", {}).get("digest"))}
    return {"openface": openface_model.digest_of(path, parameters.openface_model)}


def _source(job: Job) -> Callable[[str, Path], Path]:
    """Return what OpenFace is to run over, by video and a folder of its own: the file, or links to the images."""
    by_name = {video.video: video for video in job.videos}

    def source(name: str, folder: Path) -> Path:
        video = by_name[name]
        path = job.root / video.path
        if video.source == "video":
            return path
        files = image_folders.read_folder(path).files[:: video.frame_step]
        return openface_runs.link_images(files, folder / name)

    return source


@contextmanager
def _from_openface_landmarks(job: Job) -> Iterator[Prepared]:
    _landmark_folder(job.root, job.parameters)
    path = openface_model.find_mean_shape(job.parameters.openface_folder)
    mean_shape = openface_model.read_mean_shape(path)

    def read(video: Video) -> AbstractContextManager[Alignment]:
        recording = raw_frames.open(job.root, video)
        csv_path = _landmarks_of(job.root, video, job.parameters)
        found = openface_landmarks.read(
            csv_path, job.parameters.face_number, video.frame_rate * video.frame_step, recording.frame_count
        )
        columns = found.columns

        def frames() -> Iterator[Frame]:
            for raw in recording.play():
                is_found = bool(columns.face_found[raw.position])
                placement = similarity.place(found.points[raw.position], mean_shape) if is_found else None
                yield _cut(raw, placement, float(columns.face_confidence[raw.position]), job.parameters.quality)

        return nullcontext(Alignment(frames(), found.warnings))

    yield Prepared(read, {"mean_shape_sha256": sha256_of(path)})


def _mean_shape(parameters: AlignParameters, _known: Mapping[str, Any]) -> dict[str, str]:
    return {"mean_shape": sha256_of(openface_model.find_mean_shape(parameters.openface_folder))}


def _ingredients_of_landmarks(root: Path, video: Video, parameters: AlignParameters) -> dict[str, str]:
    try:
        landmarks = sha256_of(_landmarks_of(root, video, parameters))
    except InputError:
        # This video will fail, and say why; the others go on.
        landmarks = "missing"
    return {"landmarks": landmarks}


def _landmarks_of(root: Path, video: Video, parameters: AlignParameters) -> Path:
    return openface_landmarks.find(_landmark_folder(root, parameters), video.video, Path(video.path).stem)


def _landmark_folder(root: Path, parameters: AlignParameters) -> Path:
    """Return where OpenFace's CSV files lie; InputError when the parameters do not say, or there is no such folder."""
    told = "align.landmarks, the folder in the corpus folder that holds OpenFace's CSV files (<video>.csv),"
    if parameters.landmarks is None:
        raise InputError(f"{told} is null: set it in configs/params.yaml or in the corpus file.")
    corpora.check_inside(root, parameters.landmarks, "align.landmarks")
    folder = root / parameters.landmarks
    if not folder.is_dir():
        raise InputError(f"{told} is {folder}, which is missing or no folder. Correct it.")
    return folder


@contextmanager
def _built_in(job: Job) -> Iterator[Prepared]:
    networks = _networks()

    def read(video: Video) -> AbstractContextManager[Alignment]:
        recording = raw_frames.open(job.root, video)
        played = ahead(recording.play(), FRAMES_AHEAD)
        tracks = face_tracks.follow(((raw.position, raw.rgb) for raw in played), networks)
        face = face_tracks.choose(tracks, job.parameters.face_number)
        placements, presences = (face.placements, face.presences) if face else ({}, {})

        def frames() -> Iterator[Frame]:
            for raw in ahead(recording.play(), FRAMES_AHEAD):
                placement = placements.get(raw.position)
                yield _cut(raw, placement, presences.get(raw.position, 0.0), job.parameters.quality)

        return nullcontext(Alignment(frames(), _about(tracks, face)))

    runner = f"{face_networks.RUNNER} {importlib.metadata.version(face_networks.RUNNER)}"
    yield Prepared(read, {"builtin": {"library": runner, "weights_sha256": dict(face_networks.DIGESTS)}})


def _networks() -> FaceNetworks:
    """Return the built-in networks; InputError when they are not installed."""
    weights = face_networks.read()
    said: list[str] = []
    try:
        with foreign_lines.collect() as said:
            return FaceNetworks(*weights)
    except ModuleNotFoundError as problem:
        raise InputError(
            f"align.method 'builtin' cannot run its networks: {problem}. {face_networks.INSTALL}"
        ) from None
    finally:
        # TensorFlow Lite tells at each start which delegate it made.
        for line in said:
            if not line.startswith("INFO:"):
                console.say(f"align: {line}")


def _about(tracks: Sequence[FaceTrack], face: FaceTrack | None) -> tuple[str, ...]:
    if face is None:
        return ("no frame shows a face: all are black and marked",)
    if len(tracks) == 1:
        return ()
    counts = ", ".join(f"face {number} in {len(track.placements)} frames" for number, track in enumerate(tracks))
    taken = next(number for number, track in enumerate(tracks) if track is face)
    return (f"{len(tracks)} faces at once ({counts}): took face {taken}",)


def _cut(raw: RawFrame, placement: NDArray[np.float64] | None, confidence: float, quality: int) -> Frame:
    """Return the aligned face in a frame as it is stored; black and marked when there is none."""
    if placement is None:
        face = np.zeros((similarity.SIZE, similarity.SIZE, 3), np.uint8)
    else:
        face = similarity.warp(raw.rgb, placement)
    # A face beyond the edge of the frame is not seen, whatever its landmarks claim.
    return Frame(encode_image(face, quality), raw.seconds, raw.label, bool(face.any()), confidence)


METHODS: dict[str, Method] = {
    "none": Method(("video", "images"), ("face", "quality"), _as_they_are, alignment_check.ingredients),
    "openface-output": Method(("openface",), ("face", "quality"), _from_openface_output),
    "openface-landmarks": Method(
        ("video", "images"), ("face", "quality"), _from_openface_landmarks, _ingredients_of_landmarks, _mean_shape
    ),
    "builtin": Method(("video", "images"), ("face", "quality"), _built_in, lambda *_: face_networks.DIGESTS),
    "openface": Method(("video", "images"), ("openface_model", "openface_format"), _by_openface, common=_openface),
}
