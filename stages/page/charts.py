"""Charts as Vega-Lite specifications: AP over IoU, precision and recall, losses by fold, attention."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import vl_convert

from stages.page.document import Attention, Document
from stages.page.timeline_drawing import FONT

VEGA_LITE = "6.4"
WIDTH, HEIGHT = 480, 220
MOST_POINTS = 300
ATTENTION_BINS = 160
QUANTITIES = ("spotting", "detection")
TOTAL = "total"
NOT_A_LOSS = ("epoch", "windows", "fold")
Runs = Sequence[tuple[str, Document]]


def average_precision(runs: Runs) -> dict[str, Any] | None:
    """Return AP over IoU thresholds, a line each for spotting and detection; None where there are no figures."""
    rows = [
        {"run": name, "of": quantity, "IoU": int(step.removeprefix("iou")) / 100, "AP": value}
        for name, document in runs
        for quantity in QUANTITIES
        for step, value in document.figures.get(quantity, {}).get("ap", {}).items()
    ]
    x = {"field": "IoU", "type": "quantitative", "scale": {"domain": [0.5, 0.95]}, "axis": {"format": ".2f"}}
    y = {"field": "AP", "type": "quantitative", "scale": {"domain": [0, 1]}}
    colours, dashes = _told_apart(rows, "of")
    layers = [
        {"mark": {"type": "line", "strokeWidth": 1.75}, "encoding": dashes},
        {"mark": {"type": "point", "filled": True, "size": 36, "opacity": 1, "tooltip": {"content": "data"}}},
    ]
    return _chart(rows, {"x": x, "y": y, **colours}, layers)


def precision_recall(runs: Runs) -> dict[str, Any] | None:
    """Return precision over recall, a line each; a point where the thresholds chosen for the subjects lead."""
    rows = [
        {"run": name, "of": curve, "recall": recall, "precision": precision, "confidence": confidence}
        for name, document in runs
        for curve, points in document.precision_recall.items()
        for recall, precision, confidence in thinned(points)
    ]
    chosen = [
        {"run": name, "of": quantity, "recall": found["recall"], "precision": found["precision"]}
        for name, document in runs
        for quantity in QUANTITIES
        if "recall" in (found := document.figures.get(quantity, {})) and quantity in document.precision_recall
    ]
    x, y = (
        {"field": field, "type": "quantitative", "scale": {"domain": [0, 1]}, "title": field}
        for field in ("recall", "precision")
    )
    point = {"type": "point", "filled": False, "size": 90, "strokeWidth": 2, "opacity": 1, "shape": "diamond"}
    colours, dashes = _told_apart(rows, "of")
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "line", "strokeWidth": 1.75}, "encoding": {"order": {"field": "recall"}, **dashes}},
        {"data": {"values": chosen}, "mark": {**point, "tooltip": {"content": "data"}}},
    ]
    return _chart(rows, {"x": x, "y": y, **colours}, layers)


def thinned(
    points: Sequence[tuple[float, float, float]], most: int = MOST_POINTS
) -> Sequence[tuple[float, float, float]]:
    """Return at most `most` points of a curve, evenly among its points, its ends among them."""
    if len(points) <= most:
        return points
    chosen = np.unique(np.linspace(0, len(points) - 1, most).astype(int))
    return [points[index] for index in chosen]


def loss_names(runs: Runs) -> list[str]:
    """Return the names of what is a loss in the rows of the loss curves, their total first."""
    rows = (row for _, document in runs for fold in document.losses.values() for row in fold[:1])
    names = dict.fromkeys(name for row in rows for name in row if name not in NOT_A_LOSS)
    return sorted(names, key=lambda name: name != TOTAL)


def losses(runs: Runs, loss: str) -> dict[str, Any] | None:
    """Return one loss over epochs: a thin line a fold, and their mean."""
    rows = [
        {"run": name, "fold": fold, "epoch": row.get("epoch", index + 1), "loss": row[loss]}
        for name, document in runs
        for fold, epochs in document.losses.items()
        for index, row in enumerate(epochs)
        if loss in row
    ]
    x = {"field": "epoch", "type": "quantitative", "axis": {"tickMinStep": 1, "format": "d"}}
    x["scale"] = {"zero": False, "nice": False}
    y = {"field": "loss", "type": "quantitative", "title": None, "scale": {"zero": True}}
    mean = {"field": "loss", "type": "quantitative", "aggregate": "mean", "title": None}
    colours, dashes = _told_apart(rows, "run")
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.45, "tooltip": {"content": "data"}},
            "encoding": {"y": y, "detail": {"field": "fold"}},
        },
        {"mark": {"type": "line", "strokeWidth": 2.5}, "encoding": {"y": mean, **dashes}},
    ]
    return _chart(rows, {"x": x, **colours}, layers, height=170)


def attention_levels(told: Attention, bins: int = ATTENTION_BINS) -> dict[str, Any]:
    """Return where a detector looked, evenly over time: how many times the evenly spread weight, as base64 of uint8.

    Where several weights stand for one moment, their mean.

    Returns:
        name, from and to in frames, top (what a level of 255 stands for) and levels.
    """
    if not len(told.weight):
        return {"name": told.name, "from": 0, "to": 0, "top": 1, "levels": ""}
    first, last = float(told.start.min()), float(told.stop.max())
    centre = first + (np.arange(bins) + 0.5) * (last - first) / bins
    covers = (told.start[:, None] <= centre) & (centre < told.stop[:, None])
    times = np.nan_to_num(told.weight / (told.even or 1.0))
    ratio = (times[:, None] * covers).sum(axis=0) / np.maximum(covers.sum(axis=0), 1)
    top = max(float(ratio.max()), 1.0)
    levels = np.rint(np.clip(ratio / top, 0, 1) * 255).astype(np.uint8)
    encoded = base64.b64encode(levels.tobytes()).decode()
    return {
        "name": told.name,
        "from": round(first, 2),
        "to": round(last, 2),
        "top": round(top, 4),
        "levels": encoded,
    }


def attention() -> dict[str, Any]:
    """Return attention over seconds, to be filled: times the evenly spread weight, and the interval of the case."""
    x: dict[str, Any] = {"field": "from", "type": "quantitative", "title": "seconds", "scale": {"zero": False}}
    x["scale"]["nice"] = False
    y = {"field": "times", "type": "quantitative", "title": "× even", "axis": {"tickCount": 3}}
    return vega(
        {
            "height": 84,
            "data": {"name": "weights", "values": []},
            "layer": [
                {
                    "data": {"name": "spans", "values": []},
                    "mark": {"type": "rect", "fill": "var(--accent)", "opacity": 0.16},
                    "encoding": {"x": x, "x2": {"field": "to"}},
                },
                {
                    "mark": {"type": "rect", "fill": "var(--ink)", "opacity": 0.65},
                    "encoding": {"x": x, "x2": {"field": "to"}, "y": y, "y2": {"datum": 0}},
                },
                {
                    "mark": {"type": "rule", "strokeDash": [3, 3], "stroke": "var(--accent)", "strokeWidth": 1.25},
                    "encoding": {"y": {"datum": 1}},
                },
            ],
        }
    )


def _told_apart(rows: Sequence[Mapping[str, Any]], by: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return colours by one field, and dashes by run, or by that field too where there is one run; without colour,
    lines still differ. A legend stands only where there is more than one.
    """
    told = list(dict.fromkeys(row[by] for row in rows))
    runs = list(dict.fromkeys(row["run"] for row in rows))
    dashed, names = ("run", runs) if len(runs) > 1 else (by, told)
    legend = {"orient": "top", "title": None, "symbolType": "stroke", "symbolStrokeWidth": 2, "labelLimit": 220}
    legend["symbolSize"] = 400
    colours = {"domain": told, "range": [f"var(--c{index})" for index in (1, 3, 2, 0, 4, 5, 6, 7)]}
    dashes = {"domain": names, "range": [[1, 0], [5, 3], [1, 2], [7, 2, 1, 2]]}
    return (
        {"color": {"field": by, "type": "nominal", "scale": colours, "legend": legend if len(told) > 1 else None}},
        {
            "strokeDash": {
                "field": dashed,
                "type": "nominal",
                "scale": dashes,
                "legend": legend if len(names) > 1 else None,
            }
        },
    )


