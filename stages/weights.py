"""Encoders: train one on labelled faces, take over one that exists, and measure what any of them is worth."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from cache import files, labelled_images, tables, weights
from cache.labelled_images import LabelledImages
from pipeline import encoder
from pipeline.image_augmentation import ImageAugmentParameters
from pipeline.pretraining import (
    Epoch,
    Faces,
    Pretrained,
    PretrainParameters,
    Progress,
    classify,
    confusion,
    pretrain,
    start,
    without_classifier,
)
from stages import command, console, devices, options, params

app = typer.Typer(no_args_is_help=True, help="Train, import and measure encoders.")
PARTS = (PretrainParameters, ImageAugmentParameters)
WORK = Path("results/pretrain")
FOLDER = Path("configs/weights")

Images = Annotated[Path, typer.Option(help="The labelled images: a folder, or a CSV.")]
Layout = Annotated[str, typer.Option(help=", ".join(labelled_images.LAYOUTS))]
Output = Annotated[Path, typer.Option(help="The folder of encoders.")]
Limit = Annotated[int, typer.Option(help="Take only so many images of each part; 0: all.")]


def train_encoder(
    images: Images,
    layout: Layout,
    name: Annotated[str, typer.Option(help="What the encoder is called.")],
    output: Output = FOLDER,
    work: Annotated[Path, typer.Option(help="Where unfinished training is kept.")] = WORK,
    data: Annotated[str, typer.Option(help="What the card says about the images.")] = "",
    licence: Annotated[str, typer.Option(help="What the card says about their licence.")] = "not stated",
    limit: Limit = 0,
    params_path: options.Params = params.PARAMS,
    device: options.Device = "auto",
    force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Train an encoder on labelled faces; an interrupted training goes on after its last whole epoch."""
    files.check_video_id(name)
    training, augmentation = params.read_parts(params_path, "pretrain", PARTS)
    found = limited(read(images, layout, largest_size(training)), limit)
    place, chosen = work / name, devices.choose(device)
    key = key_of(found, training, augmentation)
    trained = train(found, training, augmentation, chosen, place / "progress.pt", key, force, quiet)
    table, accuracy = tested(trained, found, chosen)
    card = {
        "name": name,
        "classes": list(found.classes),
        "data": data or layout,
        "images": {part: int((found.split == number).sum()) for part, number in parts()},
        "licence": licence,
        "test_accuracy": accuracy,
        "confusion": table.tolist(),
        "parameters": dataclasses.asdict(training) | dataclasses.asdict(augmentation),
        "command": f"facespan weights pretrain --images {layout.upper()}_FOLDER --layout {layout} --name {name}",
    }
    write(output, name, without_classifier(trained.state), trained.preprocessing, card)
    tables.write_csv(place / "curves.csv", Epoch._fields, trained.curve)
    rows = [[found.classes[row], *table[row].tolist()] for row in range(len(table))]
    tables.write_csv(place / "confusion.csv", ("class", *found.classes), rows)
    console.result(
        f"weights pretrain: {len(trained.curve)} epochs on {card['images']['train']} images, "  # type: ignore[index]
        f"{100 * accuracy:.1f} % of {card['images']['test']} test images right; {output / name}.safetensors"  # type: ignore[index]
    )


def read(images: Path, layout: str, image_size: int) -> LabelledImages:
    """Return the images, after a line about what was found."""
    found = labelled_images.read(images, layout, image_size)
    counts = ", ".join(f"{int((found.split == number).sum())} {part}" for part, number in parts())
    console.say(f"weights: {counts} images of {found.images.shape[1]} px, {len(found.classes)} classes")
    return found


def parts() -> list[tuple[str, int]]:
    """Return the parts of a data set by name."""
    return [
        ("train", labelled_images.TRAIN),
        ("validation", labelled_images.VALIDATION),
        ("test", labelled_images.TEST),
    ]


def limited(found: LabelledImages, limit: int) -> LabelledImages:
    """Return at most so many images of each part, the first of them."""
    if not limit:
        return found
    rows = [np.flatnonzero(found.split == number)[:limit] for _, number in parts()]
    return found.take(np.sort(np.concatenate(rows)))


