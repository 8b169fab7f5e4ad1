"""Messages point at the file that holds what is wrong, and advise only what there is: typed at the commands."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[3]
TINY = Path("configs/corpora/tiny.yaml")


def override(section: str, **values: object) -> None:
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    described["overrides"][section] |= values
    TINY.write_text(yaml.safe_dump(described), encoding="utf-8")


@pytest.mark.parametrize(
    ("stage_name", "values", "expected"),
    [
        ("align", {"method": "opnface"}, "overrides.align.method: 'opnface'. Did you mean 'openface'?"),
        ("align", {"quality": 0}, "overrides.align: quality is 0, expected 1 to 100"),
        ("train", {"epochs": "1e1"}, "overrides.train.epochs: expected a whole number, found '1e1'. YAML reads 1e1 as"),
        ("train", {"epochs": "1e1"}, " as a text; write 10\n"),
    ],
)
def test_a_wrong_value_of_a_corpus_file_is_not_blamed_on_the_parameters(
    begin: Begin, stage: Run, stage_name: str, values: dict[str, object], expected: str
) -> None:
    begin({"align": "index", "train": "extract"}[stage_name])
    override(stage_name, **values)
    told = stage(stage_name)
    assert told.code == ExitCode.USAGE
    (error,) = [line for line in told.err.splitlines(keepends=True) if line.startswith("error: ")]
    assert error.startswith("error: configs/corpora/tiny.yaml: overrides.")
    assert expected in error
    assert "configs/params.yaml" not in error


def test_a_fact_that_a_corpus_file_lacks_is_shown_by_other_corpus_files(begin: Begin, stage: Run) -> None:
    begin()
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    del described["facts"]["first_frame"]
    TINY.write_text(yaml.safe_dump(described), encoding="utf-8")
    told = stage("index")
    assert told.code == ExitCode.USAGE
    assert (
        "configs/corpora/tiny.yaml: facts: missing first_frame. Write it there, as another file of configs/" in told.err
    )


def test_one_subject_is_told_what_can_be_done(begin: Begin, stage: Run) -> None:
    begin()
    for name in ("ben_1", "cem_1"):
        (Path("corpus/videos") / f"{name}.avi").unlink()
    lines = Path("corpus/expressions.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    Path("corpus/expressions.csv").write_text("".join(line for line in lines if "_1," not in line or "ann" in line))
    told = stage("index", "align", "extract", "train")
    assert told.code == ExitCode.INPUT
    assert told.err.endswith("needs at least 2 subjects, found ann. Add videos of other subjects\n")


def test_a_video_to_be_renamed_is_said_so_once(begin: Begin, stage: Run) -> None:
    begin()
    path = Path("corpus/videos/ben_1.avi")
    path.rename(path.with_name("ben 1.avi"))
    told = stage("index")
    assert told.code != ExitCode.DONE
    assert told.err.count("Rename") == 1


@pytest.mark.parametrize("name", ["index", "align"])
def test_a_corpus_that_is_not_there_is_said_in_our_words(begin: Begin, stage: Run, name: str) -> None:
    begin({"index": "", "align": "index"}[name])
    shutil.rmtree("corpus")
    told = stage(name)
    assert told.code == ExitCode.INPUT
    assert told.err.endswith(
        "Say where it lies: facespan place tiny FOLDER, or connect its disk. Without the corpus, take what others made "
        "of it: facespan cache pull tiny, and the configs/fingerprints, configs/frames and dvc.lock that whoever made "
        "it has to commit\n"
    )


@pytest.mark.whole_line
@pytest.mark.parametrize("words", [("-m", "stages.commands.app")])
def test_the_app_as_a_module_is_the_command(words: tuple[str, ...]) -> None:
    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *words, *more], cwd=ROOT, capture_output=True, text=True, check=False)

    assert run().returncode == ExitCode.USAGE
    told = run("check", "nobody")
    assert told.returncode == ExitCode.USAGE
    assert "there is no corpus 'nobody'" in told.stderr
