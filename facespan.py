"""`import facespan`: features, tables, scores and detectors of the current project, as arrays and Arrow tables.

The work is done in a process beside this one, which starts at the first question: `cache`, `pipeline` and `stages` are
names that other packages have as well, and whatever is called so here stays what it is. docs/python.md shows each call.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Events: TypeAlias = str | Path | pa.Table

CHECKOUT = Path(__file__).resolve().parent
ROOMS = ("cache", "pipeline", "stages")
SECONDS_TO_CLEAR_UP = 10


class Error(Exception):
    """What was asked cannot be answered: the message says what was found, what was expected and what to do."""


def videos(corpus: str) -> pa.Table:
    """Return the videos of a corpus: subject, frame_count, frame_rate, ..."""
    return _ask(project(), "videos", corpus)


def expressions(corpus: str) -> pa.Table:
    """Return what is annotated: `start`, `stop` half-open positions of frames; `onset`, `offset` inclusive numbers.

    Where the number of a frame is its position, `onset` and `offset` are -1; so is `apex` where none is annotated.
    """
    return _ask(project(), "expressions", corpus)


def detections(corpus: str, *, below: bool = False) -> pa.Table:
    """Return what was found and accepted, as `facespan show`, with `start`, `stop` half-open positions of frames.

    Args:
        below: also those below the threshold of their subject.
    """
    return _ask(project(), "detections", corpus, below)


def features(corpus: str) -> Features:
    """Return the features of each video, read and checked when one is asked for."""
    return Features(project(), corpus)


def scores(corpus: str) -> dict[str, Any]:
    """Return every figure of the last evaluation, as `facespan scores --json`."""
    return _ask(project(), "scores", corpus)  # type: ignore[no-any-return]


def score(
    detections: Events,
    expressions: Events,
    *,
    videos: Events | None = None,
    protocol: str = "one_to_one",
    threshold: float | None = None,
    kind: str | None = None,
    classes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the figures of detections beside expressions, as `facespan score --json`.

    Args:
        detections: a table, a data frame, or a CSV or parquet file: video, start and stop (or onset, offset),
            confidence, perhaps emotion.
        expressions: likewise, without confidence.
        videos: names every video, also those without expressions; needed where `expressions` does not.
        protocol: one of `facespan score --protocols`, or `all`.
        threshold: what is less confident is left out.
        kind: count macro or micro alone.
        classes: every emotion; without it those of the expressions.
    """
    given = {"detections": detections, "expressions": expressions, "videos": videos}
    with tempfile.TemporaryDirectory() as folder:
        files = {name: _as_file(table, Path(folder, f"{name}.parquet")) for name, table in given.items()}
        more = {"threshold": threshold, "kind": kind, "classes": tuple(classes)}
        told: dict[str, Any] = _ask(project(), "score", files | more, protocol)
    return {name: value for name, value in told.items() if name not in given or name == "videos"}


def compare(
    *runs: str, corpus: str | None = None, repetitions: int = 10_000, level: float = 0.95, seed: int = 0
) -> pa.Table:
    """Return by how much each run differs from the first, on the same subjects, as `facespan compare`.

    Args:
        runs: revisions, experiments or folders; `workspace` is the current one, and "A1,A2" are averaged.
        corpus: needed where several are listed.
    """
    return _ask(project(), "compare", runs, corpus, repetitions, level, seed)


def analyse(
    *videos: str | Path,
    detectors: str | Path | None = None,
    face: str = "largest",
    align: str = "auto",
    threshold: float | None = None,
    keep: bool = True,
    device: str = "auto",
) -> pa.Table:
    """Return the expressions found in video files, as `facespan analyse`: frames count from 0 and are inclusive.

    Outside of a project the parameters and the encoder are those that facespan ships. Of several videos what cannot be
    read is said on stderr, and the others are in the table; of a single one it is an Error.

    Args:
        detectors: the folder of a trained run; without it, the spotter that needs no training.
        face: `largest`, `all`, or the number of a person from 1.
        align: `auto`, `openface`, `builtin`, or `none` where faces are aligned already.
        threshold: the least confidence; None takes the one that belongs to the detectors.
        keep: aligned faces and features, so that the next time is quick.
    """
    given = {str(video): _absolute(video) for video in videos}
    folder = None if detectors is None else _absolute(detectors)
    try:
        root = project()
    except Error:
        root = CHECKOUT
    return _ask(root, "analyse", given, folder, face, align, threshold, keep, device)


