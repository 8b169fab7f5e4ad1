"""`facespan detect mine` finds its paths where DVC finds them; what is typed goes first."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from stages.project import stage_paths
from stages.shell.command import ExitCode
from tests.stages import typing_in

ROOT = Path(__file__).resolve().parents[3]
STAGES = ("fingerprint", "index", "align", "extract", "train", "detect", "evaluate", "report")
Begin = Callable[..., Path]
Run = Callable[..., Any]


@pytest.fixture
def project(begin: Begin) -> Path:
    """Return a folder with dvc.yaml and a corpus that is placed, which is the current one."""
    here = begin()
    shutil.copy(ROOT / "dvc.yaml", here)
    (here / "configs/places.yaml").write_text("tiny: corpus\n", encoding="utf-8")
    return here


def edit(change: Callable[[dict[str, Any]], None], path: str = "dvc.yaml") -> None:
    typing_in.change(Path(path), change)


@pytest.mark.whole_line
def test_every_stage_of_a_corpus_runs_by_its_name_alone(project: Path, facespan: Run) -> None:
    # The folder of features is named by configs/params.yaml.
    edit(lambda params: params["extract"].update(weights="random"), "configs/params.yaml")
    for stage in STAGES[:-1]:
        told = facespan(stage, "tiny", *(("--device", "cpu") if stage in ("extract", "train", "detect") else ()))
        assert told.code == ExitCode.DONE, told.err
    told = facespan("report", "tiny", "--device", "cpu")
    assert told.code == ExitCode.DONE, told.err
    made = ("data/tiny/videos.parquet", "data/tiny/frames/ann_1.h5", "data/tiny/features/random/ann_1.h5")
    for path in (*made, "configs/frames/tiny.json", "results/tiny/metrics.json", "results/tiny/report/index.html"):
        assert Path(path).is_file(), path


def test_the_paths_are_those_that_dvc_itself_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs", ignore=shutil.ignore_patterns("weights"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    repository = Repo.init(str(tmp_path), no_scm=True)
    for stage in STAGES:
        words = shlex.split(str(repository.stage.load_one(name=f"{stage}@demo").cmd))
        told = stage_paths.of(stage, "demo")
        assert words == ["python", "-m", f"stages.{stage}", "demo", *(word for pair in told.items() for word in pair)]


def test_once_a_path_is_typed_no_other_output_goes_into_the_projects_folders(project: Path, facespan: Run) -> None:
    assert facespan("index", "tiny").code == ExitCode.DONE
    told = facespan("align", "tiny", "--output", "elsewhere")
    assert told.code == ExitCode.DONE, told.err
    assert Path("elsewhere/ann_1.h5").is_file()
    assert not Path("configs/frames/tiny.json").exists()
    assert not Path("data/tiny/frames").exists()


def test_a_path_that_dvc_yaml_gives_otherwise_is_taken_from_there(project: Path, facespan: Run) -> None:
    edit(
        lambda told: told["stages"]["index"]["do"].update(cmd="python -m stages.index ${item} --output tables/${item}")
    )
    assert facespan("index", "tiny").code == ExitCode.DONE
    assert Path("tables/tiny/videos.parquet").is_file()


def test_outside_of_a_project_it_says_where_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facespan: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    told = facespan("detect", "mine")
    assert told.code == ExitCode.USAGE
    assert told.err == "error: dvc.yaml does not exist. Run from the folder that holds configs/\n"
    assert facespan("detect", "--help").code == ExitCode.DONE


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (None, "dvc.yaml has no stage 'detect' with one cmd"),
        (
            "python -m stages.detect ${item} --output x",
            "the cmd of stage detect lacks --videos, --features, --detectors",
        ),
        ("python -m stages.detect ${item} --output", "expected `python -m stages.detect ${item} --option value ...`"),
        ("sh detect.sh ${item}", "runs 'sh detect.sh ${item}', expected `python -m stages.detect"),
        ("python -m stages.detect ${item} --output ${no.where}", "${no.where} is neither the corpus nor a value of"),
    ],
)
def test_a_command_of_dvc_yaml_that_gives_no_paths_is_told(
    project: Path, facespan: Run, command: str | None, said: str
) -> None:
    edit(lambda told: told["stages"]["detect"]["do"].update(cmd=command))
    told = facespan("detect", "tiny")
    assert told.code == ExitCode.USAGE
    assert said in told.err


@pytest.mark.whole_line
def test_dvc_runs_a_stage_with_the_paths_that_stand_there_alone(project: Path) -> None:
    for module in ("stages.detect", "stages.align"):
        told = typing_in.run(ROOT, "python", "-m", module, "tiny", expected=2)
        assert "Missing option" in told


def test_looking_at_a_corpus_file_writes_nothing(project: Path, facespan: Run) -> None:
    before = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))
    assert "--output" in before["stages"]["check"]["do"]["cmd"]
    assert facespan("check", "tiny").code == ExitCode.DONE
    assert not Path("data/tiny").exists()
