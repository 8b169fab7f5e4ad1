"""`facespan demo`: parameters -> an invented corpus, with videos as a camera would leave them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cache.corpora import demo
from cache.corpora.demo import Label
from pipeline.synthetic import faces, performance
from pipeline.synthetic.performance import Performance, PerformanceParameters
from stages.shell import console, params, places, workers

STILLS_OF_EACH = 4


@dataclass(frozen=True)
class DemoParameters:
    """The size of the corpus, and what each recording in it is like."""

    subjects: int
    videos_per_subject: int
    recordings: PerformanceParameters

    def __post_init__(self) -> None:
        if self.subjects < 2 or self.videos_per_subject < 1:
            raise ValueError("expected at least 2 subjects (one to hold out) and 1 video of each")


@dataclass(frozen=True)
class Task:
    """One video to write."""

    root: Path
    recordings: PerformanceParameters
    subject: int
    recording: int

    @property
    def video(self) -> str:
        """The video's id."""
        return f"{self.subject_name}_{self.recording + 1}"

    @property
    def subject_name(self) -> str:
        """The subject's name, as in the table."""
        return f"p{self.subject + 1:02d}"

    @property
    def key(self) -> str:
        """A digest of what the video depends on."""
        return demo.key(
            {
                "recordings": dataclasses.asdict(self.recordings),
                "subject": self.subject,
                "recording": self.recording,
                "drawing": faces.DRAWING,
            }
        )


def main(
    output: Annotated[
        Path | None, typer.Option(help="Where the corpus goes; without it, where configs/places.yaml has the demo.")
    ] = None,
    params_path: Annotated[Path, typer.Option("--params", help="The parameters.")] = params.PARAMS,
    contact_sheet: Annotated[
        Path | None, typer.Option(help="Write a JPEG of every subject, neutral and in each emotion.")
    ] = None,
    stills: Annotated[
        Path | None, typer.Option(help="Write only labelled stills of other people there, for `weights pretrain`.")
    ] = None,
    people: Annotated[
        int, typer.Option(help="How many people the stills show, four times at rest and in each emotion.")
    ] = 100,
    force: Annotated[bool, typer.Option(help="Write every video anew.")] = False,
    processes: Annotated[int, typer.Option(help="How many at once; 0: one a core.")] = 0,
) -> None:
    """Write a corpus of invented faces: each video that lies there unchanged is kept."""
    parameters = params.read(params_path, "demo", DemoParameters)
    if stills is not None:
        written = demo.write_stills(stills, _pictures(parameters.recordings, people))
        console.result(f"demo: {written} stills of {people} people, {stills / demo.STILLS}")
        return
    output = output or places.root_of("demo")
    tasks = [
        Task(output, parameters.recordings, subject, recording)
        for subject in range(parameters.subjects)
        for recording in range(parameters.videos_per_subject)
    ]
    missing = [task for task in tasks if force or not demo.is_current(output, task.video, task.key)]
    if missing:
        demo.withdraw_card(output)
    _write_missing(missing, parameters.recordings.frame_count, processes)
    acted = {task: _perform(task) for task in tasks}
    labels = [label for task in tasks for label in _labels(task, acted[task])]
    _finish(output, tasks, labels, parameters)
    if contact_sheet is not None:
        demo.write_sheet(contact_sheet, performance.sheet(parameters.recordings, parameters.subjects))
    console.result(
        f"demo: {len(tasks)} videos of {parameters.subjects} subjects, "
        f"{len(tasks) * parameters.recordings.frame_count:,} frames, {len(labels)} expressions "
        f"({len(missing)} new, {len(tasks) - len(missing)} kept)"
    )


def write(task: Task, advance: workers.Advance) -> None:
    """Write one video; called in a process of its own."""
    frames = performance.render(task.recordings, task.subject, task.recording, _perform(task))
    rate = task.recordings.frame_rate
    demo.write_video(task.root, task.video, task.subject_name, frames, rate, task.key)
    advance(task.recordings.frame_count)


def _pictures(parameters: PerformanceParameters, people: int) -> Iterator[tuple[str, str, faces.Frame]]:
    with console.progress("stills", people, "people") as advance:
        for person in range(people):
            for emotion, picture in performance.stills(parameters, person, STILLS_OF_EACH):
                yield f"s{person + 1:03d}", emotion, picture
            advance(1)


def _write_missing(missing: Sequence[Task], frame_count: int, processes: int) -> None:
    if not missing:
        return
    with console.progress("demo", len(missing) * frame_count, "frames") as advance:
        workers.run(write, missing, workers.count(processes, len(missing)), advance)


def _perform(task: Task) -> Performance:
    return performance.perform(task.recordings, task.subject, task.recording)


def _labels(task: Task, acted: Performance) -> list[Label]:
    return [Label(task.subject_name, task.video, e.onset, e.apex, e.offset, e.emotion) for e in acted.expressions]


def _finish(output: Path, tasks: Sequence[Task], labels: Sequence[Label], parameters: DemoParameters) -> None:
    """Write the table and the card, and take away what earlier parameters left."""
    records = [record for task in tasks if (record := demo.read_record(output, task.video)) is not None]
    for video in demo.remove_others(output, [task.video for task in tasks]):
        console.say(f"demo: removed {video}, which is not part of this corpus any more")
    demo.write_labels(output, {task.video: task.subject_name for task in tasks}, labels)
    described: dict[str, Any] = dataclasses.asdict(parameters)
    demo.write_card(output, records, described)