def detector(corpus: str, *, unseen: str | None = None) -> Detector:
    """Return a trained detector of the last run: the one for new people, or the one that never saw a subject."""
    root = project()
    return Detector(root, **_ask(root, "detector", corpus, unseen))


@dataclass(frozen=True, eq=False)
class VideoFeatures:
    """The T frames of one video.

    Attributes:
        features: ``(T, C)`` float16.
        pts_seconds: ``(T,)`` float64, when a frame is shown.
        frame_label: ``(T,)`` int64, its number in the corpus.
        face_found: ``(T,)`` bool; without a face the feature means nothing.
        face_confidence: ``(T,)`` float32, 0 to 1.
        encoder: which one made the features.
    """

    corpus: str
    video: str
    subject: str
    features: NDArray[np.float16]
    pts_seconds: NDArray[np.float64]
    frame_label: NDArray[np.int64]
    face_found: NDArray[np.bool_]
    face_confidence: NDArray[np.float32]
    encoder: Mapping[str, Any]


class Features(Mapping[str, VideoFeatures]):
    """The features of a corpus, by video; each is read when it is asked for, and kept by nobody."""

    def __init__(self, root: Path, corpus: str) -> None:
        """Look which videos have features."""
        self.corpus, self._root = corpus, root
        self.subjects: dict[str, str] = _ask(root, "held", corpus)

    def __getitem__(self, video: str) -> VideoFeatures:
        """Return the features of a video, checked against the manifest."""
        subject = self.subjects[video]
        return VideoFeatures(self.corpus, video, subject, **_ask(self._root, "features", self.corpus, video))

    def __iter__(self) -> Iterator[str]:
        """Go through the videos in the order of their table."""
        return iter(self.subjects)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.subjects)

    def __repr__(self) -> str:
        """Return the corpus and how much there is of it."""
        return f"<features of {self.corpus}: {len(self)} videos of {len(set(self.subjects.values()))} subjects>"


@dataclass(frozen=True)
class Detector:
    """A trained detector, and whom it learned from."""

    root: Path
    path: str
    corpus: str
    fold: str
    train_subjects: tuple[str, ...]
    held_out: tuple[str, ...]
    emotions: tuple[str, ...]
    encoder: Mapping[str, Any]
    network: str
    input_width: int

    def search(self, *videos: VideoFeatures | NDArray[np.float16], device: str = "auto") -> pa.Table:
        """Return what it finds, before any threshold: half-open positions of frames, emotion, confidence.

        Args:
            videos: features of a corpus, of people it did not learn from; or plain ``(T, C)`` arrays, every frame of
                them with a face, which are called "0", "1", ... Give all videos of a person together where features are
                normalised by subject.
        """
        told = [_recording(video, number) for number, video in enumerate(videos)]
        return _ask(self.root, "search", self.path, told, device)


def project() -> Path:
    """Return the current project: the nearest folder, from the current one upwards, that holds configs/corpora."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "configs/corpora").is_dir():
            return folder
    raise Error(f"neither {here} nor a folder above it holds configs/corpora. Change into a project: os.chdir(...)")


def main() -> None:
    """Run the command `facespan` of this checkout, whatever else is called as its parts are."""
    _clear_the_way()
    from stages.commands import app

    app.main()


def serve(descriptor: int) -> None:
    """Answer questions that come through a pipe, in a process that does nothing else."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is something to clear up
    _clear_the_way()
    from stages.facade import server

    server.serve(descriptor)


