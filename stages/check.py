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
    params_path: options.Params = params.PARAMS,
) -> None:
    """Refuse a corpus file that leaves a section out, or overrides what no stage reads."""
    path = corpora.path_of(corpus)
    overrides = corpora.overrides_of(path)
    for section in corpora.SECTIONS:
        known = params.load_section(params_path, section)
        params.refuse_unknown(overrides[section], list(known), f"{path}: overrides.{section}")
    corpora.load(corpus)
    if output is not None:
        with files.write_atomically(output) as temporary:
            temporary.write_text("".join(f"{section}\n" for section in corpora.SECTIONS), encoding="utf-8")
    count = sum(len(values) for values in overrides.values())
    console.result(f"check: {path} has every section and overrides {count} values")


if __name__ == "__main__":
    command.run(main)
