"""The `facespan` command: every stage by its name, and what people type besides."""

from __future__ import annotations

import importlib
import sys

import typer

from stages.project.stage_command import StageCommand
from stages.shell import console
from stages.shell.command import INTERRUPTED, ExitCode, guarded

# Where the `main` of each command and the `app` of each group of commands stand.
COMMANDS = {
    "check": "stages.check",
    "fingerprint": "stages.fingerprint",
    "index": "stages.index",
    "align": "stages.align",
    "extract": "stages.extract",
    "train": "stages.train",
    "detect": "stages.detect",
    "evaluate": "stages.evaluate",
    "demo": "stages.commands.demo",
    "new": "stages.commands.corpora.new",
    "place": "stages.commands.place",
    "scores": "stages.commands.results.scores",
    "show": "stages.commands.results.show",
    "diagnose": "stages.commands.results.diagnose",
    "report": "stages.commands.results.report",
    "sheet": "stages.commands.results.sheet",
    "compare": "stages.commands.results.compare",
    "score": "stages.commands.score",
    "flops": "stages.commands.flops",
    "doctor": "stages.commands.doctor",
    "export": "stages.commands.exchange.export",
    "import-annotations": "stages.commands.exchange.import_annotations",
}
GROUPS = {
    "cache": "stages.commands.cache",
    "labels": "stages.commands.labels",
    "store": "stages.commands.store",
    "weights": "stages.commands.weights",
}
# Commands of a group that stand in a module of their own.
ALSO = {"cache": "stages.commands.push_pull"}


def main() -> None:
    """Run `facespan`; Ctrl-C ends as in `command.guarded` from the start, for torch takes seconds to import."""
    try:
        build(sys.argv[1:])()
    except KeyboardInterrupt:
        console.say(f"error: {INTERRUPTED}")
        sys.exit(ExitCode.INTERRUPTED)


def build(arguments: list[str]) -> typer.Typer:
    """Return the application; only the command that is asked for is imported, because torch takes seconds."""
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Spot and recognise facial expressions in long videos.",
    )
    app.callback()(_nothing)
    asked = arguments[0] if arguments else ""
    for name in (asked,) if asked in COMMANDS else COMMANDS if asked not in GROUPS else ():
        app.command(name, cls=StageCommand)(guarded(importlib.import_module(COMMANDS[name]).main))
    for name in (asked,) if asked in GROUPS else GROUPS if asked not in COMMANDS else ():
        app.add_typer(_group(name), name=name)
    return app


def _group(name: str) -> typer.Typer:
    """Return a group of commands, with those that stand in a module of their own."""
    own: typer.Typer = importlib.import_module(GROUPS[name]).app
    if name not in ALSO:
        return own
    both = typer.Typer(no_args_is_help=True, help=own.info.help, pretty_exceptions_enable=False)
    both.add_typer(own)
    both.add_typer(importlib.import_module(ALSO[name]).app)
    return both


def _nothing() -> None:
    """Hold the commands together: with a callback typer keeps their names even when only one is there."""


if __name__ == "__main__":
    main()
