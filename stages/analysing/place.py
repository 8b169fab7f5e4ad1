"""Where analysed videos are kept: a folder of ours in the user's cache, one a video, known by content; with faces."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cache import files
from cache.errors import InputError
from cache.openface import runs as openface_runs

VARIABLE = "FACESPAN_CACHE"
NAME, VIDEOS, MARK = "facespan", "videos", "CACHEDIR.TAG"
# A kill, and a terminal that is closed.
STOPS = (signal.SIGTERM, signal.SIGHUP)
TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# Made by facespan analyse: aligned faces and features of videos. Backups leave it out; remove it at will.\n"
)


@dataclass(frozen=True)
class Place:
    """The folder below which videos are kept, and whether it stays."""

    root: Path
    is_kept: bool

    def of_video(self, digest: str) -> Path:
        """Return the folder of a video."""
        return self.root / VIDEOS / digest[:32]


def usual() -> Path:
    """Return our folder: `facespan` below `$FACESPAN_CACHE`, `$XDG_CACHE_HOME` or `~/.cache`."""
    own, users = os.environ.get(VARIABLE), os.environ.get("XDG_CACHE_HOME", "")
    if own:
        return Path(own).expanduser().absolute() / NAME
    return (Path(users) if Path(users).is_absolute() else Path.home() / ".cache") / NAME


@contextmanager
def opened(keep: bool) -> Iterator[Place]:
    """Yield where to work; what is not to be kept is removed at the end, also what killed processes left of theirs.

    Raises:
        InputError: the folder cannot be made, or what is called so holds other things.
    """
    with _stoppable():
        if keep:
            _sweep()
            yield Place(_root(), is_kept=True)
            return
        with openface_runs.own_workspace(_passing()) as folder:
            _make(folder)
            yield Place(folder, is_kept=False)


@contextmanager
def claimed(place: Place, digest: str) -> Iterator[Path]:
    """Yield the folder of a video, which nobody else works on meanwhile; whoever does is waited for."""
    folder = place.of_video(digest)
    with files.claim(folder.with_name(f".{folder.name}.lock"), wait=True), files.explain_failures(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            yield folder
        finally:
            with suppress(OSError):
                folder.rmdir()  # of a file that was no video nothing is in it


def remove(folder: Path) -> None:
    """Remove what was made of a video, or a part of it, where it is there."""
    if folder.exists():
        shutil.rmtree(folder)


def size_of(root: Path) -> tuple[int, int]:
    """Return how many videos are kept, and the bytes of all their files."""
    kept = [entry for entry in os.scandir(root / VIDEOS) if entry.is_dir()] if (root / VIDEOS).is_dir() else []
    return len(kept), sum(_bytes_below(Path(entry.path)) for entry in kept)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let a kill end the block as Ctrl-C does, so that it cleans up behind itself; what nohup ignores stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield  # of another thread no signal can be handled
        return
    handled = [number for number in STOPS if signal.getsignal(number) is signal.SIG_DFL]

    def stop(*_: object) -> None:
        for number in handled:
            signal.signal(number, signal.SIG_IGN)  # a second one would stop the cleaning up
        raise KeyboardInterrupt

    try:
        for number in handled:
            signal.signal(number, stop)
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def _passing() -> Path:
    """Return the folder in which each run has one of its own for what is not kept."""
    return Path(tempfile.gettempdir()) / f"facespan-{os.getuid()}"


def _sweep() -> None:
    """Remove what killed runs left that were to keep nothing, as far as this one may."""
    with suppress(InputError, OSError):
        openface_runs.sweep(_passing())
        _passing().rmdir()  # unless another process is at work


def _root() -> Path:
    """Return our folder, made and marked, so that backups leave out and people remove nothing but what was made here.

    Raises:
        InputError: the disk refuses, or what is called so was not made here.
    """
    root = usual()
    _make(root)
    if not (root / MARK).is_file():
        if strange := [path.name for path in root.iterdir() if not files.TEMPORARY_NAME.fullmatch(path.name)]:
            raise InputError(
                f"{root} was not made by facespan analyse: it holds {min(strange)} and no {MARK}. Set {VARIABLE} to "
                "another folder, or use --no-keep"
            )
        root.chmod(0o700)
        with files.write_atomically(root / MARK) as temporary:
            temporary.write_text(TAG, encoding="ascii")
    return root


def _bytes_below(folder: Path) -> int:
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            total += _bytes_below(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else entry.stat().st_size
    return total


def _make(folder: Path) -> None:
    """Make a folder that its user alone may look into."""
    with files.explain_failures(folder / VIDEOS):
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
