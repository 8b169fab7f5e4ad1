"""The stage `report` and `facespan report`: one page of a run, with faces only where they may be shown and are here."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

from cache.columns import FrameColumns
from cache.shards import features, frames, manifest
from cache.tables import curves, intervals, searches
from cache.tables.intervals import Detection, Expression
from pipeline.diagnosis.outcomes import KINDS
from stages import report
from stages.page.document import Case, Document, Timeline
from stages.reporting import report_folder
from stages.shell import command
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
TYPED = (
    "tiny --videos data/videos.parquet --expressions data/expressions.parquet --detections results/detections.parquet "
    "--curves results/curves.parquet --figures results/tiny/figures.json --features data/features --detectors "
    "results/detectors --frames data/frames --output results/tiny/report --device cpu"
)
DETECTIONS, EXPRESSIONS, FEATURES = (
    Path("results/detections.parquet"),
    Path("data/expressions.parquet"),
    Path("data/features"),
)
FRAMES, PAGE = Path("data/frames"), Path("results/tiny/report/index.html")
SHEETS = PAGE.parent / "sheets"
# Expressions are annotated at frames 20 to 49 (happiness) and 90 to 125 (anger) of every video. All detections are as
# confident, so that all are accepted.
FOUND = {
    "ann_1": ((20, 50, "happiness"), (100, 130, "happiness"), (60, 70, "anger")),
    "ben_1": ((20, 50, "happiness"), (90, 126, "anger")),
    "cem_1": ((90, 126, "anger"),),
}


def put(found: dict[str, tuple[tuple[int, int, str], ...]]) -> None:
    """Replace the detections of each video."""
    rows = [
        Detection(video, video[:3], start, stop, emotion, 0.8, f"without-{video[:3]}")
        for video, own in found.items()
        for start, stop, emotion in own
    ]
    searches.write(DETECTIONS, rows, searches.read(DETECTIONS))


def change_features(video: str, folder: Path = FEATURES, **changed: np.ndarray[Any, Any]) -> None:
    """Give the frames of a video other columns."""
    held = manifest.read(folder)
    path = folder / held.shards[video].file
    shard = features.read(path)
    columns = FrameColumns(**(dataclasses.asdict(shard.columns) | changed))
    features.write(path, shard.features, columns, shard.key, shard.layer)
    entry = manifest.describe(folder, path, len(columns), shard.key)
    manifest.write(folder, manifest.Manifest("features", {**held.shards, video: entry}, held.run))


def change_curve(video: str, curve: np.ndarray[Any, Any]) -> None:
    """Replace the score curve of a video."""
    table = curves.read(Path("results/curves.parquet"))
    told = {name: table.curve(name) for name in table.groups} | {video: curve.astype(np.float16)}
    with curves.write(Path("results/curves.parquet"), table.classes, table.search) as writer:
        for name, own in told.items():
            writer.add(name, own)


def override(**values: Any) -> None:
    """Give the tiny corpus other parameters of the report."""
    path = Path("configs/corpora/tiny.yaml")
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["overrides"]["report"] = values
    path.write_text(yaml.safe_dump(described), encoding="utf-8")


def run_stage(*extra: str) -> Any:
    """Run the stage as `python -m stages.report` does."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command.guarded(report.main))
    told = CliRunner().invoke(app, [*TYPED.split(), *extra])
    if told.exception is not None and not isinstance(told.exception, SystemExit):
        raise told.exception
    return told


@pytest.fixture
def evaluated(begin: Begin, stage: Run) -> Path:
    """Return a folder where what was found is known and evaluated."""
    here = begin("detect")
    put(FOUND)
    told = stage("evaluate")
    assert told.code == 0, told.err
    return here


@pytest.fixture
def document(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Document]:
    """Return a function that runs the stage, which has to succeed, and gives the document that was drawn."""
    drawn: list[Document] = []
    write = report_folder.write

    def watch(path: Path, runs: list[tuple[str, Document]]) -> int:
        drawn.append(runs[0][1])
        return write(path, runs)

    monkeypatch.setattr(report_folder, "write", watch)

    def run() -> Document:
        told = run_stage()
        assert told.exit_code == 0, told.stderr
        return drawn[-1]

    return run


def video_of(told: Document, name: str) -> Timeline:
    [timeline] = [each for each in told.timelines if each.video == name]
    return timeline


def case_at(told: Document, video: str, start: int) -> Case:
    [case] = [case for case in video_of(told, video).cases if case.start == start]
    return case


