"""Tests of the `facespan` command itself: its lists and its completion come without any command's module."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.commands import app
from stages.commands.app import ALSO, COMMANDS, GROUPS
from stages.shell.command import INTERRUPTED, ExitCode
from tests.stages.conftest import Run

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("cv2", "h5py", "numpy", "pyarrow", "torch")
# What these do begins with torch.
COMPUTING = {"check", "detect", "doctor", "evaluate", "extract", "flops", "new", "report", "train", "weights"}


def loaded(*words: str) -> set[str]:
    """Return what is in memory after a command was typed: modules of commands and stages, and what is heavy."""
    program = (
        f"import sys\nfrom stages.commands import app\ntry:\n    app.build()({list(words)})\nexcept SystemExit:\n"
        "    print()\n    print(*sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = set(told.stdout.splitlines()[-1].split())
    return modules & {*COMMANDS.values(), *GROUPS.values(), *ALSO.values(), *HEAVY}


@pytest.mark.parametrize("name", [*COMMANDS, *GROUPS])
def test_the_line_of_a_command_in_lists_is_the_first_of_its_docstring(name: str) -> None:
    assert app.help_line(name) == app.load(name).help.splitlines()[0]


@pytest.mark.parametrize("words", [(), ("--help",), ("no-such-command",)])
def test_a_list_of_commands_imports_none_of_them_and_nothing_heavy(words: tuple[str, ...]) -> None:
    assert loaded(*words) == set()


def test_a_command_is_imported_alone() -> None:
    assert loaded("place", "--help") == {"stages.commands.place"}
    assert loaded("scores", "--help") == {"stages.commands.results.scores"}
    assert loaded("cache", "--help") == {"stages.commands.cache", "stages.commands.push_pull"}


@pytest.mark.parametrize("name", sorted({*COMMANDS, *GROUPS} - COMPUTING))
def test_commands_that_compute_nothing_with_torch_come_without_it(name: str) -> None:
    assert "torch" not in loaded(name, "--help")


def test_every_command_is_listed_with_its_line(facespan: Run) -> None:
    told = facespan("--help")
    assert told.code == ExitCode.DONE
    shown = " ".join(told.out.replace("│", " ").split())
    for name in (*COMMANDS, *GROUPS):
        assert f"{name} {app.help_line(name)}" in shown


def test_a_typing_error_is_answered_with_the_nearest_command(facespan: Run) -> None:
    told = facespan("lables")
    assert told.code == ExitCode.USAGE
    assert "Did you mean 'labels'?" in told.err


def test_ctrl_c_while_a_command_is_imported_ends_as_at_any_other_time(
    facespan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "load", load)
    told = facespan("train", "demo")
    assert (told.code, told.err) == (ExitCode.INTERRUPTED, f"error: {INTERRUPTED}\n")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("facespan sc", {"score", "scores"}),
        ("facespan cache p", {"push", "pull"}),
        ("facespan place --", {"--help"}),
        ("facespan place de", {"demo"}),
    ],
)
def test_a_shell_completes_commands_groups_and_options(typed: str, offered: set[str]) -> None:
    asked = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_FACESPAN_COMPLETE": "complete_bash"}
    program = "from stages.commands import app; app.build()(prog_name='facespan')"
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ | asked, capture_output=True, text=True, check=True
    )
    assert set(told.stdout.split()) == offered
