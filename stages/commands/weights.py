"""`facespan weights`: train an encoder on labelled faces, import an existing one, probe the features of any."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from cache import files
from cache.errors import InputError
from cache.labelled import layouts as labelled_images
from cache.labelled.arrays import TEST, TRAIN, VALIDATION, LabelledImages
from cache.tables import schema
from pipeline.encoder import checkpoints, preparation, probing, resnet
from pipeline.encoder.augmentation import ImageAugmentParameters
from pipeline.encoder.class_layer import ClassLayer
from pipeline.encoder.labelled_images import Faces
from pipeline.encoder.preparation import Preprocessing
from pipeline.encoder.pretraining import (
    Epoch,
    Pretrained,
    PretrainParameters,
    Progress,
    apart,
    classify,
    confusion,
    mean_recall,
    on_device,
    pretrain,
    start,
)
from pipeline.errors import DataError
from stages.parts import checkpoint_files, encoders
from stages.shell import command, console, devices, options, params

app = typer.Typer(no_args_is_help=True, help="Train, import and measure encoders.")
WORK = Path("results/pretrain")
BATCH_SIZE = 128
IMAGENET_MEAN = ",".join(map(str, preparation.IMAGENET_MEAN))
IMAGENET_DEVIATION = ",".join(map(str, preparation.IMAGENET_DEVIATION))

Images = Annotated[Path, typer.Option(help="The labelled images: a folder, or a CSV.")]
Layout = Annotated[str, typer.Option(help=", ".join(labelled_images.LAYOUTS))]
Output = Annotated[Path, typer.Option(help="The folder of encoders.")]
Limit = Annotated[int, typer.Option(help="Take only so many images of each part; 0: all.")]


def train_encoder(
    images: Images,
    layout: Layout,
    name: Annotated[str, typer.Option(help="What the encoder is called.")],
    output: Output = encoders.FOLDER,
    work: Annotated[
        Path, typer.Option(help="Where unfinished training is kept, and the curve of a finished one.")
    ] = WORK,
    data: Annotated[str, typer.Option(help="What the card says about the images.")] = "",
    licence: Annotated[str, typer.Option(help="What the card says about their licence.")] = "not stated",
    limit: Limit = 0,
    params_path: options.Params = params.PARAMS,
    device: options.Device = "auto",
    force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Train an encoder on labelled faces; an interrupted training goes on after its last whole epoch."""
    encoders.check_name(name)
    kinds = (PretrainParameters, ImageAugmentParameters)
    training, augmentation = params.read_parts(params_path, "pretrain", kinds)
    found = read(images, layout, max(size for size, _ in training.stages))
    found = found.first(limit) if limit else found
    place, chosen = work / name, devices.choose(device)
    with console.progress("images", len(found.images), "images", quiet) as advance:
        key = key_of(found, (training, augmentation), advance)
    told = {"data": data or layout, "licence": licence, "command": command_of(name, layout, data, licence, limit)}
    progress = place / "progress.safetensors"
    if not force and say_again(output, name, key, found.classes, place, told):
        checkpoint_files.remove_progress(progress, key)
        return
    trained = train(found, training, augmentation, chosen, progress, key, force, quiet)
    table, accuracy = tested(trained, found, chosen)
    card = {
        "name": name,
        "images": found.counts(),
        "test_accuracy": accuracy,
        "test_mean_recall": mean_recall(table),
        "confusion": table.tolist(),
        "parameters": dataclasses.asdict(training) | dataclasses.asdict(augmentation),
        "training": key,
        **told,
    }
    encoder, classes = apart(trained.state, found.classes)
    # Half the bytes; the rounding is far below what another seed would change.
    state = {key: value.half() for key, value in encoder.items()}
    # Before the encoder, which says that all of it is there.
    schema.write_csv(place / "curves.csv", Epoch._fields, trained.curve)
    write_confusion(place, found.classes, table.tolist())
    encoders.write(output, name, state, trained.preprocessing, card, classes)
    # Last of all: what was trained once is not trained again, whenever the command is killed.
    checkpoint_files.remove_progress(progress, key)
    counts = found.counts()
    console.result(
        f"weights pretrain: {len(trained.curve)} epochs on {counts['train']} images, {100 * accuracy:.1f} % of "
        f"{counts['test']} test images right, mean recall {100 * mean_recall(table):.1f} %; "
        f"{output / name}.safetensors"
    )


