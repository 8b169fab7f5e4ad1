"""A detector from anybody: whatever its card says ends in one clear line, and nothing large is made before."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from cache.weights import tensors as weights
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[2]
NAMED = Path("results/detectors/without-ben.safetensors")
Card = dict[str, Any]
HUGE = 1 << 40


def rewrite(change: Callable[[Card], object]) -> None:
    """Change the card of a detector, as text, so that it may say what no program would write."""
    tensors, card = weights.read(NAMED)
    changed = change(card)
    text = changed if isinstance(changed, str) else json.dumps(card)
    NAMED.write_bytes(save(tensors, {"card": text}))


def part(name: str, **values: object) -> Callable[[Card], object]:
    return lambda card: card["parameters"][name].update(values)


def fact(name: str, value: object) -> Callable[[Card], object]:
    return lambda card: card.update({name: value})


def fold(**values: object) -> Callable[[Card], object]:
    return lambda card: card["fold"].update(values)


# What a card says of the detector as a whole, which both stages read.
FACTS: dict[str, tuple[Callable[[Card], object], str]] = {
    "brackets without end": (lambda _: "[" * 200_000, "is not a whole safetensors file"),
    "braces without end": (lambda _: '{"a":' * 200_000, "is not a whole safetensors file"),
    "a number of 5000 digits": (lambda _: '{"corpus": ' + "1" * 5000 + "}", "is not a whole safetensors file"),
    "no JSON": (lambda _: "{", "is not a whole safetensors file"),
    "twenty million blanks": (lambda _: " " * 20_000_000 + "{}", "has a card of 20000002 characters"),
    "a list": (lambda _: "[1]", "holds tensors but no card"),
    "nothing": (lambda _: "{}", "its card lacks corpus, fold, classes, emotions, encoder, parameters, key"),
    "the fold is a list": (fact("fold", ["ben"]), "card's fold is ['ben'], expected its name, its train_subjects"),
    "no held_out": (lambda card: card["fold"].pop("held_out") and None, "expected its name, its train_subjects"),
    "held_out is a text": (fold(held_out="ben"), "card's fold is {'held_out': 'ben', "),
    "held_out is of numbers": (fold(held_out=[5]), "expected its name, its train_subjects"),
    "learned from whom it left out": (fold(train_subjects=["ann", "ben"]), "learned from ben and left the same out"),
    "parameters are null": (fact("parameters", None), "card's parameters is None, expected a mapping of parts"),
    "a part is a number": (fact("parameters", {"detector": 5}), "expected a mapping of parts"),
    "a parameter is infinite": (
        lambda card: json.dumps(card).replace('"largest_log_size": 4.0', '"largest_log_size": 1e999'),
        "expected a mapping of parts, each a mapping of plain values",
    ),
    "a parameter is no number": (part("detector", initial_score=float("nan")), "NaN is no JSON"),
    "a parameter is beyond any": (part("detector", width=1 << 60), "mapping of plain values"),
    "too few emotions": (lambda card: card["emotions"].pop() and None, "expected its classes, happiness"),
    "emotions are mixed up": (lambda card: card["emotions"].reverse(), "expected its classes, happiness"),
    "emotions are a text": (fact("emotions", "joy"), "card's emotions is 'joy', expected a list of texts, each once"),
    "classes are a number": (fact("classes", 5), "card's classes is 5, expected a list of texts, each once"),
    "no classes": (fact("classes", []), "card's classes is [], expected a list of texts"),
    "classes are mappings": (fact("classes", [{}]), "card's classes is [{}], expected a list of texts"),
    "the encoder is null": (fact("encoder", None), "card's encoder is None, expected a mapping of plain values"),
    "no width": (fact("input_width", -1), "card's input_width is -1, expected a whole number above 0"),
    "the width is true": (fact("input_width", True), "card's input_width is True, expected a whole number"),
    "the network is a number": (fact("network", 3), "card's network is 3, expected a text"),
    "the key is none": (fact("key", "../../x"), "card's key is '../../x', expected 64 hexadecimal digits"),
    "the curve is a number": (fact("curve", 5), "card's curve is 5, expected a list of mappings"),
    "the corpus is a list": (fact("corpus", []), "card's corpus is [], expected a text"),
}
# What it says of the network, which is built to search alone.
NETWORKS: dict[str, tuple[Callable[[Card], object], str]] = {
    "an endless window": (part("detector", window_frames=HUGE), "window_frames is 1099511627776, expected 1 to 16384"),
    "a wide network": (part("detector", width=1_000_000), "holds another detector than its card describes"),
    "a wide level": (part("detector", neck_widths=[16, 16, 16, 1 << 50]), "holds another detector than its card"),
    "more weights than can be": (part("detector", block_widths=[1 << 53] * 2), "no network is built as its card says"),
    "more levels than halvings": (part("detector", neck_widths=[16] * 100_000), "neck_widths has 100000 values"),
    "a deep head": (part("detector", head_layers=1 << 40), "head_layers is 1099511627776, expected at most 32"),
    "no heads": (part("detector", attention_heads=0), "attention_heads is 0, expected at least 1"),
    "no stride": (part("detector", segment_stride=0), "segment_stride is 0, expected at least 1"),
    "an endless segment": (part("detector", segment_frames=HUGE), "expected at most the window's"),
    "a wide kernel": (part("detector", kernel=HUGE + 1), "holds another detector than its card describes"),
    "an endless rate": (part("detector", window_rates=[1, HUGE]), "expected at most 1048576"),
    "rates of no order": (part("detector", window_rates=[4, 1]), "window_rates is [4, 1]"),
    "negative anchors": (part("detector", anchor_ratios=[-1.0] * 5), "no network is built as its card says"),
    "another head": (part("detector", head="coupled"), "holds another detector than its card describes"),
    "an unknown head": (part("detector", head="x"), "head: 'x'"),
    "a width of text": (part("detector", width="16"), "width: expected a whole number"),
    "a part of more": (part("detector", colour="red"), "detector differs from this version of facespan in colour"),
    "a part of less": (
        lambda card: card["parameters"].pop("match") and None,
        "match differs from this version of facespan",
    ),
    "an unknown network": (
        fact("network", "fedm"),
        "is a detector of network 'fedm', known are fedn, framewise. Update",
    ),
    "an unknown normalisation": (part("train", normalisation="z"), "train.normalisation is 'z', expected one of none"),
    "a normalisation of lists": (part("train", normalisation=[]), "train.normalisation is [], expected one of none"),
    "one name for six": (fact("emotions", ["expression"]), "emotions are expression, expected every class"),
    "one class for six": (lambda card: card.update(classes=["joy"], emotions=["joy"]), "holds another detector"),
}


@pytest.mark.parametrize("name", FACTS)
def test_a_card_that_cannot_be_is_refused_in_one_line_by_both_stages(begin: Begin, stage: Run, name: str) -> None:
    change, message = FACTS[name]
    begin("detect")
    rewrite(change)
    for each in ("detect", "evaluate"):
        told = stage(each)
        assert told.code == ExitCode.SHARD, told.err
        assert f"error: {NAMED}" in told.err
        assert message in told.err
        assert len(told.err.strip().splitlines()[-1]) < 500


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_cannot_be_is_refused_in_one_line_when_it_is_to_search(
    begin: Begin, stage: Run, name: str
) -> None:
    change, message = NETWORKS[name]
    begin("detect")
    rewrite(change)
    told = stage("detect")
    assert told.code == ExitCode.SHARD, told.err
    assert f"error: {NAMED}" in told.err
    assert message in told.err
    assert len(told.err.strip().splitlines()[-1]) < 500


def test_a_detector_from_before_networks_had_names_still_searches(begin: Begin, stage: Run) -> None:
    begin("detect")
    before = Path("results/detections.parquet").read_bytes()

    def older(card: Card) -> None:
        del card["network"]
        training = card["parameters"]["train"]
        training["averaging"], training["gradient_limit"] = training.pop("ema_decay"), 0.0

    rewrite(older)
    assert stage("detect").code == ExitCode.DONE
    assert Path("results/detections.parquet").read_bytes() == before


def test_weights_that_are_not_finite_are_refused(begin: Begin, stage: Run) -> None:
    begin("detect")
    tensors, card = weights.read(NAMED)
    name = sorted(tensors)[0]
    tensors[name] = np.full_like(tensors[name], np.inf)
    weights.write(NAMED, tensors, card)
    told = stage("detect")
    assert told.code == ExitCode.SHARD
    assert f"{NAMED}: {name} holds numbers that are not finite" in told.err


def test_a_hostile_card_costs_no_detection_made_before(begin: Begin, stage: Run) -> None:
    begin("detect")
    before = Path("results/detections.parquet").read_bytes()
    rewrite(FACTS["parameters are null"][0])
    assert stage("detect").code == ExitCode.SHARD
    assert Path("results/detections.parquet").read_bytes() == before


def test_a_detector_whose_card_cannot_be_is_trained_again(begin: Begin, stage: Run) -> None:
    begin("train")
    whole = NAMED.read_bytes()
    for name in ("parameters are null", "the curve is a number", "too few emotions"):
        rewrite(FACTS[name][0])
        assert "(1 new, 3 kept)" in stage("train").out
        assert NAMED.read_bytes() == whole


@pytest.mark.parametrize("name", ["brackets without end", "an endless window"])
def test_as_dvc_starts_it_there_is_one_line_and_no_traceback(
    begin: Begin, words: Callable[[str], list[str]], name: str
) -> None:
    here = begin("detect")
    rewrite((FACTS | NETWORKS)[name][0])
    for each in ("detect", "evaluate") if name in FACTS else ("detect",):
        done = subprocess.run(
            [sys.executable, "-m", f"stages.{each}", *words(each), *(["--quiet"] if each == "detect" else [])],
            cwd=here,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == ExitCode.SHARD
        assert "Traceback" not in done.stderr
        assert done.stderr.count("error: ") == 1
        assert (FACTS | NETWORKS)[name][1] in done.stderr
