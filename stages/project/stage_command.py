"""A stage as `facespan` runs it: paths that are left out are those of dvc.yaml (`python -m` takes none by itself)."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from typer.core import TyperCommand, TyperOption

from stages.project import stage_paths
from stages.shell import command
from stages.shell.params import ParameterError

# `facespan check` looks only; what DVC has it write is of use to DVC alone.
WITHOUT = ("stages.check",)


class StageCommand(TyperCommand):
    """A command; where it is a DVC stage, dvc.yaml says its defaults."""

    def __init__(self, name: str | None, **told: Any) -> None:
        """Take note of the options that dvc.yaml will give where nobody types them."""
        super().__init__(name, **told)
        module = getattr(self.callback, "__module__", "")
        room, _, stage = module.partition(".")
        is_stage = room == "stages" and "." not in stage and module not in WITHOUT
        self._stage = stage if is_stage else ""
        options = [one for one in self.params if isinstance(one, TyperOption)]
        self._names = {flag: one.name or "" for one in options for flag in one.opts}
        self._needed = {flag: name for flag, name in self._names.items() if is_stage and _is_required(options, name)}
        for one in options:
            if one.name in self._needed.values():
                one.required, one.show_default = False, "as in dvc.yaml"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return what typer is left with after it took the arguments; defaults are filled in first."""
        if self._stage:
            given, _, _ = self.make_parser(ctx).parse_args(list(args))
            typed = {name for name in self._names.values() if name in given and _is_told(given[name])}
            if isinstance(given.get("corpus"), str) and "help" not in typed:
                command.guarded(self._fill)(ctx, given["corpus"], typed)
        return super().parse_args(ctx, args)

    def _fill(self, ctx: Any, corpus: str, typed: Set[str]) -> None:
        """Give as defaults what dvc.yaml says; once any path is typed, only what is needed besides.

        So `--output elsewhere` takes no other output into the project's folders.
        """
        missing = {flag: name for flag, name in self._needed.items() if name not in typed}
        if not missing and (self._needed or not stage_paths.FILE.is_file()):
            return
        told = stage_paths.of(self._stage, corpus, missing)
        if unknown := sorted(told.keys() - self._names.keys()):
            raise ParameterError(f"{stage_paths.FILE}: stage {self._stage} does not take {', '.join(unknown)}")
        named = {self._names[flag]: value for flag, value in told.items()}
        is_any_typed = bool(named.keys() & typed)
        needed = set(missing.values())
        ctx.default_map = {name: value for name, value in named.items() if name in needed or not is_any_typed}


def _is_required(options: list[TyperOption], name: str) -> bool:
    return any(one.name == name and one.required for one in options)


def _is_told(value: Any) -> bool:
    """Return whether an option was typed: click's parser has a mark of its own for those that were not."""
    return isinstance(value, str | bool | int | list | tuple)
