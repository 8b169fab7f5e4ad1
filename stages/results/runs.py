"""Runs to compare: of DVC's revisions and experiments, or folders; and which of them differ by their seed alone."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cache.errors import InputError
from cache.tables import intervals, videos
from cache.tables.intervals import Detection, Expression
from pipeline.scoring.results import VideoResult
from pipeline.significance.comparison import Run
from stages.results import staleness
from stages.results.figures_file import read_figures
from stages.results.video_results import pair
from stages.sharing import project
from stages.shell import params

WORKSPACE = "workspace"


@dataclass(frozen=True)
class Place:
    """Where the files of a run lie: its results, its tables, and DVC's record of it, if any.

    Attributes:
        root: the folder of the project that it is of; None for a copy of results alone.
    """

    results: Path
    tables: Path
    lock: Path | None
    root: Path | None


@dataclass(frozen=True, eq=False)
class NamedRun:
    """One run.

    Attributes:
        name: as it was typed.
        scored: its detections and thresholds.
        class_count: of all runs that were read with it.
        made_by: all that decides what it found, but for seeds; None where nothing tells.
        seeds: by where each stands.
    """

    name: str
    scored: Run
    class_count: int
    made_by: Any
    seeds: Any


@dataclass(frozen=True, eq=False)
class Setting:
    """Runs that are averaged: they differ by their seed alone, or were named as one."""

    runs: tuple[NamedRun, ...]

    @property
    def name(self) -> str:
        """Return the names of its runs."""
        return ", ".join(run.name for run in self.runs) + (f" ({len(self.runs)} seeds)" if len(self.runs) > 1 else "")

    @property
    def scored(self) -> list[Run]:
        """Return what each run found."""
        return [run.scored for run in self.runs]


def only_corpus(params_path: str, asked: str = "--corpus") -> str:
    """Return the one corpus that the parameters list; ParameterError where there are others.

    Args:
        asked: what names one on the command line.
    """
    listed = list(params.load(Path(params_path)).get("corpora") or ())
    if len(listed) != 1:
        raise params.ParameterError(f"{asked}: {params_path} lists {', '.join(map(str, listed)) or 'none'}. Name one")
    return str(listed[0])


def settings_of(named: Sequence[str], corpus: str) -> list[Setting]:
    """Return the settings in the order in which they were named; those joined by commas are one.

    Of runs named alone, those that differ by their seed alone are one, unless nothing would be left to compare.

    Raises:
        InputError: a name is no folder of results and no revision, or what belongs to a run is missing there.
        ParameterError: there is only one.
    """
    groups = [tuple(name for name in group.split(",") if name) for group in named]
    with contextlib.ExitStack() as stack:
        places = [[(name, stack.enter_context(place(name, corpus))) for name in group] for group in groups]
        read = _read([place for group in places for place in group], corpus)
    runs = iter(read)
    settings = [Setting(tuple(next(runs) for _ in group)) for group in groups if group]
    if len(settings) < 2:
        raise params.ParameterError(f"there is nothing to compare {' '.join(named)} with. Name two runs or more")
    joined = _join_seeds(settings)
    return joined if len(joined) > 1 else settings


def _join_seeds(settings: Sequence[Setting]) -> list[Setting]:
    joined: list[Setting] = []
    for setting in settings:
        for index, other in enumerate(joined):
            runs = (*other.runs, *setting.runs)
            alike = runs[0].made_by is not None and all(run.made_by == runs[0].made_by for run in runs)
            if alike and all(a.seeds != b.seeds for k, a in enumerate(runs) for b in runs[:k]):
                joined[index] = Setting(runs)
                break
        else:
            joined.append(setting)
    return joined


@contextlib.contextmanager
def place(name: str, corpus: str, also: Sequence[str] = ()) -> Iterator[Place]:
    """Yield where the files of a run lie, for as long as the block lasts.

    Args:
        also: files of the project besides, which a revision may lack.

    Raises:
        InputError: the name is no folder of results and no revision, or what belongs to a run is missing there.
    """
    folder = Path("." if name == WORKSPACE else name)
    if (folder / "detections.parquet").is_file():
        yield Place(folder, Path("data", corpus), None, None)  # a copy of results, beside the tables that are here
    elif (folder / "results" / corpus).is_dir():
        yield _below(folder, corpus)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            here = _below(Path(temporary), corpus)
            wanted = [here.results / file for file in ("detections.parquet", "figures.json")]
            wanted += [here.tables / file for file in ("videos.parquet", "expressions.parquet")]
            relative = [path.relative_to(temporary).as_posix() for path in (*wanted, Path(temporary, "dvc.lock"))]
            for path, content in project.read_at(name, relative, also).items():
                target = Path(temporary, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            yield _below(Path(temporary), corpus)


def _below(folder: Path, corpus: str) -> Place:
    lock = folder / "dvc.lock"
    return Place(folder / "results" / corpus, folder / "data" / corpus, lock if lock.is_file() else None, folder)


def _read(places: Sequence[tuple[str, Place]], corpus: str) -> list[NamedRun]:
    rows = [_rows(name, place) for name, place in places]
    # Of all, so that one number means one emotion in every run.
    emotions = {row.emotion for _, known, _ in rows for row in known}
    emotions |= {row.emotion for *_, found in rows for row in found}
    classes = tuple(sorted(emotions))
    runs = []
    for (name, place), (table, known, found) in zip(places, rows, strict=True):
        results = pair(table, known, found, classes)
        made_by, seeds = _made_by(place.lock, corpus)
        scored = Run(results, _thresholds(name, place, corpus, results))
        runs.append(NamedRun(name, scored, len(classes), made_by, seeds))
    return runs


def _rows(name: str, place: Place) -> tuple[list[videos.Video], list[Expression], list[Detection]]:
    try:
        table = videos.read(place.tables / "videos.parquet")
        known = intervals.read(place.tables / "expressions.parquet", Expression)
        return table, known, intervals.read(place.results / "detections.parquet", Detection)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _thresholds(name: str, place: Place, corpus: str, results: Sequence[VideoResult]) -> dict[str, float]:
    """Return each subject's threshold, as it was chosen when the run was evaluated."""
    told = read_figures(place.results, corpus).get("per_subject", {})
    staleness.say(f"compare: {name}", corpus, place.results, place.tables, place.lock)
    missing = sorted({result.subject for result in results} - told.keys())
    if missing:
        raise InputError(f"{name} was evaluated without {', '.join(missing)}. Run there: dvc repro evaluate@{corpus}")
    return {subject: float(row["threshold"]) for subject, row in told.items()}


def _made_by(lock: Path | None, corpus: str) -> tuple[Any, Any]:
    """Return by DVC's record what decides the detections of a run: code, data and parameters; and apart the seeds."""
    if lock is None:
        return None, None
    stages = staleness.read_lock(lock)
    if not all(stages.get(f"{name}@{corpus}") for name in ("train", "detect")):
        return None, None
    both = [stages[f"{name}@{corpus}"] for name in ("train", "detect")]
    made = f"results/{corpus}/detectors"  # of `train`, which is told already
    deps = [[(dep["path"], dep.get("md5")) for dep in stage.get("deps", ()) if dep["path"] != made] for stage in both]
    seeds: dict[str, Any] = {}
    return [deps, [_without_seeds(stage.get("params", {}), "", seeds) for stage in both]], seeds


def _without_seeds(values: Any, place: str, seeds: dict[str, Any]) -> Any:
    """Return parameters without the seed of each part, which goes to ``seeds``."""
    if not isinstance(values, Mapping):
        return values
    kept = {}
    for name, value in values.items():
        if name == "seed":
            seeds[place] = value
        else:
            kept[name] = _without_seeds(value, f"{place}/{name}", seeds)
    return kept
