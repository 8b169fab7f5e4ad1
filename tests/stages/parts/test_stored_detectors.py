"""What was trained once is not trained again: through DVC, from the store below `.dvc`, whole, bounded and emptied."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from cache.shards import features, manifest
from stages.shell.command import ExitCode

ROOT = Path(__file__).resolve().parents[3]
Run = Callable[..., Any]
Begin = Callable[..., Path]
STORE = Path(".dvc/facespan/detectors")
DETECTORS = Path("results/detectors")


def set_train(here: Path, **values: object) -> None:
    """Set overrides of the tiny corpus."""
    path = here / "configs/corpora/tiny.yaml"
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["overrides"]["train"] |= values
    path.write_text(yaml.safe_dump(described), encoding="utf-8")


def bound(here: Path, gigabytes: float) -> None:
    """Set the size of the store."""
    path = here / "configs/params.yaml"
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["store"]["gigabytes"] = gigabytes
    path.write_text(yaml.safe_dump(described), encoding="utf-8")


def change_features(folder: Path, video: str) -> None:
    """Make other features of one video, as an extraction would."""
    held = manifest.read(folder)
    path = folder / held.shards[video].file
    shard = features.read(path)
    features.write(path, shard.features + np.float16(0.25), shard.columns, shard.key, shard.layer)
    entry = manifest.describe(folder, path, len(shard.features), shard.key)
    manifest.write(folder, manifest.Manifest("features", {**held.shards, video: entry}, held.run))


def stored(here: Path) -> list[Path]:
    return sorted((here / STORE).glob("*.safetensors"))


@pytest.fixture
def tracked(begin: Begin) -> Callable[[str], Path]:
    """Return a function that gives the folder as after a stage, with a `.dvc` in it."""

    def after(name: str) -> Path:
        here = begin(name)
        (here / ".dvc").mkdir()
        return here

    return after


def test_going_back_to_older_parameters_trains_nothing(tracked: Begin, stage: Run) -> None:
    here = tracked("extract")
    assert "(4 new, 0 kept)" in stage("train").out
    first = {path.name: path.read_bytes() for path in DETECTORS.iterdir()}
    set_train(here, epochs=1)
    assert "(4 new, 0 kept)" in stage("train").out
    set_train(here, epochs=2)
    assert "(0 new, 0 kept, 4 from the store)" in stage("train").out
    assert {path.name: path.read_bytes() for path in DETECTORS.iterdir()} == first
    assert "(0 new, 4 kept)" in stage("train").out


def test_other_features_of_one_video_train_only_the_folds_that_learn_from_it(tracked: Begin, stage: Run) -> None:
    tracked("extract")
    stage("train")
    change_features(Path("data/features"), "ben_1")
    told = stage("train", extra=("--dry-run",))
    assert told.out == "train: would train 3 of 4 detectors in results/detectors\n"
    assert "(3 new, 1 kept)" in stage("train").out


def test_detectors_that_came_without_training_are_stored_too(tracked: Begin, stage: Run) -> None:
    here = tracked("train")
    assert "(0 new, 4 kept)" in stage("train").out
    shutil.rmtree(DETECTORS)
    assert "(0 new, 0 kept, 4 from the store)" in stage("train").out
    assert len(stored(here)) == 4


def test_a_damaged_detector_of_the_store_is_trained_again(tracked: Begin, stage: Run) -> None:
    here = tracked("extract")
    stage("train")
    whole = {path.name: path.read_bytes() for path in stored(here)}
    for path in stored(here)[:2]:
        content = bytearray(path.read_bytes())
        content[-5] ^= 1
        path.write_bytes(content)
    shutil.rmtree(DETECTORS)
    assert "(2 new, 0 kept, 2 from the store)" in stage("train").out
    assert {path.name: path.read_bytes() for path in stored(here)} == whole


def test_the_store_makes_room_for_what_was_used_last(tracked: Begin, stage: Run) -> None:
    here = tracked("extract")
    stage("train")
    oldest, *others = first = stored(here)
    size = sum(path.stat().st_size for path in first)
    for path in others:
        os.utime(path, (20, 20))
    os.utime(oldest, (10, 10))
    set_train(here, epochs=1)
    bound(here, 1.9 * size / 1e9)  # room for seven of eight that are nearly of one size
    stage("train")
    assert len(stored(here)) == 7
    assert oldest not in stored(here)
    assert set(others) < set(stored(here))
    bound(here, 1.5 * size / 1e9)
    set_train(here, epochs=3)
    stage("train")
    shutil.rmtree(DETECTORS)
    assert "(0 new, 0 kept, 4 from the store)" in stage("train").out


def test_a_store_of_no_size_holds_nothing(tracked: Begin, stage: Run) -> None:
    here = tracked("extract")
    bound(here, 0)
    assert stage("train").code == ExitCode.DONE
    assert not stored(here)


def test_the_store_is_listed_in_one_line_and_emptied_without_touching_other_files(
    tracked: Begin, stage: Run, facespan: Run
) -> None:
    here = tracked("extract")
    assert facespan("store", "ls").out.startswith("store: 0 detectors, 0.0 MB of at most 20,000 MB, in ")
    stage("train")
    (here / STORE / "mine.safetensors").write_bytes(b"mine")
    told = facespan("store", "ls").out
    assert told.startswith("store: 4 detectors (tiny 4), ")
    assert told.count("\n") == 1
    assert facespan("store", "clear").out.startswith("store: 4 detectors removed, ")
    assert [path.name for path in stored(here)] == ["mine.safetensors"]
    assert "(0 new, 4 kept)" in stage("train").out


def test_without_dvc_there_is_no_store_unless_a_folder_is_named(begin: Begin, stage: Run, facespan: Run) -> None:
    begin("extract")
    assert "(4 new, 0 kept)" in stage("train").out
    told = facespan("store", "ls")
    assert told.code == ExitCode.INPUT
    assert "is in no folder that DVC knows" in told.err
    assert "(4 new, 0 kept)" in stage("train", extra=("--store", "kept", "--force")).out
    shutil.rmtree(DETECTORS)
    assert "(0 new, 0 kept, 4 from the store)" in stage("train", extra=("--store", "kept")).out
    assert facespan("store", "ls", "--folder", "kept").out.startswith("store: 4 detectors (tiny 4)")


def test_a_store_that_cannot_be_written_stops_no_training(tracked: Begin, stage: Run) -> None:
    here = tracked("extract")
    (here / ".dvc/facespan").write_text("a file where a folder is needed", encoding="utf-8")
    told = stage("train")
    assert told.code == ExitCode.DONE
    assert "(4 new, 0 kept)" in told.out
    assert "a return to it will train it again" in told.err


# Through DVC itself, with the stage as dvc.yaml has it.


def surroundings(here: Path) -> dict[str, str]:
    """Return the environment of a user who has activated our environment, and nothing of DVC's in it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    return environment | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "OMP_NUM_THREADS": "1",
        "HOME": str(here.parent),
    }