def filling(page: str, video: str) -> dict[str, Any]:
    """Return what fills the timeline of a video of a page."""
    blocks = re.findall(r'<script type="application/json" id="video-\d+">(.*?)</script>', page, re.DOTALL)
    [told] = [each for each in map(json.loads, blocks) if each["video"] == video]
    return dict(told)


def images(told: Document) -> int:
    return sum(bool(one.image) for video in told.timelines for case in video.cases for one in case.pictures)


def test_a_report_tells_what_became_of_each_detection_and_of_each_expression(
    evaluated: Path, document: Callable[[], Document]
) -> None:
    told = document()
    cases = {
        video.video: [(case.kind, case.start, case.stop, case.truth) for case in video.cases]
        for video in told.timelines
    }
    assert cases == {
        # [100, 130) fits anger and says happiness.
        "ann_1": [("correct", 20, 50, 0), ("background", 60, 70, None), ("wrong_emotion", 100, 130, 1)],
        "ben_1": [("correct", 20, 50, 0), ("correct", 90, 126, 1)],
        "cem_1": [("missed", 20, 50, 0), ("correct", 90, 126, 1)],
    }
    assert [row.found for row in video_of(told, "cem_1").expressions] == [False, True]
    miss = case_at(told, "cem_1", 20)
    assert (miss.emotion, miss.confidence, miss.iou, miss.cut_by_window) == (None, None, None, False)
    assert case_at(told, "ann_1", 100).iou == pytest.approx(26 / 40)
    figures = json.loads(Path("results/tiny/figures.json").read_text(encoding="utf-8"))
    counted = [case.kind for video in told.timelines for case in video.cases]
    assert {kind: counted.count(kind) for kind in KINDS} == {
        kind: figures["diagnosis"]["detections"][kind] for kind in KINDS
    }
    assert told.gains == figures["diagnosis"]["gains"]
    assert told.tallies["by emotion"] == [("anger", 3, 0), ("happiness", 2, 1)]
    text = PAGE.read_text(encoding="utf-8")
    assert all(video in text for video in FOUND)


def test_frames_have_the_numbers_and_times_of_the_corpus(evaluated: Path, document: Callable[[], Document]) -> None:
    lost = np.ones(150, np.bool_)
    lost[30:40] = False
    change_features("ann_1", frame_label=100 + 7 * np.arange(150), pts_seconds=np.arange(150) * 0.25, face_found=lost)
    told = document()
    timeline, case = video_of(told, "ann_1"), case_at(told, "ann_1", 60)
    assert (case.onset, case.offset, case.onset_seconds, case.offset_seconds) == (520, 583, 15.0, 17.25)
    assert (timeline.first_label, timeline.labels_per_frame, timeline.seconds_per_frame) == (100, 7.0, 0.25)
    assert timeline.faceless == [[30, 40]]
    # As the annotators wrote it, whatever the numbers of frames are.
    assert (timeline.expressions[0].onset, timeline.expressions[0].offset) == (20, 49)


def test_the_headline_stands_beside_guessing_and_what_was_chosen_on_the_test_subject(
    evaluated: Path, document: Callable[[], Document]
) -> None:
    told, figures = document(), json.loads(Path("results/tiny/figures.json").read_text(encoding="utf-8"))
    f1, mean = told.headline[0], told.headline[3]
    assert (f1.name, f1.value) == ("spotting F1", figures["spotting"]["f1"])
    assert [f1.low, f1.high] == figures["intervals"]["spotting"]["f1"]
    assert (f1.guessing, f1.oracle) == (figures["guessing"]["spotting"]["f1"], figures["oracle"]["spotting"]["f1"])
    assert (mean.name, mean.oracle) == ("spotting mAP", None)  # no threshold is chosen for it
    recall, precision, _ = told.precision_recall["spotting"][-1]
    assert (recall, precision) == pytest.approx((5 / 6, 5 / 6))
    recall, precision, _ = told.precision_recall["detection"][-1]
    assert (recall, precision) == pytest.approx((4 / 6, 4 / 6))


def test_random_weights_and_invented_faces_are_said_to_mean_nothing(
    evaluated: Path, document: Callable[[], Document]
) -> None:
    warnings = document().origin.warnings
    assert [sentence.split(":")[0] for sentence in warnings] == [
        "The encoder's weights are random",
        "The faces of this corpus are drawn by a program",
    ]
    assert all(sentence.split(":")[0].replace("'", "&#39;") in PAGE.read_text("utf-8") for sentence in warnings)
    path = Path("configs/corpora/tiny.yaml")
    path.write_text(path.read_text("utf-8").replace("invented: true", "invented: false"), encoding="utf-8")
    assert len(document().origin.warnings) == 1