def say_again(output: Path, name: str, key: str, classes: Sequence[str], place: Path, told: Mapping[str, Any]) -> bool:
    """Return whether an encoder of this training is there already; its card then says what was told this time.

    Classes that were renamed in the same order are of the same training: only their names are written anew.
    """
    path = encoders.path_of(output, name)
    if not path.is_file():
        return False
    there = encoders.load(name, output, 0)
    if there.card.get("training") != key:
        return False
    card, layer = {**there.card, **told}, there.classes
    if renamed := card.get("classes") != list(classes):
        card["classes"], layer = list(classes), layer and layer._replace(names=tuple(classes))
        write_confusion(place, classes, card["confusion"])
    encoders.write(output, name, there.tensors, there.preprocessing, card, layer)
    known = f"; its classes are called {', '.join(classes)} now" if renamed else ""
    console.result(f"weights pretrain: {path} is of this training already{known} (--force trains again)")
    return True


def write_confusion(place: Path, classes: Sequence[str], table: Sequence[Sequence[int]]) -> None:
    """Write the confusion counts on the test part: a row for each class, a column for each that it was taken for."""
    rows = [[name, *counts] for name, counts in zip(classes, table, strict=True)]
    schema.write_csv(place / "confusion.csv", ("class", *classes), rows)


def command_of(name: str, layout: str, data: str, licence: str, limit: int) -> str:
    """Return what was typed, without the folder of the images, which is nobody's business."""
    words = ["facespan", "weights", "pretrain", "--images", "FOLDER", "--layout", layout, "--name", name]
    words += [word for flag, value in (("--data", data), ("--licence", licence)) for word in (flag, value) if value]
    return shlex.join(words + (["--limit", str(limit)] if limit else []))


def read(images: Path, layout: str, image_size: int) -> LabelledImages:
    """Return the images, after a line about what was found."""
    found = labelled_images.read(images, layout, image_size)
    counts = ", ".join(f"{count} {name}" for name, count in found.counts().items())
    console.say(f"weights: {counts} images of {found.images.shape[1]} px, {len(found.classes)} classes")
    return found


def faces_of(found: LabelledImages, part: int) -> Faces:
    """Return one part of the images, with their targets as a tensor."""
    rows = np.flatnonzero(found.split == part)
    return Faces(found.images.take(rows), torch.from_numpy(found.targets[rows]))


def key_of(found: LabelledImages, parameters: Sequence[Any], advance: Callable[[int], None]) -> str:
    """Return a hash over all that decides the weights: training goes on only where it was the same.

    Every image is looked at once, so that a damaged one is named before hours of training and not after.
    """
    total = hashlib.sha256(json.dumps([dataclasses.asdict(p) for p in parameters], sort_keys=True).encode())
    for count, content in found.images.contents():
        total.update(content)
        advance(count)
    for values in (found.targets, found.split):
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
    learned, validation = faces_of(found, TRAIN), faces_of(found, VALIDATION)
    kept = None if force else checkpoint_files.read_progress(path, key)
    sizes = training.sizes
    epochs, done, begun = len(sizes), len(kept.curve) if kept else 0, time.monotonic()
    if kept:
        console.say(f"weights: going on after epoch {done} of {epochs} ({path})")

    def save(progress: Progress) -> None:
        checkpoint_files.write_progress(path, key, progress)
        last = progress.curve[-1]
        # What an epoch costs goes with the pixels of an image.
        per_pixel = (time.monotonic() - begun) / sum(size**2 for size in sizes[done : last.epoch])
        minutes = per_pixel * sum(size**2 for size in sizes[last.epoch :]) / 60
        console.say(
            f"weights: epoch {last.epoch} of {epochs} at {last.image_size} px: loss {last.train_loss:.3f}, "
            f"validation {last.validation_loss:.3f}, {100 * last.validation_accuracy:.1f} % right, mean recall "
            f"{100 * last.validation_mean_recall:.1f} %, about {minutes:.0f} min left"
        )

    with console.progress("pretrain", (epochs - done) * len(learned.images), "images", quiet) as advance:
        return pretrain(learned, validation, training, augmentation, device, kept, save, advance)


