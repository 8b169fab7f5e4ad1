"""The stage `extract`: aligned frames, once through a frozen encoder -> one shard of features per video."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
import typer
from torch import Tensor

from cache import features, frames, manifest, upkeep, weights
from cache.errors import InputError
from cache.frames import Frames
from cache.manifest import ShardEntry
from cache.prefetch import ahead
from pipeline import encoder
from pipeline.encoder import Encoder, ExtractParameters, Preprocessing
from stages import command, console, corpora, devices, options, params, shard_folders

LAYER = "avgpool"
STORAGE = "float16"
# Raised when the same frames and weights would give other features on purpose, so shards are made again.
EXTRACT_VERSION = 1
BATCHES_AHEAD = 2
RANDOM = "random"


@dataclass(frozen=True)
class Source:
    """An encoder's weights, how its images are prepared, and the digest that names it in keys."""

    name: str
    tensors: dict[str, Tensor]
    preprocessing: Preprocessing
    digest: str


def main(
    corpus: options.CorpusName,
    frames_path: Annotated[Path, typer.Option("--frames", help="The folder of frame shards.")],
    output: Annotated[Path, typer.Option(help="The folder of feature shards.")],
    encoders: Annotated[Path, typer.Option(help="The folder of encoder weights.")] = Path("configs/weights"),
    params_path: options.Params = params.PARAMS,
    device: options.Device = "auto",
    batch_size: Annotated[int, typer.Option(help="Frames at once; 0 takes extract.batch_size.")] = 0,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
) -> None:
    """Encode every aligned frame once."""
    parameters = params.read(params_path, "extract", ExtractParameters, corpora.path_of(corpus))
    source, chosen = load(parameters, encoders), devices.choose(device)
    precision = encoder.choose_precision(chosen)
    held = manifest.read(frames_path).shards
    keys = {name: key_of(frames_path, entry, source, precision) for name, entry in held.items()}
    missing = upkeep.plan(output, keys, features.is_current, force)
    if dry_run:
        console.result(f"extract: would make {len(missing)} of {len(keys)} shards in {output}")
        return
    console.say(f"extract: encoder {source.name} at {source.preprocessing.image_size} px on {chosen} in {precision}")
    if source.name == RANDOM:
        console.say("extract: this encoder has learned nothing: its features mean nothing for real faces")
    network = encoder.build(source.tensors, source.preprocessing, chosen, precision)
    with console.progress("extract", sum(held[name].frames for name in missing), "frames", quiet) as advance:

        def make(name: str, path: Path) -> int:
            with frames.open(frames_path / held[name].file, sha256=held[name].sha256) as opened:
                found = encode(network, opened, batch_size or parameters.batch_size, advance)
                features.write(path, found, opened.columns, keys[name], LAYER)
                return len(opened)

        outcome = upkeep.keep_up(output, "features", keys, missing, make, facts(source, network))
    shard_folders.conclude("extract", output, outcome)


def load(parameters: ExtractParameters, folder: Path) -> Source:
    """Return the encoder that the parameters name; errors as in `cache.weights.read`."""
    if parameters.weights == RANDOM:
        tensors = encoder.random_weights(parameters.random_seed)
        mean, deviation = encoder.IMAGENET_MEAN, encoder.IMAGENET_DEVIATION
        preprocessing = Preprocessing(parameters.random_image_size, "colour", mean, deviation)
        return Source(RANDOM, tensors, preprocessing, encoder.digest_of(tensors))
    path = folder / f"{parameters.weights}.safetensors"
    if not path.is_file():
        known = [RANDOM, *sorted(p.stem for p in folder.glob("*.safetensors"))]
        raise InputError(
            f"{path} does not exist: extract.weights is {parameters.weights!r}, known are {', '.join(known)}. "
            "Run: facespan weights import FILE --name NAME"
        )
    arrays, card = weights.read(path)
    tensors = {name: torch.from_numpy(value) for name, value in arrays.items()}
    preprocessing = params.build(card.get("preprocessing", {}), Preprocessing, f"{path}: card")
    try:
        encoder.check(tensors)
    except ValueError as error:
        raise InputError(f"{path}: {error} --name {parameters.weights}") from error
    return Source(parameters.weights, tensors, preprocessing, encoder.digest_of(tensors))


def key_of(folder: Path, entry: ShardEntry, source: Source, precision: str) -> str:
    """Return the fingerprint of the features of one frame shard."""
    with frames.open(folder / entry.file, sha256=entry.sha256) as opened:
        return features.feature_key(
            frames_digest=opened.digest,
            encoder_digest=source.digest,
            layer=LAYER,
            image_size=source.preprocessing.image_size,
            normalisation=str(source.preprocessing),
            storage_dtype=STORAGE,
            precision=precision,
            code_version=EXTRACT_VERSION,
        )


def encode(
    network: Encoder, opened: Frames, batch_size: int, advance: Callable[[int], None]
) -> npt.NDArray[np.float16]:
    """Return the features of one video, ``(T, 512)``; those of frames without a face are zero.

    Frames are decoded in a thread of their own, so the encoder does not wait for them.
    """
    found = np.empty((len(opened), encoder.WIDTH), np.float16)
    position = 0
    for batch in ahead(decoded(opened, batch_size), BATCHES_AHEAD):
        found[position : position + len(batch)] = network(batch).cpu().numpy()
        position += len(batch)
        advance(len(batch))
    found[~opened.columns.face_found] = 0
    return found


def decoded(opened: Frames, batch_size: int) -> Iterator[Tensor]:
    """Yield the frames of a video in batches ``(B, H, W, 3)`` uint8."""
    for start in range(0, len(opened), batch_size):
        yield torch.from_numpy(opened.decode(start, min(start + batch_size, len(opened))))


def facts(source: Source, network: Encoder) -> dict[str, Any]:
    """Return what the features were made with, for the manifest; `encoder` tells detectors which features they know."""
    versions = {name: importlib.metadata.version(name) for name in ("torch", "torchvision")}
    device = torch.cuda.get_device_name(network.device) if network.device.type == "cuda" else network.device.type
    told = {
        "name": source.name,
        "digest": source.digest,
        "image_size": source.preprocessing.image_size,
        "has_learned": source.name != RANDOM,
    }
    return {"encoder": told, "device": device, "precision": network.precision, **versions}


if __name__ == "__main__":
    command.run(main)