def largest_size(training: PretrainParameters) -> int:
    """Return the side that images are kept at in memory."""
    return max(size for size, _ in training.stages)


def faces_of(found: LabelledImages, part: int) -> Faces:
    """Return one part of the images as tensors."""
    rows = np.flatnonzero(found.split == part)
    return Faces(torch.from_numpy(found.images[rows]), torch.from_numpy(found.targets[rows]))


def key_of(found: LabelledImages, *parameters: Any) -> str:
    """Return a hash over all that decides the weights: training goes on only where it was the same."""
    total = hashlib.sha256(json.dumps([dataclasses.asdict(p) for p in parameters], sort_keys=True).encode())
    for values in (found.images, found.targets, found.split):
        total.update(np.ascontiguousarray(values).tobytes())
    return total.hexdigest()


def train(
    found: LabelledImages,
    training: PretrainParameters,
    augmentation: ImageAugmentParameters,
    device: torch.device,
    path: Path,
    key: str,
    force: bool,
    quiet: bool,
) -> Pretrained:
    """Return the trained network; every epoch is kept at a path, from where the same training goes on."""
    learned, validation = faces_of(found, labelled_images.TRAIN), faces_of(found, labelled_images.VALIDATION)
    kept = None if force else read_progress(path, key)
    epochs = sum(count for _, count in training.stages)
    done = len(kept.curve) if kept else 0
    if kept:
        console.say(f"weights: going on after epoch {done} of {epochs} ({path})")

    def save(progress: Progress) -> None:
        write_progress(path, key, progress)
        last = progress.curve[-1]
        console.say(
            f"weights: epoch {last.epoch} of {epochs} at {last.image_size} px: loss {last.train_loss:.3f}, "
            f"validation {last.validation_loss:.3f}, {100 * last.validation_accuracy:.1f} % right"
        )

    with console.progress("pretrain", (epochs - done) * len(learned.images), "images", quiet) as advance:
        return pretrain(learned, validation, training, augmentation, device, kept, save, advance)


def write_progress(path: Path, key: str, progress: Progress) -> None:
    """Write what training needs to go on: tensors, numbers, texts and lists, no code."""
    content = progress._asdict() | {"key": key, "curve": [list(row) for row in progress.curve]}
    with files.write_atomically(path) as temporary:
        torch.save(content, temporary)


def read_progress(path: Path, key: str) -> Progress | None:
    """Return what was kept at a path, or None when nothing was or it belongs to another training."""
    if not path.is_file():
        return None
    content = torch.load(path, map_location="cpu", weights_only=True)
    if content.pop("key") != key:
        console.say(f"weights: {path} is of other images or parameters and is made anew")
        return None
    return Progress(**content | {"curve": [Epoch(*row) for row in content["curve"]]})


def tested(trained: Pretrained, found: LabelledImages, device: torch.device) -> tuple[Any, float]:
    """Return the confusion counts on the test part and the share of it that is right."""
    test = faces_of(found, labelled_images.TEST)
    network = start(0, len(found.classes))
    network.load_state_dict(trained.state)
    network = network.to(device=device, memory_format=torch.channels_last)
    table = confusion(classify(network, test.images, trained.preprocessing, device), test.targets)
    return table, float(np.trace(table) / max(table.sum(), 1))


def write(
    output: Path,
    name: str,
    state: Mapping[str, Tensor],
    preprocessing: encoder.Preprocessing,
    card: Mapping[str, Any],
) -> None:
    """Write an encoder as float16, and its card once more where people can read it."""
    rounded = {name: value.half() for name, value in state.items()}
    encoder.check(rounded)
    whole = {**card, "preprocessing": dataclasses.asdict(preprocessing), "sha256": encoder.digest_of(rounded)}
    weights.write(output / f"{name}.safetensors", {name: value.numpy() for name, value in rounded.items()}, whole)
    with files.write_atomically(output / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")


app.command("pretrain")(command.guarded(train_encoder))


@app.callback()
def _nothing() -> None:
    """Hold the commands together: with a callback typer keeps their names even when only one is there."""


if __name__ == "__main__":
    app()
