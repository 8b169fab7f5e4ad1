"""Two runs on one page: revisions, experiments or folders, gathered from what there is of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stages.page.document import Document
from stages.page.pictures import any_pictures
from stages.reporting import gathering, material, origin, pictures, report_folder, reports
from stages.reporting.gathering import Troubles
from stages.reporting.material import Places
from stages.reporting.origin import Background
from stages.reporting.reports import Settings
from stages.results import runs, staleness
from stages.results.runs import Place
from stages.shell import console, corpora, devices, params

# Of a revision read where it has them: what they would show is missing elsewhere.
ALSO_RESULTS = ("curves.parquet",)


def write(named: Sequence[str], corpus: str, output: Path, params_path: Path, device: str) -> None:
    """Write runs side by side on one page, and say where it is.

    Args:
        named: DVC revisions, experiments or folders; `workspace` is what lies here.

    Raises:
        InputError, ShardError: as in `material.read`, there is no such run, or what lies at `output` is no report.
        ParameterError: a parameter is wrong.
    """
    settings = reports.settings_of(corpus, params_path, device)
    report_folder.check(output)
    documents = [(name, _document(name, corpus, settings, params_path)) for name in named]
    size = report_folder.write(output, documents)
    has_faces = any_pictures([document for _, document in documents])
    console.result(
        f"report: {output}, {' beside '.join(named)}, {size / 1e6:.1f} MB; "
        f"{reports.HOLDS_FACES if has_faces else 'without faces'}"
    )


def _document(name: str, corpus: str, settings: Settings, params_path: Path) -> Document:
    here = params_path, corpora.path_of(corpus)
    configs = [path.as_posix() for path in here]
    results = [f"results/{corpus}/{file}" for file in ALSO_RESULTS]
    with runs.place(name, corpus, (*configs, *results)) as place:
        kept = _kept(place, configs)
        own_params, own_corpus = kept or here
        # As dvc.yaml names the folder, which no corpus overrides.
        weights = str(params.load_section(own_params, "extract")["weights"])
        where, own = _places(place, corpus, weights)
        stride = _stride(own_params, own_corpus)
        run = material.read(corpus, where, stride)
        staleness.say(f"report: {name}", corpus, place.results, place.tables, place.lock)
        entries = pictures.entries_of(run) if settings.parameters.thumbnails else {}
        document, troubles = gathering.gather(
            run,
            Background(None if kept is None else origin.changed_of(*kept), origin.runs_of(own)),
            settings.parameters,
            entries,
            stride,
            devices.choose(settings.device),
            {},
        )
        _say(name, troubles)
        return document


def _kept(place: Place, configs: Sequence[str]) -> tuple[Path, Path] | None:
    """Return the parameters and the corpus file that a run was made with; None where they are not kept beside it."""
    paths = [] if place.root is None else [place.root / name for name in configs]
    return (paths[0], paths[1]) if paths and all(path.is_file() for path in paths) else None


def _stride(params_path: Path, corpus_path: Path) -> int:
    """Return the frames of a window from one to the next in detection; a run of another day may have other parameters.

    Raises:
        ParameterError: it is missing or no whole number, 1 or more.
    """
    overrides = params.overrides_of(corpus_path).get("detect", {})
    stride = {**params.load_section(params_path, "detect"), **overrides}.get("window_stride")
    if not isinstance(stride, int) or stride < 1:
        raise params.ParameterError(f"{params_path}: detect.window_stride is {stride!r}, expected 1 or more")
    return stride


def _places(place: Place, corpus: str, weights: str) -> tuple[Places, Places]:
    """Return where a run is read, borrowing from what lies here, and the part of it that is the run's own."""
    own, here = (material.laid_out(place.results, tables, weights) for tables in (place.tables, Path("data", corpus)))
    where = replace(
        own,
        curves=_if_there(own.curves),
        features=next((each.features for each in (own, here) if material.has_features(each, own.videos)), None),
        detectors=_if_there(own.detectors),
        frames=here.frames,
    )
    return where, own


def _if_there(path: Path | None) -> Path | None:
    return path if path is not None and path.exists() else None


def _say(name: str, troubles: Troubles) -> None:
    for video, problem in troubles.items():
        console.say(f"report: {name}: {video} has no pictures: {problem}")
