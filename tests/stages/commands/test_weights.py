"""`facespan weights`: checkpoints of any origin are taken over or refused, encoders are trained and measured."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load, save
from torchvision.models import resnet18, resnet50
from typer.testing import CliRunner, Result

from cache.weights import tensors as weights
from pipeline.encoder import resnet
from pipeline.encoder.preparation import Preprocessing
from stages.commands import app
from stages.parts import checkpoint_files, encoders
from stages.shell.command import ExitCode

ROOT = Path(__file__).resolve().parents[3]
STATE = {f"module.backbone.{name}": value for name, value in resnet18(num_classes=7).state_dict().items()}


class Intruder:
    """Something whose unpickling would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def facespan(*words: object) -> Result:
    told = CliRunner().invoke(app.build(), [str(word) for word in words])
    if told.exception is not None and not isinstance(told.exception, SystemExit):
        raise told.exception
    return told


def take_over(file: Path, *options: str) -> Result:
    return facespan("weights", "import", file, "--output", file.parent, "--image-size", "64", *options)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Write two classes, one darker, with a split."""
    noise = np.random.default_rng(0)
    for part, count in (("train", 8), ("val", 4), ("test", 4)):
        for label, level in (("anger", 40), ("joy", 180)):
            folder = tmp_path / "faces" / part / label
            folder.mkdir(parents=True)
            for number in range(count):
                image = (level + noise.integers(0, 40, (32, 32, 3))).astype(np.uint8)
                cv2.imwrite(str(folder / f"{number}.png"), image)
    return tmp_path / "faces"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Write parameters of two short epochs."""
    document = yaml.safe_load((ROOT / "configs/params.yaml").read_text(encoding="utf-8"))
    document["pretrain"] |= {"stages": [[32, 2]], "batch_size": 8}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return tmp_path / "params.yaml"


def words_of(faces: Path, small: Path) -> list[object]:
    folder = small.parent
    return [
        "weights", "pretrain", "--images", faces, "--layout", "folder", "--name", "own", "--output", folder / "weights",
        "--work", folder / "work", "--params", small, "--device", "cpu",
    ]  # fmt: skip


def train(faces: Path, small: Path, *options: str) -> Result:
    return facespan(*words_of(faces, small), *options)


