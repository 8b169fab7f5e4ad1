"""`facespan new` makes a corpus of a folder of videos: it invents and overwrites nothing, and what it writes runs."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from stages.shell import corpora
from stages.shell.command import ExitCode
from tests.stages import typing_in
from tests.stages.conftest import FRAMES, write_video

ROOT = Path(__file__).resolve().parents[4]
Begin = Callable[..., Path]
Run = Callable[..., Any]
CSV, FILE, LIST = Path("footage/expressions.csv"), Path("configs/corpora/mine.yaml"), Path("configs/params.yaml")
HEADER = "subject,video,onset,apex,offset,emotion\n"


@pytest.fixture
def project(begin: Begin) -> Path:
    """Return a project, the current folder, with a folder of videos in sub-folders of three people."""
    here = begin()
    text = LIST.read_text(encoding="utf-8")
    LIST.write_text(text.replace("weights: ferplus ", "weights: random "), encoding="utf-8")
    for number, subject in enumerate(("ann", "ben", "cem")):
        (here / "footage" / subject).mkdir(parents=True)
        shutil.copy(here / f"corpus/videos/{subject}_1.avi", here / f"footage/{subject}/{subject}_{number}.avi")
    return here


def new(facespan: Run, *words: str, name: str = "mine", folder: str = "footage") -> Any:
    return facespan("new", name, "--videos", folder, "--device", "cpu", *words)


def nothing_was_written() -> bool:
    known = {path.stem for path in FILE.parent.iterdir()}
    listed = yaml.safe_load(LIST.read_text(encoding="utf-8"))["corpora"]
    return "mine" not in known and listed == ["demo"] and not Path("configs/places.yaml").exists()


def described() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return told


def flat(here: Path) -> None:
    """Put all videos into the folder itself."""
    for path in sorted((here / "footage").glob("*/*.avi")):
        path.rename(here / "footage" / path.name)
        path.parent.rmdir()


def write_images(folder: Path, first: int, count: int = 3) -> None:
    folder.mkdir(parents=True)
    for number in range(first, first + count):
        cv2.imwrite(str(folder / f"img_{number}.png"), np.full((40, 60, 3), 90, np.uint8))


def write_openface(folder: Path, stem: str, rate: float) -> None:
    aligned = folder / f"{stem}_aligned"
    write_images(aligned, 1)
    for path in sorted(aligned.iterdir()):
        path.rename(aligned / f"frame_det_00_{int(path.stem[4:]):06d}.png")
    rows = [f"{frame},0,{(frame - 1) / rate if rate else 0:.3f},0.98,1" for frame in range(1, 4)]
    (folder / f"{stem}.csv").write_text("\n".join(["frame,face_id,timestamp,confidence,success", *rows]) + "\n")


@pytest.mark.whole_line
def test_from_a_folder_of_videos_to_a_report_in_two_commands(project: Path) -> None:
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, project)
    for name in ("cache", "pipeline", "stages"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "configs/weights").mkdir()
    typing_in.dvc(project, "init", "--no-scm", "--quiet")
    told = typing_in.facespan(
        project, "new", "mine", "--videos", "footage", "--device", "cpu", "--emotions", "happiness,anger"
    )
    assert "next: fill in footage/expressions.csv: a row for each expression (frames from 0, inclusive);" in told
    # Drawn noise shows no face: what is said of that belongs into the corpus file, as for anybody.
    typing_in.change(
        project / FILE, lambda file: file["overrides"]["align"].update(method="none", accept_unaligned="noise")
    )
    typing_in.change(project / FILE, lambda file: file["overrides"]["train"].update(epochs=1))
    rows = [
        f"{subject},{subject}_{number},{onset},,{offset},{emotion}\n"
        for number, subject in enumerate(("ann", "ben", "cem"))
        for onset, offset, emotion in ((20, 49, "happiness"), (90, 125, "anger"))
    ]
    (project / CSV).write_text(HEADER + "".join(rows), encoding="utf-8")
    assert "mine: 6 rows, 6 used" in typing_in.facespan(project, "labels", "audit", "mine")
    typing_in.dvc(project, "repro", "report@mine")
    assert (project / "results/mine/report/index.html").is_file()


def test_it_says_what_lies_there_how_long_it_will_take_and_what_to_type_next(project: Path, facespan: Run) -> None:
    told = new(facespan)
    assert told.code == ExitCode.DONE, told.err
    lines = told.out.splitlines()
    assert lines[0] == f"found: 3 video files, {3 * FRAMES} frames, 0.2 minutes at 30 frames a second, in footage"
    assert lines[1] == "people: 3, IF the sub-folders are people (ann, ben, cem); else correct the CSV"
    assert lines[2].endswith("sizes: preset small")
    assert [line.split()[0] for line in lines[4:7]] == ["align", "extract", "train"]
    assert "about" in lines[5]
    assert "at most: 4 detectors" in lines[6]
    assert "facespan labels audit mine" in told.out
    assert "facespan import-annotations mine FILE... --from elan --tier NAME" in told.out
    assert "dvc repro report@mine" in told.out


def test_every_video_has_a_row_to_fill_in_with_its_sub_folder_as_the_subject(project: Path, facespan: Run) -> None:
    assert new(facespan).code == ExitCode.DONE
    assert CSV.read_text(encoding="utf-8") == HEADER + "ann,ann_0,,,,\nben,ben_1,,,,\ncem,cem_2,,,,\n"
    told = facespan("labels", "audit", "mine")
    assert told.code == ExitCode.DONE, told.err
    assert "no expression yet" in told.out


def test_where_nothing_tells_who_is_seen_subjects_are_left_for_people_to_fill_in(project: Path, facespan: Run) -> None:
    flat(project)
    told = new(facespan)
    assert "people: nothing tells who is seen in which video: that is for you to fill in" in told.out
    assert "the column subject in every row" in told.out
    assert CSV.read_text(encoding="utf-8") == HEADER + ",ann_0,,,,\n,ben_1,,,,\n,cem_2,,,,\n"
    refused = facespan("labels", "audit", "mine")
    assert refused.code == ExitCode.INPUT
    assert "row 2: subject is empty: fill it in" in refused.err


def test_the_corpus_file_is_whole_has_a_comment_on_each_choice_and_tells_no_place(project: Path, facespan: Run) -> None:
    (project / "footage/ann/cut.avi").write_bytes(b"RIFF")
    assert new(facespan, "--builtin").code == ExitCode.DONE
    assert described()["facts"] == {
        "labels": "expressions.csv",
        "folder": ".",
        "source": "video",
        "first_frame": 0,
        "frame_rate": None,
        "emotions": ["happiness", "surprise", "disgust", "anger", "fear", "sadness"],
        "allow_truncated": False,
        "leave_out": ["ann/cut.avi"],
    }
    assert tuple(described()["overrides"]) == corpora.SECTIONS
    assert described()["overrides"]["align"] == {"method": "builtin"}
    text = FILE.read_text(encoding="utf-8")
    assert "larger batches would leave too few steps" in text
    assert str(project) not in text
    assert max(map(len, text.splitlines())) < 250
    assert facespan("check", "mine").code == ExitCode.DONE
    assert yaml.safe_load(Path("configs/places.yaml").read_text(encoding="utf-8")) == {"mine": "footage"}


@pytest.mark.whole_line
def test_the_paper_preset_overrides_nothing_of_training(project: Path, facespan: Run) -> None:
    assert new(facespan, "--preset", "paper").code == ExitCode.DONE
    assert described()["overrides"]["train"] == {}


def test_a_csv_that_is_there_is_kept_and_read(project: Path, facespan: Run) -> None:
    text = "subject,video,onset,offset,emotion,note\nx,ann_0,3,9,grin,mine\ny,ben_1,,,,\nz,cem_2,1,20,frown,\n"
    CSV.write_text(text, encoding="utf-8")
    told = new(facespan)
    assert told.code == ExitCode.DONE, told.err
    assert CSV.read_text(encoding="utf-8") == text
    assert "people: 3, as expressions.csv says" in told.out
    assert "fill in" not in told.out
    assert described()["classes"] == ["grin", "frown"]
    assert facespan("labels", "audit", "mine").code == ExitCode.DONE


def test_another_csv_of_that_name_is_left_alone(project: Path, facespan: Run) -> None:
    CSV.write_text("place,colour\n1,2\n", encoding="utf-8")
    told = new(facespan)
    assert told.code == ExitCode.INPUT
    assert "give the CSV another name by --labels" in told.err
    assert nothing_was_written()
    assert new(facespan, "--labels", "mine.csv").code == ExitCode.DONE
    assert CSV.read_text(encoding="utf-8") == "place,colour\n1,2\n"
    assert facespan("labels", "audit", "mine").code == ExitCode.DONE


def test_a_video_that_cannot_be_used_is_told_and_the_others_are_taken(project: Path, facespan: Run) -> None:
    footage = project / "footage"
    whole = (footage / "ann/ann_0.avi").read_bytes()
    (footage / "ann/cut.avi").write_bytes(whole[: len(whole) // 3])
    (footage / "ben/my video.avi").write_bytes(whole)
    (footage / "cem/twice.avi").write_bytes(whole)
    (footage / "ann/twice.avi").write_bytes(whole)
    (footage / "cem/none.mp4").write_bytes(b"not a video")
    told = new(facespan)
    assert told.code == ExitCode.DONE, told.err
    left_out = ["ann/cut.avi", "ann/twice.avi", "ben/my video.avi", "cem/none.mp4", "cem/twice.avi"]
    assert sorted(described()["facts"]["leave_out"]) == left_out
    for path in left_out:
        assert f"new: {path} is left out: " in told.err
    assert "2 have the name twice, which would be one id. Rename them" in told.err
    with CSV.open(encoding="utf-8", newline="") as file:
        assert [row["video"] for row in csv.DictReader(file)] == ["ann_0", "ben_1", "cem_2"]
    shutil.copy(ROOT / "dvc.yaml", project)
    assert facespan("fingerprint", "mine").code == ExitCode.DONE
    indexed = facespan("index", "mine")
    assert indexed.code == ExitCode.DONE, indexed.err
    assert "index: 5 x left_out" in indexed.err


def test_images_need_a_rate_and_keep_their_numbers(project: Path, facespan: Run) -> None:
    for name in ("ann_1", "ben_1"):
        write_images(project / "pictures" / name, first=1)
    told = new(facespan, folder="pictures")
    assert told.code == ExitCode.USAGE
    assert "folders of images tell no times (ann_1, ben_1)" in told.err
    assert nothing_was_written()
    assert new(facespan, "--frame-rate", "30", folder="pictures").code == ExitCode.DONE
    facts = described()["facts"]
    assert (facts["source"], facts["first_frame"], facts["frame_rate"]) == ("images", 1, 30)


def test_images_numbered_from_0_and_from_1_are_no_one_corpus(project: Path, facespan: Run) -> None:
    write_images(project / "pictures/ann_1", first=0)
    write_images(project / "pictures/ben_1", first=1)
    told = new(facespan, "--frame-rate", "30", folder="pictures")
    assert told.code == ExitCode.INPUT
    assert "the images of 1 videos (ann_1) are numbered from 0, those of others (ben_1) are not" in told.err


def test_what_openface_wrote_is_taken_as_it_is(project: Path, facespan: Run) -> None:
    for name in ("ann_1", "ben_1"):
        write_openface(project / "processed", name, rate=25)
    (project / "processed/half_aligned").mkdir()
    assert "--builtin aligns videos" in new(facespan, "--builtin", folder="processed").err
    told = new(facespan, "--openface", folder="processed")
    assert told.code == ExitCode.DONE, told.err
    facts = described()["facts"]
    assert (facts["source"], facts["first_frame"], facts["frame_rate"]) == ("openface", 1, None)
    assert facts["leave_out"] == ["half.csv"]
    assert described()["overrides"]["align"] == {"method": "openface-output"}


def test_of_several_kinds_somebody_says_which_to_take(project: Path, facespan: Run) -> None:
    write_openface(project / "footage", "ann_0", rate=25)
    told = new(facespan)
    assert told.code == ExitCode.USAGE
    assert (
        "footage holds 3 video files and 1 OpenFace outputs: say which, --source video or --source openface" in told.err
    )
    assert nothing_was_written()
    assert new(facespan, "--source", "video").code == ExitCode.DONE
    assert described()["facts"]["source"] == "video"


@pytest.mark.parametrize("name", ["", "a b", "../x", "1st", "no", "null", "x" * 65, "a.b"])
def test_what_cannot_name_a_corpus_is_refused(project: Path, facespan: Run, name: str) -> None:
    told = new(facespan, name=name)
    assert told.code == ExitCode.USAGE
    assert "cannot name a corpus" in told.err


@pytest.mark.parametrize("name", ["demo", "Demo", "casme2"])
def test_a_name_that_is_taken_is_refused(project: Path, facespan: Run, name: str) -> None:
    told = new(facespan, name=name)
    assert told.code == ExitCode.USAGE
    assert f"there is a corpus {name.lower()} already" in told.err


def test_what_was_made_by_that_name_is_left_alone(project: Path, facespan: Run) -> None:
    (project / "results/mine").mkdir(parents=True)
    told = new(facespan)
    assert told.code == ExitCode.INPUT
    assert "results/mine is there already" in told.err
    assert nothing_was_written()


def test_a_second_time_it_is_taken_and_nothing_changes(project: Path, facespan: Run) -> None:
    assert new(facespan).code == ExitCode.DONE
    before = (FILE.read_bytes(), LIST.read_bytes(), CSV.read_bytes())
    assert new(facespan).code == ExitCode.USAGE
    assert (FILE.read_bytes(), LIST.read_bytes(), CSV.read_bytes()) == before


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("nowhere", "nowhere does not exist"),
        ("dvc.yaml", "dvc.yaml is no folder"),
        ("empty", "empty holds neither video files nor folders of images nor OpenFace's output"),
        (".", ". holds this project itself"),
        ("placed", "placed is the place of the corpus tiny"),
        ("junk", "none of 1 video files in junk can be used; a.mp4: a.mp4 does not open as a video"),
    ],
)
def test_a_folder_that_can_be_no_corpus_is_refused(project: Path, facespan: Run, folder: str, said: str) -> None:
    shutil.copy(ROOT / "dvc.yaml", project)
    (project / "empty").mkdir()
    (project / "junk").mkdir()
    (project / "junk/a.mp4").write_bytes(b"junk")
    shutil.copytree(project / "footage", project / "placed")
    assert facespan("place", "tiny", "placed").code == ExitCode.DONE
    before = LIST.read_bytes()
    told = new(facespan, folder=folder)
    assert told.code == ExitCode.INPUT
    assert said in told.err
    assert not FILE.exists()
    assert LIST.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--openface", "--builtin"), "--openface and --builtin at once"),
        (("--preset", "smal"), "--preset 'smal': expected one of paper, small"),
        (("--source", "films"), "--source is 'films', expected one of video, images, openface"),
        (("--emotions", "joy,,anger"), "expected different words with commas"),
        (("--frame-rate", "25"), "videos carry their own times"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    project: Path, facespan: Run, words: tuple[str, ...], said: str
) -> None:
    told = new(facespan, *words)
    assert told.code == ExitCode.USAGE
    assert said in told.err
    assert nothing_was_written()


def test_a_dry_run_only_says(project: Path, facespan: Run) -> None:
    told = new(facespan, "--dry-run")
    assert told.code == ExitCode.DONE
    assert told.out.endswith("nothing was written (--dry-run)\n")
    assert nothing_was_written()
    assert not CSV.exists()


def test_outside_of_a_project_it_says_where_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facespan: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "footage").mkdir()
    write_video(tmp_path / "footage/a.avi", 5, seed=0)
    told = new(facespan)
    assert told.code == ExitCode.USAGE
    assert told.err == "error: configs/corpora/ does not exist. Run from the folder that holds configs/\n"


def test_a_list_that_cannot_be_edited_stops_it_before_anything_is_written(project: Path, facespan: Run) -> None:
    text = LIST.read_text(encoding="utf-8")
    LIST.write_text(text.replace("corpora: [demo]", "kept: &kept [demo]\ncorpora: *kept"), encoding="utf-8")
    told = new(facespan)
    assert told.code == ExitCode.USAGE
    assert "Add mine to it yourself" in told.err
    assert not FILE.exists()
    assert not CSV.exists()
