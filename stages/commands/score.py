"""`facespan score`: detections from anywhere beside expressions, counted under a published protocol or under all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cache.tables.intervals import KINDS
from pipeline.scoring.protocols import PROTOCOLS
from pipeline.scoring.scores import score
from stages.results import scored_corpus
from stages.results.scored_corpus import Files
from stages.shell import console, params

_FACETS = ("source", "overlap", "comparison", "pairing", "rounding", "videos", "averaging")
_OURS = "one_to_one"


def _print_protocols(asked: bool) -> None:
    if asked:
        console.result("\n\n".join(_described(name) for name in PROTOCOLS))
        raise typer.Exit


def main(
    detections: Annotated[
        Path, typer.Option(help="CSV or parquet: video, onset, offset (or start, stop), confidence; emotion, kind.")
    ],
    expressions: Annotated[
        Path,
        typer.Option(help="Likewise without confidence; a row without onset and offset declares a video with none."),
    ],
    videos: Annotated[
        Path | None, typer.Option(help="Declares every video: video; first_frame, frame_count, which are then checked.")
    ] = None,
    protocol: Annotated[str, typer.Option(help=f"How to count: {', '.join(PROTOCOLS)}.")] = _OURS,
    all_protocols: Annotated[bool, typer.Option("--all-protocols", help="Count under every protocol.")] = False,
    threshold: Annotated[
        float | None, typer.Option(help="Leave out what is less confident; without it, every row counts.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Count macro or micro alone, as most papers do.")] = None,
    classes: Annotated[
        str | None, typer.Option(help="Every emotion, separated by commas; without it, those of the expressions.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
    _: Annotated[
        bool,
        typer.Option("--protocols", help="Say how each protocol counts, and stop.", is_eager=True,
                     callback=_print_protocols),
    ] = False,
) -> None:  # fmt: skip
    """Score detections against expressions; onset and offset are inclusive frames, start and stop half-open."""
    emotions = tuple(name.strip() for name in (classes or "").split(",") if name.strip())
    files = Files(detections, expressions, videos, emotions, threshold, kind)
    figures = figures_of(files, tuple(PROTOCOLS) if all_protocols else (protocol,))
    console.result(json.dumps(figures, indent=2) if as_json else as_text(figures))


def figures_of(files: Files, protocols: Sequence[str]) -> dict[str, Any]:
    """Return the figures of detections beside expressions; what their reader has to know is said.

    Raises:
        ParameterError: there is no such protocol or kind, or the threshold is out of range.
        InputError: as `scored_corpus.read`.
    """
    for protocol in protocols:
        _check(protocol, files.threshold, files.kind)
    corpus = scored_corpus.read(files)
    for note in corpus.notes:
        console.say(f"note: {note}")
    return {
        "detections": str(files.detections),
        "expressions": str(files.expressions),
        "videos": len(corpus.videos),
        "threshold": files.threshold,
        "kind": files.kind,
        "notes": corpus.notes,
        **score(corpus.videos, protocols, corpus.classes),
    }


def _check(protocol: str, threshold: float | None, kind: str | None) -> None:
    if protocol not in PROTOCOLS:
        raise params.ParameterError(f"--protocol {protocol}: expected one of {', '.join(PROTOCOLS)}")
    if threshold is not None and not 0 <= threshold <= 1:
        raise params.ParameterError(f"--threshold {threshold}: expected 0 to 1")
    if kind is not None and kind not in KINDS:
        raise params.ParameterError(f"--kind {kind}: expected one of {', '.join(KINDS)}")


def as_text(figures: dict[str, Any]) -> str:
    """Return the counts, how they were made where it is one protocol, and what does not depend on it."""
    counted = figures["protocols"]
    rows = [(name, *(row[key] for key in ("tp", "n", "m"))) for name, row in counted.items()]
    lines = [
        f"{'protocol':<20} {'found':>7} {'detected':>9} {'annotated':>10} {'precision':>10} {'recall':>8} {'F1':>7}"
    ]
    for name, tp, n, m in rows:
        row = counted[name]
        lines.append(
            f"{name:<20} {tp:>7} {n:>9} {m:>10} {row['precision']:>10.4f} {row['recall']:>8.4f} {row['f1']:>7.4f}"
        )
    lines += ["", _described(rows[0][0]) if len(rows) == 1 else "How each counts: facespan score --protocols"]
    spotting = figures["spotting"]
    lines += ["", f"One to one, whatever the protocol ({figures['videos']} videos):"]
    lines.append(f"  {'AP, interpolated at every point':<34} {'0.50:0.95':>10} {'0.50':>8} {'0.75':>8}")
    lines.append(_precisions("spotting", spotting))
    if "detection" in figures:
        lines.append(_precisions("detection, mean of the classes", figures["detection"]))
        lines += [_precisions(f"  {name}", row) for name, row in figures["detection"]["ap_by_class"].items()]
        lines += _recognition(figures["recognition"])
    return "\n".join(lines)


def _described(name: str) -> str:
    told = {facet: getattr(PROTOCOLS[name], facet) for facet in _FACETS}
    return "\n".join([name, *(f"  {facet:<11} {text}" for facet, text in told.items())])


def _precisions(name: str, row: dict[str, Any]) -> str:
    return f"  {name:<34} {row['map']:>10.4f} {row['ap']['iou50']:>8.4f} {row['ap']['iou75']:>8.4f}"


def _recognition(figures: dict[str, Any]) -> list[str]:
    """Return the figures of recognition, and what was detected (rows) of what was annotated (columns)."""
    outcomes = figures["outcomes"]
    names = list(outcomes["missed"])
    width = max(9, *(len(name) + 1 for name in names))
    head = "".join(f"{name:>{width}}" for name in [*names, "(false)"])
    lines = [
        "",
        f"  recognition of the {figures['matched']} found: accuracy {figures['accuracy']:.4f}   "
        f"UF1 {figures['uf1']:.4f}   UAR {figures['uar']:.4f}",
        f"  {'detected as':<{width}}  annotated as",
        f"  {'':<{width}}{head}",
    ]
    for told, row in outcomes["detected"].items():
        cells = [*row.values(), outcomes["false"][told]]
        lines.append(f"  {told:<{width}}" + "".join(f"{cell:>{width}}" for cell in cells))
    missed = "".join(f"{cell:>{width}}" for cell in outcomes["missed"].values())
    return [*lines, f"  {'(missed)':<{width}}{missed}"]