def stopped_after_an_epoch(faces: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train until Ctrl-C, right after the first epoch was kept."""
    keep = checkpoint_files.write_progress

    def stop(*values: Any) -> None:
        keep(*values)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint_files, "write_progress", stop)
        assert train(faces, small).exit_code == ExitCode.INTERRUPTED


def test_a_checkpoint_with_prefixes_and_another_classifier_is_taken_over(tmp_path: Path) -> None:
    file = tmp_path / "affect.pth"
    torch.save({"epoch": 3, "state_dict": STATE}, file)
    told = take_over(file, "--name", "affect")
    assert told.exit_code == 0, told.stderr
    assert "names begin with module.backbone." in told.stderr
    assert "2 other tensors were ignored: module.backbone.fc.bias, module.backbone.fc.weight" in told.stderr
    assert "ImageNet's" in told.stderr
    tensors, card = weights.read(tmp_path / "affect.safetensors")
    taken = {name: torch.from_numpy(value) for name, value in tensors.items()}
    resnet.check(taken)
    assert torch.equal(taken["conv1.weight"], STATE["module.backbone.conv1.weight"])
    assert card["sha256"] == resnet.digest_of(taken)
    assert card["preprocessing"]["image_size"] == 64
    assert json.loads((tmp_path / "affect.json").read_text(encoding="utf-8")) == card


def test_the_class_layer_of_a_checkpoint_is_kept_when_its_classes_are_named(tmp_path: Path) -> None:
    file, names = tmp_path / "affect.pth", "neutral,joy,anger,fear,sadness,surprise,disgust"
    torch.save(STATE, file)
    told = take_over(file, "--classes", names)
    assert told.exit_code == 0, told.stderr
    assert "ignored" not in told.stderr
    assert "tells 7 classes apart" not in told.stderr
    layer = encoders.load("affect", tmp_path, 0).classes
    assert layer
    assert layer.names == tuple(names.split(","))
    network = resnet18(num_classes=7)
    network.load_state_dict({name.removeprefix("module.backbone."): value for name, value in STATE.items()})
    features = torch.rand((3, 512), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layer.logits(features), network.fc(features))
    with_layer = weights.read_card(tmp_path / "affect.safetensors")["sha256"]
    plain = take_over(file)
    assert "module.backbone.fc tells 7 classes apart; to keep it, name them in its order" in plain.stderr
    assert encoders.load("affect", tmp_path, 0).classes is None
    # Features are made by the rest, so their key is the same.
    assert weights.read_card(tmp_path / "affect.safetensors")["sha256"] == with_layer


def test_names_that_fit_no_class_layer_are_refused(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "affect.pth")
    told = take_over(tmp_path / "affect.pth", "--classes", "joy,anger")
    assert told.exit_code == 4
    assert "2 classes are named, expected as many as one class layer has; found: module.backbone.fc of 7" in told.stderr
    twice = take_over(tmp_path / "affect.pth", "--classes", "a,b,c,d,e,f,a")
    assert twice.exit_code == 4
    assert "each once" in twice.stderr


@pytest.mark.whole_line
def test_a_probe_becomes_the_class_layer_of_an_encoder_without_one(tmp_path: Path, faces: Path) -> None:
    torch.save(STATE, tmp_path / "own.pth")
    take_over(tmp_path / "own.pth")
    before = weights.read_card(tmp_path / "own.safetensors")
    words = ["weights", "probe", "--images", faces, "--layout", "folder", "--weights", "own", "--encoders", tmp_path]
    assert "class layer" not in facespan(*words, "--device", "cpu").stderr
    assert encoders.load("own", tmp_path, 0).classes is None
    fitted = facespan(*words, "--device", "cpu", "--record")
    assert "the probe is its class layer now: anger, joy" in fitted.stderr
    right = re.search(r"own at 64 px: (\d+\.\d) % of 8 test images right", fitted.stdout)
    assert right
    # Fitted on features as they are, it says what the probe said on standardised ones; and the second probe keeps it.
    again = facespan(*words, "--device", "cpu", "--record")
    assert f"its own class layer names {right[1]} % of them rightly" in again.stderr
    assert "is its class layer now" not in again.stderr
    card = weights.read_card(tmp_path / "own.safetensors")
    assert (card["classes"], card["sha256"]) == (["anger", "joy"], before["sha256"])


def test_a_probe_of_other_classes_than_the_card_names_is_no_class_layer(tmp_path: Path, faces: Path) -> None:
    encoders.write(
        tmp_path,
        "own",
        resnet.random_weights(0),
        Preprocessing(32, "grey", (0.5,) * 3, (0.5,) * 3),
        {"classes": ["joy", "fear"]},
    )
    told = facespan(
        "weights", "probe", "--images", faces, "--layout", "folder", "--weights", "own", "--encoders", tmp_path,
        "--device", "cpu", "--record",
    )  # fmt: skip
    assert told.exit_code == 0, told.stderr
    assert "it gets no class layer: its card names ['joy', 'fear'], this probe ['anger', 'joy']" in told.stderr
    assert encoders.load("own", tmp_path, 0).classes is None


def test_safetensors_of_others_are_taken_over(tmp_path: Path) -> None:
    own = {name: value.numpy() for name, value in resnet.random_weights(0).items()}
    (tmp_path / "plain.safetensors").write_bytes(save(own))
    told = take_over(tmp_path / "plain.safetensors", "--name", "mine", "--mean", "0.5,0.5,0.5", "--channels", "grey")
    assert told.exit_code == 0, told.stderr
    assert "ImageNet's" not in told.stderr
    assert weights.read_card(tmp_path / "mine.safetensors")["preprocessing"]["channels"] == "grey"


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path) -> None:
    file, trace = tmp_path / "evil.pth", tmp_path / "it ran"
    torch.save({"state_dict": STATE, "extra": Intruder(trace)}, file)
    told = take_over(file)
    assert told.exit_code == 4
    assert "holds code or objects besides tensors" in told.stderr
    assert "torch.save(model.state_dict(), path)" in told.stderr
    assert not trace.exists()
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cut.pth"
    torch.save(STATE, file)
    file.write_bytes(file.read_bytes()[:100_000])
    told = take_over(file)
    assert told.exit_code == 4
    assert "cut.pth" in told.stderr


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "page.pth").write_bytes(content)
    told = take_over(tmp_path / "page.pth")
    assert told.exit_code == 4
    assert "page.pth" in told.stderr


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    name = "module.backbone.layer1.0.conv1.weight"
    torch.save(STATE | {name: STATE[name] * float("nan")}, tmp_path / "broken.pth")
    told = take_over(tmp_path / "broken.pth")
    assert told.exit_code == 4
    assert "layer1.0.conv1.weight holds values that are not finite" in told.stderr


def test_another_network_is_refused(tmp_path: Path) -> None:
    torch.save(resnet50().state_dict(), tmp_path / "larger.pth")
    told = take_over(tmp_path / "larger.pth")
    assert told.exit_code == 4
    assert "not the weights of a ResNet18" in told.stderr


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--name", "random"), 4),
        (("--name", "../up"), 4),
        (("--mean", "0.5"), 2),
        (("--mean", "a,b,c"), 2),
        (("--channels", "blue"), 2),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: tuple[str, ...], code: int) -> None:
    torch.save(STATE, tmp_path / "own.pth")
    assert take_over(tmp_path / "own.pth", *options).exit_code == code


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert take_over(tmp_path / "nothing.pth").exit_code == 4


def test_an_encoder_is_trained_and_measured(faces: Path, small: Path) -> None:
    told = train(faces, small, "--data", "two greys", "--licence", "none")
    assert told.exit_code == 0, told.stderr
    tensors, card = weights.read(small.parent / "weights/own.safetensors")
    layer = {name: tensors.pop(name) for name in ("fc.weight", "fc.bias")}
    assert {value.dtype for value in tensors.values()} == {np.dtype(np.float16)}
    encoder = {name: torch.from_numpy(value) for name, value in tensors.items()}
    resnet.check(encoder)
    assert card["sha256"] == resnet.digest_of(encoder)
    assert card["classes"] == ["anger", "joy"]
    assert (layer["fc.weight"].shape, layer["fc.bias"].shape) == ((2, 512), (2,))
    assert card["images"] == {"train": 16, "validation": 8, "test": 8}
    assert card["command"] == (
        "facespan weights pretrain --images FOLDER --layout folder --name own --data 'two greys' --licence none"
    )
    assert str(small.parent) not in json.dumps(card)
    assert sum(map(sum, card["confusion"])) == 8
    assert len((small.parent / "work/own/curves.csv").read_text(encoding="utf-8").splitlines()) == 3
    measured = facespan(
        "weights", "probe", "--images", faces, "--layout", "folder", "--weights", "own", "--encoders",
        small.parent / "weights", "--device", "cpu", "--record",
    )  # fmt: skip
    assert measured.exit_code == 0, measured.stderr
    assert re.search(r"its own class layer names \d+\.\d % of them rightly", measured.stderr)
    assert "own at 32 px: 100.0 % of 8 test images right, 100.0 % when the 2 classes count alike" in measured.stdout
    after, recorded = weights.read(small.parent / "weights/own.safetensors")
    assert recorded["probes"]["folder"]["accuracy"] == 1
    assert all(np.array_equal(after[name], value) for name, value in {**tensors, **layer}.items())


def test_a_damaged_image_is_named_before_training(faces: Path, small: Path) -> None:
    image = faces / "test/joy/3.png"
    image.write_bytes(image.read_bytes()[:-20])
    told = train(faces, small)
    assert told.exit_code == 4
    assert str(image) in told.stderr
    assert "epoch 1" not in told.stderr


@pytest.mark.whole_line
def test_a_finished_training_is_not_repeated_and_keeps_no_unfinished_one(faces: Path, small: Path) -> None:
    encoder, progress = small.parent / "weights/own.safetensors", small.parent / "work/own/progress.safetensors"
    train(faces, small)
    first = encoder.read_bytes()
    assert not progress.exists()
    again = train(faces, small)
    assert "own.safetensors is of this training already (--force trains again)" in again.stdout
    assert "epoch" not in again.stderr
    assert encoder.read_bytes() == first
    said = train(faces, small, "--licence", "ours")
    assert "epoch" not in said.stderr
    assert weights.read_card(encoder)["licence"] == "ours"
    assert np.array_equal(weights.read_tensors(encoder)["conv1.weight"], load(first)["conv1.weight"])
    small.write_text(small.read_text(encoding="utf-8").replace("balance: 0.33", "balance: 0.25"), encoding="utf-8")
    other = train(faces, small)
    assert "epoch 2 of 2" in other.stderr
    assert encoder.read_bytes() != first


def test_an_encoder_that_is_there_has_its_curve_beside_it_whenever_the_command_is_killed(
    faces: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = encoders.write

    def stop(*values: Any) -> None:
        write(*values)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(encoders, "write", stop)
        assert train(faces, small).exit_code == ExitCode.INTERRUPTED
    assert "is of this training already" in train(faces, small).stdout
    assert len((small.parent / "work/own/curves.csv").read_text(encoding="utf-8").splitlines()) == 3
    assert (small.parent / "work/own/confusion.csv").read_text(encoding="utf-8").startswith("class,anger,joy\n")


def test_renamed_classes_of_a_finished_training_are_named_anew_without_training(faces: Path, small: Path) -> None:
    train(faces, small)
    before, first = weights.read(small.parent / "weights/own.safetensors")
    for folder in faces.glob("*/joy"):
        folder.rename(folder.with_name("happiness"))
    told = train(faces, small)
    assert "of this training already; its classes are called anger, happiness now" in told.stdout
    assert "epoch" not in told.stderr
    layer = encoders.load("own", small.parent / "weights", 0).classes
    assert layer
    assert layer.names == ("anger", "happiness")
    after, card = weights.read(small.parent / "weights/own.safetensors")
    assert all(np.array_equal(before[name], after[name]) for name in before | after)
    changed = {name for name in first | card if first.get(name) != card.get(name)}
    assert changed == {"classes"}
    table = (small.parent / "work/own/confusion.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in table] == ["class", "anger", "happiness"]
    assert "its classes are called" not in train(faces, small).stdout


def test_every_epoch_says_what_was_reached_and_how_long_it_will_take(faces: Path, small: Path) -> None:
    lines = [line for line in train(faces, small).stderr.splitlines() if line.startswith("weights: epoch")]
    assert [line.split(":")[1] for line in lines] == [" epoch 1 of 2 at 32 px", " epoch 2 of 2 at 32 px"]
    assert all(re.search(r" % right, mean recall \d+\.\d %, about \d+ min left$", line) for line in lines)
    assert lines[-1].endswith("about 0 min left")


@pytest.mark.whole_line
def test_a_training_that_was_killed_goes_on_after_its_last_epoch_to_the_same_bytes(faces: Path, small: Path) -> None:
    assert train(faces, small).exit_code == 0
    whole = (small.parent / "weights/own.safetensors").read_bytes()
    curve = (small.parent / "work/own/curves.csv").read_bytes()
    shutil.rmtree(small.parent / "weights")
    shutil.rmtree(small.parent / "work")
    words = [str(word) for word in words_of(faces, small)]
    killed = subprocess.Popen(
        [sys.executable, "-m", "stages.commands.app", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert killed.stderr
    assert any("epoch 1 of 2" in line for line in killed.stderr)
    killed.kill()
    killed.communicate()
    assert not (small.parent / "weights/own.safetensors").exists()
    told = train(faces, small)
    assert "going on after epoch 1 of 2" in told.stderr
    assert (small.parent / "weights/own.safetensors").read_bytes() == whole
    assert (small.parent / "work/own/curves.csv").read_bytes() == curve


@pytest.mark.whole_line
def test_an_unfinished_training_of_other_parameters_is_not_gone_on_from(
    faces: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_after_an_epoch(faces, small, monkeypatch)
    small.write_text(small.read_text(encoding="utf-8").replace("balance: 0.33", "balance: 0.25"), encoding="utf-8")
    assert "is of other images or parameters and is made anew" in train(faces, small).stderr


@pytest.mark.whole_line
def test_a_damaged_unfinished_training_is_named_and_can_be_begun_anew(
    faces: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_after_an_epoch(faces, small, monkeypatch)
    kept = small.parent / "work/own/progress.safetensors"
    kept.write_bytes(kept.read_bytes()[:1000])
    told = train(faces, small)
    assert told.exit_code == 4
    assert str(kept) in told.stderr
    assert "--force" in told.stderr
    assert train(faces, small, "--force").exit_code == 0
