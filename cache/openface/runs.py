"""Runs a user's OpenFace over the videos of a corpus, several at once, each into an output folder of its own.

OpenFace exits with 0 when it wrote nothing, and two inputs with one stem overwrite each other: what counts is what
`cache.openface.output` finds in the folder, and no folder is ever used twice.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cache.errors import InputError
from cache.files import claim, sha256_of
from cache.openface import output as openface
from cache.openface import rows as openface_rows

FLAGS = ("-simalign", "-simsize", str(openface.SIZE), "-nomask", "-2Dfp", "-pdmparams")
OUTPUT, LOG = "output", "said.txt"
SourceOf = Callable[[str, Path], Path]
_TOKEN = re.compile(r"[0-9a-f]{16}")
_SECONDS_BETWEEN_LOOKS = 0.05
# Finished folders wait for whoever takes them over; this many at most lie on disk for each run at once.
_WAITING = 3
_TAIL_LINES = 4
_MODEL_LINE = "Reading the landmark detector/tracker from:"


@dataclass(frozen=True)
class Command:
    """How FeatureExtraction is called.

    Attributes:
        path: of the command.
        image_format: `png` or `jpg`.
        landmark_model: what `-mloc` names; None for OpenFace's default, which needs its downloaded files.
    """

    path: Path
    image_format: str
    landmark_model: str | None

    def words(self, source: Path, output: Path) -> list[str]:
        """Return the command line for a video file or a folder of images."""
        model = [] if self.landmark_model is None else ["-mloc", self.landmark_model]
        where = ["-fdir" if source.is_dir() else "-f", str(source.absolute()), "-out_dir", str(output.absolute())]
        return [str(self.path), *where, *FLAGS, "-format_aligned", self.image_format, *model]


@contextmanager
def own_workspace(folder: Path) -> Iterator[Path]:
    """Yield where one process may work inside a folder that several share; it is removed at the end.

    What killed processes left in the folder goes, too.
    """
    sweep(folder)
    name = secrets.token_hex(8)
    try:
        with claim(folder / f"{name}.lock", wait=True):
            try:
                yield folder / name
            finally:
                shutil.rmtree(folder / name, ignore_errors=True)
    finally:
        with suppress(OSError):
            folder.rmdir()  # unless another process is at work


def sweep(folder: Path) -> None:
    """Remove what killed processes left in a folder of `own_workspace`; those that live keep theirs."""
    names = {path.name.removesuffix(".lock") for path in folder.glob("*")}
    for name in sorted(filter(_TOKEN.fullmatch, names)):
        with claim(folder / f"{name}.lock") as abandoned:
            if abandoned and not (folder / name).is_symlink():
                shutil.rmtree(folder / name, ignore_errors=True)


def try_out(command: Command, workspace: Path) -> dict[str, Any]:
    """Return what OpenFace is, having run it on one black image: its digest, its flags, the model that it read.

    OpenFace does not say its version; the digest of the command stands for it.

    Raises:
        InputError: it does not run, or not without the models that have to be downloaded.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    folder = workspace / f"trial.{secrets.token_hex(8)}"
    source = folder / "black"
    try:
        source.mkdir(parents=True)
        black = cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1]
        (source / "000001.png").write_bytes(black.tobytes())
        with _start(command, source, folder / OUTPUT) as process:
            process.wait()
        said = _said(folder / OUTPUT)
        if not (folder / OUTPUT / "black.csv").is_file():
            raise InputError(
                f"{command.path} does not work: run on one image it wrote no CSV.{_quote(said)} The models that it "
                "needs by default are fetched by OpenFace's script download_models; without them set "
                "align.openface_model to model/main_clnf_general.txt."
            )
        openface_rows.read(folder / OUTPUT / "black.csv")
        return {"command_sha256": sha256_of(command.path), "flags": " ".join(FLAGS), **_model(said)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def link_images(files: Sequence[Path], folder: Path) -> Path:
    """Return a new folder of links to images, named so that OpenFace sees them in order: zero-padded, small suffix."""
    folder.mkdir(parents=True)
    digits = len(str(len(files)))
    for position, path in enumerate(files):
        (folder / f"{position + 1:0{digits}d}{path.suffix.lower()}").symlink_to(path.absolute())
    return folder


@dataclass(frozen=True)
class _Finished:
    """A run that has ended, with its exit code, or could not begin."""

    folder: Path
    code: int | None = None
    problem: InputError | None = None


class Runs:
    """OpenFace at work on videos, in their order, `at_once` of them at a time; use it in a `with`.

    What is left when the block ends is stopped, and the workspace removed.
    """

    def __init__(
        self, command: Command, videos: Sequence[str], source: SourceOf, workspace: Path, at_once: int
    ) -> None:
        """Prepare to run over the source of each video; what an earlier, killed run left is removed.

        Args:
            source: gives the file or folder of a video, made in the folder it is handed where it has to be made.
        """
        self._command, self._source, self._workspace, self._at_once = command, source, workspace, at_once
        self._waiting = list(videos)
        self._running: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
        self._finished: dict[str, _Finished] = {}
        shutil.rmtree(workspace, ignore_errors=True)

    def __enter__(self) -> Runs:
        """Return the runs themselves."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what runs, and remove what nobody took."""
        for process, _folder in self._running.values():
            process.kill()
            process.wait()
        shutil.rmtree(self._workspace, ignore_errors=True)

    @contextmanager
    def output(self, video: str) -> Iterator[tuple[Path, str]]:
        """Wait for a video, yield its output folder and what OpenFace had to say of it, and remove the folder.

        A video that fails says so when its folder is read; the exit code is no more than a hint.
        """
        while video not in self._finished:
            self._look(wanted=video)
            time.sleep(0 if video in self._finished else _SECONDS_BETWEEN_LOOKS)
        finished = self._finished.pop(video)
        self._look(wanted=None)
        try:
            if finished.problem is not None:
                raise finished.problem
            said = _quote(_said(finished.folder / OUTPUT))
            yield finished.folder / OUTPUT, f" OpenFace ended with exit code {finished.code}.{said}"
        finally:
            shutil.rmtree(finished.folder.parent, ignore_errors=True)

    def _look(self, wanted: str | None) -> None:
        """Note the processes that have ended, and start others in their place; `wanted` goes first."""
        for video, (process, folder) in list(self._running.items()):
            if (code := process.poll()) is not None:
                del self._running[video]
                self._finished[video] = _Finished(folder, code)
        if wanted in self._waiting:
            self._waiting.remove(wanted)
            self._waiting.insert(0, wanted)
        while self._waiting and len(self._running) < self._at_once and self._may_start(wanted):
            self._begin(self._waiting.pop(0))

    def _may_start(self, wanted: str | None) -> bool:
        return len(self._finished) < _WAITING * self._at_once or self._waiting[0] == wanted

    def _begin(self, video: str) -> None:
        # A name never used before: a process that outlived its killed parent cannot write into it.
        folder = self._workspace / video / secrets.token_hex(8)
        try:
            self._running[video] = _start(self._command, self._source(video, folder), folder / OUTPUT), folder
        except InputError as problem:
            # It is for whoever asks for this video; the others go on.
            self._finished[video] = _Finished(folder, problem=problem)


def _start(command: Command, source: Path, output: Path) -> subprocess.Popen[bytes]:
    output.mkdir(parents=True)
    # Several run side by side: each gets one thread, as OpenFace's authors advise.
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1"}
    with (output / LOG).open("wb") as log:
        try:
            return subprocess.Popen(
                command.words(source, output),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | one_thread,
            )
        except OSError as problem:
            raise InputError(f"{command.path} does not start ({problem}). Install OpenFace 2.2 again.") from problem


def _said(folder: Path) -> list[str]:
    """Return the lines that a run printed."""
    try:
        return (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _quote(said: Sequence[str]) -> str:
    tail = [line.strip() for line in said if line.strip()][-_TAIL_LINES:]
    return f" It said: {' | '.join(tail)}." if tail else " It said nothing."


def _model(said: Sequence[str]) -> dict[str, str]:
    """Return the name and the digest of the landmark model that OpenFace says it reads."""
    for line in said:
        if _MODEL_LINE in line:
            path = Path(line.split(_MODEL_LINE, 1)[1].strip())
            found = {"landmark_model": path.name}
            return found | {"landmark_model_sha256": sha256_of(path)} if path.is_file() else found
    return {"landmark_model": "not said"}
