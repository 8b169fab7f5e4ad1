"""`facespan import-annotations CORPUS FILE... --from FORMAT`: what coders corrected -> the CSV a corpus trains from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cache.corpora import readers
from cache.corpora.rows import Problems
from cache.corpora.table import TableFacts
from cache.errors import InputError
from cache.exchange import label_rows, returned
from cache.exchange.label_rows import LabelRows
from cache.exchange.returned import Corrected
from cache.exchange.tiers import CORRECTIONS, TieredVideo
from cache.tables import audit, intervals, schema, videos
from cache.tables.audit import AuditRow
from cache.tables.intervals import Expression
from cache.troubles import alone
from stages.results import formats, tiered_videos
from stages.results.found_rows import columns_of
from stages.shell import command, console, corpora, options, params, places

UNTOUCHED, SAME = "came_back_untouched", "as_it_was"
_TOLD = {
    "expression_added": "added",
    "expression_changed": "changed",
    "expression_removed": "removed",
    SAME: "as they were",
}


def main(
    corpus: options.CorpusName,
    paths: Annotated[list[Path], typer.Argument(help="Files of the coders' tool.", metavar="FILE...")],
    source: Annotated[str, typer.Option("--from", help=" | ".join(formats.READERS), metavar="FORMAT")],
    tier: Annotated[str, typer.Option(help="The tier that holds the coder's word.")] = CORRECTIONS,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Take also what came back untouched: it was looked at and is right.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="The CSV to write or to add to; the corpus' own labels when left out.")
    ] = None,
    audit_path: Annotated[
        Path | None,
        typer.Option("--audit", help="Where every change is noted; data/<corpus>/imported.csv when left out."),
    ] = None,
    root: options.Root = None,
    data: Annotated[Path, typer.Option(help="The folder of tables and shards.")] = Path("data"),
    dry_run: options.DryRun = False,
    params_path: options.Params = params.PARAMS,
) -> None:
    """Put corrected expressions into a label CSV; rows that nobody changed stay as they are, and nothing is doubled.

    A file with anything wrong is left out whole, the others are taken (exit code 3).
    """
    if source not in formats.READERS:
        known = ", ".join(formats.READERS)
        raise params.ParameterError(
            f"--from {source!r}: expected one of {known}{schema.nearest(source, formats.READERS)}"
        )
    root, audit_path = root or places.root_of(corpus), audit_path or data / corpus / "imported.csv"
    noted = audit.read(audit_path) if audit_path.is_file() else []
    weights = str(params.load_section(params_path, "extract")["weights"])  # as dvc.yaml names the folder
    known_videos, unknown = times_of(data / corpus, weights, root)
    path, labels, words = labels_of(corpus, root, output, data / corpus, known_videos, unknown)
    failed, notes = dict[str, str](), list[AuditRow]()
    for file in paths:
        with alone(str(file), failed):
            found = corrected(file, source, tier, confirm, words, known_videos, unknown, corpus)
            labels, told = take(labels, found, file)
            notes += told
    if len(failed) == len({str(file) for file in paths}):
        raise InputError("\n  ".join(["nothing was taken", *failed.values()]))
    if not dry_run:
        audit.write(audit_path, [*noted, *notes])  # before the labels: what a removed row said stands nowhere else
        if not path.is_file() or path.read_bytes() != label_rows.as_text(labels).encode():
            label_rows.write(path, labels)
    finish(path, notes, failed, dry_run)


def times_of(folder: Path, weights: str, root: Path) -> tuple[dict[str, TieredVideo], dict[str, str]]:
    """Return the videos whose features say when each frame is shown, and what is wrong with the others, by video."""
    known, unknown = dict[str, TieredVideo](), dict[str, str]()
    for video in videos.read(folder / "videos.parquet"):
        with alone(video.video, unknown):
            columns = columns_of(folder / "features" / weights, [video])[video.video]
            known[video.video] = tiered_videos.without_marks(video, columns, root)
    return known, unknown


def labels_of(
    corpus: str,
    root: Path,
    output: Path | None,
    folder: Path,
    known: Mapping[str, TieredVideo],
    unknown: Mapping[str, str],
) -> tuple[Path, LabelRows, dict[str, str]]:
    """Return where the labels go, the rows that are there, and the class of each word for an emotion.

    Raises:
        ParameterError: the corpus is read from a workbook, and no CSV was named.
        InputError: a CSV with all expressions begins, and of a video the numbers of its frames are not known.
    """
    described, classes = corpora.load(corpus), corpora.load(corpus).classes
    words = {name: name for name in classes}
    facts = TableFacts("", ".", "video", 0, None, list(classes), False)
    if described.reader == "table":
        _, facts = corpora.reader_of(corpus, readers.READERS)
        stated = facts.emotions if isinstance(facts.emotions, Mapping) else {name: name for name in facts.emotions}
        words = {name: name for name in stated.values()} | dict(stated)  # a class without a word could not be written
    elif output is None:
        raise params.ParameterError(
            f"{corpora.path_of(corpus)} has reader {described.reader}, whose labels are no CSV. Name one to write with "
            "--output FILE: it gets all expressions of the corpus, corrected, for a corpus with reader: table"
        )
    path, own = output or root / facts.labels, root / facts.labels
    if described.reader == "table" and not path.is_file():
        return path, label_rows.read(own, facts, known), words
    if path.is_file():
        return path, label_rows.read(path, facts, known), words
    expressions = intervals.read(folder / "expressions.parquet", Expression)
    if lost := {one.video for one in expressions if one.video not in known}:
        told = [f"{video}: {unknown.get(video, 'it is no video of the corpus')}" for video in sorted(lost)]
        raise InputError("\n  ".join([f"{path} would lack the expressions of {len(lost)} videos", *told]))
    return path, label_rows.of_tables(known, expressions, classes), words


def corrected(
    file: Path,
    source: str,
    tier: str,
    confirm: bool,
    words: Mapping[str, str],
    known: Mapping[str, TieredVideo],
    unknown: Mapping[str, str],
    corpus: str,
) -> list[Corrected]:
    """Return what a file says of each of its videos; InputError with everything that is wrong in it."""
    problems = Problems(str(file))
    found = []
    for back in formats.READERS[source](file):
        try:
            video = returned.find_video(back, known, unknown, corpus)
        except InputError as error:
            problems.tell(str(error))
            continue
        found.append(returned.settle(back, video, tier, words, confirm, problems))
    problems.stop()
    return [one for one in found if one is not None]


def take(labels: LabelRows, found: Iterable[Corrected], file: Path) -> tuple[LabelRows, list[AuditRow]]:
    """Return the labels with what a file says, and what the audit says of it."""
    notes: list[AuditRow] = []
    for one in found:
        about, kept = (one.video.video, one.video.subject), len(one.expressions)
        notes += one.audit
        if one.is_untouched and not one.expressions:
            notes.append(AuditRow(UNTOUCHED, *about, note=file.name))
            continue
        labels, told = label_rows.put(labels, one)
        notes += told
        kept -= sum(row.rule in ("expression_added", "expression_changed") for row in told)
        notes.append(AuditRow(SAME, *about, after=str(kept), note=file.name))
    return labels, [replace(row, note=row.note or file.name) for row in notes]


def finish(path: Path, notes: list[AuditRow], failed: dict[str, str], dry_run: bool) -> None:
    """Say what was done; stop with `PARTIAL` when a file was left out."""
    counts = Counter(row.rule for row in notes)
    counts[SAME] = sum(int(row.after) for row in notes if row.rule == SAME)
    told = ", ".join(f"{counts[rule]} {word}" for rule, word in _TOLD.items())
    touched = len({row.video for row in notes if row.rule == SAME})
    for rule, count in sorted(counts.items()):
        if rule not in (*_TOLD, UNTOUCHED):
            console.say(f"import-annotations: {count} x {rule}")
    if counts[UNTOUCHED]:
        console.say(
            f"import-annotations: {counts[UNTOUCHED]} videos came back untouched: nothing is taken of them; --confirm "
            "takes what a coder found right as it is"
        )
    would = "would be " if dry_run else ""
    console.result(f"import-annotations: {touched} videos, expressions {would}{told}, in {path}")
    for file, problem in failed.items():
        console.say(f"import-annotations: {file} failed: {problem}", has_lines=True)
    if failed:
        raise typer.Exit(int(command.ExitCode.PARTIAL))


if __name__ == "__main__":
    command.run(main)
