"""Draws an invented corpus larger than the demo's, and takes it to features: what other benchmarks train on.

    python -m tests.benchmarks.invented --people 24 --seed 3 --output data/people24

Twelve minutes on two cores for 24 people. The same arguments keep what is there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from stages.shell import params


def main(
    output: Annotated[Path, typer.Option(help="The folder of the corpus, its tables, frames and features.")],
    people: Annotated[int, typer.Option(help="How many.")] = 24,
    seed: Annotated[int, typer.Option(help="Of the drawing: 0 chose the demo's values, 2 is the demo itself.")] = 3,
) -> None:
    """Run demo, index, align and extract in a folder of their own."""
    settings = output / "params.yaml"
    output.mkdir(parents=True, exist_ok=True)
    settings.write_text(yaml.safe_dump(changed(params.load(params.PARAMS), people, seed)), encoding="utf-8")
    corpus, videos, frames, features = (output / name for name in ("corpus", "videos.parquet", "frames", "features"))
    run("demo", "--output", corpus, "--params", settings)
    run("index", "demo", "--root", corpus, "--output", output)
    run("align", "demo", "--root", corpus, "--videos", videos, "--output", frames, "--params", settings)
    encoder = params.load_section(settings, "extract")["weights"]
    run("extract", "demo", "--frames", frames, "--output", features / encoder, "--params", settings)


def changed(values: dict[str, Any], people: int, seed: int) -> dict[str, Any]:
    """Return the parameters with another number of people, drawn from another seed."""
    recordings = values["demo"]["recordings"] | {"seed": seed}
    return values | {"demo": values["demo"] | {"subjects": people, "recordings": recordings}}


def run(stage: str, *words: str | Path) -> None:
    """Run a stage as DVC does."""
    subprocess.run([sys.executable, "-m", "stages.commands.app", stage, *map(str, words)], check=True)


if __name__ == "__main__":
    typer.run(main)