def _chart(
    rows: Sequence[Mapping[str, Any]],
    encoding: Mapping[str, Any],
    layers: Sequence[Mapping[str, Any]],
    height: int = HEIGHT,
) -> dict[str, Any] | None:
    if not rows:
        return None
    values = [{name: value if _sayable(value) else None for name, value in row.items()} for row in rows]
    return vega({"height": height, "data": {"values": values}, "encoding": encoding, "layer": list(layers)})


def _sayable(value: Any) -> bool:
    """Return whether JSON can say a value: it has no word for what is not finite."""
    return not isinstance(value, float) or math.isfinite(value)


def vega(specification: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Vega-Lite specification compiled to Vega, in the look of the page."""
    text = {"labelFont": FONT, "titleFont": FONT, "labelFontSize": 10.5, "titleFontSize": 10.5}
    quiet = {**text, "labelColor": "var(--quiet)", "titleColor": "var(--quiet)", "titleFontWeight": "normal"}
    axis = {**quiet, "domainColor": "var(--line)", "tickColor": "var(--line)", "gridColor": "var(--line)"}
    config = {
        "aria": False,
        "background": None,
        "view": {"stroke": None},
        "axis": {**axis, "gridOpacity": 0.6, "tickSize": 4, "labelFlush": False},
        "legend": {
            **quiet,
            "labelColor": "var(--ink)",
            "columnPadding": 14,
            "layout": {"top": {"direction": "vertical", "margin": 2}},
        },
        "text": {"font": FONT, "fill": "var(--ink)"},
    }
    whole = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": WIDTH,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": 2, "right": 14, "top": 2, "bottom": 2},
        "config": config,
        **specification,
    }
    compiled = vl_convert.vegalite_to_vega(whole, vl_version=VEGA_LITE)
    return dict(json.loads(compiled) if isinstance(compiled, str) else compiled)
