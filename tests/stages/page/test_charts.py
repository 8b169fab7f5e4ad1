"""Charts as specifications, and attention as levels."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np

from stages.page import charts
from stages.page.document import Attention
from tests.stages.page.invented_document import document, empty


def test_without_figures_there_are_no_charts() -> None:
    runs = [("", empty())]
    assert charts.average_precision(runs) is None
    assert charts.precision_recall(runs) is None
    assert charts.loss_names(runs) == []


def test_every_loss_of_the_rows_has_a_chart() -> None:
    assert charts.loss_names([("", document())]) == ["total", "interval", "classification"]


def test_a_loss_that_is_no_number_is_left_out_of_its_line() -> None:
    broken = replace(document(), losses={"a": [{"epoch": 1, "total": float("nan")}, {"epoch": 2, "total": 1.0}]})
    chart = charts.losses([("", broken)], "total")
    assert chart is not None
    assert [row["loss"] for row in chart["data"][0]["values"]] == [None, 1.0]


def test_attention_is_told_in_multiples_of_an_even_share() -> None:
    told = Attention("here", np.array([0.0, 10.0]), np.array([10.0, 20.0]), np.array([0.75, 0.25]), 0.5)
    levels = charts.attention_levels(told, bins=4)
    assert (levels["from"], levels["to"], levels["top"]) == (0, 20, 1.5)
    assert list(base64.b64decode(levels["levels"])) == [255, 255, 85, 85]


def test_where_segments_overlap_their_mean_is_shown() -> None:
    told = Attention("here", np.array([0.0, 0.0]), np.array([8.0, 4.0]), np.array([1.0, 3.0]), 1.0)
    levels = charts.attention_levels(told, bins=2)
    assert levels["top"] == 2
    assert list(base64.b64decode(levels["levels"])) == [255, 128]


def test_attention_of_nothing_is_empty() -> None:
    nothing = np.zeros(0)
    assert charts.attention_levels(Attention("here", nothing, nothing, nothing, 0.1))["levels"] == ""


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    points = [(index / 1000, 0.5, 0.5) for index in range(1000)]
    thin = charts.thinned(points, most=10)
    assert len(thin) == 10
    assert (thin[0], thin[-1]) == (points[0], points[-1])
