"""Every file that a stage reads is a dependency of it in `dvc.yaml`: what changed is made again by `dvc repro`."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from cache.shards import features, manifest
from cache.weights import tensors as weights
from pipeline.encoder import resnet
from pipeline.encoder.preparation import Preprocessing
from stages.parts import encoders
from stages.shell.command import ExitCode

pytestmark = pytest.mark.whole_line

ROOT = Path(__file__).resolve().parents[2]
LINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
STAGES = ("fingerprint", "index", "align", "extract", "train", "detect", "evaluate", "report")
PREPROCESSING = Preprocessing(32, "colour", (0.5,) * 3, (0.5,) * 3)
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": "",
    "DVC_NO_ANALYTICS": "1",
    "OMP_NUM_THREADS": "1",
}
IN_OPEN, IN_ISDIR, IN_NONBLOCK = 0x20, 0x40000000, 0x800


def write_encoder(here: Path, seed: int) -> None:
    """Write the encoder that the project names."""
    encoders.write(here / "configs/weights", "own", resnet.random_weights(seed), PREPROCESSING, {"name": "own"})


def run(here: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=here, env=ENVIRONMENT, text=True, capture_output=True, check=False)


def dvc(here: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(here, sys.executable, "-m", "dvc", *words)


@pytest.fixture
def project(begin: Callable[[], Path]) -> Path:
    """Return a repository of the whole line, whose only corpus is the tiny one, with an encoder of its own."""
    here = begin()
    for name in ("cache", "pipeline", "stages"):
        shutil.copytree(ROOT / name, here / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", here)
    described = yaml.safe_load((here / "configs/corpora/tiny.yaml").read_text(encoding="utf-8"))
    described["overrides"]["extract"] = {"batch_size": 32}
    (here / "configs/corpora/tiny.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    parameters = yaml.safe_load((here / "configs/params.yaml").read_text(encoding="utf-8"))
    parameters["corpora"] = ["tiny"]
    (here / "configs/places.yaml").write_text("tiny: corpus\n", encoding="utf-8")
    parameters["extract"]["weights"] = "own"
    (here / "configs/params.yaml").write_text(yaml.safe_dump(parameters), encoding="utf-8")
    write_encoder(here, 0)
    assert run(here, "git", "init", "--quiet").returncode == 0
    assert dvc(here, "init", "--quiet").returncode == 0
    return here


def resolved(text: str) -> str:
    """Return a line of `dvc.yaml` as DVC reads it for the tiny corpus."""
    values = {"item": "tiny", "extract.weights": "own"}
    return re.sub(r"\$\{([^}]+)\}", lambda found: values[found[1]], text)


def named(entries: list[Any]) -> list[str]:
    """Return the paths of a list in `dvc.yaml`."""
    return [resolved(entry if isinstance(entry, str) else next(iter(entry))) for entry in entries]


# The corpus and its frames, for which small files stand (configs/fingerprints, configs/frames), and where it lies.
CORPUS = ["corpus", "configs/places.yaml", ".dvc/facespan/footage"]
FRAMES = ["data/tiny/frames"]
STOOD_FOR = {"fingerprint": CORPUS, "index": CORPUS, "align": [*CORPUS, *FRAMES], "extract": FRAMES}
# Pictures and facts of a run that a report shows where they are; DVC makes it again without them.
STOOD_FOR["report"] = [*FRAMES, ".dvc/facespan/runs"]
# How much room earlier detectors may take: it decides what is kept, and nothing of what is made.
OF_NO_CONSEQUENCE = [{"configs/params.yaml": ["store"]}]
# Which shards were checked before: it decides what is hashed again, and nothing of what is made.
RECORD = ".dvc/facespan/checked"


def leave_only(here: Path, whole: dict[Path, str], listed: list[dict[str, list[str]]]) -> None:
    """Take out of the parameters and of the corpus file what the list of a stage's parameters in `dvc.yaml` lacks."""
    keys: dict[Path, list[str]] = {}
    for name, more in (pair for entry in listed for pair in entry.items()):
        keys.setdefault(here / resolved(name), []).extend(more)
    for path, text in whole.items():
        described, kept = yaml.safe_load(text), keys.get(path, [])
        if path.name == "params.yaml":
            left = {name: value for name, value in described.items() if name in kept}
        else:
            overrides = {name: values for name, values in described["overrides"].items() if f"overrides.{name}" in kept}
            nothing = {"reader": "none", "facts": {}, "classes": ["nothing"]}
            left = nothing | {name: value for name, value in described.items() if name in kept}
            left["overrides"] = {name: {} for name in described["overrides"]} | overrides
        path.write_text(yaml.safe_dump(left), encoding="utf-8")


