"""The whole line, from videos to scores, on a corpus of seconds; and what each stage keeps, makes, removes, refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cache.shards import features, frames, manifest
from cache.tables import intervals
from cache.tables.intervals import Detection

Run = Callable[..., Any]
Begin = Callable[..., Path]


def change(path: Path, section: str, **values: object) -> None:
    """Set overrides of the tiny corpus."""
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["overrides"][section] |= values
    path.write_text(yaml.safe_dump(described), encoding="utf-8")


TINY = Path("configs/corpora/tiny.yaml")


def test_the_line_runs_from_videos_to_scores(begin: Begin, stage: Run, facespan: Run) -> None:
    here = begin("detect")
    told = stage("evaluate")
    assert told.code == 0, told.err
    assert told.out.startswith("evaluate: 3 videos, spotting F1 ")
    metrics = json.loads((here / "results/tiny/metrics.json").read_text(encoding="utf-8"))
    assert {part: set(values) for part, values in metrics.items()} == {
        "spotting": {"tp", "n", "m", "precision", "recall", "f1", "map"},
        "recognition": {"uf1", "accuracy"},
        "detection": {"map"},
        "guessing": {"f1"},
        "oracle": {"f1"},
    }
    assert metrics["spotting"]["m"] == 6
    figures = json.loads((here / "results/tiny/figures.json").read_text(encoding="utf-8"))
    assert metrics["spotting"].items() <= figures["spotting"].items()
    assert set(figures) >= {"per_subject", "protocols"}
    assert figures["encoder"]["has_learned"] is False
    found = intervals.read(here / "results/detections.parquet", Detection)
    assert found
    assert all(row.detector == f"without-{row.subject}" for row in found)
    assert json.loads(facespan("scores", "tiny", "--json").out) == figures
    scores = facespan("scores", "tiny").out
    assert "spotting     F1" in scores
    assert "random weights: meaningless for real faces" in scores


def test_a_second_run_keeps_everything(begin: Begin, stage: Run) -> None:
    here = begin("train")
    before = {path: path.stat().st_mtime_ns for path in (here / "data").rglob("*.h5")}
    assert "(0 new, 3 kept)" in stage("align").out
    assert "(0 new, 3 kept)" in stage("extract").out
    assert "(0 new, 4 kept)" in stage("train").out
    assert before == {path: path.stat().st_mtime_ns for path in (here / "data").rglob("*.h5")}


def test_one_more_video_makes_one_more_shard(begin: Begin, stage: Run, add_video: Run) -> None:
    here = begin("extract")
    add_video(here / "corpus/videos/ann_2.avi", 40, seed=9)
    with (here / "corpus/expressions.csv").open("a", encoding="utf-8") as file:
        file.write("ann,ann_2,,,,\n")
    assert "(1 new, 3 kept)" in stage("index", "align").out
    assert "(1 new, 3 kept)" in stage("extract").out


def test_a_video_that_leaves_the_corpus_takes_its_shards_along(begin: Begin, stage: Run) -> None:
    here = begin("extract")
    (here / "corpus/videos/cem_1.avi").unlink()
    labels = here / "corpus/expressions.csv"
    labels.write_text("".join(x for x in labels.open(encoding="utf-8") if "cem" not in x), encoding="utf-8")
    assert "removed" in stage("index", "align").err
    assert "removed" in stage("extract").err
    assert sorted(path.name for path in (here / "data/features").glob("*.h5")) == ["ann_1.h5", "ben_1.h5"]


@pytest.mark.whole_line
def test_the_same_seed_gives_the_same_detections_however_many_processes(begin: Begin, stage: Run) -> None:
    here = begin("detect")
    first = (here / "results/detections.parquet").read_bytes()
    assert "(4 new, 0 kept)" in stage("train", extra=("--force", "--processes", "2")).out
    stage("detect")
    assert (here / "results/detections.parquet").read_bytes() == first


def test_a_head_parameter_changes_detectors_and_no_shard(begin: Begin, stage: Run) -> None:
    begin("train")
    change(TINY, "train", head="coupled")
    assert "(0 new, 3 kept)" in stage("extract").out
    assert "(4 new, 0 kept)" in stage("train").out


@pytest.mark.parametrize(
    "variant",
    [
        {"segment_attention": "mean"},
        {"window_attention": "none"},
        {"segment_attention": "mean", "window_attention": "none"},
        {"classification": "spotting"},
        {"classification": "confidence"},
        {"head": "coupled"},
        {"interval_loss": "iou"},
        {"interval_loss": "giou"},
    ],
    ids=str,
)
def test_every_row_of_the_ablation_runs(begin: Begin, stage: Run, variant: dict[str, str]) -> None:
    begin("extract")
    change(TINY, "train", **variant)
    told = stage("train", "detect", "evaluate")
    assert told.code == 0, told.err


def test_a_frame_shard_holds_every_decoded_frame(begin: Begin) -> None:
    here = begin("extract")
    with frames.open(here / "data/frames/ann_1.h5", verify=True) as opened:
        assert len(opened) == 150
        assert opened.columns.pts_seconds[-1] == pytest.approx(149 / 30, abs=1e-3)
    assert features.read(here / "data/features/ann_1.h5").features.shape == (150, 512)


def test_a_damaged_shard_is_made_again(begin: Begin, stage: Run) -> None:
    here = begin("extract")
    path = here / "data/features/ben_1.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert "(1 new, 2 kept)" in stage("extract").out
    assert path.read_bytes() == whole


def test_training_refuses_a_shard_that_was_damaged(begin: Begin, stage: Run) -> None:
    here = begin("extract")
    path = here / "data/features/ben_1.h5"
    path.write_bytes(path.read_bytes()[:-100])
    told = stage("train")
    assert told.code == 5
    assert "ben_1.h5" in told.err
    assert "--force extract@CORPUS" in told.err


def test_training_refuses_features_of_another_length_than_their_video(begin: Begin, stage: Run) -> None:
    here = begin("extract")
    shard = features.read(here / "data/features/ben_1.h5")
    columns = type(shard.columns)(**{name: getattr(shard.columns, name)[:100] for name in vars(shard.columns)})
    features.write(here / "data/features/ben_1.h5", shard.features[:100], columns, shard.key, shard.layer)
    held = manifest.read(here / "data/features")
    entry = manifest.describe(here / "data/features", here / "data/features/ben_1.h5", 100, shard.key)
    manifest.write(here / "data/features", manifest.Manifest("features", {**held.shards, "ben_1": entry}, held.run))
    told = stage("train")
    assert told.code == 5
    assert "has 100 frames, its video 150" in told.err


def test_one_subject_alone_cannot_be_split(begin: Begin, stage: Run) -> None:
    here = begin()
    for name in ("ben_1", "cem_1"):
        (here / f"corpus/videos/{name}.avi").unlink()
    labels = here / "corpus/expressions.csv"
    kept = [line for line in labels.open(encoding="utf-8") if "ben" not in line and "cem" not in line]
    labels.write_text("".join(kept), encoding="utf-8")
    told = stage("index", "align", "extract", "train")
    assert told.code == 4
    assert "needs at least 2 subjects, found ann" in told.err


def test_a_subject_without_expressions_is_trained_and_searched(begin: Begin, stage: Run) -> None:
    here = begin("extract")
    labels = here / "corpus/expressions.csv"
    kept = [line for line in labels.open(encoding="utf-8") if "cem" not in line]
    labels.write_text("".join([*kept, "cem,cem_1,,,,\n"]), encoding="utf-8")
    told = stage("index", "train", "detect", "evaluate")
    assert told.code == 0, told.err
    assert "subject_without_expressions" in (here / "data/audit.csv").read_text(encoding="utf-8")


def test_detectors_refuse_features_of_another_encoder(begin: Begin, stage: Run) -> None:
    begin("train")
    change(TINY, "extract", random_seed=5)
    told = stage("extract", "detect")
    assert told.code == 5
    assert "was trained on features of" in told.err


def test_nobody_is_searched_by_a_detector_that_saw_them(begin: Begin, stage: Run) -> None:
    here = begin("train")
    (here / "results/detectors/without-ben.safetensors").unlink()
    told = stage("detect")
    assert told.code == 4
    assert "has never seen subject 'ben'" in told.err


def test_an_unknown_class_is_named_when_training(begin: Begin, stage: Run) -> None:
    begin("extract")
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    described["classes"] = ["happiness"]
    TINY.write_text(yaml.safe_dump(described), encoding="utf-8")
    told = stage("train")
    assert told.code == 4
    assert "'anger', none of the classes happiness" in told.err


def test_a_dry_run_writes_nothing(begin: Begin, stage: Run) -> None:
    here = begin("index")
    told = stage("align", extra=("--dry-run",))
    assert told.out == "align: would make 3 of 3 shards in data/frames\n"
    assert not (here / "data/frames").exists()


def test_one_broken_video_does_not_stop_the_index_of_the_others(begin: Begin, stage: Run, facespan: Run) -> None:
    here = begin()
    path = here / "corpus/videos/ben_1.avi"
    whole = path.read_bytes()
    path.write_bytes(whole[:20000])
    told = stage("index")
    assert told.code == 3
    assert told.out.startswith("index: 2 videos of 2 subjects, 300 frames, 4 expressions")
    assert "index: ben_1 failed, its 2 expressions are left out: " in told.err
    assert "index: 1 videos failed, listed in data/failures.csv; the others are done" in told.err
    assert "ben_1" in (here / "data/failures.csv").read_text(encoding="utf-8")
    assert (here / "data/audit.csv").read_text(encoding="utf-8").count("expression_of_failed_video,ben_1,ben") == 2
    said = "ben_1 and its expressions are left out, it failed when the corpus was indexed: "
    assert f"align: {said}" in stage("align").err
    assert f"evaluate: {said}" in stage("extract", "train", "detect", "evaluate").err
    path.write_bytes(whole)
    assert stage("index").code == 0
    assert not (here / "data/failures.csv").exists()
    assert "left out" not in stage("align").err


def test_one_broken_video_does_not_stop_the_others(begin: Begin, stage: Run) -> None:
    here = begin("index")
    path = here / "corpus/videos/ben_1.avi"
    path.write_bytes(path.read_bytes()[:20000])
    told = stage("align")
    assert told.code == 3
    assert "ben_1" in (here / "data/frames/failures.csv").read_text(encoding="utf-8")
    assert sorted(manifest.read(here / "data/frames").shards) == ["ann_1", "cem_1"]
