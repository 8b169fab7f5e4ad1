"""The stage `index`: a corpus as it comes on its disk -> the tables of its videos and expressions, and an audit."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cache import files
from cache.corpora import readers
from cache.errors import InputError
from cache.fingerprints import fingerprint, in_place, seen
from cache.tables import audit, failures, intervals, videos
from cache.tables.audit import AuditRow
from cache.tables.intervals import Expression
from stages.shell import command, console, corpora, locked, options, places, runs


def main(
    corpus: options.CorpusName,
    root: options.Root = None,
    output: Annotated[Path | None, typer.Option(help="Where the tables go; data/<corpus> when left out.")] = None,
    fingerprint_path: Annotated[
        Path | None, typer.Option("--fingerprint", help="What `fingerprint` noticed of the corpus.")
    ] = None,
) -> None:
    """Read a corpus' own files; nothing is repaired or left out without a row in audit.csv.

    A video that cannot be read does not stop the others: failures.csv lists it, and the exit code is 3.
    """
    described = corpora.load(corpus)
    root = root or places.root_of(corpus)
    folder = output or Path("data") / corpus
    if fingerprint_path is not None and not places.is_there(root) and keep(corpus, root, folder, fingerprint_path):
        return
    places.check(corpus, root)
    run = runs.begin("index", folder / "videos.parquet", folder / "expressions.parquet")
    reader, facts = corpora.reader_of(corpus, readers.READERS)
    for name in reader.folders:
        corpora.check_inside(root, described.facts[name], f"{corpora.path_of(corpus)}: facts.{name}")
    found_videos, found_expressions, rows = readers.read(reader, root, facts)
    if fingerprint_path is not None and described.facts.get("digest") == "sizes":
        found_videos = in_place.with_contents(root, found_videos, fingerprint.read(fingerprint_path).contents)
    check_classes(found_expressions, described.classes, corpora.path_of(corpus))
    files.sweep_temporaries(folder)
    videos.write(folder / "videos.parquet", found_videos)
    intervals.write(folder / "expressions.parquet", Expression, found_expressions)
    audit.write(folder / "audit.csv", rows)
    run.note()
    # The digest of a video file is that of its content.
    read = {video.path: video.source_digest for video in found_videos if video.source == "video"}
    seen.note(places.seen_file(corpus), root, read)
    for rule, count in collections.Counter(row.rule for row in rows).most_common():
        console.say(f"index: {count} x {rule}, see {folder / 'audit.csv'}")
    console.result(
        f"index: {len(found_videos)} videos of {len({v.subject for v in found_videos})} subjects, "
        f"{sum(v.frame_count for v in found_videos):,} frames, {len(found_expressions)} expressions, "
        f"{len(rows)} audit rows"
    )
    _stop_at_failures(folder, rows)


def keep(corpus: str, root: Path, folder: Path, fingerprint_path: Path) -> bool:
    """Return whether the tables are kept where the corpus is not: nothing but code changed since they were made."""
    tables = [folder / name for name in ("videos.parquet", "expressions.parquet", "audit.csv")]
    if not locked.holds(f"index@{corpus}", [fingerprint_path, *tables], corpora.path_of(corpus)):
        return False
    console.result(
        f"index: {places.absent(corpus, root)}; the tables in {folder} are those of this corpus and are kept, though "
        "the code that reads it changed"
    )
    return True


def _stop_at_failures(folder: Path, rows: Sequence[AuditRow]) -> None:
    """List the videos that cannot be read; stop with `PARTIAL` when there are any, so that DVC sees it."""
    failed = audit.failures(rows)
    failures.write(folder, failed)
    for video, problem in sorted(failed.items()):
        lost = sum(row.rule == audit.EXPRESSION_OF_FAILED and row.video == video for row in rows)
        console.say(f"index: {video} failed, its {lost} expressions are left out: {problem}")
    if failed:
        console.say(f"index: {len(failed)} videos failed, listed in {folder / failures.NAME}; the others are done")
        raise typer.Exit(int(command.ExitCode.PARTIAL))


def check_classes(found: Sequence[Expression], classes: Sequence[str], place: Path) -> None:
    """Raise InputError for an emotion that no detector could learn to name."""
    unknown = sorted({expression.emotion for expression in found} - set(classes))
    if unknown:
        raise InputError(f"{place}: classes {list(classes)} lack {', '.join(unknown)}, which the labels hold. Add them")


if __name__ == "__main__":
    command.run(main)
