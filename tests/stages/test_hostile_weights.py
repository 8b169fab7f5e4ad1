"""Encoders, checkpoints and arrays from anybody, at the commands: one clear line, and nothing large is made before."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import save

from cache.weights import tensors as weights
from pipeline.encoder import resnet
from pipeline.encoder.class_layer import ClassLayer
from pipeline.encoder.preparation import Preprocessing
from stages.parts import encoders
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
TINY, FOLDER = Path("configs/corpora/tiny.yaml"), Path("configs/weights")
ENCODER = FOLDER / "theirs.safetensors"
GOOD = Preprocessing(32, "colour", (0.5,) * 3, (0.5,) * 3)


def refused(told: Any, *words: str) -> None:
    """Check that a command ended with one short line and the exit code of inputs."""
    assert told.code == ExitCode.INPUT, told.err
    assert all(word in told.err for word in words), told.err
    assert told.err.count("error: ") == 1
    assert len(told.err.splitlines()[-1]) < 600


def override(**values: object) -> None:
    """Change how features are made."""
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    described["overrides"]["extract"] = values
    TINY.write_text(yaml.safe_dump(described), encoding="utf-8")


def stated(**values: object) -> Callable[[dict[str, Any]], object]:
    return lambda card: card["preprocessing"].update(values)


CARDS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no pixels": (stated(image_size=0), "image_size is 0, expected 32 to 1024"),
    "fewer than none": (stated(image_size=-5), "image_size is -5, expected 32 to 1024"),
    "a million pixels": (stated(image_size=10**6), "image_size is 1000000, expected 32 to 1024"),
    "pixels beyond any": (stated(image_size=10**400), "image_size is 1000"),
    "a deviation of nothing": (stated(deviation=[0.0, 1.0, 1.0]), "a deviation above 0"),
    "an infinite mean": (lambda card: json.dumps(card).replace('"mean": [0.5', '"mean": [1e999'), "finite numbers"),
    "other channels": (stated(channels="x"), "channels"),
    "a list": (lambda card: card.update(preprocessing=[]), "card's preprocessing is [], expected a mapping"),
    "brackets without end": (lambda _: "[" * 200_000, "is nested too deeply"),
    "a key twice": (lambda card: '{"name": 1, ' + json.dumps(card)[1:], "the key 'name' stands twice"),
}


LAYERS: dict[str, tuple[object, dict[str, np.ndarray[Any, Any]], str]] = {
    "without names": (None, {"fc.weight": np.zeros((2, 512)), "fc.bias": np.zeros(2)}, "classes of its class layer"),
    "a number for names": (7, {"fc.weight": np.zeros((2, 512)), "fc.bias": np.zeros(2)}, "expected a list of names"),
    "a name twice": (["joy"] * 2, {"fc.weight": np.zeros((2, 512)), "fc.bias": np.zeros(2)}, "each once"),
    "too few names": (["joy", "fear"], {"fc.weight": np.zeros((3, 512)), "fc.bias": np.zeros(3)}, "its 2 classes"),
    "another width": (["joy", "fear"], {"fc.weight": np.zeros((2, 9)), "fc.bias": np.zeros(2)}, "(2, 512)"),
    "no bias": (["joy", "fear"], {"fc.weight": np.zeros((2, 512))}, "fc.bias"),
    "no numbers": (["joy", "fear"], {"fc.weight": np.full((2, 512), np.nan), "fc.bias": np.zeros(2)}, "not finite"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_class_layer_of_an_encoder_is_refused_where_it_cannot_be(begin: Begin, stage: Run, name: str) -> None:
    names, layer, message = LAYERS[name]
    begin("align")
    encoders.write(FOLDER, "theirs", resnet.random_weights(0), GOOD, {"name": "theirs"})
    override(weights="theirs")
    tensors, card = weights.read(ENCODER)
    weights.write(ENCODER, {**tensors, **layer}, card | ({"classes": names} if names is not None else {}))
    refused(stage("extract", extra=("--output", "data/features/theirs")), "theirs.safetensors", message)


def test_features_made_before_an_encoder_had_a_class_layer_are_kept(begin: Begin, stage: Run) -> None:
    begin("align")
    encoders.write(FOLDER, "theirs", resnet.random_weights(0), GOOD, {"name": "theirs"})
    override(weights="theirs")
    assert "0 kept" in stage("extract", extra=("--output", "data/features/theirs")).out
    stored = encoders.load("theirs", FOLDER, 0)
    layer = ClassLayer(("joy", "fear"), torch.ones(2, 512), torch.zeros(2))
    encoders.write(FOLDER, "theirs", stored.tensors, stored.preprocessing, stored.card, layer)
    assert "(0 new" in stage("extract", extra=("--output", "data/features/theirs")).out


@pytest.mark.parametrize("name", CARDS)
def test_the_card_of_an_encoder_is_refused_where_it_cannot_be(begin: Begin, stage: Run, name: str) -> None:
    change, message = CARDS[name]
    begin("align")
    encoders.write(FOLDER, "theirs", resnet.random_weights(0), GOOD, {"name": "theirs"})
    override(weights="theirs")
    tensors, card = weights.read(ENCODER)
    changed = change(card)
    ENCODER.write_bytes(save(tensors, {"card": changed if isinstance(changed, str) else json.dumps(card)}))
    refused(stage("extract", extra=("--output", "data/features/theirs")), "theirs.safetensors", message)


def test_a_size_beyond_any_is_refused_of_the_random_encoder_too(begin: Begin, stage: Run) -> None:
    begin("align")
    override(weights="random", random_image_size=10**6)
    told = stage("extract")
    assert told.code == ExitCode.USAGE
    assert "random_image_size is 1000000, expected 32 to 1024" in told.err


# Checkpoints of PyTorch.


def deflate(path: Path) -> None:
    """Write a checkpoint of 64 MB anew, compressed into a thousandth of that."""
    torch.save({"conv1.weight": torch.zeros(1 << 24)}, "large.pt")
    with zipfile.ZipFile("large.pt") as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))


def repeat(path: Path) -> None:
    """Write an archive whose members are all the same megabyte of the file."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"x" * 1_000_000)
        first = archive.infolist()[0]
        for number in range(100):
            archive.filelist.append(zipfile.ZipInfo(f"a/data/{number}"))
            vars_of = {"header_offset": first.header_offset, "CRC": first.CRC}
            archive.filelist[-1].file_size = archive.filelist[-1].compress_size = first.file_size
            for name, value in vars_of.items():
                setattr(archive.filelist[-1], name, value)
        archive._didModify = True  # type: ignore[attr-defined]