def test_what_the_detector_scored_and_looked_at_is_told_of_each_detection(
    evaluated: Path, document: Callable[[], Document]
) -> None:
    curve = np.zeros((150, 6))
    curve[60:70, 3] = np.linspace(0.1, 0.9, 10)
    change_curve("ann_1", curve)
    told = document()
    assert told.classes == ("happiness", "surprise", "disgust", "anger", "fear", "sadness")
    case = case_at(told, "ann_1", 60)
    assert case.scores == pytest.approx([0, 0, 0, 0.9, 0, 0], abs=1e-3)
    assert [one.name for one in case.attention] == ["segment attention", "window attention"]
    assert all((one.stop > one.start).all() and len(one.weight) == len(one.start) for one in case.attention)
    assert case_at(told, "cem_1", 20).attention == ()
    assert set(told.losses) == {"without-ann", "without-ben", "without-cem"}
    assert [row["epoch"] for row in told.losses["without-ann"]] == [1, 2]


def test_what_a_detector_looked_at_is_not_told_by_features_of_another_encoder(
    evaluated: Path, document: Callable[[], Document]
) -> None:
    held = manifest.read(FEATURES)
    encoder = {**held.run["encoder"], "name": "another"}
    manifest.write(FEATURES, manifest.Manifest("features", held.shards, {**held.run, "encoder": encoder}))
    told = document()
    assert not any(case.attention for video in told.timelines for case in video.cases)
    assert "of another encoder than the detectors learned from" in told.origin.warnings[-1]
    assert "of another encoder than the detectors learned from" in PAGE.read_text("utf-8")


def test_pictures_show_onset_apex_and_offset_the_apex_as_annotated_or_where_the_curve_is_highest(
    evaluated: Path, document: Callable[[], Document]
) -> None:
    rows = intervals.read(EXPRESSIONS, Expression)
    apexes = [dataclasses.replace(row, apex=33) if row.start == 20 else row for row in rows]
    intervals.write(EXPRESSIONS, Expression, apexes)
    curve = np.zeros((150, 6))
    curve[66, 3] = 0.9
    change_curve("ann_1", curve)
    override(thumbnails=True, pictures_between=2, picture_size=24)
    told = document()
    # Evenly between 20 and 49 lie 30 and 39; 30 all but shows the apex.
    shown = [(one.role, one.frame_label) for one in case_at(told, "ben_1", 20).pictures]
    assert shown == [("onset", 20), ("apex", 33), ("between", 39), ("offset", 49)]
    shown = [(one.role, one.frame_label) for one in case_at(told, "ann_1", 60).pictures]
    assert shown == [("onset", 60), ("between", 63), ("apex", 66), ("offset", 69)]
    assert case_at(told, "cem_1", 20).pictures[0].role == "onset"  # a miss is shown, too
    assert images(told) == sum(len(case.pictures) for video in told.timelines for case in video.cases)
    assert "data:image/jpeg" in PAGE.read_text("utf-8")
    assert sorted(path.name for path in (SHEETS / "videos").iterdir()) == ["ann_1.html", "ben_1.html", "cem_1.html"]
    assert video_of(told, "ann_1").sheet == "sheets/videos/ann_1.html"


def test_without_thumbnails_there_is_no_face_and_those_of_an_earlier_report_go(
    evaluated: Path, document: Callable[[], Document]
) -> None:
    assert images(document())
    own = SHEETS / "notes.txt"
    own.write_text("mine", encoding="utf-8")
    override(thumbnails=False)
    told = document()
    assert images(told) == 0
    assert all(video.sheet is None for video in told.timelines)
    text = PAGE.read_text("utf-8")
    assert "data:image/" not in text
    assert not list(PAGE.parent.rglob("*_1.html"))
    assert [path for path in PAGE.parent.rglob("*") if path.is_file()] == [PAGE, own]  # what we did not make stays
    assert "without faces (report.thumbnails is false)" in run_stage().stdout


