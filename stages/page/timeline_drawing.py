"""Drawing of a timeline, as a Vega specification that all videos share.

One row of truths, then for each run its detections and its score curve, then the frames without a face, over seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.diagnosis.mending import MISSED

MARGIN = 10
# As in the style sheet: Vega measures words by it, to cut those that are too long.
FONT = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, Noto Sans, Arial, sans-serif"
TRUTHS = 18
SIGNS, BARS, MISSES = 11, 24, 11
# Of Vega: a detection that is no error.
FILLED = "(datum.kind === 'correct' || datum.kind === 'found')"
CURVE = 54
FACELESS = 7
AXIS = 22
GAP = 7
COLOURS = 8


def lanes(runs: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a timeline of one or several runs, top to bottom: what they show, and where in pixels."""
    told = ["found", "scores"] if len(runs) == 1 else []
    rows: list[tuple[str, int, int, str]] = [("truths", 0, TRUTHS, "truth")]
    rows += [("cases", run, SIGNS + BARS + MISSES, told[0] if told else name) for run, name in enumerate(runs)]
    rows += [("curve", run, CURVE, told[1] if told else name) for run, name in enumerate(runs)]
    rows += [("faceless", 0, FACELESS, "no face")]
    placed, top = [], 4
    for what, run, height, label in rows:
        placed.append({"what": what, "run": run, "top": top, "bottom": top + height, "label": label})
        top += height + GAP
    return placed


def gutter(runs: Sequence[str]) -> int:
    """Return how wide the names of the rows are, in pixels."""
    return 64 if len(runs) == 1 else 88


def height(runs: Sequence[str]) -> int:
    """Return how tall a timeline is, in pixels."""
    return int(lanes(runs)[-1]["bottom"]) + GAP + AXIS


def colour(index: int) -> str:
    """Return the colour of an emotion, a variable of the style sheet that has one value in light and one in dark."""
    return f"var(--c{index % COLOURS})" if index >= 0 else "var(--quiet)"