def type_in(here: Path, *words: str) -> str:
    """Type a command as a user does, and return all that it said; it has to succeed."""
    done = subprocess.run(
        words,
        cwd=here,
        env=surroundings(here),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def repository(begin: Begin) -> Path:
    """Return a git and DVC repository with the stage `train` of dvc.yaml, its code, and features of a tiny corpus."""
    here = begin("extract")
    for room in ("cache", "pipeline", "stages"):
        shutil.copytree(ROOT / room, here / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.move(here / "data", here / "tables")
    (here / "data/tiny/features").mkdir(parents=True)
    (here / "configs/weights").mkdir(exist_ok=True)  # a dependency of `train`
    shutil.move(here / "tables/features", here / "data/tiny/features/ferplus")
    for table in ("videos.parquet", "expressions.parquet"):
        shutil.move(here / "tables" / table, here / "data/tiny" / table)
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    kept = {"vars": stages["vars"], "stages": {"train": stages["stages"]["train"]}}
    (here / "dvc.yaml").write_text(yaml.safe_dump(kept), encoding="utf-8")
    path = here / "configs/params.yaml"
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(described | {"corpora": ["tiny"]}), encoding="utf-8")
    (here / ".gitignore").write_text("/results/\n/tables/\n/corpus/\n__pycache__/\n", encoding="utf-8")
    type_in(here, "git", "init", "--quiet")
    type_in(here, "git", "config", "user.email", "someone@example.org")
    type_in(here, "git", "config", "user.name", "Someone")
    type_in(here, "dvc", "init", "--quiet")
    shutil.copy(ROOT / ".dvc/.gitignore", here / ".dvc/.gitignore")
    commit(here, ["add", "--all"])
    return here


def commit(here: Path, words: Sequence[str]) -> None:
    type_in(here, "git", *words)
    type_in(here, "git", "commit", "--quiet", "--message", "a step")


def trained(told: str) -> str:
    """Return what the stage said it did."""
    found = re.search(r"train: \d+ detectors (\([^)]*\))", told)
    return found[1] if found else "not run"


@pytest.mark.whole_line
def test_through_dvc_nothing_is_trained_twice_and_a_queued_experiment_takes_from_the_store(repository: Path) -> None:
    here = repository
    assert trained(type_in(here, "dvc", "repro")) == "(4 new, 0 kept)"
    commit(here, ["add", "dvc.lock"])
    set_train(here, epochs=1)
    assert trained(type_in(here, "dvc", "repro")) == "(4 new, 0 kept)"
    set_train(here, epochs=2)
    assert trained(type_in(here, "dvc", "repro")) in ("not run", "(0 new, 0 kept, 4 from the store)")

    change_features(here / "data/tiny/features/ferplus", "ben_1")
    assert trained(type_in(here, "dvc", "repro")) == "(3 new, 0 kept, 1 from the store)"
    commit(here, ["add", "--all"])

    # The one fold that this experiment does not change is its own; all others of it were trained above.
    path = "configs/corpora/tiny.yaml:overrides.train.epochs"
    type_in(here, "dvc", "exp", "run", "--queue", "--set-param", f"{path}=1")
    assert trained(type_in(here, "dvc", "exp", "run", "--run-all")) == "(3 new, 0 kept, 1 from the store)"
    assert ".dvc/facespan" not in type_in(here, "git", "status", "--short", "--untracked-files=all")
    # A record for each of the four times that something was trained, also of the experiment, whose copy is gone.
    records = [json.loads(path.read_text()) for path in (here / ".dvc/facespan/runs/train").iterdir()]
    head = type_in(here, "git", "rev-parse", "HEAD").strip()
    assert len(records) == 4
    assert [record["changed"] for record in records if record["commit"] == head] == [True]


# A disk that stops for good when two detectors are stored, so that the kill comes in the middle on every machine.
STUCK_DISK = """
import os, pathlib, time
fsync = os.fsync
def stick(descriptor):
    while len(list(pathlib.Path(os.environ["STUCK"]).glob("*.safetensors"))) >= 2:
        time.sleep(0.05)
    fsync(descriptor)
os.fsync = stick
"""
DEADLINE_SECONDS = 300


@pytest.mark.whole_line
def test_a_training_that_was_killed_under_dvc_goes_on_where_it_was(repository: Path) -> None:
    here = repository
    (here.parent / "sitecustomize.py").write_text(STUCK_DISK, encoding="utf-8")
    stuck = surroundings(here) | {"PYTHONPATH": str(here.parent), "STUCK": str(here / STORE)}
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(["dvc", "repro"], cwd=here, env=stuck, start_new_session=True, **quiet)
    patience = time.monotonic() + DEADLINE_SECONDS
    while len(stored(here)) < 2 and time.monotonic() < patience:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert trained(type_in(here, "dvc", "repro")) == "(2 new, 0 kept, 2 from the store)"
