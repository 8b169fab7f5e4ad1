"""Every corpus file through DVC, as README prints it: invented corpora in their own layouts, from index to scores."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openpyxl
import pytest
import yaml
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

from cache.corpora import casme3, samm_lv
from cache.shards import manifest
from cache.tables import videos

pytestmark = pytest.mark.whole_line

ROOT = Path(__file__).resolve().parents[1]
CODE = ("cache", "configs", "pipeline", "stages", "dvc.yaml", ".dvcignore")
CORPUS_FILES = sorted(path.stem for path in (ROOT / "configs/corpora").glob("*.yaml"))
LAYOUTS = ("casme2", "casme3", "samm_lv")
SIDE = 32
FRAMES = 60
ONSET, APEX, OFFSET = 20, 30, 44
TRAIN = yaml.safe_load((ROOT / "configs/params.yaml").read_text(encoding="utf-8"))["train"]


def write_images(folder: Path, pattern: str, frames: int = FRAMES, step: int = 1, first: int = 1) -> None:
    """Write square images of noise that are brighter during the expression; `pattern` gives their names by number."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(len(folder.as_posix()))
    face = generator.integers(60, 120, (SIDE, SIDE, 3))
    for number in range(frames * step):
        image = face + generator.integers(-4, 5, face.shape)
        if ONSET <= number // step <= OFFSET:
            image[: SIDE // 2] += 60
        cv2.imwrite(str(folder / pattern.format(number + first)), image.clip(0, 255).astype(np.uint8))


def write_sheets(path: Path, **sheets: list[list[Any]]) -> None:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, rows in sheets.items():
        page = workbook.create_sheet(title)
        for row in rows:
            page.append(row)
    # A file, because openpyxl refuses to write under the suffix .xls, which a reader does not look at.
    with path.open("wb") as file:
        workbook.save(file)


def write_casme2(root: Path) -> None:
    rows = []
    for index, subject in enumerate(("15", "16", "19"), start=1):
        write_images(root / f"rawpic/s{subject}/{subject}_0401girlcrashing", "img{:03d}.jpg")
        emotion = "negative" if index == 2 else "positive"
        rows.append([index, "anger1_1", ONSET, APEX, OFFSET, "4", emotion, "macro-expression", "anger"])
    write_sheets(
        root / "CAS(ME)^2code_final.xlsx",
        **{
            "CASFEcode_final": rows,
            "naming rule1": [[15, "s15", 1], [16, "s16", 2], [19, "s19", 3]],
            "naming rule2": [[401, "anger1"], [402, "anger2"]],
        },
    )


def write_casme3(root: Path) -> None:
    rows: list[list[Any]] = [list(casme3.COLUMNS)]
    emotions: list[list[Any]] = [list(casme3.EMOTION_COLUMNS)]
    for number in (1, 2, 3):
        write_images(root / f"part_A/data/part_A/spNO.{number}/a/color", "{}.jpg", first=1001)
        onset, apex, offset = 1000 + ONSET, 1000 + APEX, 1000 + OFFSET
        rows.append([f"spNO.{number}", "a", onset, apex, offset, "4", "Macro-expression", "II"])
        emotions.append([f"spNO.{number}", "a", onset, apex, offset, "sad" if number == 2 else "happy"])
    write_sheets(root / "cas(me)3_part_A_v2.xls", **{casme3.SHEET: rows})
    write_sheets(root / "cas(me)3_part_A_MaE_label_JpgIndex_v2_emotion.xlsx", **{casme3.EMOTION_SHEET: emotions})


def write_samm_lv(root: Path) -> None:
    rows: list[list[Any]] = [[f"note {number}"] for number in range(samm_lv.HEADING_ROW - 1)]
    rows.append(list(samm_lv.COLUMNS))
    for number in (6, 7, 8):
        write_images(root / f"{number:03d}_1", f"{number:03d}_1_{{:04d}}.jpg", step=7)
        rows.append([number, f"{number:03d}_1_1", 1, 7 * ONSET, 7 * APEX, 7 * OFFSET, 169, "Macro", "12", None])
    write_sheets(root / "SAMM_LongVideos_V2_Release.xlsx", Sheet1=rows)


def add_to_casme2(root: Path) -> str:
    write_images(root / "rawpic/s15/15_0402second", "img{:03d}.jpg")
    return "15_0402"


def add_to_casme3(root: Path) -> str:
    write_images(root / "part_A/data/part_A/spNO.1/b/color", "{}.jpg")
    return "spNO.1_b"


def add_to_samm_lv(root: Path) -> str:
    write_images(root / "006_2", "006_2_{:04d}.jpg", step=7)
    return "006_2"


WRITE: dict[str, Callable[[Path], None]] = {"casme2": write_casme2, "casme3": write_casme3, "samm_lv": write_samm_lv}
ADD: dict[str, Callable[[Path], str]] = {"casme2": add_to_casme2, "casme3": add_to_casme3, "samm_lv": add_to_samm_lv}


def clone(folder: Path, listed: dict[str, str]) -> Path:
    """Return a repository of this code whose parameters list other corpora, each with the folder where it lies."""
    folder.mkdir()
    for name in CODE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "dvc.lock", "*.safetensors")
            )
        else:
            shutil.copy(source, folder / name)
    described = yaml.safe_load((folder / "configs/params.yaml").read_text(encoding="utf-8"))
    described["corpora"] = list(listed)
    described["extract"]["weights"] = "random"
    (folder / "configs/params.yaml").write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
    (folder / "configs/places.yaml").write_text(yaml.safe_dump(listed), encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    dvc(folder, "init", "--quiet")
    return folder


def dvc(folder: Path, *words: str, expected: int = 0) -> str:
    """Type a `dvc` command in a folder and return all that it said."""
    here = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
    told = subprocess.run(
        [sys.executable, "-m", "dvc", *words],
        cwd=folder,
        env={**os.environ, **here, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert told.returncode == expected, told.stdout
    return told.stdout


def describe(folder: Path, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a corpus file."""
    path = folder / f"configs/corpora/{name}.yaml"
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(described)
    path.write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")


def make_small(described: dict[str, Any]) -> None:
    """Make what a corpus file describes a matter of seconds, with the levels and whatever else it overrides itself."""
    described["facts"] |= {"expected": {"macro": 3, "micro": 0, "subjects": 3}, "unlabelled_videos": "any"}
    overrides = described["overrides"]
    overrides["align"] = {"method": "none", "accept_unaligned": "noise shows no face"}
    overrides["extract"]["random_image_size"] = SIDE
    overrides["train"] |= {"epochs": 2, "width": 16, "head_width": 16, "window_attention_width": 16}
    for name in ("block_widths", "neck_widths"):
        overrides["train"][name] = [16] * len(overrides["train"].get(name, TRAIN[name]))
    overrides["train"]["attention_heads"] = 2
    overrides["evaluate"] |= {"guess_repetitions": 5, "bootstrap_repetitions": 20}


def started(told: str) -> set[str]:
    """Return the stages that DVC ran."""
    return {line.split("'")[1] for line in told.splitlines() if line.startswith("Running stage '")}


def test_dvc_finds_every_parameter_of_every_corpus_file(tmp_path: Path) -> None:
    project = clone(tmp_path / "project", {name: f"/nowhere/{name}" for name in CORPUS_FILES})
    with Repo(str(project)) as repo:
        found = [entry for stage in repo.index.stages for entry in stage.deps if isinstance(entry, ParamsDependency)]
        assert len(found) >= 6 * len(CORPUS_FILES)
        for entry in found:
            # Raises MissingParamsError for a section that the file leaves out.
            entry.get_hash()


# Seconds on a machine of one's own; each phase starts Python for every stage, so a busy one takes many times as long.
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_corpus_in_its_own_layout_goes_from_its_label_file_to_scores_and_takes_one_video_more(
    tmp_path: Path, name: str
) -> None:
    root = tmp_path / "disk"
    WRITE[name](root)
    project = clone(tmp_path / "project", {name: str(root)})
    describe(project, name, make_small)

    told = dvc(project, "repro")
    line = ("check", "fingerprint", "index", "align", "extract", "train", "detect", "evaluate", "report")
    assert started(told) == {f"{stage}@{name}" for stage in line}
    metrics = json.loads((project / f"results/{name}/metrics.json").read_text(encoding="utf-8"))
    assert metrics["spotting"]["m"] == 3
    # The demo is not listed, so nothing of it is made.
    assert [path.name for path in (project / "data").iterdir()] == [name]

    describe(project, name, lambda described: described["overrides"]["evaluate"].update(seed=1))
    assert started(dvc(project, "repro")) == {
        f"{stage}@{name}" for stage in ("check", "fingerprint", "evaluate", "report")
    }

    added = ADD[name](root)
    told = dvc(project, "repro", f"extract@{name}")
    assert started(told) == {f"{stage}@{name}" for stage in ("fingerprint", "index", "align", "extract")}
    assert told.count("(1 new, 3 kept)") == 2
    assert added in manifest.read(project / f"data/{name}/features/random").shards


@pytest.mark.timeout(3600)
def test_images_changed_in_place_are_aligned_again_and_those_with_a_new_time_alone_are_not(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    write_casme2(root)
    project = clone(tmp_path / "project", {"casme2": str(root)})
    describe(project, "casme2", make_small)
    dvc(project, "repro", "align@casme2")

    folder = root / "rawpic/s15/15_0401girlcrashing"
    for path in folder.iterdir():
        make_younger(path)
    assert started(dvc(project, "repro", "align@casme2")) == {"fingerprint@casme2"}

    path = folder / "img030.jpg"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    make_younger(path)
    told = dvc(project, "repro", "align@casme2")
    assert started(told) == {f"{stage}@casme2" for stage in ("fingerprint", "index", "align")}
    assert "(1 new, 2 kept)" in told
    assert started(dvc(project, "repro", "align@casme2")) == {"fingerprint@casme2"}


def make_younger(path: Path) -> None:
    """Give a file another time, however coarse the clock of the disk is."""
    known = path.stat()
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns + 10**10))


def test_a_section_left_out_is_named_before_any_other_stage_runs(tmp_path: Path) -> None:
    project = clone(tmp_path / "project", {"samm_lv": "samm", "casme2": "casme"})
    write_samm_lv(project / "samm")
    write_casme2(project / "casme")
    describe(project, "samm_lv", make_small)
    describe(project, "casme2", lambda described: described["overrides"].pop("train"))
    told = dvc(project, "repro", expected=255)
    assert "configs/corpora/casme2.yaml: overrides lacks train." in told
    assert "overrides:\n  train: {}" in told
    assert {name.partition("@")[0] for name in started(told)} <= {"check", "fingerprint"}


def test_a_corpus_file_that_is_missing_is_said_in_our_words(tmp_path: Path) -> None:
    project = clone(tmp_path / "project", {"mine": "somewhere"})
    told = dvc(project, "repro", expected=255)
    assert "there is no corpus 'mine': configs/corpora/mine.yaml does not exist. Known: casme2, casme3, demo" in told


def test_a_corpus_whose_folder_is_missing_is_said_in_our_words(tmp_path: Path) -> None:
    project = clone(tmp_path / "project", {"casme2": "/nowhere/casme"})
    told = dvc(project, "repro", expected=255)
    assert "error: /nowhere/casme, the folder of the corpus casme2, does not exist, and there is no" in told
    assert "[Errno 2]" not in told


def test_the_demo_has_to_be_drawn_and_nothing_asks_for_one_that_is_not_listed(tmp_path: Path) -> None:
    project = clone(tmp_path / "project", {"demo": "data/demo/corpus"})
    path = project / "configs/params.yaml"
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["demo"] |= {"subjects": 2, "videos_per_subject": 1}
    described["demo"]["recordings"] |= {"duration_seconds": 5.0, "fewest_expressions": 1, "most_expressions": 1}
    path.write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
    (project / "configs/places.yaml").unlink()

    assert "Draw it: facespan demo" in dvc(project, "repro", "index@demo", expected=255)
    drawn = [sys.executable, "-m", "stages.commands.app", "demo"]
    subprocess.run(drawn, cwd=project, check=True)
    dvc(project, "repro", "index@demo")
    assert len(videos.read(project / "data/demo/videos.parquet")) == 2
    # Its table and card are written again, and are what they were.
    subprocess.run(drawn, cwd=project, check=True)
    assert started(dvc(project, "repro", "index@demo")) == {"fingerprint@demo"}

    described["corpora"] = []
    path.write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
    assert "demo" not in dvc(project, "status")
    dvc(project, "checkout")
