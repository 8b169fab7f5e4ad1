"""Alignment methods by name: what each reads, what belongs to its key, and how it is made ready."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.files import sha256_of
from cache.media import image_folders, raw_frames
from cache.media.raw_frames import RawFrame
from cache.openface import landmarks as openface_landmarks
from cache.openface import model as openface_model
from cache.openface import runs as openface_runs
from cache.openface.landmarks import Landmarks
from cache.openface.runs import Command
from cache.shards import aligned
from cache.shards.aligned import Alignment, AlignParameters
from cache.shards.frames import Frame
from cache.tables.videos import Video
from cache.weights import face_networks
from pipeline.alignment import similarity
from stages.aligning import alignment_check, builtin_aligner
from stages.aligning.align_job import AlignJob, Prepared
from stages.shell import corpora

WORKSPACE = ".openface"


def _no_more(*_: object) -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Method:
    """One way to aligned faces.

    Attributes:
        sources: what it can read.
        counting: the parameters that change what it gives, and so belong to a shard's key.
        prepare: makes it ready for a job.
        works_alone: it starts processes of its own, so it is asked for one video after the other.
        ingredients: what else it makes the frames of a video from, by digest, for the key.
        common: likewise, what it makes those of every video with, from the parameters and the facts of an earlier run;
            it lies outside the corpus folder, where DVC does not look. InputError where it is missing.
        is_known_anywhere: both are known where there is neither a corpus nor OpenFace.
    """

    sources: tuple[str, ...]
    counting: tuple[str, ...]
    prepare: Callable[[AlignJob], AbstractContextManager[Prepared]]
    ingredients: Callable[[Path, Video, AlignParameters], Mapping[str, str]] = _no_more
    common: Callable[[AlignParameters, Mapping[str, Any]], Mapping[str, str]] = _no_more
    works_alone: bool = False
    is_known_anywhere: bool = True


def check(video: Video, parameters: AlignParameters) -> None:
    """Raise InputError when the method asked for cannot read what the corpus holds of a video."""
    sources = METHODS[parameters.method].sources
    if video.source not in sources:
        raise InputError(
            f"{video.video} is of source {video.source!r}, which align.method {parameters.method!r} cannot read "
            f"(it reads {', '.join(sources)}). Set align.method in configs/params.yaml or in the corpus file."
        )


@contextmanager
def _as_they_are(job: AlignJob) -> Iterator[Prepared]:
    networks = functools.partial(builtin_aligner.load_networks, job.say)
    guard = alignment_check.prepare(job.parameters, networks, lambda line: job.say(f"align: {line}"))

    def read(video: Video) -> AbstractContextManager[Alignment]:
        look = guard.begin(video)
        if video.source == "images":
            for raw in raw_frames.sample(job.root, video, look.positions):
                look.see(raw)
            taken = aligned.of_images(job.root, video)
        else:
            taken = aligned.of_file(job.root, video, job.parameters, look.see)
        warnings: list[str] = []

        def frames() -> Iterator[Frame]:
            yield from taken.frames
            warnings.extend(look.conclude())

        return nullcontext(Alignment(frames(), warnings, taken.seconds, taken.digests))

    yield Prepared(read, {"none": dict(guard.facts)})


@contextmanager
def _from_openface_output(job: AlignJob) -> Iterator[Prepared]:
    yield Prepared(lambda video: nullcontext(aligned.of_openface(job.root, video, job.parameters)), {})


@contextmanager
def _by_openface(job: AlignJob) -> Iterator[Prepared]:
    parameters = job.parameters
    path = openface_model.find_command(parameters.openface_folder)
    command = Command(path, parameters.openface_format, parameters.openface_model)
    digest = openface_model.digest_of(path, parameters.openface_model)
    at_once = parameters.processes or len(os.sched_getaffinity(0))
    names = [video.video for video in job.videos]
    with openface_runs.own_workspace(job.output / WORKSPACE) as workspace:
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


def _source(job: AlignJob) -> Callable[[str, Path], Path]:
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
def _from_openface_landmarks(job: AlignJob) -> Iterator[Prepared]:
    _landmark_folder(job.root, job.parameters)
    path = openface_model.find_mean_shape(job.parameters.openface_folder)
    mean_shape = openface_model.read_mean_shape(path)

    def read(video: Video) -> AbstractContextManager[Alignment]:
        csv_path = _landmarks_of(job.root, video, job.parameters)
        count = raw_frames.count(job.root, video)
        found = openface_landmarks.read(
            csv_path, job.parameters.face_number, video.frame_rate * video.frame_step, count
        )
        recording = raw_frames.open(job.root, video)

        def frames() -> Iterator[Frame]:
            for raw in recording.play():
                if raw.position >= count:
                    raise InputError(
                        f"{video.path} gives more frames than the {count} of when it was indexed: index it again"
                    )
                yield _cut(raw, found, mean_shape, job.parameters.quality)

        return nullcontext(Alignment(frames(), found.warnings, recording.seconds, recording.digests))

    yield Prepared(read, {"mean_shape_sha256": sha256_of(path)})


def _cut(raw: RawFrame, found: Landmarks, mean_shape: NDArray[np.float64], quality: int) -> Frame:
    is_found = bool(found.columns.face_found[raw.position])
    placement = similarity.place(found.points[raw.position], mean_shape) if is_found else None
    confidence = float(found.columns.face_confidence[raw.position])
    return builtin_aligner.cut(raw.rgb, placement, raw.label, confidence, quality)


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


METHODS: dict[str, Method] = {
    "none": Method(("video", "images"), ("face", "quality"), _as_they_are, alignment_check.ingredients),
    "openface-output": Method(("openface",), ("face", "quality"), _from_openface_output),
    "openface-landmarks": Method(
        ("video", "images"),
        ("face", "quality"),
        _from_openface_landmarks,
        _ingredients_of_landmarks,
        _mean_shape,
        is_known_anywhere=False,
    ),
    "builtin": Method(
        ("video", "images"), ("face", "quality"), builtin_aligner.prepare, lambda *_: face_networks.DIGESTS
    ),
    "openface": Method(
        ("video", "images"),
        ("openface_model", "openface_format"),
        _by_openface,
        common=_openface,
        works_alone=True,
        is_known_anywhere=False,
    ),
}
