"""A corpus so small that every stage runs on it in a second, and a way to type commands at it."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from stages.commands import app

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 150
EXPRESSIONS = ((20, 49, "happiness"), (90, 125, "anger"))


@dataclass(frozen=True)
class Told:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Told]


def write_video(path: Path, frames: int, seed: int, size: int = 48) -> None:
    """Write noise with a patch that brightens during the expressions: upper half for one, lower for the other."""
    generator = np.random.default_rng(seed)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (size, size))
    face = generator.integers(60, 120, (size, size, 3))
    for position in range(frames):
        image = face + generator.integers(-4, 5, face.shape)
        for half, (onset, offset, _) in enumerate(EXPRESSIONS):
            if onset <= position <= offset:
                image[half * size // 2 : (half + 1) * size // 2] += 60
        writer.write(image.clip(0, 255).astype(np.uint8))
    writer.release()


def write_corpus(root: Path, subjects: tuple[str, ...]) -> None:
    """Write one video per subject, every one with both expressions."""
    (root / "videos").mkdir(parents=True)
    lines = ["subject,video,onset,apex,offset,emotion"]
    for number, subject in enumerate(subjects):
        write_video(root / "videos" / f"{subject}_1.avi", FRAMES, seed=number)
        lines += [f"{subject},{subject}_1,{onset},,{offset},{emotion}" for onset, offset, emotion in EXPRESSIONS]
    (root / "expressions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a corpus of three subjects and parameters that fit it; copy it before changing it."""
    folder = tmp_path_factory.mktemp("pristine")
    write_corpus(folder / "corpus", ("ann", "ben", "cem"))
    # A checkout whose demo was made has what git would track of it besides, and perhaps places of its own.
    left_out = shutil.ignore_patterns("weights", "fingerprints", "frames", "places.yaml")
    shutil.copytree(ROOT / "configs", folder / "configs", ignore=left_out)
    described = yaml.safe_load((ROOT / "configs/corpora/demo.yaml").read_text(encoding="utf-8"))
    described["overrides"]["align"] = {"accept_unaligned": "noise shows no face"}
    described["overrides"]["extract"] = {"weights": "random", "random_image_size": 32}
    described["overrides"]["train"] |= {"epochs": 2, "width": 16, "head_width": 16, "window_attention_width": 16}
    described["overrides"]["train"] |= {"block_widths": [16, 16], "neck_widths": [16] * 4, "attention_heads": 2}
    described["overrides"]["evaluate"] = {"guess_repetitions": 5, "bootstrap_repetitions": 20}
    (folder / "configs/corpora/tiny.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    return folder


STAGES = {
    "index": "index tiny --root corpus --output data",
    "align": "align tiny --root corpus --videos data/videos.parquet --output data/frames",
    "extract": "extract tiny --frames data/frames --output data/features --device cpu",
    "train": "train tiny --videos data/videos.parquet --expressions data/expressions.parquet --features data/features "
    "--output results/detectors --losses results/losses.csv --device cpu --processes 1",
    "detect": "detect tiny --videos data/videos.parquet --features data/features --detectors results/detectors "
    "--output results/detections.parquet --nested results/nested.parquet --device cpu",
    "evaluate": "evaluate tiny --videos data/videos.parquet --expressions data/expressions.parquet "
    "--detections results/detections.parquet --nested results/nested.parquet --features data/features "
    "--detectors results/detectors --metrics results/tiny/metrics.json --figures results/tiny/figures.json "
    "--found results/tiny/found.csv --plots results/plots",
}


def type_command(*words: str) -> Told:
    """Type a `facespan` command and return how it ended; an error that no command expects is raised."""
    told = CliRunner().invoke(app.build(), list(words))
    if told.exception is not None and not isinstance(told.exception, SystemExit):
        raise told.exception
    return Told(told.exit_code, told.stdout, told.stderr)


def run_stages(*names: str, extra: tuple[str, ...] = ()) -> Told:
    """Run stages by name, each of which has to succeed but the last, which may and gets the extra words."""
    for name in names[:-1]:
        told = type_command(*STAGES[name].split())
        assert told.code == 0, told.err
    return type_command(*STAGES[names[-1]].split(), *extra)


@pytest.fixture(scope="session")
def advanced(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that gives the folder as it is after a stage, each stage run once a session."""
    made: dict[str, Path] = {"": pristine}

    def after(name: str) -> Path:
        if name not in made:
            names = ["", *STAGES]
            folder = tmp_path_factory.mktemp(name) / "project"
            shutil.copytree(after(names[names.index(name) - 1]), folder)
            with contextlib.chdir(folder):
                told = run_stages(name)
            assert told.code == 0, told.err
            made[name] = folder
        return made[name]

    return after


@pytest.fixture
def begin(advanced: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that makes a copy of the folder as it is after a stage, and the copy the current folder."""

    def copy(name: str = "") -> Path:
        folder = tmp_path / "project"
        shutil.copytree(advanced(name), folder)
        monkeypatch.chdir(folder)
        return folder

    return copy


@pytest.fixture
def add_video() -> Callable[..., None]:
    """Return a function that writes one more video."""
    return write_video


@pytest.fixture
def aligned_both_ways() -> Callable[[], tuple[dict[str, bytes], dict[str, bytes]]]:
    """Return a function that aligns one video at a time, then two at once, and returns what lies there each time."""

    def align() -> tuple[dict[str, bytes], dict[str, bytes]]:
        found, corpus = [], Path("configs/corpora/tiny.yaml")
        for processes in (1, 2):
            described = yaml.safe_load(corpus.read_text(encoding="utf-8"))
            described["overrides"]["align"]["processes"] = processes
            corpus.write_text(yaml.safe_dump(described), encoding="utf-8")
            told = run_stages("align", extra=("--force",))
            assert told.code == 0, told.err
            assert "(3 new, 0 kept)" in told.out
            found.append({path.name: path.read_bytes() for path in sorted(Path("data/frames").iterdir())})
        return found[0], found[1]

    return align


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return how many frames of each video file this process decoded, by its name, and how many images."""
    counted: Counter[str] = Counter()
    capture_of_opencv, imdecode_of_opencv = cv2.VideoCapture, cv2.imdecode

    class Capture:
        def __init__(self, path: str, *arguments: int) -> None:
            self.name, self.inner = Path(path).stem, capture_of_opencv(path, *arguments)

        def grab(self) -> bool:
            is_there = self.inner.grab()
            counted[self.name] += is_there
            return is_there

        def __getattr__(self, name: str) -> Any:
            assert name != "read", "frames are counted where they are grabbed"
            return getattr(self.inner, name)

    def imdecode(encoded: Any, flags: int) -> Any:
        counted["images"] += 1
        return imdecode_of_opencv(encoded, flags)

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    monkeypatch.setattr(cv2, "imdecode", imdecode)
    return counted


@pytest.fixture
def facespan() -> Run:
    """Return a function that types a `facespan` command and returns how it ended."""
    return type_command


@pytest.fixture
def words() -> Callable[[str], list[str]]:
    """Return a function that gives what is typed for a stage after its name."""
    return lambda name: STAGES[name].split()[1:]


@pytest.fixture
def stage() -> Run:
    """Return a function that runs stages by name."""
    return run_stages