def test_without_thumbnails_a_comparison_that_holds_faces_goes_and_one_that_holds_none_stays(
    evaluated: Path, facespan: Run
) -> None:
    lay_out(evaluated)
    compare = ("report", "tiny", "--compare", "workspace", "workspace")
    page, mine = Path("results/tiny/comparison.html"), '<title>mine</title><img src="data:image/png;base64,">'
    assert facespan(*compare).out.endswith("it holds faces: pass it on as you would the videos\n")
    override(thumbnails=False)
    told = run_stage()
    assert f"report: {page} held faces and was removed (report.thumbnails is false)" in told.stderr
    assert not page.exists()
    assert facespan(*compare).out.endswith("without faces\n")
    assert run_stage().exit_code == 0
    assert page.exists()
    page.write_text(mine, encoding="utf-8")
    assert run_stage().exit_code == 0
    assert page.read_text("utf-8") == mine


def test_faces_on_the_sheets_of_another_facespan_go_too(evaluated: Path, document: Callable[[], Document]) -> None:
    assert images(document())
    pages = sorted((SHEETS / "videos").iterdir())
    for page, (field, other) in zip(pages, [("frames", "pictures"), ("made_of", "made"), ("seconds", "")], strict=True):
        text = page.read_text("utf-8")
        assert f"&#34;{field}&#34;" in text
        page.write_text(text.replace(f"&#34;{field}&#34;", f"&#34;{other}&#34;"), encoding="utf-8")
    assert images(document())  # made again
    page = pages[0]
    page.write_text(page.read_text("utf-8").replace("&#34;frames&#34;", "&#34;pictures&#34;"), encoding="utf-8")
    override(thumbnails=False)
    document()
    assert not SHEETS.exists()


def test_thumbnails_are_off_until_asked_for(evaluated: Path, document: Callable[[], Document]) -> None:
    override()
    assert images(document()) == 0


def test_a_colleague_without_frames_gets_a_report_without_pictures(
    evaluated: Path, document: Callable[[], Document]
) -> None:
    FRAMES.rename("elsewhere")
    told = run_stage()
    assert told.exit_code == 0, told.stderr
    assert "without faces: there are no aligned frames here" in told.stdout
    assert not SHEETS.exists()
    assert images(document()) == 0


def test_damaged_frames_take_the_pictures_of_their_own_video_alone(
    evaluated: Path, document: Callable[[], Document]
) -> None:
    path = FRAMES / manifest.read(FRAMES).shards["ben_1"].file
    path.write_bytes(path.read_bytes()[:-100])
    told = run_stage()
    assert told.exit_code == 0
    assert "report: ben_1 has no pictures: " in told.stderr
    assert "report: ben_1 has no contact sheet: " in told.stderr
    drawn = document()
    assert all(case.pictures for name in ("ann_1", "cem_1") for case in video_of(drawn, name).cases)
    assert not any(case.pictures for case in video_of(drawn, "ben_1").cases)
    assert "The aligned frames of ben_1 cannot be used" in PAGE.read_text("utf-8")


def test_frames_of_another_alignment_are_not_shown(evaluated: Path) -> None:
    held = manifest.read(FRAMES)
    path = FRAMES / held.shards["ben_1"].file
    with frames.open(path) as opened:
        taken = [opened.read(position) for position in range(len(opened))]
        columns = dataclasses.replace(opened.columns, frame_label=opened.columns.frame_label + 1)
        frames.write(path, frames.join(taken, columns), opened.key, opened.source)
    entry = manifest.describe(FRAMES, path, 150, held.shards["ben_1"].key)
    manifest.write(FRAMES, manifest.Manifest("frames", {**held.shards, "ben_1": entry}, held.run))
    told = run_stage()
    assert told.exit_code == 0
    assert "report: ben_1 has no pictures: " in told.stderr
    assert "other frames than its features" in told.stderr


def test_a_page_that_is_no_report_is_not_overwritten(evaluated: Path) -> None:
    PAGE.parent.mkdir(parents=True)
    PAGE.write_text("<title>mine</title>", encoding="utf-8")
    told = run_stage()
    assert told.exit_code == ExitCode.INPUT
    assert "results/tiny/report/index.html is no report: it would be overwritten" in told.stderr
    assert PAGE.read_text("utf-8") == "<title>mine</title>"
    PAGE.unlink()
    assert [run_stage().exit_code for _ in range(2)] == [0, 0]  # its own it writes again


