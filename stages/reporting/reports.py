"""Writing of a report: the run that lies here -> its page and, where faces may be shown, contact sheets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cache.shards.shard_entry import ShardEntry
from pipeline.detectors.decoding import DetectParameters
from stages.reporting import gathering, material, origin, pictures, report_folder
from stages.reporting.material import Material, Places
from stages.reporting.origin import Background
from stages.reporting.parameters import ReportParameters
from stages.shell import console, corpora, devices, params, places

HOLDS_FACES = "it holds faces: pass it on as you would the videos"


@dataclass(frozen=True)
class Settings:
    """What a report is made with.

    Attributes:
        stride: frames of a window from one to the next, in detection.
        device: on which attention is worked out.
    """

    parameters: ReportParameters
    stride: int
    device: str


def settings_of(corpus: str, params_path: Path, device: str) -> Settings:
    """Return what a report is made with; ParameterError where a parameter is wrong."""
    path = corpora.path_of(corpus)
    detecting = params.read(params_path, "detect", DetectParameters, path)
    return Settings(params.read(params_path, "report", ReportParameters, path), detecting.window_stride, device)


def write(corpus: str, where: Places, output: Path, params_path: Path, device: str) -> None:
    """Write the report of a run into a folder, and say what was written.

    Raises:
        InputError, ShardError: as in `material.read`, or what lies in the folder is not ours.
        ParameterError: a parameter is wrong.
    """
    settings, page = settings_of(corpus, params_path, device), output / report_folder.PAGE
    report_folder.check(page)
    run = material.read(corpus, where, settings.stride)
    background = Background(origin.changed_of(params_path, corpora.path_of(corpus)), origin.runs_of(where))
    entries = pictures.entries_of(run) if settings.parameters.thumbnails else {}
    sheets = write_sheets(output, run, entries, settings.parameters.sheet_faces)
    device_found = devices.choose(settings.device)
    document, troubles = gathering.gather(
        run, background, settings.parameters, entries, settings.stride, device_found, sheets
    )
    size = report_folder.write(page, [("", document)])
    if not settings.parameters.thumbnails and (removed := report_folder.remove_comparison(where.figures.parent)):
        console.say(f"report: {removed} held faces and was removed (report.thumbnails is false)")
    say_troubles(troubles)
    cases = sum(len(timeline.cases) for timeline in document.timelines)
    console.result(
        f"report: {page}, {len(document.timelines)} videos, {cases} cases, {size / 1e6:.1f} MB; "
        f"{told_of_faces(settings.parameters, entries)}"
    )


def write_sheets(output: Path, run: Material, entries: Mapping[str, ShardEntry], faces: int) -> dict[str, str]:
    """Write a contact sheet of each video that there are frames of, and return their addresses by video.

    Where no faces may be shown, or none are here, those of an earlier report are removed.

    Args:
        entries: of the frames that may be shown.
        faces: of each sheet; 0 makes none.
    """
    if not entries or not faces:
        report_folder.remove_sheets(output, run.corpus)
        return {}
    folder = places.find(run.places.frames)
    made = report_folder.write_sheets(output, run.corpus, run.table, folder, entries, faces)
    for video, problem in made.failures.items():
        console.say(f"report: {video} has no contact sheet: {problem}")
    return {video: report_folder.address_of(video) for video in (*made.made, *made.kept)}


def say_troubles(troubles: Mapping[str, str]) -> None:
    """Say which videos have no pictures, and why."""
    for video, problem in troubles.items():
        console.say(f"report: {video} has no pictures: {problem}")


def told_of_faces(parameters: ReportParameters, entries: Mapping[str, ShardEntry]) -> str:
    """Return in words whether a report shows faces."""
    if not parameters.thumbnails:
        return "without faces (report.thumbnails is false)"
    return HOLDS_FACES if entries else "without faces: there are no aligned frames here"
