"""`facespan labels audit CORPUS`: what a label file holds, and what is repaired, mapped or dropped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cache.corpora import readers
from cache.corpora.annotations import Annotation, CorpusFacts, Expected, Labels
from cache.errors import InputError
from cache.tables.audit import AuditRow
from stages.shell import command, console, corpora, options, places

TOTAL_DIFFERS = "total_differs"

app = typer.Typer(help="Label files.", no_args_is_help=True)


@app.callback()
def labels() -> None:
    """Look at label files before anything is made of them."""


@app.command()
@command.guarded
def audit(
    corpus: options.CorpusName,
    labels: Annotated[
        Path | None, typer.Option("--labels", help="A label file; without it, the corpus' own, where it lies.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Count a label file by kind, class and subject, and list every row not taken as it stands; no frames are needed.

    The corpus' own CSV is also compared with the videos that lie there, by their names.
    Exit code 1 when a total is not the one the corpus file expects, or a class is missing there.
    """
    reader, facts = corpora.reader_of(corpus, readers.READERS)
    stated = readers.read_labels(reader, labels or own_labels(corpus, facts), facts)
    if labels is None and reader is readers.READERS["table"]:
        readers.check_names(reader, places.root_of(corpus), stated, facts)
    found = summarise(stated, corpora.load(corpus).classes)
    found["totals_expected"] = isinstance(facts, CorpusFacts) and facts.expected != Expected(None, None, None)
    console.result(json.dumps(found, indent=2) if as_json else as_text(corpus, found))
    if found["differences"]:
        raise typer.Exit(int(command.ExitCode.DIFFERENCES))


def own_labels(corpus: str, facts: Any) -> Path:
    """Return where the label file of a corpus lies; InputError where the corpus is not there."""
    root = places.root_of(corpus)
    if not places.is_there(root):
        raise InputError(
            f"{places.absent(corpus, root)}. Say where it lies: facespan place {corpus} FOLDER, or give the label file "
            "itself: --labels FILE"
        )
    return root / str(facts.labels)


def summarise(labels: Labels, classes: Iterable[str]) -> dict[str, Any]:
    """Return the figures `audit` prints, JSON-ready: `found` before and `used` after every rule."""
    used_classes = {str(row.emotion) for row in labels.used}
    unknown = sorted(used_classes - set(classes))
    differences = [
        f"{row.field}: found {row.before}, expected {row.after}" for row in labels.audit if row.rule == TOTAL_DIFFERS
    ]
    if not labels.missing:
        differences += [f"class {name} is not among the classes of the corpus file" for name in unknown]
    return {
        "found": _counts(labels.found),
        "used": _counts(labels.used),
        "rules": dict(sorted(Counter(row.rule for row in labels.audit).items())),
        "audit": [asdict(row) for row in labels.audit],
        "missing": labels.missing,
        "differences": differences,
    }


def _counts(rows: Iterable[Annotation]) -> dict[str, Any]:
    known = list(rows)
    return {
        "expressions": len(known),
        "subjects": len({row.subject for row in known}),
        "by_kind": _sorted_counts(row.kind for row in known),
        "by_class": _sorted_counts(f"{row.kind} {row.emotion}" for row in known if row.emotion is not None),
        "by_subject": _sorted_counts(row.subject for row in known),
    }


def _sorted_counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def as_text(corpus: str, found: dict[str, Any]) -> str:
    """Return the figures and every audit row, one a line."""
    lines = [f"{corpus}: {found['found']['expressions']} rows, {found['used']['expressions']} used"]
    if not found["found"]["expressions"]:
        lines += ["no expression yet: a row of a video says onset, offset and emotion, or that it has none"]
    for name in ("by_kind", "by_class", "by_subject"):
        before, after = found["found"][name], found["used"][name]
        lines += ["", f"{name.replace('_', ' '):<24} {'found':>6} {'used':>6}"]
        lines += [f"  {key:<22} {before[key]:>6} {after.get(key, 0):>6}" for key in before]
    lines += ["", f"{'rules':<24} {'rows':>6}"]
    lines += [f"  {rule:<22} {count:>6}" for rule, count in found["rules"].items()]
    lines += ["", *(_line(AuditRow(**row)) for row in found["audit"])]
    if found["missing"]:
        lines += ["", f"not counted: {found['missing']}"]
    if found["differences"]:
        lines += ["", "differences", *(f"  {line}" for line in found["differences"])]
    elif not found["totals_expected"]:
        lines += ["", "the corpus file declares no totals to compare with"]
    else:
        lines += ["", f"all totals{' that could be counted' if found['missing'] else ''} are as expected"]
    return "\n".join(lines)


def _line(row: AuditRow) -> str:
    where = f"row {row.row}" if row.row else ""
    change = f"{row.before} -> {row.after or 'nothing'}" if row.before or row.after else ""
    parts = (row.rule, where, row.video or row.subject, row.field, change, f"({row.note})" if row.note else "")
    return "  ".join(part for part in parts if part)