class _Answering:
    """A process in a project that answers questions, one at a time."""

    def __init__(self, root: Path) -> None:
        self.owner = os.getpid()
        self.lock = threading.Lock()
        self.pipe, other = Pipe()
        with other:
            program = (
                f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); import facespan; facespan.serve({other.fileno()})"
            )
            words = [sys.executable, "-P", "-c", program]
            # In a session of its own: Ctrl-C in a terminal comes to whoever asked alone, who ends it.
            self.process = subprocess.Popen(
                words, cwd=root, stdin=subprocess.DEVNULL, pass_fds=(other.fileno(),), start_new_session=True
            )

    def ask(self, question: tuple[str, tuple[Any, ...]]) -> tuple[str, Any]:
        """Return how it was answered, after what was said to that has been passed on to stderr."""
        self.pipe.send(question)
        while True:
            kind, told = self.pipe.recv()
            if kind != "said":
                return kind, told
            print(told, end="", file=sys.stderr)

    def end(self) -> None:
        """End it, also in the midst of a question: it stops what it started, and removes faces that are not kept."""
        self.pipe.close()
        self.process.send_signal(signal.SIGINT)
        try:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(SECONDS_TO_CLEAR_UP)
        finally:
            self.process.kill()
            self.process.wait()


_answering: dict[Path, _Answering] = {}
_starting = threading.Lock()


def _ask(root: Path, name: str, *arguments: Any) -> Any:
    """Return the answer of the process of a project; Error where it refuses, RuntimeError where it ended."""
    with _turn(root) as one:
        try:
            kind, told = one.ask((name, arguments))
        except BaseException as error:
            # Its answer would be taken for that of the next question.
            if _answering.get(root) is one:
                del _answering[root]
            one.end()
            if isinstance(error, EOFError | ConnectionError):
                raise RuntimeError(
                    f"facespan ended before it answered {name}; above stands why, if it could say"
                ) from None
            raise
    if kind == "refused":
        raise Error(told)
    return told


@contextmanager
def _turn(root: Path) -> Iterator[_Answering]:
    """Yield the process of a project, started where there is none, once nobody else is asking it."""
    while True:
        with _starting:
            one = _answering.get(root)
            # A fork has the pipe, too, but whoever started the process goes on to use it.
            if one is None or one.owner != os.getpid():
                one = _answering[root] = _Answering(root)
        with one.lock:
            if _answering.get(root) is one:  # it did not end while this question waited for its turn
                yield one
                return


def _recording(video: VideoFeatures | Any, number: int) -> dict[str, Any]:
    if isinstance(video, VideoFeatures):
        return vars(video)
    import numpy as np

    array = np.asarray(video, np.float16)
    unknown = {"corpus": None, "encoder": None, "video": str(number), "subject": str(number)}
    return unknown | {"features": array, "face_found": np.ones(len(array), bool)}


def _absolute(path: str | Path) -> str:
    """Return a path that means the same in another folder; an address as it is, to be refused by its name."""
    return str(path) if "://" in str(path) else str(Path(path).expanduser().absolute())


def _as_file(table: Events | None, path: Path) -> Path | None:
    """Return a file with a table: its own, where it is one."""
    if table is None or isinstance(table, str | Path):
        return None if table is None else Path(table).absolute()
    import pyarrow as pa
    import pyarrow.parquet as pq

    # What a table says of the file that it was read from is not true of this one.
    pq.write_table(pa.table(table).replace_schema_metadata(None), path)
    return path


def _clear_the_way() -> None:
    """Let the parts of this checkout be imported, in a process that is ours alone.

    Another package of the same name may stand before them in the path, or be loaded already, as Python starts.
    """
    sys.path.insert(0, str(CHECKOUT))
    for name in list(sys.modules):
        if name.partition(".")[0] in ROOMS:
            del sys.modules[name]