def old(path: Path) -> None:
    """Write a checkpoint of the format before archives whose list of storages names another one."""
    torch.save({"a": torch.zeros(3)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    place = content.rindex(b"\x80\x02]q")
    path.write_bytes(content[:place] + b"\x80\x02]q\x00U\x03zzzq\x01a." + content[-20:])


CHECKPOINTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "deflated": (deflate, "expected no compression. Save it with torch.save"),
    "overlapping": (repeat, "expected no compression. Save it with torch.save"),
    "of the old format": (old, "is no whole checkpoint (storage key 'zzz' not found"),
    "half an archive": (lambda path: path.write_bytes(b"PK\x03\x04" + b"\0" * 100), "checkpoint"),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_is_refused_in_one_line(begin: Begin, facespan: Run, name: str) -> None:
    write, message = CHECKPOINTS[name]
    begin()
    write(Path("theirs.pt"))
    refused(facespan("weights", "import", "theirs.pt", "--output", str(FOLDER)), "theirs.pt", message)
    assert not ENCODER.exists()


# Arrays of NumPy.


def array(header: str) -> bytes:
    encoded = header.encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(encoded)) + encoded + b"\0" * 64


def of_shape(shape: str) -> bytes:
    return array(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}")


ARRAYS = {
    "eight terabytes": of_shape("(1000000, 2000000)"),
    "more than can be counted": of_shape("(4294967296, 4294967296)"),
    "rows fewer than none": of_shape("(-1, 16)"),
    "nested brackets": array("(" * 5000),
    "signs without end": array("-" * 9900 + "1"),
    "a nested type": array("{'descr': " + "[('a'," * 500 + "'<f4'" + ")]" * 500 + "}"),
    "nothing": b"",
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_that_cannot_be_fails_its_video_alone(begin: Begin, stage: Run, name: str) -> None:
    begin("align")
    override(weights="i3d", imported="i3d", imported_first=0.5, imported_stride=2)
    Path("i3d").mkdir()
    for video in ("ann_1", "ben_1", "cem_1"):
        np.save(f"i3d/{video}.npy", np.random.default_rng(0).normal(size=(75, 24)).astype(np.float32))
    Path("i3d/ben_1.npy").write_bytes(ARRAYS[name])
    told = stage("extract", extra=("--output", "data/features/i3d"))
    assert told.code == ExitCode.PARTIAL, told.err
    assert "i3d/ben_1.npy is no array of numbers (" in told.err
    assert {path.name for path in Path("data/features/i3d").glob("*.h5")} == {"ann_1.h5", "cem_1.h5"}