def tested(trained: Pretrained, found: LabelledImages, device: torch.device) -> tuple[Any, float]:
    """Return the confusion counts on the test part and the share of it that is right."""
    test = faces_of(found, TEST)
    network = start(0, len(found.classes))
    network.load_state_dict(trained.state)
    table = confusion(classify(on_device(network, device), test.images, trained.preprocessing, device), test.targets)
    return table, float(np.trace(table) / max(table.sum(), 1))


def take_over(
    file: Annotated[Path, typer.Argument(help="A ResNet18 by torchvision's names: .pt, .pth or .safetensors.")],
    name: Annotated[str, typer.Option(help="What the encoder is called; by default as the file.")] = "",
    output: Output = encoders.FOLDER,
    image_size: Annotated[int, typer.Option(help="Side in pixels of the images it was trained on.")] = 224,
    channels: Annotated[str, typer.Option(help="colour, or grey: the luminance three times.")] = "colour",
    mean: Annotated[str, typer.Option(help="Of the channels, where 1 is white.")] = IMAGENET_MEAN,
    deviation: Annotated[str, typer.Option(help="Likewise.")] = IMAGENET_DEVIATION,
    classes: Annotated[str, typer.Option(help="Names of its classes, in its order and between commas.")] = "",
) -> None:
    """Take over the weights of a ResNet18 that was trained elsewhere; no code in the file is run."""
    name = encoders.check_name(name or file.stem)
    preprocessing = params.build(
        {
            "image_size": image_size,
            "channels": channels,
            "mean": numbers(mean, "--mean"),
            "deviation": numbers(deviation, "--deviation"),
        },
        Preprocessing,
        "weights import",
    )
    content = checkpoint_files.load_checkpoint(file)
    try:
        taken = checkpoints.take(content, [word.strip() for word in classes.split(",")] if classes else ())
        statistics = checkpoints.feature_statistics(taken.weights, preprocessing)
    except DataError as error:
        raise InputError(f"{file}: {error}") from error
    card = {
        "name": name,
        "source": {"file": file.name, "sha256": files.sha256_of(file), "nest": taken.nest, "prefix": taken.prefix},
        "ignored": list(taken.ignored),
        "features_of_noise": statistics,
        "command": f"facespan weights import {file.name} --name {name}",
    }
    encoders.write(output, name, taken.weights, preprocessing, card, taken.classes)
    say_import(taken, preprocessing, mean == IMAGENET_MEAN)
    console.result(f"weights import: {output / name}.safetensors at {image_size} px; set extract.weights to {name}")


def say_import(taken: checkpoints.Taken, preprocessing: Preprocessing, assumed: bool) -> None:
    """Say what was not taken, and what nobody can see in a file of weights."""
    if taken.nest or taken.prefix:
        console.say(f"weights: found under {taken.nest or 'no key'}, names begin with {taken.prefix or 'nothing'}")
    if taken.ignored:
        console.say(f"weights: {len(taken.ignored)} other tensors were ignored: {', '.join(taken.ignored[:6])}")
    for place, count in taken.unnamed.items():
        console.say(f"weights: {place} tells {count} classes apart; to keep it, name them in its order with --classes")
    if assumed:
        console.say(
            "weights: mean and deviation are ImageNet's; give --mean and --deviation if it was trained with others"
        )
    console.say(f"weights: images will be {preprocessing.image_size} px, {preprocessing}")


def numbers(text: str, option: str) -> list[float]:
    """Return the numbers between commas; ParameterError otherwise."""
    try:
        return [float(number) for number in text.split(",")]
    except ValueError as error:
        raise params.ParameterError(f"{option} is {text!r}, expected three numbers such as {IMAGENET_MEAN}") from error


