"""`facespan compare RUN_A RUN_B`: how sure a difference between runs is, by subject."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Annotated, Any

import typer

from pipeline.significance.comparison import Comparison, Difference, compare
from pipeline.significance.drawn_figures import by_part
from stages.results import runs
from stages.results.runs import Setting
from stages.shell import console, params

_NAMES = ("spotting F1", "  precision", "  recall", "spotting mAP", "accuracy", "UF1", "detection mAP")


def main(
    named: Annotated[
        list[str],
        typer.Argument(
            help="DVC revisions, experiments or folders; `workspace` is the current one. A1,A2,A3 are averaged.",
            metavar="RUN_A RUN_B [...]",
        ),
    ],
    corpus: Annotated[str | None, typer.Option(help="Which corpus; needed where several are listed.")] = None,
    repetitions: Annotated[int, typer.Option(help="Drawn corpora, and exchanges at most.")] = 10_000,
    level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
    params_path: Annotated[str, typer.Option("--params", help="Where corpora are listed.")] = str(params.PARAMS),
) -> None:
    """Compare each run with the first, on the same subjects; runs that differ by the seed alone are averaged."""
    if repetitions < 1 or not 0 < level < 1 or seed < 0:
        raise params.ParameterError(
            "--repetitions, --level, --seed: expected at least 1, above 0 and below 1, at least 0"
        )
    chosen = corpus or runs.only_corpus(params_path)
    settings = runs.settings_of(named, chosen)
    class_count = max(run.class_count for run in settings[0].runs)
    first, *others = settings
    compared = [(other, compare(other.scored, first.scored, class_count, repetitions, level, seed)) for other in others]
    if as_json:
        told = [_as_json(first, other, comparison) for other, comparison in compared]
        console.result(json.dumps({"corpus": chosen, "level": level, "comparisons": told}, indent=2))
    else:
        console.result("\n\n".join(as_text(chosen, level, first, *pair) for pair in compared))


def as_text(corpus: str, level: float, first: Setting, other: Setting, comparison: Comparison) -> str:
    """Return a table: a line for each of the headline figures."""
    spread = len(first.runs) > 1 or len(other.runs) > 1
    kind = "all there are" if comparison.is_exact else "drawn at random"
    lines = [
        f"{corpus}, {comparison.subjects} subjects: B against A",
        f"  A  {first.name}",
        f"  B  {other.name}",
        "",
        f"  {'':<14}{'A':>22}{'B':>22}   {'B - A':>7}  {f'{level:.0%} of it':<19}{'p':>7}   "
        "subjects better, worse, same",
    ]
    for name, told in zip(_NAMES, comparison.differences, strict=True):
        lines.append(
            f"  {name:<14}{_values(told.second):>22}{_values(told.first):>22}   {told.value:>+7.3f}  "
            f"{f'{told.low:+.3f} to {told.high:+.3f}':<19}{told.p_value:>7.4f}   "
            f"{told.wins}, {told.losses}, {told.ties}"
        )
    return "\n".join(
        [
            *lines,
            "",
            *(["  Of several seeds: the mean, and in brackets the least and the greatest."] if spread else []),
            f"  p: how often chance alone differs as much, of {comparison.exchanges} exchanges of A and B within "
            f"subjects, {kind}.",
            f"  {comparison.subjects} subjects allow no p below {comparison.least_p:.2g}; seven figures are looked at.",
        ]
    )


def _values(values: Sequence[float]) -> str:
    mean = f"{fmean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.3f}-{max(values):.3f})"


def _as_json(first: Setting, other: Setting, comparison: Comparison) -> dict[str, Any]:
    facts = asdict(comparison)
    facts["differences"] = by_part([_told(row) for row in comparison.differences])
    return {"a": [run.name for run in first.runs], "b": [run.name for run in other.runs], **facts}


def _told(row: Difference) -> dict[str, Any]:
    rest = {name: value for name, value in asdict(row).items() if name not in ("first", "second", "value")}
    return {"a": row.second, "b": row.first, "b_minus_a": row.value, **rest}
