"""Extraction end to end beside the bare forward pass of the same encoder, and its memory. Run by hand, from the root:

    python -m tests.benchmarks.extraction [--device cuda] [--image-size 96] [--channels grey] [--count 448]

Both take turns in one process, so that what else the machine does falls on both; the ratio of the medians counts.
Memory is the peak of a fresh process that extracts one minute, and of one that extracts ten.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import typer

from cache.shards import features, frames, layout
from cache.shards.frames import Frame
from pipeline.encoder import resnet
from pipeline.encoder.preparation import IMAGENET_DEVIATION, IMAGENET_MEAN, Preprocessing
from pipeline.encoder.resnet import Encoder
from stages.parts.feature_sources import LAYER, encode

BATCH, FRAMES_A_MINUTE, ROUNDS = 64, 1800, 5


def images(count: int) -> Iterator[Frame]:
    """Yield JPEG images of 224 px about as large as those of faces."""
    generator = np.random.default_rng(0)
    smooth = generator.integers(0, 255, (28, 28, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    for position in range(count):
        noisy = (smooth.astype(np.int16) + generator.integers(-4, 5, smooth.shape)).clip(0, 255).astype(np.uint8)
        yield Frame(frames.encode_image(noisy, 95), position / 30, position, True, 1.0)


def build(device: str, image_size: int, channels: Literal["colour", "grey"]) -> Encoder:
    preprocessing = Preprocessing(image_size, channels, IMAGENET_MEAN, IMAGENET_DEVIATION)
    return resnet.build(resnet.random_weights(0), preprocessing, torch.device(device))


def synchronise(network: Encoder) -> None:
    if network.device.type == "cuda":
        torch.cuda.synchronize(network.device)


def end_to_end(network: Encoder, folder: Path) -> float:
    """Return the seconds from an open shard of frames to a written shard of features."""
    with frames.open(folder / "frames.h5") as opened:
        begun = time.perf_counter()
        found = encode(network, opened, BATCH, lambda _: None)
        features.write(folder / "features.h5", found, opened.columns, "0" * 64, LAYER)
        return time.perf_counter() - begun


def bare(network: Encoder, count: int) -> float:
    """Return the seconds of the forward pass alone, on prepared images that lie on the device."""
    size = network.preprocessing.image_size
    prepared = network.prepare(torch.rand(BATCH, 3, size, size, device=network.device))
    synchronise(network)
    begun = time.perf_counter()
    with torch.inference_mode():
        for _ in range(0, count, BATCH):
            network.network(prepared)
    synchronise(network)
    return time.perf_counter() - begun


def speed(
    device: Annotated[str, typer.Option()] = "cpu",
    image_size: Annotated[int, typer.Option()] = 96,
    channels: Annotated[Literal["colour", "grey"], typer.Option(help="As the shipped encoder: grey.")] = "grey",
    count: Annotated[int, typer.Option(help="Frames of the timed video.")] = FRAMES_A_MINUTE // BATCH * BATCH,
    memory: Annotated[bool, typer.Option(help="Measure memory as well, on one and ten minutes of video.")] = True,
    memory_of: Annotated[int, typer.Option(help="Only extract so many frames and print the peak.")] = 0,
) -> None:
    """Print the table."""
    network = build(device, image_size, channels)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = memory_of or count
        frames.write(folder / "frames.h5", images(count), layout.fingerprint({"benchmark": 1}), "benchmark")
        if memory_of:
            end_to_end(network, folder)
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
            return
        bare(network, count // 4), end_to_end(network, folder)
        pairs = [(bare(network, count), end_to_end(network, folder)) for _ in range(ROUNDS)]
    of_bare, of_all = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratios = sorted(first / second for first, second in pairs)
    print(
        f"torch {torch.__version__}, {device}, {image_size} px {channels}, batch {BATCH}, {count} frames of 224 px JPEG"
    )
    print(f"bare forward pass   {count / of_bare:8.0f} frames/s")
    print(f"end to end          {count / of_all:8.0f} frames/s")
    print(
        f"ratio, pair by pair {ratios[0]:.2f} to {ratios[-1]:.2f}, median {statistics.median(ratios):.2f} (0.85 wanted)"
    )
    for minutes in (1, 10) if memory else ():
        words = ["--device", device, "--image-size", str(image_size), "--channels", channels]
        words += ["--memory-of", str(minutes * FRAMES_A_MINUTE)]
        told = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.extraction", *words], capture_output=True, text=True, check=True
        )
        print(f"peak memory for {minutes:2d} min of video: {told.stdout.strip()} MiB")


if __name__ == "__main__":
    typer.run(speed)