def probe(
    images: Images,
    layout: Layout,
    encoder_name: Annotated[str, typer.Option("--weights", help="random, or the name of an encoder.")],
    folder: Annotated[Path, typer.Option("--encoders", help="The folder of encoders.")] = encoders.FOLDER,
    without: Annotated[str, typer.Option(help="Classes to leave out, between commas.")] = "contempt",
    image_size: Annotated[int, typer.Option(help="That a random encoder sees.")] = 112,
    record: Annotated[bool, typer.Option(help="Write the result into the encoder's card.")] = False,
    limit: Limit = 0,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
) -> None:
    """Measure an encoder: a linear classifier on its features, on images where most voters agree on a class.

    With --record that classifier becomes the class layer of an encoder that has none.
    """
    encoder = encoders.load(encoder_name, folder, image_size)
    found = read(images, layout, encoder.preprocessing.image_size)
    left_out = [name for name in found.classes if name in without.split(",")]
    found = clear(found, left_out)
    found = found.first(limit) if limit else found
    network = resnet.build(encoder.tensors, encoder.preprocessing, devices.choose(device))
    features = encode(network, found, quiet)
    classes = torch.from_numpy(found.targets.argmax(axis=1))
    train, validation, test = ((features[rows], classes[rows]) for rows in rows_of(found))
    score, fitted = probing.score(train, validation, test, len(found.classes))
    named = zip(found.classes, score.recalls, strict=True)
    recalls = {name: round(recall, 4) for name, recall in named if not math.isnan(recall)}
    if record and encoder_name != encoders.RANDOM:
        measured = score._asdict() | {"images": found.counts(), "recalls": recalls, "without": left_out}
        card = {**encoder.card, "probes": {**encoder.card.get("probes", {}), layout: measured}}
        layer = encoder.classes or class_layer_of(fitted, found.classes, card)
        encoders.write(folder, encoder_name, encoder.tensors, encoder.preprocessing, card, layer)
    for name, recall in recalls.items():
        console.say(f"weights: {name:<10} {100 * recall:5.1f} % found")
    if encoder.classes and set(found.classes) <= set(encoder.classes.names):
        right = encoder.classes.probabilities_of(test[0], found.classes).argmax(dim=1) == test[1]
        console.say(f"weights: its own class layer names {100 * float(right.double().mean()):.1f} % of them rightly")
    console.result(
        f"weights probe: {encoder_name} at {encoder.preprocessing.image_size} px: {100 * score.accuracy:.1f} % of "
        f"{len(test[0])} test images right, {100 * score.balanced_accuracy:.1f} % when the {len(found.classes)} "
        "classes count alike"
    )


def class_layer_of(fitted: probing.Probe, names: Sequence[str], card: Mapping[str, Any]) -> ClassLayer | None:
    """Return a probe as the class layer of an encoder that has none, after a line; None where its card says otherwise.

    What a card says of an encoder's training, the confusion for instance, is about the classes that it names.
    """
    told = card.get("classes", list(names))
    if told != list(names):
        console.say(
            f"weights: it gets no class layer: its card names {params.shown(told)}, this probe {list(names)}. "
            "Give --without '' to leave out none"
        )
        return None
    console.say(f"weights: the probe is its class layer now: {', '.join(names)}")
    return fitted.class_layer(names)


def clear(found: LabelledImages, left_out: Sequence[str]) -> LabelledImages:
    """Return the images with a clear majority for one of the other classes; their targets have those only."""
    kept = [k for k, name in enumerate(found.classes) if name not in left_out]
    rows = np.flatnonzero(found.is_clear & np.isin(found.targets.argmax(axis=1), kept))
    taken = found.take(rows)
    return dataclasses.replace(taken, targets=taken.targets[:, kept], classes=tuple(found.classes[k] for k in kept))


def rows_of(found: LabelledImages) -> list[Tensor]:
    """Return the positions of the images of each part."""
    return [torch.from_numpy(np.flatnonzero(found.split == part)) for part in (TRAIN, VALIDATION, TEST)]


def encode(network: resnet.Encoder, found: LabelledImages, quiet: bool) -> Tensor:
    """Return ``(N, 512)`` features on the CPU."""
    features = []
    with console.progress("probe", len(found.images), "images", quiet) as advance:
        everything = np.arange(len(found.images))
        for images in found.images.read(np.split(everything, everything[BATCH_SIZE::BATCH_SIZE])):
            batch = torch.from_numpy(images)
            colour = batch if batch.ndim == 4 else batch.unsqueeze(-1).expand(-1, -1, -1, 3)
            features.append(network(colour).cpu())
            advance(len(batch))
    return torch.cat(features)


app.command("pretrain")(command.guarded(train_encoder))
app.command("import")(command.guarded(take_over))
app.command("probe")(command.guarded(probe))


if __name__ == "__main__":
    app()
