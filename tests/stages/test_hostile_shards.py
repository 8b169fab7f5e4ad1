"""Shards and manifests from anybody, at the commands: one clear line, exit 5, and nothing large read or made before."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cache import files
from cache.shards import frames, manifest, shard_entry
from cache.shards.manifest import Manifest
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
FEATURES, FRAMES = Path("data/features"), Path("data/frames")
TEBIBYTE = 1 << 40


def refused(told: Any, *words: str) -> None:
    """Check that a command ended with one line and the exit code of shards."""
    assert told.code == ExitCode.SHARD, told.err
    assert all(word in told.err for word in words), told.err
    assert told.err.count("error: ") == 1
    assert len(told.err.splitlines()[-1]) < 600


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what a manifest says, as text, so that it may say what no program would write; it carries no digest."""
    path = folder / manifest.NAME
    stored = json.loads(path.read_text(encoding="ascii"))
    stored["run"].pop("own_digest", None)
    changed = change(stored)
    path.write_text(changed if isinstance(changed, str) else json.dumps(stored), encoding="ascii")


def entry(**values: object) -> Callable[[dict[str, Any]], object]:
    return lambda stored: stored["shards"]["ann_1"].update(values)


MANIFESTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "ten million lists": (lambda s: json.dumps(s)[:-1] + ', "x": [' + "[]," * 1_000_000 + "0]}", "values"),
    "brackets without end": (lambda _: "[" * 200_000, "is nested too deeply"),
    "a key twice": (lambda s: '{"kind": "frames", ' + json.dumps(s)[1:], "the key 'kind' stands twice in one object"),
    "format true": (lambda s: s.update(format=True), "format True and kind"),
    "a kind of a megabyte": (lambda s: s.update(kind="x" * 1_000_000), "expected 1 and one of"),
    "frames beyond any": (entry(frames=10**400), "video ann_1: 1000"),
    "more frames than bytes": (entry(frames=10**9), "video ann_1: 1000000000 frames in"),
    "a size beyond any": (entry(bytes=TEBIBYTE), "video ann_1: bytes is 1099511627776"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_cannot_be_is_refused_by_whoever_reads_it(
    begin: Begin, stage: Run, facespan: Run, name: str
) -> None:
    change, message = MANIFESTS[name]
    begin("extract")
    rewrite(FEATURES, change)
    for told in (stage("train"), facespan("cache", "verify", str(FEATURES)), facespan("cache", "info", str(FEATURES))):
        refused(told, "manifest.json is no manifest of format 1", message)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the sizes of the files that are hashed whole."""
    sizes: list[int] = []
    original = files.sha256_of_descriptor

    def count(descriptor: int) -> str:
        sizes.append(os.fstat(descriptor).st_size)
        assert sizes[-1] < 1 << 30, "a sparse file is read for hours"
        return original(descriptor)

    monkeypatch.setattr(files, "sha256_of_descriptor", count)
    return sizes


def stretch(path: Path, size: int) -> None:
    """Make a file longer by a hole, which takes no room on the disk."""
    with path.open("r+b") as file:
        file.truncate(size)


@pytest.mark.parametrize("is_stated", [False, True])
@pytest.mark.usefixtures("hashed")
def test_a_sparse_shard_of_a_tebibyte_is_not_hashed(begin: Begin, stage: Run, facespan: Run, is_stated: bool) -> None:
    begin("extract")
    # What a manifest may state at most is as sparse.
    size = shard_entry.MAXIMUM_BYTES if is_stated else TEBIBYTE
    for folder in (FEATURES, FRAMES):
        stretch(folder / "ann_1.h5", size)
        if is_stated:
            rewrite(folder, entry(bytes=size))
    expected = "are on the disk" if is_stated else f"{TEBIBYTE} bytes"
    refused(stage("train"), "data/features/ann_1.h5", expected)
    told = facespan("cache", "verify", str(FEATURES))
    assert told.code == ExitCode.DIFFERENCES
    assert f"ann_1: damaged: data/features/ann_1.h5 has {TEBIBYTE}" in told.out or expected in told.out
    told = stage("extract")  # frames that are not whole fail alone; the rest is kept
    assert told.code == ExitCode.PARTIAL
    assert "ann_1.h5" in told.err
    (FEATURES / manifest.NAME).write_bytes((FEATURES / manifest.NAME).read_bytes()[1:])
    stretch(FEATURES / "ben_1.h5", size)
    assert "of the shards that it names, 1 are whole" in stage("extract").err.replace("\n", " ")


def test_frames_that_lie_about_their_own_digest_give_no_features(begin: Begin, stage: Run) -> None:
    begin("align")
    path, held = FRAMES / "ann_1.h5", manifest.read(FRAMES)
    with frames.open(path) as opened:
        told = opened.digest
    with h5py.File(path, "r+") as file:
        start, stop = (int(file["offsets"][position]) for position in (3, 4))
        image = frames.encode_image(np.full((*file.attrs["image_height"].reshape(1), 48, 3), 9, np.uint8), None)
        stored = np.frombuffer(image.ljust(stop - start, b"\0")[: stop - start], np.uint8)
        file["bytes"][start:stop] = stored
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert held.shards["ann_1"].digest == told  # the manifest, the file and its attribute agree with each other
    shards = {**held.shards, "ann_1": replace(held.shards["ann_1"], sha256=sha256)}
    manifest.write(FRAMES, Manifest(held.kind, shards, held.run))
    ended = stage("extract")
    assert ended.code == ExitCode.PARTIAL
    assert "images or columns that are not those of its digest" in ended.err
    assert not (FEATURES / "ann_1.h5").exists()


def write_frames(images: list[bytes]) -> None:
    """Put a shard of these images in the place of a video's frames, stated by the manifest as any other."""
    held, path = manifest.read(FRAMES), FRAMES / "ann_1.h5"
    stated = held.shards["ann_1"]
    columns = (frames.Frame(image, position / 30, position, True, 1.0) for position, image in enumerate(images))
    count = frames.write(path, columns, stated.key, "somebody")
    with frames.open(path) as opened:
        made = manifest.describe(FRAMES, path, count, stated.key, opened.digest)
    manifest.write(FRAMES, Manifest(held.kind, {**held.shards, "ann_1": made}, held.run))


def of_size(image: bytes, side: int) -> bytes:
    """Return a JPEG whose header says another size than its data are of."""
    place = image.index(b"\xff\xc0\x00\x11\x08") + 5
    return image[:place] + struct.pack(">HH", side, side) + image[place + 4 :]


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
WHOLE = frames.encode_image(NOISE, 90)
IMAGES = {
    "4096 pixels over data for 64": of_size(WHOLE, 4096),
    "half of the data": WHOLE[: len(WHOLE) // 2] + b"\xff\xd9",
}


@pytest.mark.parametrize("name", IMAGES)
def test_images_shorter_than_their_header_give_no_features(begin: Begin, stage: Run, name: str) -> None:
    begin("align")
    write_frames([IMAGES[name]] * 150)
    told = stage("extract")
    assert told.code == ExitCode.PARTIAL
    assert "frame 0 damaged (a JPEG image is cut short: its data end before the image does)" in told.err
    assert {path.name for path in FEATURES.glob("*.h5")} == {"ben_1.h5", "cem_1.h5"}


def test_large_images_of_few_bytes_are_decoded_a_few_at_once(
    begin: Begin, stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("align")
    write_frames([frames.encode_image(np.full((1024, 1024, 3), 90, np.uint8), 90)] * 30)
    shapes = []
    original = frames.Frames.decode

    def decode(self: frames.Frames, start: int, stop: int) -> np.ndarray:
        shapes.append(original(self, start, stop).shape)
        return original(self, start, stop)

    monkeypatch.setattr(frames.Frames, "decode", decode)
    assert stage("extract").code == ExitCode.DONE
    assert max(int(np.prod(shape)) for shape in shapes) <= frames.MAXIMUM_PIXEL_BYTES
    assert sum(shape[0] for shape in shapes) == 30 + 150 + 150
