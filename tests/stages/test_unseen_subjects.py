"""Every subject is searched by a detector that never saw it, and what one that did found is not scored."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cache.errors import InputError
from cache.tables import intervals, searches, videos
from cache.tables.intervals import Detection, Expression
from cache.tables.searches import Search
from cache.weights import detector_card
from cache.weights import tensors as weights
from cache.weights.detector_card import DetectorCard
from stages.detect import choose
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
DETECTORS, DETECTIONS = Path("results/detectors"), Path("results/detections.parquet")
EXPRESSIONS = Path("data/expressions.parquet")


def held(name: str, trained_on: list[str], held_out: list[str]) -> tuple[Path, DetectorCard]:
    """Return a detector of the corpus `mine`."""
    card = DetectorCard("mine", name, tuple(trained_on), tuple(held_out), ("joy",), ("joy",), {}, "fedn", {})
    return Path(f"{name}.safetensors"), card


def chosen(detectors: list[tuple[Path, DetectorCard]], corpus: str, *subjects: str) -> dict[str, str]:
    return {subject: path.stem for subject, path in choose(dict(detectors), corpus, subjects).items()}


def test_a_subject_whose_name_is_part_of_another_is_not_taken_for_it() -> None:
    detectors = [held("without-s10", ["s1", "s2"], ["s10"]), held("without-s1", ["s10", "s2"], ["s1"])]
    assert chosen(detectors, "mine", "s1", "s10") == {"s1": "without-s1", "s10": "without-s10"}


def test_a_detector_that_saw_a_subject_never_searches_it_whatever_else_its_card_says() -> None:
    with pytest.raises(InputError, match="has never seen subject 's1' of mine"):
        chosen([held("without-s1", ["s1", "s2"], ["s1"])], "mine", "s1")


def test_a_group_that_was_left_out_together_is_searched_by_its_detector() -> None:
    detectors = [held("without-a-b", ["c"], ["a", "b"]), held("all", ["a", "b", "c"], [])]
    assert chosen(detectors, "mine", "a", "b") == {"a": "without-a-b", "b": "without-a-b"}


def test_a_stranger_is_searched_by_the_one_trained_on_everyone() -> None:
    detectors = [held("without-a", ["b"], ["a"]), held("without-b", ["a"], ["b"]), held("all", ["a", "b"], [])]
    assert chosen(detectors, "another", "x") == {"x": "all"}


def test_people_that_no_detector_of_their_corpus_knows_by_name_are_searched_by_none() -> None:
    detectors = [held("without-a", ["b"], ["a"]), held("all", ["a", "b"], [])]
    for corpus in ("mine", "mine-pseudonyms-0123abcd"):
        with pytest.raises(InputError, match="learned from mine and knows none of the 2 subjects of mine"):
            chosen(detectors, corpus, "s12", "s34")
    assert chosen(detectors, "mine", "a", "new") == {"a": "without-a", "new": "all"}
    assert chosen(detectors, "mine-20240101", "new") == {"new": "all"}


def keys() -> dict[str, str]:
    """Return the key of every detector, by fold."""
    return {card.fold: card.key for card in detector_card.read_folder(DETECTORS).values()}


def forge(**changes: str) -> None:
    """Say of videos that another fold's detector searched them, in the table's own word and in each row."""
    rows, search = intervals.read(DETECTIONS, Detection), searches.read(DETECTIONS)
    told = {video: keys()[fold] for video, fold in changes.items()}
    rows = [dataclasses.replace(row, detector=changes.get(row.video, row.detector)) for row in rows]
    searches.write(DETECTIONS, rows, Search(search.encoder, {**search.searched, **told}))


def test_detections_say_who_searched_every_video_and_with_which_encoder(begin: Begin, stage: Run) -> None:
    here = begin("detect")
    search = searches.read(DETECTIONS)
    assert search.searched == {f"{name}_1": keys()[f"without-{name}"] for name in ("ann", "ben", "cem")}
    assert search.encoder == json.loads((here / "data/features/manifest.json").read_text("utf-8"))["run"]["encoder"]
    before = DETECTIONS.read_bytes()
    assert stage("detect").code == 0
    assert DETECTIONS.read_bytes() == before


def test_detections_of_a_detector_that_saw_the_subject_are_not_scored(begin: Begin, stage: Run) -> None:
    begin("detect")
    forge(ben_1="all", cem_1="without-ann")
    told = stage("evaluate")
    assert told.code == ExitCode.INPUT
    assert "ben_1, cem_1: the detections are of a detector that learned from the subject" in told.err
    assert not Path("results/tiny/metrics.json").exists()


def test_a_video_without_a_detection_counts_as_searched_by_whom_the_table_says(begin: Begin, stage: Run) -> None:
    begin("detect")
    forge(ben_1="all")
    rows = [row for row in intervals.read(DETECTIONS, Detection) if row.video != "ben_1"]
    searches.write(DETECTIONS, rows, searches.read(DETECTIONS))
    told = stage("evaluate")
    assert told.code == ExitCode.INPUT
    assert "ben_1: the detections are of a detector that learned from the subject" in told.err


def test_a_card_that_learned_from_the_subject_after_all_makes_its_detections_worthless(
    begin: Begin, stage: Run
) -> None:
    begin("detect")
    path = DETECTORS / "without-ben.safetensors"
    tensors, card = weights.read(path)
    card["fold"] |= {"train_subjects": ["ann", "ben", "cem"], "held_out": []}
    weights.write(path, tensors, card)
    told = stage("evaluate")
    assert told.code == ExitCode.INPUT
    assert "ben_1: the detections are of a detector that learned from the subject" in told.err


def test_a_row_that_names_another_detector_or_subject_than_searched_is_refused(begin: Begin, stage: Run) -> None:
    begin("detect")
    rows, search = intervals.read(DETECTIONS, Detection), searches.read(DETECTIONS)
    assert {row.video for row in rows} >= {"ann_1", "ben_1"}
    changes = {"ann_1": {"detector": "all"}, "ben_1": {"subject": "cem"}}
    searches.write(DETECTIONS, [dataclasses.replace(row, **changes.get(row.video, {})) for row in rows], search)
    told = stage("evaluate")
    assert told.code == ExitCode.INPUT
    assert "ann_1, ben_1: the detections are of another subject or detector than told" in told.err


def test_detections_of_detectors_that_are_no_longer_there_are_not_scored(begin: Begin, stage: Run) -> None:
    begin("detect")
    (DETECTORS / "without-ben.safetensors").unlink()
    told = stage("evaluate")
    assert told.code == ExitCode.INPUT
    assert "ben_1: none of the detectors in results/detectors made these detections" in told.err


def test_detections_of_people_under_other_names_are_not_scored(begin: Begin, stage: Run) -> None:
    begin("detect")
    table, known = videos.read(Path("data/videos.parquet")), intervals.read(EXPRESSIONS, Expression)
    rows, search = intervals.read(DETECTIONS, Detection), searches.read(DETECTIONS)
    told = {video: keys()["all"] for video in search.searched}

    def renamed(row: Any, **more: Any) -> Any:
        return dataclasses.replace(row, subject=f"s-{row.subject}", **more)

    videos.write(Path("data/videos.parquet"), [renamed(row) for row in table])
    intervals.write(EXPRESSIONS, Expression, [renamed(row) for row in known])
    searches.write(DETECTIONS, [renamed(row, detector="all") for row in rows], Search(search.encoder, told))
    ended = stage("evaluate")
    assert ended.code == ExitCode.INPUT
    assert "learned from tiny and knows none of the 3 subjects of tiny by name ('s-ann' for instance)" in ended.err


def test_a_table_that_does_not_say_who_searched_is_not_scored(begin: Begin, stage: Run) -> None:
    begin("detect")
    intervals.write(DETECTIONS, Detection, intervals.read(DETECTIONS, Detection))
    told = stage("evaluate")
    assert told.code == ExitCode.INPUT
    assert "results/detections.parquet does not say which detector searched which video" in told.err


def test_detections_in_features_of_another_encoder_than_the_detectors_are_not_scored(begin: Begin, stage: Run) -> None:
    begin("detect")
    search = searches.read(DETECTIONS)
    told = {**search.encoder, "name": "another"}
    searches.write(DETECTIONS, intervals.read(DETECTIONS, Detection), Search(told, search.searched))
    ended = stage("evaluate")
    assert ended.code == ExitCode.INPUT
    assert "learned from features of another encoder than was searched with (4 detectors" in ended.err