def test_curves_of_other_detectors_and_figures_of_an_older_facespan_are_refused(evaluated: Path) -> None:
    table = curves.read(Path("results/curves.parquet"))
    other = dataclasses.replace(table.search, searched=dict.fromkeys(table.search.searched, "0" * 64))
    told = {name: table.curve(name) for name in table.groups}
    with curves.write(Path("results/curves.parquet"), table.classes, other) as writer:
        for name, curve in told.items():
            writer.add(name, curve)
    refused = run_stage()
    assert refused.exit_code == ExitCode.INPUT
    assert "curves.parquet is of other detectors than the detections beside it. Run: dvc repro detect" in refused.stderr
    path = Path("results/tiny/figures.json")
    older = json.loads(path.read_text("utf-8"))
    del older["diagnosis"]
    path.write_text(json.dumps(older), encoding="utf-8")
    assert "figures.json is of an older facespan" in run_stage().stderr


def test_nothing_found_is_a_report_too(begin: Begin, stage: Run, document: Callable[[], Document]) -> None:
    begin("detect")
    put({})
    assert stage("evaluate").code == 0
    told = document()
    assert {case.kind for video in told.timelines for case in video.cases} == {"missed"}


def test_parameters_of_the_report_are_checked_before_anything_is_made(begin: Begin, facespan: Run) -> None:
    begin()
    override(picture_size=4)
    told = facespan("check", "tiny")
    assert told.code == ExitCode.USAGE
    assert "overrides.report: picture_size is 4, expected 16 to 512" in told.err


def lay_out(here: Path) -> None:
    """Lay the folder out as `dvc.yaml` does: a folder a corpus."""
    shutil.copy(Path(__file__).resolve().parents[3] / "dvc.yaml", here)
    (here / "data/tiny").symlink_to(here / "data")
    (here / "data/features/ferplus").symlink_to(here / "data/features")
    for path in ("detections.parquet", "curves.parquet", "detectors"):
        (here / "results/tiny" / path).symlink_to(here / "results" / path)


def test_facespan_report_writes_what_the_stage_writes(evaluated: Path, facespan: Run) -> None:
    assert run_stage().exit_code == 0
    expected = PAGE.read_bytes()
    lay_out(evaluated)
    told = facespan("report", "tiny", "--device", "cpu")
    assert told.code == 0, told.err
    assert told.out.startswith("report: results/tiny/report/index.html, 3 videos, 7 cases, ")
    assert told.out.endswith("it holds faces: pass it on as you would the videos\n")
    assert PAGE.read_bytes() == expected
    assert facespan("report", "tinny").code == ExitCode.USAGE


def test_without_a_name_the_argument_is_asked_for_and_a_comparison_takes_no_folders(
    evaluated: Path, facespan: Run
) -> None:
    path = Path("configs/params.yaml")
    described = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump({**described, "corpora": ["demo", "tiny"]}), encoding="utf-8")
    told = facespan("report")
    assert (told.code, told.err) == (
        ExitCode.USAGE,
        "error: CORPUS: configs/params.yaml lists demo, tiny. Name one\n",
    )
    lay_out(evaluated)
    for option in ("--data", "--results"):
        told = facespan("report", "tiny", "--compare", "workspace", "workspace", option, "elsewhere")
        assert told.code == ExitCode.USAGE
        assert "--compare: the two runs say where they lie. Leave out --results and --data" in told.err


def test_figures_that_are_not_of_the_detections_beside_them_are_told(evaluated: Path, facespan: Run) -> None:
    lay_out(evaluated)
    commands = {
        "report": ("report", "tiny", "--device", "cpu"),
        "report: workspace": ("report", "tiny", "--compare", "workspace", "workspace", "--device", "cpu"),
    }
    expected = (
        "results/tiny/figures.json is of other results/tiny/detections.parquet than lie there now. Run: dvc repro"
    )
    for asked, words in commands.items():
        assert "than lie there now" not in facespan(*words).err
        put({**FOUND, "cem_1": ()})
        told = facespan(*words)
        assert told.code == 0, told.err
        assert f"{asked}: {expected} evaluate@tiny\n" in told.err
        put(FOUND)


def test_damaged_features_stop_a_comparison_as_they_stop_a_report(evaluated: Path, facespan: Run) -> None:
    lay_out(evaluated)
    shard = FEATURES / manifest.read(FEATURES).shards["ben_1"].file
    words = {"report": ("report", "tiny"), "compare": ("report", "tiny", "--compare", "workspace", "workspace")}
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-100])
    for asked in words.values():
        told = facespan(*asked)
        assert (told.code, shard.name in told.err) == (ExitCode.SHARD, True), told.err
    shard.write_bytes(whole)
    (FEATURES / manifest.NAME).rename("manifest.json")
    told = facespan(*words["compare"])
    assert told.code == 0, told.err
    text = Path("results/tiny/comparison.html").read_text("utf-8")
    assert "Features are not here: frames are taken to follow each other regularly" in text


