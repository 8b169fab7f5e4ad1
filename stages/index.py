"""The stage `index`: a corpus as it comes on its disk -> the tables of its videos and expressions, and an audit."""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cache import audit, expressions, files, videos
from cache.audit import AuditRow
from cache.corpora import casme2, casme3, samm_lv, table
from cache.errors import InputError
from cache.expressions import Expression
from cache.videos import Video
from stages import command, console, corpora, options, params

Tables = tuple[list[Video], list[Expression], list[AuditRow]]
READERS: dict[str, tuple[type[Any], Callable[[Path, Any], Tables]]] = {
    "casme2": (casme2.Facts, casme2.read),
    "casme3": (casme3.Facts, casme3.read),
    "samm_lv": (samm_lv.Facts, samm_lv.read),
    "table": (table.TableFacts, table.read),
}


def main(
    corpus: options.CorpusName,
    root: Annotated[Path, typer.Option(help="Where the corpus lies.")],
    output: Annotated[Path | None, typer.Option(help="Where the tables go; data/<corpus> when left out.")] = None,
) -> None:
    """Read a corpus' own files; nothing is repaired or left out without a row in audit.csv."""
    described = corpora.load(corpus)
    corpora.check_root(root)
    if described.reader not in READERS:
        raise params.ParameterError(f"reader {described.reader!r} is none of {', '.join(READERS)}")
    facts_kind, read = READERS[described.reader]
    facts = params.build(described.facts, facts_kind, f"{corpora.path_of(corpus)}: facts")
    found_videos, found_expressions, rows = read(root, facts)
    check_classes(found_expressions, described.classes, corpora.path_of(corpus))
    folder = output or Path("data") / corpus
    files.sweep_temporaries(folder)
    videos.write(folder / "videos.parquet", found_videos)
    expressions.write(folder / "expressions.parquet", found_expressions)
    audit.write(folder / "audit.csv", rows)
    for rule, count in collections.Counter(row.rule for row in rows).most_common():
        console.say(f"index: {count} x {rule}, see {folder / 'audit.csv'}")
    console.result(
        f"index: {len(found_videos)} videos of {len({v.subject for v in found_videos})} subjects, "
        f"{sum(v.frame_count for v in found_videos):,} frames, {len(found_expressions)} expressions, "
        f"{len(rows)} audit rows"
    )


def check_classes(found: Sequence[Expression], classes: Sequence[str], place: Path) -> None:
    """Raise InputError for an emotion that no detector could learn to name."""
    unknown = sorted({expression.emotion for expression in found} - set(classes))
    if unknown:
        raise InputError(f"{place}: classes {list(classes)} lack {', '.join(unknown)}, which the labels hold. Add them")


if __name__ == "__main__":
    command.run(main)