@contextmanager
def opened_files(here: Path) -> Iterator[set[str]]:
    """Fill a set with the files opened below a folder, by whatever library, of those there when the block begins."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells which files were opened")
    system = ctypes.CDLL(None, use_errno=True)
    descriptor = system.inotify_init1(IN_NONBLOCK)
    assert descriptor >= 0
    folders = [here, *(path for path in here.rglob("*") if path.is_dir() and ".git" not in path.parts)]
    watched = {system.inotify_add_watch(descriptor, os.fsencode(path), IN_OPEN): path for path in folders}
    before = {str(path.relative_to(here)) for path in here.rglob("*") if path.is_file()}
    found: set[str] = set()
    try:
        yield found
        content = b""
        while True:
            try:
                content += os.read(descriptor, 1 << 20)
            except BlockingIOError:
                break
        while content:
            watch, mask, _, length = struct.unpack_from("iIII", content)
            name = content[16 : 16 + length].rstrip(b"\0")
            content = content[16 + length :]
            assert watch >= 0, "more was opened than the system kept"
            if name and not mask & IN_ISDIR:
                found.add(str((watched[watch] / os.fsdecode(name)).relative_to(here)))
        found &= before
    finally:
        os.close(descriptor)


def test_every_file_that_a_stage_opens_is_among_its_dependencies(project: Path) -> None:
    paths = [project / "configs/params.yaml", *(project / "configs/corpora").glob("*.yaml")]
    whole = {path: path.read_text(encoding="utf-8") for path in paths}
    for stage in STAGES:
        body = LINE[stage]["do"]
        leave_only(project, whole, [*body["params"], *OF_NO_CONSEQUENCE])
        with opened_files(project) as found:
            command = [*shlex.split(resolved(body["cmd"]))]
            told = run(project, sys.executable, *command[1:])
        assert told.returncode == 0, told.stderr
        assert found, "nothing was seen"
        told_of = [*named(body["deps"]), *named(body["params"]), *named(body.get("outs", []))]
        told_of += [RECORD, *STOOD_FOR.get(stage, [])]
        unknown = {name for name in found if not any(Path(name).is_relative_to(place) for place in told_of)}
        # Packages: a test of their own holds that they are docstrings.
        unknown = {name for name in unknown if not name.endswith("/__init__.py")}
        assert unknown == set(), f"{stage} reads what DVC does not watch"


def test_a_dozen_figures_are_metrics(project: Path) -> None:
    told = dvc(project, "repro", "--quiet")
    assert told.returncode == 0, told.stderr
    shown = json.loads(dvc(project, "metrics", "show", "--json").stdout)
    values = next(iter(shown.values()))["data"]["results/tiny/metrics.json"]["data"]
    assert sum(len(part) for part in values.values()) == 12
    assert (project / "results/tiny/figures.json").is_file()


def test_no_face_of_a_report_leaves_by_dvc_push(project: Path) -> None:
    assert dvc(project, "repro", "--quiet").returncode == 0
    page = (project / "results/tiny/report/index.html").read_bytes()
    assert b"data:image/jpeg" in page
    remote = project.parent / "remote"
    assert dvc(project, "remote", "add", "--default", "shared", str(remote)).returncode == 0
    told = dvc(project, "push")
    assert told.returncode == 0, told.stderr
    pushed = [path for path in remote.rglob("*") if path.is_file()]
    assert pushed
    assert not [path for path in pushed if b"data:image/jpeg" in path.read_bytes()]
    # What somebody put beside it stays when it is written again.
    (project / "results/tiny/report/notes.txt").write_text("mine", encoding="utf-8")
    assert dvc(project, "repro", "--single-item", "--force", "report@tiny").returncode == 0
    assert (project / "results/tiny/report/notes.txt").is_file()


def test_an_encoder_trained_again_under_its_name_makes_new_features(project: Path) -> None:
    assert dvc(project, "repro", "--quiet", "extract@tiny").returncode == 0
    place = project / "data/tiny/features/own"
    before = features.read(place / "ann_1.h5").features
    assert "didn't change" in dvc(project, "repro", "extract@tiny").stdout
    write_encoder(project, 1)
    told = dvc(project, "repro", "extract@tiny")
    assert told.returncode == 0, told.stderr
    assert "extract: 3 videos, 450 frames, 0 MB (3 new, 0 kept)" in told.stdout
    assert (features.read(place / "ann_1.h5").features != before).any()
    assert manifest.read(place).run["encoder"]["digest"] == resnet.digest_of(resnet.random_weights(1))


def test_a_changed_label_file_is_indexed_again(project: Path) -> None:
    assert dvc(project, "repro", "--quiet", "index@tiny").returncode == 0
    with (project / "corpus/expressions.csv").open("a", encoding="utf-8") as file:
        file.write("ann,ann_1,60,,75,anger\n")
    assert "7 expressions" in dvc(project, "repro", "index@tiny").stdout


def test_features_are_not_filed_under_another_encoders_name(project: Path) -> None:
    corpus = project / "configs/corpora/tiny.yaml"
    described = yaml.safe_load(corpus.read_text(encoding="utf-8"))
    described["overrides"]["extract"] = {"weights": "random"}
    corpus.write_text(yaml.safe_dump(described), encoding="utf-8")
    told = dvc(project, "repro", "extract@tiny")
    assert told.returncode != 0
    assert (
        "configs/corpora/tiny.yaml overrides extract.weights with 'random', but data/tiny/features/own is for the "
        "features of 'own'"
    ) in told.stderr
    assert not list((project / "data/tiny").rglob("features/*/*.h5"))


def test_weights_that_are_not_those_of_their_card_are_refused(
    begin: Callable[[str], Path], facespan: Callable[..., Any]
) -> None:
    here = begin("align")
    write_encoder(here, 0)
    tensors, card = weights.read(here / "configs/weights/own.safetensors")
    tensors["bn1.bias"] = tensors["bn1.bias"] + 1
    weights.write(here / "configs/weights/own.safetensors", tensors, card)
    (here / "configs/corpora/tiny.yaml").write_text(
        (here / "configs/corpora/tiny.yaml").read_text("utf-8").replace("weights: random", "weights: own"), "utf-8"
    )
    told = facespan("extract", "tiny", "--frames", "data/frames", "--output", "data/features")
    assert told.code == ExitCode.INPUT
    assert "configs/weights/own.safetensors holds weights of SHA-256" in told.err


def test_footage_that_lies_outside_the_corpus_folder_is_refused(
    begin: Callable[[], Path], facespan: Callable[..., Any]
) -> None:
    here = begin()
    corpus = here / "configs/corpora/tiny.yaml"
    described = yaml.safe_load(corpus.read_text(encoding="utf-8"))
    described["facts"]["folder"] = f"../{described['facts']['folder']}"
    corpus.write_text(yaml.safe_dump(described), encoding="utf-8")
    told = facespan("index", "tiny", "--root", "corpus", "--output", "data")
    assert told.code == ExitCode.INPUT
    assert "configs/corpora/tiny.yaml: facts.folder is ../" in told.err
    assert "nobody would see it change" in told.err
