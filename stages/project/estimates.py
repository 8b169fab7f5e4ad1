"""How long alignment, extraction and training will take here, each from a few frames or steps that are run for it.

A measured rate is that of this moment: a machine that does something else besides is slower, here and later.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from cache.errors import InputError
from cache.media import image_files, image_folders
from cache.media.video_files import Playback
from pipeline.alignment import similarity
from pipeline.alignment import tracks as face_tracks
from pipeline.alignment.networks import Image
from pipeline.alignment.tracks import FaceTrack
from pipeline.detectors import registry
from pipeline.encoder import resnet
from pipeline.encoder.resnet import ExtractParameters
from pipeline.training.fold import FoldParameters, train_gathered
from pipeline.training.folds import everyone
from pipeline.windows.cutting import Windows
from pipeline.windows.recordings import Recording, gather_in_memory, on_device
from stages.aligning import builtin_aligner
from stages.parts import encoders
from stages.project.survey import Sight, Survey
from stages.shell import console, devices, workers

FRAMES_ALIGNED, FRAMES_ENCODED, STEPS_TRAINED = 40, 32, 3
# docs/performance.md: images that OpenFace wrote are only copied; reading frames costs the encoder a fifth more.
IMAGES_COPIED_A_SECOND, READING = 2900.0, 1.2


class Estimate(NamedTuple):
    """What a stage will take; `seconds` is None where nothing was measured, and `why` says what it rests on."""

    stage: str
    seconds: float | None
    why: str

    def __str__(self) -> str:
        """Return the line."""
        return f"{self.stage:<8} {'not known' if self.seconds is None else duration(self.seconds):<18} {self.why}"


class Tried(NamedTuple):
    """What aligning some frames took, and what their faces would take on the disk."""

    seconds: float
    frames: int
    image_bytes: int


def duration(seconds: float) -> str:
    """Return a length of time as people say it, with no more digits than an estimate has."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} minutes"
    return f"about {seconds / 3600:.1f} hours" if seconds < 48 * 3600 else f"about {seconds / 86400:.0f} days"


def of_alignment(survey: Survey, method: str, quality: int) -> Estimate:
    """Return the time of `align`, and the room that its frames will take."""
    if method == "openface-output":
        return Estimate("align", survey.frame_count / IMAGES_COPIED_A_SECOND, "images are taken as they came")
    if method != "builtin":
        return Estimate("align", None, "OpenFace is not tried out here; on a CPU it often takes longest of all")
    sight = survey.sights[0]
    try:
        tried = try_alignment(sight, survey.source, quality)
    except InputError as problem:
        return Estimate("align", None, str(problem))
    at_once = workers.count(0, len(survey.sights))
    longest = max(one.frame_count for one in survey.sights)
    seconds = max(survey.frame_count / at_once, longest) * tried.seconds / tried.frames
    room = survey.frame_count * tried.image_bytes / tried.frames / 1e6
    told = f"{tried.frames} frames of {sight.video} took {tried.seconds:.1f} s; {at_once} videos at once"
    return Estimate("align", seconds, f"{told}; {room:,.0f} MB of frames")


def try_alignment(sight: Sight, source: str, quality: int) -> Tried:
    """Align the first frames of a video and throw them away; InputError where that cannot be done here."""
    networks = builtin_aligner.load_networks(console.say)
    written: list[int] = []

    def cut(position: int, rgb: Image, tracks: Sequence[FaceTrack]) -> None:
        for track in tracks:
            frame = builtin_aligner.cut(rgb, track.placements.get(position), position, 0.0, quality)
            written.append(len(frame.image))

    began, count = time.monotonic(), itertools.count()
    frames = ((next(count), rgb) for rgb in itertools.islice(_frames(sight, source), FRAMES_ALIGNED))
    face_tracks.follow(frames, networks, cut)
    return Tried(time.monotonic() - began, max(1, next(count)), sum(written))


def _frames(sight: Sight, source: str) -> Iterator[Image]:
    if source == "video":
        yield from Playback(sight.path, allow_truncated=True).frames()
        return
    for path in image_folders.by_number(sight.path)[0].values():
        yield image_files.decode(path)


def of_extraction(survey: Survey, parameters: ExtractParameters, folder: Path, device: torch.device) -> Estimate:
    """Return the time of `extract`."""
    if parameters.imported is not None:
        return Estimate("extract", None, "features are imported, no encoder runs")
    try:
        stored = encoders.load(parameters.weights, folder, parameters.random_image_size, parameters.random_seed)
    except InputError as problem:
        return Estimate("extract", None, str(problem))
    network = resnet.build(stored.tensors, stored.preprocessing, device)
    frames = torch.randint(256, (FRAMES_ENCODED, similarity.SIZE, similarity.SIZE, 3), dtype=torch.uint8)
    network(frames[:4]).cpu()
    began = time.monotonic()
    network(frames).cpu()
    took = time.monotonic() - began
    size = stored.preprocessing.image_size
    told = f"{FRAMES_ENCODED} frames took {took:.2f} s on {devices.name_of(device)} ({parameters.weights}, {size} px)"
    return Estimate("extract", READING * survey.frame_count * took / FRAMES_ENCODED, told)


def of_training(
    survey: Survey, people: int, classes: int, parameters: FoldParameters, device: torch.device
) -> Estimate:
    """Return the most that `train` takes: as if every window held an expression, for nothing is labelled yet."""
    settings = parameters.train
    if not registry.NETWORKS[parameters.network].learns or not isinstance(parameters.own.cutting, Windows):
        return Estimate(
            "train", None, f"network {parameters.network} does not learn from windows, and is not tried out"
        )
    took = try_step(parameters, classes, device)
    steps = math.ceil(survey.frame_count / settings.window_stride / settings.batch_size) * settings.epochs
    at_once = 1 if device.type == "cuda" else workers.count(0, people + 1)
    told = (
        f"at most: {people + 1} detectors, {at_once} at once, {steps:,} steps each; one of {settings.batch_size} "
        f"windows took {took:.2f} s on {devices.name_of(device)}"
    )
    return Estimate("train", math.ceil((people + 1) / at_once) * steps * took, told)


def try_step(parameters: FoldParameters, classes: int, device: torch.device) -> float:
    """Return the seconds of one step, the mean over a second epoch on random features."""
    settings = parameters.train
    stride = settings.window_stride
    frames = stride * settings.batch_size * STEPS_TRAINED
    onsets = np.arange(0, frames - stride, stride)
    features = np.random.default_rng(0).random((frames, resnet.WIDTH), dtype=np.float32).astype(np.float16)
    intervals = np.stack([onsets, onsets + max(1, stride // 2)], axis=1)
    face_found, emotions = np.ones(frames, dtype=bool), onsets // stride % classes
    recording = Recording("tried", "nobody", features, face_found, intervals, emotions)
    corpus = on_device(gather_in_memory([recording], settings.normalisation), device)
    tried = dataclasses.replace(parameters, train=dataclasses.replace(settings, epochs=2))
    ended: list[tuple[float, int]] = []
    threads = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)  # as `train` does, of which several run at once
    try:
        fold = everyone([recording.subject])
        train_gathered(corpus, fold, tried, classes, lambda losses: ended.append((time.monotonic(), losses.windows)))
    finally:
        torch.set_num_threads(threads)
    (first, _), (second, windows) = ended
    return (second - first) / math.ceil(windows / settings.batch_size)
