"""The stage `check`: a corpus file against the sections of the parameters, before hours are spent on its videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cache import files
from stages import command, console, corpora, options, params


def main(
    corpus: options.CorpusName,
    output: Annotated[
        Path | None, typer.Option(help="A file that lists the sections, for DVC; none: only look.")
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Where the corpus lies; none: not looked at.")] = None,
    params_path: options.Params = params.PARAMS,
) -> None:
    """Refuse a corpus file that lacks a section or overrides what no stage reads, and a corpus that is not there."""
    path = corpora.path_of(corpus)
    overrides = corpora.overrides_of(path)
    for section in corpora.SECTIONS:
        known = params.load_section(params_path, section)
        params.refuse_unknown(overrides[section], list(known), f"{path}: overrides.{section}")
    corpora.load(corpus)
    # What lies below data/ is ours: a stage that has not run yet makes it.
    if root is not None and root.parts[:1] != ("data",):
        corpora.check_root(root)
    if output is not None:
        with files.write_atomically(output) as temporary:
            temporary.write_text("".join(f"{section}\n" for section in corpora.SECTIONS), encoding="utf-8")
    count = sum(len(values) for values in overrides.values())
    console.result(f"check: {path} has every section and overrides {count} values")


if __name__ == "__main__":
    command.run(main)