def test_a_run_is_shown_by_its_own_stride_and_the_features_of_its_own_encoder(
    evaluated: Path, stage: Run, facespan: Run
) -> None:
    rows = intervals.read(EXPRESSIONS, Expression)
    kept = [row for row in rows if row.video != "cem_1"]
    [first, *_] = [row for row in rows if row.video == "cem_1"]
    # [10, 136) is whole in a window of 128 frames that starts at 8, 9 or 10: every 8 frames one does, every 16 none.
    intervals.write(EXPRESSIONS, Expression, [*kept, dataclasses.replace(first, start=10, stop=136)])
    assert stage("evaluate").code == 0
    lay_out(evaluated)
    other = evaluated / "other"
    shutil.copytree("configs", other / "configs")
    (other / "data/tiny/features").mkdir(parents=True)
    shutil.copytree(FEATURES.resolve(), other / "data/tiny/features/mine", ignore=shutil.ignore_patterns("ferplus"))
    for name in ("videos.parquet", "expressions.parquet"):
        shutil.copy(f"data/{name}", other / "data/tiny")
    shutil.copytree("results/tiny", other / "results/tiny")
    path = other / "configs/params.yaml"
    described = yaml.safe_load(path.read_text("utf-8"))
    described["extract"]["weights"], described["detect"]["window_stride"] = "mine", 8
    path.write_text(yaml.safe_dump(described), encoding="utf-8")
    change_features("cem_1", frame_label=1000 + np.arange(150), folder=other / "data/tiny/features/mine")
    told = facespan("report", "tiny", "--compare", "workspace", "other", "--device", "cpu")
    assert told.code == 0, told.err
    runs = filling(Path("results/tiny/comparison.html").read_text("utf-8"), "cem_1")["runs"]
    assert [[case["cut"] for case in run["cases"] if case["kind"] == "missed"] for run in runs] == [[True], [False]]
    numbers = [[case["labels"] for case in run["cases"] if case["kind"] != "missed"] for run in runs]
    assert numbers == [[[90, 125]], [[1090, 1125]]]
    described["detect"]["window_stride"] = 0
    path.write_text(yaml.safe_dump(described), encoding="utf-8")
    told = facespan("report", "tiny", "--compare", "workspace", "other")
    assert (told.code, "other/configs/params.yaml: detect.window_stride is 0" in told.err) == (ExitCode.USAGE, True)


def test_two_runs_stand_side_by_side(evaluated: Path, facespan: Run) -> None:
    lay_out(evaluated)
    other = evaluated / "other"
    other.mkdir()
    for name, path in (("detections.parquet", DETECTIONS), ("figures.json", Path("results/tiny/figures.json"))):
        (other / name).write_bytes(path.read_bytes())
    told = facespan("report", "tiny", "--compare", "results/tiny", "other", "--device", "cpu")
    assert told.code == 0, told.err
    page = Path("results/tiny/comparison.html")
    assert told.out.startswith(f"report: {page}, results/tiny beside other, ")
    text = page.read_text(encoding="utf-8")
    assert re.search(r"<title>tiny: results/tiny and other ", text)
    assert "Not known of results/tiny and other." in text
    assert "every parameter is as facespan ships it" not in text
    # Of cem's miss: the other folder has no detectors, so nobody knows which windows they saw.
    assert [case["cut"] for run in filling(text, "cem_1")["runs"] for case in run["cases"]] == [False, None, None, None]
    page.write_text("<title>mine</title>", encoding="utf-8")
    assert facespan("report", "tiny", "--compare", "results/tiny", "other").code == ExitCode.INPUT
    beside_workspace = facespan("report", "tiny", "--compare", "workspace", "other", "--output", "beside.html")
    assert beside_workspace.code == 0, beside_workspace.err
    # Beside what this corpus overrides, nothing is said of a folder without parameters.
    table = Path("beside.html").read_text("utf-8").partition('<table class="parameters">')[2].partition("</table>")[0]
    [row] = [row for row in table.split("<tr>") if "epochs" in row]
    assert re.findall(r'<td class="n">(.*?)</td>', row) == ["30", "<b>2</b>", '<span class="none">not known</span>']
    missing = facespan("report", "tiny", "--compare", "results/tiny", "none", "--output", "new.html")
    assert missing.code == ExitCode.INPUT