def dash(index: int) -> list[int]:
    """Return the dashes of an emotion's line: none for the first few, so that two of one colour still differ."""
    return [[], [5, 2], [1, 2]][index // COLOURS % 3]


def specification(runs: Sequence[str]) -> dict[str, Any]:
    """Return the Vega specification of a timeline without its data: truths, cases, curves, faceless and hits."""
    rows = lanes(runs)
    bottom = int(rows[-1]["bottom"])
    return {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "width": 600,
        "height": bottom,
        "padding": {"left": gutter(runs), "right": MARGIN, "top": 0, "bottom": AXIS},
        "autosize": "none",
        "config": {"aria": False},
        "signals": [
            {"name": "domain", "value": [0, 1]},
            {"name": "hover", "value": None},
            {"name": "chosen", "value": None},
            {"name": "thresholds", "value": [None for _ in runs]},
        ],
        "data": [{"name": name, "values": []} for name in ("truths", "cases", "curves", "faceless")],
        "scales": [
            {"name": "x", "type": "linear", "domain": {"signal": "domain"}, "range": "width", "zero": False},
        ],
        "axes": [_axis()],
        "marks": [
            *(_lane_label(row, gutter(runs) - 10) for row in rows),
            {
                "type": "group",
                "clip": True,
                "encode": {
                    "update": {
                        "width": {"signal": "width"},
                        "height": {"value": bottom + 1},
                        "clip": {"value": True},
                    }
                },
                "marks": [mark for row in rows for mark in MARKS[row["what"]](row)] + _pointer(bottom),
            },
        ],
    }


def _axis() -> dict[str, Any]:
    clock = (
        "floor(datum.value / 60) + ':' + (datum.value % 60 < 10 ? '0' : '') "
        "+ format(datum.value % 60, domain[1] - domain[0] < 6 ? '.1f' : '.0f')"
    )
    return {
        "orient": "bottom",
        "scale": "x",
        "offset": GAP - 3,
        "tickCount": {"signal": "max(2, floor(width / 90))"},
        "tickSize": 4,
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelColor": "var(--quiet)",
        "labelFont": FONT,
        "labelFontSize": 10.5,
        "labelFlush": True,
        "encode": {"labels": {"update": {"text": {"signal": clock}}}},
    }


def _lane_label(row: Mapping[str, Any], most: int) -> dict[str, Any]:
    """Return the name of a row, in the gutter."""
    middle = (row["top"] + row["bottom"]) / 2 + (SIGNS - MISSES if row["what"] == "cases" else 0)
    return {
        "type": "text",
        "interactive": False,
        "encode": {
            "enter": {
                "x": {"value": -8},
                "y": {"value": middle},
                "align": {"value": "right"},
                "baseline": {"value": "middle"},
                "text": {"value": row["label"]},
                "limit": {"value": most},
                "font": {"value": FONT},
                "fontSize": {"value": 10.5},
                "fill": {"value": "var(--quiet)"},
            }
        },
    }


def _span(top: float, bottom: float, **more: Any) -> dict[str, Any]:
    """Return the encoding of something that lasts from `from` to `to`, at least two pixels wide."""
    return {
        "x": {"scale": "x", "field": "from"},
        "x2": {"signal": "max(scale('x', datum.to), scale('x', datum.from) + 2)"},
        "y": {"value": top},
        "y2": {"value": bottom},
        **more,
    }


def _line_at(y: float | str, **more: Any) -> dict[str, Any]:
    """Return a line from end to end, at a height in pixels or by an expression."""
    look = {"stroke": {"value": "var(--line)"}, "strokeWidth": {"value": 1}, **more}
    at = {"signal": str(y)}
    return {
        "type": "rule",
        "interactive": False,
        "encode": {"update": {"x": {"value": 0}, "x2": {"signal": "width"}, "y": at, "y2": at, **look}},
    }


def _truths(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    top, bottom = row["top"], row["bottom"]
    shape = {
        "fill": {"field": "colour"},
        "fillOpacity": {"value": 0.35},
        "stroke": {"field": "colour"},
        "strokeWidth": {"value": 1.25},
    }
    return [
        _line_at(bottom),
        {
            "type": "rect",
            "interactive": False,
            "from": {"data": "truths"},
            "encode": {"update": _span(top + 2, bottom, **shape)},
        },
        _name_in("truths", (top + bottom) / 2 + 1.5),
    ]


def _name_in(data: str, y: float) -> dict[str, Any]:
    """Return the emotion's name, where what lasts is wide enough for it."""
    wide = "scale('x', datum.to) - scale('x', datum.from)"
    return {
        "type": "text",
        "interactive": False,
        "from": {"data": data},
        "encode": {
            "update": {
                "x": {"signal": "(scale('x', datum.from) + scale('x', datum.to)) / 2"},
                "y": {"value": y},
                "text": {"field": "name"},
                "align": {"value": "center"},
                "baseline": {"value": "middle"},
                "font": {"value": FONT},
                "fontSize": {"value": 10.5},
                "fill": {"value": "var(--ink)"},
                "limit": {"signal": f"max(1, {wide} - 4)"},
                "opacity": {"signal": f"{wide} > 6.2 * length(datum.name) + 6 ? (datum.faint ? 0.12 : 1) : 0"},
            }
        },
    }


def _cases(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a run's detections as bars as tall as they are confident, and its misses below their line."""
    base, run = row["bottom"] - MISSES, row["run"]
    rows = f"cases_{run}"
    detected, missed = f"datum.run === {run} && datum.kind !== '{MISSED}'", f"datum.run === {run} && !datum.confidence"
    faint = {"signal": "datum.faint ? 0.12 : 1"}
    bar = {
        "y": {"signal": f"{base} - 3 - {BARS - 3} * datum.confidence"},
        "fill": {"field": "colour"},
        "fillOpacity": {"signal": f"{FILLED} ? 0.15 + 0.6 * datum.confidence : 0.001"},
        "stroke": {"field": "colour"},
        "strokeWidth": {"signal": f"{FILLED} ? 1.25 : 1.75"},
        "opacity": faint,
    }
    empty = {
        "fill": {"value": "none"},
        "stroke": {"field": "colour"},
        "strokeWidth": {"value": 1.25},
        "strokeDash": {"value": [3, 2]},
        "opacity": faint,
    }
    return [
        _line_at(base),
        _group(
            rows,
            detected,
            [
                {"type": "rect", "encode": {"update": {**_span(0, base), **bar}}},
                _sign(f"{base} - 9 - {BARS - 3} * datum.confidence", f"{FILLED} ? '' : datum.sign"),
            ],
        ),
        _group(
            f"misses_{run}",
            missed,
            [
                {"type": "rect", "encode": {"update": _span(base + 3, row["bottom"], **empty)}},
                _sign(str(base + 3 + (MISSES - 3) / 2), "datum.sign"),
            ],
        ),
    ]


def _group(name: str, test: str, marks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return marks of those cases that pass a test."""
    drawn = [{"interactive": False, "from": {"data": name}, **mark} for mark in marks]
    filtered = {"name": name, "source": "cases", "transform": [{"type": "filter", "expr": test}]}
    return {"type": "group", "interactive": False, "data": [filtered], "marks": drawn}


def _sign(y: str, text: str) -> dict[str, Any]:
    return {
        "type": "text",
        "encode": {
            "update": {
                "x": {"signal": "(scale('x', datum.from) + scale('x', datum.to)) / 2"},
                "y": {"signal": y},
                "text": {"signal": text},
                "align": {"value": "center"},
                "baseline": {"value": "middle"},
                "font": {"value": FONT},
                "fontSize": {"value": 12},
                "fontWeight": {"value": "bold"},
                "fill": {"value": "var(--ink)"},
                "opacity": {"signal": "datum.faint ? 0.12 : 1"},
            }
        },
    }


def _curve(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a run's score curves, a line an emotion, and its threshold."""
    top, bottom, run = row["top"], row["bottom"], row["run"]
    tall = bottom - top
    level = f"{bottom} - {tall} * thresholds[{run}]"
    look = {
        "stroke": {"value": "var(--ink)"},
        "strokeDash": {"value": [2, 3]},
        "opacity": {"signal": f"thresholds[{run}] === null ? 0 : 0.75"},
    }
    facet = {"name": f"lines_{run}", "data": f"curves_{run}", "groupby": ["line"]}
    line = {
        "x": {"scale": "x", "field": "at"},
        "y": {"signal": f"{bottom} - {tall} * datum.score"},
        "stroke": {"field": "colour"},
        "strokeDash": {"field": "dash"},
        "strokeWidth": {"value": 1.3},
        "strokeJoin": {"value": "round"},
    }
    nothing = {
        "x": {"value": 8},
        "y": {"value": (top + bottom) / 2},
        "baseline": {"value": "middle"},
        "font": {"value": FONT},
        "fontSize": {"value": 10.5},
        "fontStyle": {"value": "italic"},
        "fill": {"value": "var(--quiet)"},
        "text": {"signal": f"length(data('curves_{run}')) ? '' : 'no score curve was kept'"},
    }
    return [
        _line_at(bottom),
        _line_at(top, strokeDash={"value": [1, 3]}),
        {
            "type": "group",
            "interactive": False,
            "data": [
                {
                    "name": f"curves_{run}",
                    "source": "curves",
                    "transform": [{"type": "filter", "expr": f"datum.run === {run}"}],
                }
            ],
            "marks": [
                {
                    "type": "group",
                    "interactive": False,
                    "from": {"facet": facet},
                    "marks": [
                        {
                            "type": "line",
                            "interactive": False,
                            "from": {"data": f"lines_{run}"},
                            "encode": {"update": line},
                        }
                    ],
                },
                {"type": "text", "interactive": False, "encode": {"update": nothing}},
            ],
        },
        _line_at(level, **look),
    ]


def _faceless(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    top, bottom = row["top"], row["bottom"]
    return [
        _line_at((top + bottom) / 2),
        {
            "type": "rect",
            "interactive": False,
            "from": {"data": "faceless"},
            "encode": {"update": _span(top, bottom, fill={"value": "var(--ink)"}, fillOpacity={"value": 0.7})},
        },
    ]


def _pointer(bottom: int) -> list[dict[str, Any]]:
    """Return the line under the pointer, and the band of the chosen case."""
    band = {
        "x": {"signal": "chosen ? scale('x', chosen[0]) - 2 : 0"},
        "x2": {"signal": "chosen ? max(scale('x', chosen[1]), scale('x', chosen[0]) + 2) + 2 : 0"},
        "y": {"value": 0},
        "y2": {"value": bottom},
        "fill": {"value": "var(--accent)"},
        "fillOpacity": {"signal": "chosen ? 0.12 : 0"},
        "stroke": {"value": "var(--accent)"},
        "strokeWidth": {"signal": "chosen ? 1 : 0"},
    }
    line = {
        "x": {"signal": "hover === null ? 0 : scale('x', hover)"},
        "y": {"value": 0},
        "y2": {"value": bottom},
        "stroke": {"value": "var(--accent)"},
        "opacity": {"signal": "hover === null ? 0 : 0.8"},
    }
    return [
        {"type": "rect", "interactive": False, "encode": {"update": band}},
        {"type": "rule", "interactive": False, "encode": {"update": line}},
    ]


MARKS = {"truths": _truths, "cases": _cases, "curve": _curve, "faceless": _faceless}
