"""A tiny project that DVC knows, made once, for faults to be tried on copies of it; seeds are explicit.

What an undisturbed run leaves, byte for byte, is what every disturbed one has to come to in the end.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
import yaml
from typer.testing import CliRunner

from cache.files import TEMPORARY_NAME
from stages.commands import app
from tests import test_corpora_through_dvc as through_dvc

ROOT = Path(__file__).resolve().parents[2]
CORPUS = "casme2"
WEIGHTS = "ferplus"
LINE = ("check", "fingerprint", "index", "align", "extract", "train", "detect", "evaluate")
# What each stage leaves, `{}` is the encoder; below a folder everything.
OUTPUTS = {
    "check": ["data/casme2/sections.txt"],
    "fingerprint": ["configs/fingerprints/casme2.json"],
    "index": [f"data/casme2/{name}" for name in ("videos.parquet", "expressions.parquet", "audit.csv")],
    "align": ["data/casme2/frames", "configs/frames/casme2.json"],
    "extract": ["data/casme2/features/{}"],
    "train": ["results/casme2/detectors", *(f"results/casme2/plots/{name}.csv" for name in ("losses", "mean_losses"))],
    "detect": [f"results/casme2/{name}.parquet" for name in ("detections", "nested", "curves")],
    "evaluate": [
        "results/casme2/figures.json",
        "results/casme2/metrics.json",
        "results/casme2/plots/precision_recall.csv",
        "results/casme2/plots/confusion.csv",
    ],
}
# Written by DVC, or left on purpose.
NOT_OURS = {".gitignore"}
# A stage that waits for ever, for a lock perhaps, is a fault as well.
PATIENCE_SECONDS = 900


@dataclass(frozen=True)
class Told:
    """How a command ended, and all that it said."""

    code: int
    text: str


@dataclass(frozen=True)
class Project:
    """A checkout with a tiny corpus beside it.

    Attributes:
        encoder: `random`, or the one in `configs/weights`.
    """

    folder: Path
    encoder: str

    def outputs(self, *stages: str) -> list[Path]:
        """Return where stages leave what they make."""
        return [self.folder / name.format(self.encoder) for stage in stages for name in OUTPUTS[stage]]

    def files(self, *stages: str) -> list[Path]:
        """Return every file that is there of what stages make, hidden ones as well."""
        found = []
        for path in self.outputs(*stages):
            inner = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
            # DVC's own temporaries, by which it tries links, are not ours; inside of an output they would be shared.
            beside = [
                one for one in path.parent.glob(".*") if TEMPORARY_NAME.fullmatch(one.name) or one.suffix == ".lock"
            ]
            found += [one for one in (*inner, *beside) if os.path.lexists(one) and one.name not in NOT_OURS]
        found += [one for one in (self.folder / ".dvc/facespan").rglob(".*") if TEMPORARY_NAME.fullmatch(one.name)]
        return sorted(set(found))

    def contents(self, *stages: str) -> dict[str, bytes]:
        """Return the bytes of all that stages made, by path in the project."""
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in self.files(*stages or LINE)}

    def words(self, stage: str) -> list[str]:
        """Return what DVC types for a stage, after `python`."""
        command = self.commands[stage].replace("${item}", CORPUS).replace("${extract.weights}", self.encoder)
        return command.split()[1:]

    @cached_property
    def commands(self) -> dict[str, str]:
        """Return the command of each stage as `dvc.yaml` has it."""
        stated = yaml.safe_load((self.folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        return {name: stage["do"]["cmd"] for name, stage in stated.items()}

    def copy(self, folder: Path, *, before: str | None = None) -> Project:
        """Return a copy in a new folder, as it was before a stage ran, or with all that stages made."""
        shutil.copytree(self.folder, folder, symlinks=True)
        copied = Project(folder, self.encoder)
        if before is not None:
            copied.forget(*LINE[LINE.index(before) :])
        return copied

    def forget(self, *stages: str) -> None:
        """Remove what stages made, and what DVC and the store of detectors know of it."""
        for path in self.outputs(*stages):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        lock = self.folder / "dvc.lock"
        stated = yaml.safe_load(lock.read_text(encoding="utf-8"))
        kept = {name: one for name, one in stated["stages"].items() if name.partition("@")[0] not in stages}
        lock.write_text(yaml.safe_dump(stated | {"stages": kept}, sort_keys=False), encoding="utf-8")
        for known in (".dvc/cache/runs", ".dvc/facespan/detectors"):
            shutil.rmtree(self.folder / known, ignore_errors=True)

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a command: DVC's own notes stay beside the project."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        site = str(self.folder.with_name(f"{self.folder.name}-site"))
        told = {"PATH": path, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": site, "OMP_NUM_THREADS": "1"}
        return os.environ | told | more

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """Start `python <words>` in the project, in a group of processes of its own."""
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, **environment: str) -> Told:
        """Run `python <words>` in the project to its end."""
        process = self.start(*words, **environment)
        text = process.communicate(timeout=PATIENCE_SECONDS)[0]
        return Told(process.returncode, text)

    def dvc(self, *words: str, **environment: str) -> Told:
        """Type a `dvc` command."""
        return self.run("-m", "dvc", *words, **environment)

    def stage(self, stage: str, *more: str, **environment: str) -> Told:
        """Run a stage as DVC does."""
        return self.run(*self.words(stage), *more, **environment)

    def facespan(self, *words: str) -> Told:
        """Type a `facespan` command, in this process: it starts at once."""
        with contextlib.chdir(self.folder):
            told = CliRunner().invoke(app.build(), list(words))
        if told.exception is not None and not isinstance(told.exception, SystemExit):
            raise told.exception
        return Told(told.exit_code, told.output)

    def stage_here(self, stage: str, *more: str) -> Told:
        """Run a stage in this process."""
        words = [*self.words(stage)[1:], *(["--processes", "1"] if stage == "train" else []), *more]
        return self.facespan(words[0].removeprefix("stages."), *words[1:])


def make(folder: Path, encoder: str = "random") -> Project:
    """Return a project whose stages all ran, undisturbed, and which DVC knows: four videos of sixty images.

    Args:
        encoder: `ferplus` takes the weights that this checkout ships.
    """
    corpus = folder / "disk"
    through_dvc.write_casme2(corpus)
    through_dvc.add_to_casme2(corpus)
    project = Project(through_dvc.clone(folder / "project", {CORPUS: str(corpus)}), encoder)
    through_dvc.describe(project.folder, CORPUS, through_dvc.make_small)
    if encoder == WEIGHTS:
        use_weights(project.folder)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the processes that are disturbed: the last bit of a sum may hang on it
    for stage in LINE:
        told = project.stage_here(stage)
        if told.code:
            raise RuntimeError(f"{stage} ended with {told.code} undisturbed: {told.text}")
    torch.set_num_threads(threads)
    # A report says when its stages ran, so its bytes are compared with none; DVC has to know it all the same.
    told = project.stage("report")
    if told.code:
        raise RuntimeError(f"report ended with {told.code} undisturbed: {told.text}")
    told = project.dvc("commit", "--force", "--quiet")
    if told.code:
        raise RuntimeError(told.text)
    return project


def use_weights(folder: Path) -> None:
    """Let a project encode with the weights of this checkout."""
    shutil.copy(ROOT / f"configs/weights/{WEIGHTS}.safetensors", folder / "configs/weights")
    path = folder / "configs/params.yaml"
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["extract"]["weights"] = WEIGHTS
    path.write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
    through_dvc.describe(folder, CORPUS, lambda stated: stated["overrides"]["extract"].pop("random_image_size"))


def differences(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    """Return in words where the bytes of two projects differ."""
    told = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    told += [f"{name} was left" for name in sorted(found.keys() - expected.keys())]
    return told + [f"{name} differs" for name in sorted(found.keys() & expected) if found[name] != expected[name]]
