"""`facespan new NAME --videos DIR`: a folder of videos -> a corpus file, a CSV to fill in, and how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer

from cache import files
from cache.corpora import table
from cache.errors import InputError
from cache.openface import model as openface_model
from cache.shards.aligned import AlignParameters
from cache.tables import schema
from pipeline.encoder.resnet import ExtractParameters
from stages.parts import encoders, train_parameters
from stages.project import corpus_file, corpus_list, estimates, survey
from stages.project.corpus_file import Choices
from stages.project.survey import NAMES, Survey
from stages.shell import console, corpora, devices, options, params, places
from stages.shell.params import ParameterError

MOST_SHOWN = 10
TIMES = "time here, as busy as this machine is now, beside some seconds for each stage to begin:"


def main(
    name: Annotated[str, typer.Argument(help="What the corpus is to be called.", metavar="NAME")],
    folder: Annotated[Path, typer.Option("--videos", help="Where its videos lie; it becomes the corpus folder.")],
    openface: Annotated[bool, typer.Option("--openface", help="Align by OpenFace.")] = False,
    builtin: Annotated[bool, typer.Option("--builtin", help="Align without OpenFace.")] = False,
    preset: Annotated[
        str | None, typer.Option(help="paper | small: few people, a CPU. Without it: small where there is no GPU.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="video | images | openface: which to take where several lie there.")
    ] = None,
    labels: Annotated[str, typer.Option(help="The CSV in the folder; one that is there is kept.")] = "expressions.csv",
    emotions: Annotated[
        str | None, typer.Option(help="The words of the CSV, with commas. Without it: those that it holds.")
    ] = None,
    frame_rate: Annotated[
        float | None, typer.Option(help="Frames a second, needed where images have no times.")
    ] = None,
    device: options.Device = "auto",
    dry_run: options.DryRun = False,
    params_path: options.Params = params.PARAMS,
) -> None:
    """Begin a corpus of one's own: look at a folder, write what describes it, and say what comes next.

    No file that is there is written over; the list of corpora gets one name more, and keeps its comments.
    """
    check_name(name, params_path)
    root = check_folder(name, folder)
    corpora.check_inside(root, labels, "--labels")
    found = survey.look(root, root / labels, source)
    words, subjects = read_labels(root / labels)
    chosen_device = devices.choose(device)
    choices = Choices(
        labels,
        choose_emotions(emotions, words),
        choose_method(found, openface, builtin),
        preset or ("paper" if chosen_device.type == "cuda" else "small"),
        check_rate(found, frame_rate),
    )
    corpus_file.preset(choices.preset)
    say_found(found, choices, root, subjects)
    say_estimates(found, choices, len(subjects or found.subjects) or len(found.sights), params_path, chosen_device)
    if not dry_run:
        write(name, root, found, choices, params_path)
    say_next(name, root / labels, found, words, subjects, dry_run)


def check_name(name: str, params_path: Path) -> None:
    """Raise ParameterError for a name that cannot be one, or that is taken; also outside of a project."""
    if not corpora.FOLDER.is_dir():
        raise ParameterError(f"{corpora.FOLDER}/ does not exist. {params.where_to_run()}")
    corpus_file.check_name(name)
    taken = {path.stem: path for path in corpora.FOLDER.glob("*.yaml")}
    taken |= dict.fromkeys(corpus_list.read(params_path), params_path)
    taken |= dict.fromkeys(places.read(), places.FILE)
    same = next((other for other in taken if other.casefold() == name.casefold()), None)
    if same is not None:
        raise ParameterError(f"there is a corpus {same} already ({taken[same]}). Give another name, or edit its file")


def check_folder(name: str, folder: Path) -> Path:
    """Return the corpus folder.

    Raises:
        InputError: it is none, holds this project, or is another corpus' own; or something was made by this name.
    """
    root = folder.expanduser()
    if not root.is_dir():
        raise InputError(f"{root} {'is no folder' if root.exists() else 'does not exist'}. Correct the path")
    if Path.cwd().resolve().is_relative_to(root.resolve()):
        raise InputError(f"{root} holds this project itself. Give the folder of the videos alone")
    for made in (Path("data") / name, Path("results") / name):
        if made.exists() and not root.resolve().is_relative_to(made.resolve()):
            raise InputError(f"{made} is there already. Give another name, or move it away")
    for other in {*places.read(), *(path.stem for path in corpora.FOLDER.glob("*.yaml"))}:
        place = places.root_of(other)
        if place.exists() and place.resolve() == root.resolve():
            raise InputError(f"{root} is the place of the corpus {other}. Give {name} a folder of its own")
    return root


def read_labels(path: Path) -> tuple[list[str], list[str]]:
    """Return the emotions and the subjects that a label file holds, in its order; none where there is no file yet.

    Raises:
        InputError: what lies there is no such CSV.
    """
    if not path.exists():
        return [], []
    try:
        rows = [cells for _, cells in schema.read_csv(path, table.REQUIRED, table.OPTIONAL)]
    except InputError as problem:
        raise InputError(f"{problem} It stays as it is: correct it, or give the CSV another name by --labels") from None
    emotions = dict.fromkeys(cells["emotion"] for cells in rows if cells["emotion"])
    return list(emotions), list(dict.fromkeys(cells["subject"] for cells in rows if cells["subject"]))


def choose_emotions(asked: str | None, words: Sequence[str]) -> list[str]:
    """Return the words that the CSV may hold; ParameterError where those asked for are no list of different words."""
    if asked is None:
        return list(words) or list(corpus_file.USUAL_EMOTIONS)
    told = [word.strip() for word in asked.split(",")]
    if not all(told) or len(set(told)) != len(told):
        raise ParameterError(f"--emotions {asked!r}: expected different words with commas between them")
    if missing := [word for word in words if word not in told]:
        raise ParameterError(f"--emotions lacks {', '.join(missing)}, which the CSV holds. Add them")
    return told


def choose_method(found: Survey, openface: bool, builtin: bool) -> str:
    """Return how faces are aligned: as asked, else by OpenFace where it is installed, else built in."""
    if openface and builtin:
        raise ParameterError("--openface and --builtin at once: give one of them")
    if found.source == "openface":
        if builtin:
            raise ParameterError("--builtin aligns videos, and these are OpenFace's output: leave it out")
        return "openface-output"
    if openface or builtin:
        return "openface" if openface else "builtin"
    try:
        openface_model.find_command(None)
    except InputError:
        return "builtin"
    return "openface"


def check_rate(found: Survey, asked: float | None) -> float | None:
    """Return the frame rate that the corpus file states; ParameterError where it is needed and was not given."""
    without = [sight.video for sight in found.sights if not sight.frame_rate]
    if asked is not None and not 0 < asked < float("inf"):
        raise ParameterError(f"--frame-rate is {asked}, expected frames a second, more than 0")
    if found.source == "video":
        if asked is not None:
            raise ParameterError("--frame-rate is for images and for OpenFace's output: videos carry their own times")
        return None
    if without and asked is None:
        raise ParameterError(
            f"{NAMES[found.source]} tell no times ({', '.join(without[:3])}): say how many frames a second has, "
            "--frame-rate N"
        )
    return asked


def say_found(found: Survey, choices: Choices, root: Path, subjects: Sequence[str]) -> None:
    """Say what lies there, and what is not taken for granted."""
    rates = sorted({round(sight.frame_rate, 2) for sight in found.sights if sight.frame_rate})
    told = " to ".join(f"{rate:g}" for rate in dict.fromkeys((*rates[:1], *rates[-1:])))
    seconds = sum(sight.frame_count / sight.frame_rate for sight in found.sights if sight.frame_rate)
    lasting = f", {seconds / 60:.1f} minutes at {told} frames a second" if rates else ""
    console.result(
        f"found: {len(found.sights)} {NAMES[found.source]}, {found.frame_count:,} frames{lasting}, in {root}"
    )
    if unknown := [sight.video for sight in found.sights if not sight.frame_count]:
        console.say(f"new: how long {', '.join(unknown[:3])} {'is' if len(unknown) == 1 else 'are'}, no header says")
    for path, why in list(found.unusable.items())[:MOST_SHOWN]:
        console.say(f"new: {path} is left out: {why}")
    if len(found.unusable) > MOST_SHOWN:
        console.say(f"new: {len(found.unusable) - MOST_SHOWN} more are left out")
    if subjects:
        console.result(f"people: {len(subjects)}, as {choices.labels} says")
    elif found.subjects:
        named = ", ".join(found.subjects[:5]) + (", ..." if len(found.subjects) > 5 else "")
        console.result(f"people: {len(found.subjects)}, IF the sub-folders are people ({named}); else correct the CSV")
    else:
        console.result("people: nothing tells who is seen in which video: that is for you to fill in")
    console.result(f"faces: align.method {choices.method}; sizes: preset {choices.preset}")


def say_estimates(found: Survey, choices: Choices, people: int, params_path: Path, device: torch.device) -> None:
    """Say how long each stage will take on this machine, before it is begun."""
    console.say("new: trying out a few frames and steps, to say how long it will take")
    aligning = params.build(
        {**params.load_section(params_path, "align"), "method": choices.method},
        AlignParameters,
        f"{params_path}: align",
    )
    _, overrides = corpus_file.preset(choices.preset)

    def values(section: str) -> dict[str, object]:
        return {**params.load_section(params_path, section), **(overrides[section] or {})}

    extracting = params.build(values("extract"), ExtractParameters, f"{params_path}: extract")
    training = train_parameters.build(values("train"), f"{params_path}: train")
    lines = (
        estimates.of_alignment(found, choices.method, aligning.quality),
        estimates.of_extraction(found, extracting, encoders.FOLDER, device),
        estimates.of_training(found, people, len(choices.emotions), training, device),
    )
    console.result("\n".join([TIMES, *(f"  {line}" for line in lines)]))


def write(name: str, root: Path, found: Survey, choices: Choices, params_path: Path) -> None:
    """Write the CSV, the corpus file, the place and the name in the list; the last makes it a corpus of `dvc repro`.

    Raises:
        InputError: one of them cannot be written; those before it are there then.
        ParameterError: the list cannot be edited, before anything is written.
    """
    corpus_list.with_name(params_path.read_bytes().decode("utf-8"), name, params_path)
    path, labels = corpora.FOLDER / f"{name}.yaml", root / choices.labels
    if not labels.exists():
        schema.write_csv(labels, corpus_file.COLUMNS, corpus_file.rows_to_fill(found))
    with files.write_atomically(path) as temporary:
        temporary.write_text(corpus_file.text_of(name, found, choices), encoding="utf-8")
    places.set_to(name, root)
    corpus_list.add(params_path, name)
    console.result(
        f"written: {path}, {labels}, {places.FILE}, and {name} in the list {corpus_list.KEY} of {params_path}"
    )


def say_next(
    name: str, labels: Path, found: Survey, words: Sequence[str], subjects: Sequence[str], dry_run: bool
) -> None:
    """Say what to type next."""
    if dry_run:
        console.result("nothing was written (--dry-run)")
        return
    blank = "" if subjects or found.subjects else "the column subject in every row, and "
    fill = f"fill in {labels}: {blank}a row for each expression (frames from {found.first_frame}, inclusive);"
    rows = [] if words else [fill, "a video that keeps its empty row is one without an expression"]
    steps = [
        *rows,
        f"facespan labels audit {name}    # what is wrong with the CSV, and counts",
        f"dvc repro report@{name}         # all of it; or dvc repro, for every corpus listed",
    ]
    console.result("next: " + "\n      ".join(steps))
