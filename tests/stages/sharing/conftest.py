"""A project whose `dvc.lock` states a small corpus, a remote that is a folder, and a colleague's clone without data."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from dvc.repo import Repo

from cache.columns import FrameColumns
from cache.shards import features, frames, manifest
from cache.shards.frames import Frame
from cache.shards.manifest import Manifest
from cache.tables import audit, intervals, videos
from cache.tables.intervals import Expression
from cache.tables.videos import Video
from cache.weights import detector_card
from cache.weights.detector_card import DetectorCard
from pipeline.detectors import registry
from stages.parts import train_parameters
from stages.shell import params

ROOT = Path(__file__).resolve().parents[3]
CORPUS = "mine"
FEATURES = f"data/{CORPUS}/features/random"
VIDEOS = ("ann_1", "ben_1", "cem_1")
FRAMES = 40
KEY = "0" * 64
STAGES = {
    "check": ["data/${item}/sections.txt"],
    "index": ["data/${item}/videos.parquet", "data/${item}/expressions.parquet", "data/${item}/audit.csv"],
    "align": [{"data/${item}/frames.json": {"cache": False, "persist": True}}],
    "extract": [{"data/${item}/features/random": {"persist": True}}],
    "train": ["results/${item}/detectors"],
    "detect": ["results/${item}/detections.txt"],
    "evaluate": ["results/${item}/metrics.json"],
}


@dataclass(frozen=True)
class Team:
    """Where the features were made, the folder they are shared through, and a colleague's clone."""

    home: Path
    remote: Path
    clone: Path

    def stored(self, name: str) -> Path:
        """Return where the remote keeps an object."""
        return self.remote / "files/md5" / name[:2] / name[2:]

    def store(self, content: bytes, suffix: str = "") -> str:
        """Put an object into the remote, and return its name."""
        name = hashlib.md5(content).hexdigest() + suffix
        self.replace(name, content)
        return name

    def replace(self, name: str, content: bytes) -> None:
        """Let the remote hold other bytes under a name."""
        path = self.stored(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(0o444)


def write_corpus(root: Path) -> None:
    """Write what the stages would, by their own writers."""
    data, results = root / "data" / CORPUS, root / "results" / CORPUS
    generator = np.random.default_rng(0)
    columns = FrameColumns(
        np.arange(FRAMES) / 30, np.arange(FRAMES), np.ones(FRAMES, bool), np.ones(FRAMES, np.float32)
    )
    for kind, folder in (("features", root / FEATURES), ("frames", data / "frames")):
        entries = {}
        for video in VIDEOS:
            path = folder / f"{video}.h5"
            if kind == "features":
                features.write(path, generator.random((FRAMES, 8)).astype(np.float16), columns, KEY, "avgpool")
            else:
                image = frames.encode_image(generator.integers(0, 255, (16, 16, 3), dtype=np.uint8), 95)
                frames.write(path, (Frame(image, i / 30, i, True, 1.0) for i in range(FRAMES)), KEY, "drawn")
            entries[video] = manifest.describe(folder, path, FRAMES, KEY)
        manifest.write(folder, Manifest(kind, entries, {"corpus": CORPUS}))
    listed = [Video(v, v[:3], f"{v}.avi", "video", FRAMES, 30.0, 0, 16, 16, KEY) for v in VIDEOS]
    videos.write(data / "videos.parquet", listed)
    rows = [Expression(v, v[:3], 5, 20, 10, "macro", "happiness", 2) for v in VIDEOS]
    intervals.write(data / "expressions.parquet", Expression, rows)
    audit.write(data / "audit.csv", [])
    (data / "sections.txt").write_text("align\n", encoding="utf-8")
    (data / "frames.json").write_text("{}\n", encoding="utf-8")
    for subject in ("ann", "ben", "everyone"):
        write_detector(results / f"detectors/{subject}.safetensors", subject)
    (results / "detections.txt").write_text("none\n", encoding="utf-8")
    (results / "metrics.json").write_text('{"f1": 0.5}\n', encoding="utf-8")


def write_detector(path: Path, subject: str, first: float | None = None) -> None:
    """Write a small untrained detector; the first of its numbers may be another."""
    small = {"width": 16, "head_width": 16, "window_attention_width": 16, "attention_heads": 2}
    values = params.load_section(ROOT / "configs/params.yaml", "train") | small
    chosen = train_parameters.build(values | {"block_widths": [16, 16], "neck_widths": [16] * 4}, "train")
    told, held_out = train_parameters.described(chosen), () if subject == "everyone" else (subject,)
    classes = ("happiness", "surprise")
    card = DetectorCard(CORPUS, subject, ("cem",), held_out, classes, classes, {}, chosen.network, told, KEY, 8)
    state = registry.build(chosen.network, chosen.own, 8, len(classes)).state_dict()
    tensors = {name: np.zeros_like(value.numpy()) for name, value in state.items()}
    if first is not None:
        next(value for value in tensors.values() if value.ndim)[:] = first
    detector_card.write(path, tensors, card)


def git(folder: Path, *words: str) -> str:
    """Type a `git` command in a folder and return what it said."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    told = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return told.stdout


def dvc(folder: Path, *words: str) -> str:
    """Type a `dvc` command in a folder and return all that it said; it has to succeed."""
    command = [sys.executable, "-m", "dvc", *words]
    told = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert told.returncode == 0, told.stdout
    return told.stdout


def commit_lock(root: Path) -> None:
    """Let DVC take what lies there for what its stages made."""
    with Repo(str(root)) as repo:
        repo.commit(force=True)


def change_lock(root: Path, path: str, **change: Any) -> None:
    """Change what a `dvc.lock` states of an output; None is stated no more."""
    lock = root / "dvc.lock"
    stated = yaml.safe_load(lock.read_text(encoding="utf-8"))
    for stage in stated["stages"].values():
        for out in stage["outs"]:
            if out["path"] == path:
                out.update(change)
                for name in [name for name, value in out.items() if value is None]:
                    del out[name]
    lock.write_text(yaml.safe_dump(stated), encoding="utf-8")


def locked(root: Path, path: str) -> dict[str, Any]:
    """Return what a `dvc.lock` states of an output."""
    stated = yaml.safe_load((root / "dvc.lock").read_text(encoding="utf-8"))
    found: dict[str, Any] = next(
        out for stage in stated["stages"].values() for out in stage["outs"] if out["path"] == path
    )
    return found


def everything(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its bytes, what DVC and git keep for themselves left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {".git", ".dvc"} & set(path.relative_to(folder).parts[:1])
    }


@pytest.fixture(autouse=True)
def dvc_keeps_its_index_here(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.mktemp("site")))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with a corpus that `dvc.lock` states; copy it before changing it."""
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    home = tmp_path_factory.mktemp("committed") / "home"
    home.mkdir()
    write_corpus(home)
    stages = {name: {"foreach": [CORPUS], "do": {"cmd": "echo ${item}", "outs": outs}} for name, outs in STAGES.items()}
    (home / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")
    shutil.copy(ROOT / ".gitignore", home)
    git(home, "init", "--quiet")
    with Repo.init(str(home)):
        pass
    (home / ".dvc/config").write_text(
        '[core]\n    remote = team\n[remote "team"]\n    url = ../../remote\n', encoding="utf-8"
    )
    commit_lock(home)
    git(home, "add", "--all")
    git(home, "add", "--force", f"data/{CORPUS}/frames.json")
    git(home, "commit", "--quiet", "--message", "a corpus")
    return home


@pytest.fixture
def begin(committed: Path, tmp_path: Path) -> Callable[[], Team]:
    """Return a function that gives a team of which nobody has pushed anything."""

    def copy() -> Team:
        shutil.copytree(committed, tmp_path / "home", symlinks=True)
        git(tmp_path, "clone", "--quiet", "home", "clone")
        return Team(tmp_path / "home", tmp_path / "remote", tmp_path / "clone")

    return copy


@pytest.fixture
def team(begin: Callable[[], Team], facespan: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Team:
    """Return a team whose features were pushed; the current folder is the clone, which has none."""
    made = begin()
    monkeypatch.chdir(made.home)
    told = facespan("cache", "push", CORPUS)
    assert told.code == 0, told.err
    monkeypatch.chdir(made.clone)
    return made


def listing(*entries: tuple[str, str]) -> bytes:
    """Return a listing as DVC writes it, of pairs of path and MD5."""
    return json.dumps([{"md5": name, "relpath": path} for path, name in entries]).encode()
