"""The `facespan` command: every stage by its name, and what people type besides; a new one is one line of a table.

A module is imported when its command is called: PyTorch takes seconds, and lists of commands need none of it.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

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
    "analyse": "stages.commands.analyse",
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
CODE = Path(__file__).resolve().parents[2]


class LazyCommands(TyperGroup):
    """The commands by their names: lists hold a stand-in with a line of help, a call imports the command itself."""

    def __init__(self, **told: Any) -> None:
        """Begin with a stand-in for each."""
        super().__init__(**told)
        self.commands = {name: TyperCommand(name) for name in (*COMMANDS, *GROUPS)}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return what stands for a command in lists; None for a name that there is not."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            found.help = help_line(cmd_name)
        return found

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that was typed, imported; Ctrl-C ends as in `command.guarded`."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        try:
            return name, load(name) if name and stand_in else None, rest
        except KeyboardInterrupt:
            console.say(f"error: {INTERRUPTED}")
            raise typer.Exit(int(ExitCode.INTERRUPTED)) from None


def main() -> None:
    """Run `facespan`."""
    build()()


def build() -> typer.Typer:
    """Return the application, with no command imported yet."""
    app = typer.Typer(
        cls=LazyCommands,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Spot and recognise facial expressions in long videos.",
    )
    app.callback()(_nothing)
    return app


def help_line(name: str) -> str:
    """Return what lists say of a command, or of a group of commands, read from its source."""
    module = COMMANDS.get(name) or GROUPS[name]
    tree = ast.parse(CODE.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "main" and name in COMMANDS:
            return (ast.get_docstring(node) or "").partition("\n")[0]
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and ast.unparse(node.targets[0]) == "app":
            return str(next(ast.literal_eval(word.value) for word in node.value.keywords if word.arg == "help"))
    raise LookupError(f"{module} has neither `main` nor `app`")


def load(name: str) -> Any:
    """Return a command, or a group of commands, from its module."""
    if name in GROUPS:
        return typer.main.get_group(_group(name))
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name, cls=StageCommand)(guarded(importlib.import_module(COMMANDS[name]).main))
    return typer.main.get_command(app)


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
