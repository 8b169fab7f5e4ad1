"""Another spotter is a class and a name: networks that only these tests register go through train, detect, evaluate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cache.tables import curves, intervals
from cache.tables.intervals import Detection
from pipeline.detectors import registry
from stages.shell.command import ExitCode
from tests.pipeline import tiny_networks

Run = Callable[..., Any]
Begin = Callable[..., Path]
PARAMS, TINY = Path("configs/params.yaml"), Path("configs/corpora/tiny.yaml")


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, network in tiny_networks.NETWORKS.items():
        monkeypatch.setitem(registry.NETWORKS, name, network)


def choose(name: str, **changes: object) -> None:
    """Set the network, with its block of parameters."""
    described = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    described["train"][name] = tiny_networks.SETTINGS[name] | changes
    described["train"]["network"] = name
    PARAMS.write_text(yaml.safe_dump(described), encoding="utf-8")


def override(**values: object) -> None:
    """Set overrides of the tiny corpus."""
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    described["overrides"]["train"] |= values
    TINY.write_text(yaml.safe_dump(described), encoding="utf-8")


def test_a_spotter_on_whole_videos_is_trained_searched_with_and_scored(begin: Begin, stage: Run) -> None:
    here = begin("extract")
    choose("linear", learning_rate=0.01)
    told = stage("train")
    assert told.code == 0, told.err
    assert "train: 4 detectors (4 new, 0 kept), 3 subjects, 6 expressions, 3 videos" in told.out
    assert "train: epochs = 20 (linear) instead of 2" in told.err
    losses = (here / "results/losses.csv").read_text(encoding="utf-8").splitlines()
    assert losses[0] == "fold,epoch,windows,total,rows"
    # Two of the three videos in a fold without one subject.
    assert losses[1].startswith("without-ann,1,2,")
    assert len(losses) == 1 + 4 * 20
    told = stage("detect", "evaluate")
    assert told.code == 0, told.err
    found = intervals.read(here / "results/detections.parquet", Detection)
    assert {row.emotion for row in found} <= {"happiness", "anger", "disgust", "fear", "sadness", "surprise"}
    metrics = json.loads((here / "results/tiny/metrics.json").read_text(encoding="utf-8"))
    # What the patch of noise does is seen by any network, also in a subject that it never saw.
    assert metrics["spotting"]["f1"] > 0.6
    assert "(0 new, 4 kept)" in stage("train").out


def test_a_spotter_that_learns_nothing_searches_everybody(begin: Begin, stage: Run) -> None:
    here = begin("extract")
    choose("untrained")
    told = stage("train")
    assert told.code == 0, told.err
    assert "train: 1 detectors (1 new, 0 kept), 3 subjects" in told.out
    assert [path.name for path in (here / "results/detectors").iterdir()] == ["none.safetensors"]
    assert (here / "results/losses.csv").read_text(encoding="utf-8") == "fold,epoch,windows,total\n"
    told = stage("detect", "evaluate")
    assert told.code == 0, told.err
    found = intervals.read(here / "results/detections.parquet", Detection)
    assert {(row.emotion, row.detector) for row in found} == {("expression", "none")}
    assert curves.read(here / "results/curves.parquet").classes == ("expression",)
    assert "(0 new, 1 kept)" in stage("train").out


def test_another_network_replaces_the_detectors_and_a_return_takes_them_from_the_store(
    begin: Begin, stage: Run
) -> None:
    here = begin("train")
    (here / ".dvc").mkdir()
    assert "(0 new, 4 kept)" in stage("train").out
    before = (here / "results/detectors/all.safetensors").read_bytes()
    choose("untrained")
    told = stage("train")
    assert "without-ben.safetensors belongs to no fold of this corpus and is removed" in told.err
    described = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    described["train"]["network"] = "fedn"
    PARAMS.write_text(yaml.safe_dump(described), encoding="utf-8")
    assert "(0 new, 0 kept, 4 from the store)" in stage("train").out
    assert (here / "results/detectors/all.safetensors").read_bytes() == before


def test_a_corpus_overrides_one_value_of_a_network_s_block(begin: Begin, stage: Run) -> None:
    begin("extract")
    choose("linear")
    override(linear={"epochs": 1})
    assert "(4 new, 0 kept)" in stage("train").out
    assert len(Path("results/losses.csv").read_text(encoding="utf-8").splitlines()) == 1 + 4


def test_operations_of_another_network_are_counted(begin: Begin, facespan: Run) -> None:
    begin()
    choose("linear")
    told = facespan("flops")
    assert told.code == 0, told.err
    assert "as the paper counts" not in told.out
    assert told.out.endswith("As run, the encoder sees only the 1800 frames of a video once.\n")
    assert "as the paper counts" in facespan("flops", "-S", "network=fedn").out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "fedm"}, "overrides.train: network is 'fedm', expected one of fedn, framewise, linear, untrained"),
        ({"network": 3}, "overrides.train.network: expected a text, found 3"),
        ({"linear": 3}, "overrides.train.linear: expected `key: value` lines, found 3"),
        ({"linear": {"widht": 3}}, "overrides.train.linear: unknown key 'widht'. Did you mean 'width'?"),
        (
            {"linear": {"row_frames": "4"}},
            "train.linear.row_frames: expected a whole number, found '4'",
        ),
    ],
    ids=str,
)
def test_a_network_that_cannot_be_is_named(
    begin: Begin, facespan: Run, change: dict[str, object], message: str
) -> None:
    begin()
    choose("linear")
    override(**change)
    told = facespan("check", "tiny")
    assert told.code == ExitCode.USAGE
    assert message in told.err
    assert "Traceback" not in told.err


def test_parameters_from_before_networks_had_names_say_what_is_missing(begin: Begin, facespan: Run) -> None:
    begin()
    described = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    del described["train"]["network"]
    PARAMS.write_text(yaml.safe_dump(described), encoding="utf-8")
    told = facespan("check", "tiny")
    assert told.code == ExitCode.USAGE
    assert "configs/params.yaml: train: missing network. Write it there" in told.err


@pytest.mark.parametrize("name", ["linear", "untrained"])
def test_a_report_is_written_of_a_network_without_attention_and_of_one_that_only_spots(
    begin: Begin, stage: Run, facespan: Run, name: str
) -> None:
    here = begin("extract")
    choose(name)
    assert stage("train", "detect", "evaluate").code == 0
    (here / "data/tiny").symlink_to(here / "data")
    (here / "data/features/ferplus").symlink_to(here / "data/features")
    for path in ("detections.parquet", "curves.parquet", "detectors"):
        (here / "results/tiny" / path).symlink_to(here / "results" / path)
    told = facespan("report", "tiny", "--results", "results", "--data", "data", "--device", "cpu")
    assert told.code == 0, told.err
    assert (here / "results/tiny/report/index.html").is_file()
    assert facespan("diagnose", "tiny").code == 0
