"""Aligning with OpenFace, or by its landmarks: what OpenFace claims does not count, what it wrote does."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from cache.shards import frames, manifest
from cache.tables import videos

Run = Callable[..., Any]
Begin = Callable[..., Path]
TINY = Path("configs/corpora/tiny.yaml")
FRAMES = 150

# A stand-in that behaves as OpenFace does: it writes rows and images as told.json says, by the stem of its input.
FAKE = """#!{python}
import json, os, sys, time
words = sys.argv[1:]
option = lambda name: words[words.index(name) + 1] if name in words else None
here = os.path.dirname(os.path.abspath(__file__))
told = json.load(open(os.path.join(here, "told.json")))
source, out = option("-f") or option("-fdir"), option("-out_dir")
stem = os.path.splitext(os.path.basename(source))[0]
with open(os.path.join(here, "log.txt"), "a") as log:
    log.write(" ".join(["-mloc " + str(option("-mloc")), stem, os.environ["OMP_NUM_THREADS"], out]) + "\\n")
print("Reading the landmark detector/tracker from: " + os.path.join(here, "model", "main_ceclm_general.txt"))
if not told["has_models"] and option("-mloc") is None:
    print("Could not find the CEN patch experts")
    sys.exit(1)
mine = told["videos"].get(stem, {{}})
if "-fdir" in words:
    count, names = 0, sorted(n for n in os.listdir(source) if n.endswith((".png", ".jpg")))
    count, seconds = len(names), 0.0
    json.dump(names, open(os.path.join(here, "seen.json"), "w")) if stem != "black" else None
else:
    count, seconds = mine.get("frames", {frames}), 1 / 30
black, face = (open(os.path.join(here, name), "rb").read() for name in ("black.png", "face.png"))
if mine.get("writes") == "nothing":
    sys.exit(0)
os.makedirs(os.path.join(out, stem + "_aligned"))
with open(os.path.join(out, stem + ".csv"), "w") as csv:
    csv.write("frame, face_id, timestamp, confidence, success\\n")
    for frame in range(1, count + 1):
        found = stem != "black" and frame > 10
        csv.write(f"{{frame}}, 0, {{(frame - 1) * seconds:.3f}}, {{0.98 * found:.2f}}, {{int(found)}}\\n")
        if frame == mine.get("crash_at"):
            csv.flush()
            os.abort()
        with open(os.path.join(out, stem + "_aligned", f"frame_det_00_{{frame:06d}}.png"), "wb") as image:
            image.write(face if found else black)
        if frame == mine.get("hang_at"):
            with open(os.path.join(here, "pid.new"), "w") as pid:
                pid.write(str(os.getpid()))
            os.replace(os.path.join(here, "pid.new"), os.path.join(here, "pid"))
            time.sleep(600)
sys.exit(mine.get("code", 0))
"""


def change(path: Path, section: str, **values: object) -> None:
    """Set overrides of the tiny corpus."""
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["overrides"][section] |= values
    path.write_text(yaml.safe_dump(described), encoding="utf-8")


def tell(folder: Path, has_models: bool = True, **videos: dict[str, object]) -> None:
    (folder / "told.json").write_text(json.dumps({"has_models": has_models, "videos": videos}), encoding="utf-8")


def install(folder: Path) -> Path:
    """Put a fake OpenFace into a new folder, and return that."""
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "main_ceclm_general.txt").write_text("a model", encoding="utf-8")
    command = folder / "FeatureExtraction"
    command.write_text(FAKE.format(python=sys.executable, frames=FRAMES), encoding="utf-8")
    command.chmod(0o755)
    face = np.full((224, 224, 3), 128, np.uint8)
    cv2.imwrite(str(folder / "face.png"), face)
    cv2.imwrite(str(folder / "black.png"), np.zeros_like(face))
    tell(folder)
    return folder


@pytest.fixture
def openface(tmp_path: Path) -> Path:
    """Return a folder with a fake OpenFace."""
    return install(tmp_path / "OpenFace")


@pytest.fixture
def here(begin: Begin, openface: Path) -> Path:
    """Return a project whose corpus is indexed and is to be aligned by the fake OpenFace."""
    folder = begin("index")
    change(TINY, "align", method="openface", openface_folder=str(openface), processes=2)
    return folder


def log(openface: Path) -> list[str]:
    return (openface / "log.txt").read_text(encoding="utf-8").splitlines()


def test_openface_aligns_every_video_and_its_images_are_stored_as_they_came(
    here: Path, openface: Path, stage: Run
) -> None:
    told = stage("align")
    assert told.code == 0, told.err
    assert told.out.startswith("align: 3 videos, 450 frames")
    with frames.open(here / "data/frames/ann_1.h5") as shard:
        assert len(shard) == FRAMES
        assert shard.columns.face_found.tolist() == [False] * 10 + [True] * 140
        assert shard.columns.frame_label.tolist() == list(range(FRAMES))  # the corpus counts from 0, OpenFace from 1
        assert shard.read(9) == (openface / "black.png").read_bytes()
        assert shard.read(10) == (openface / "face.png").read_bytes()
    run = manifest.read(here / "data/frames").run["openface"]
    assert run["landmark_model"] == "main_ceclm_general.txt"
    assert len(run["landmark_model_sha256"]) == len(run["command_sha256"]) == 64
    assert "-simalign -simsize 224 -nomask" in run["flags"]
    assert not (here / "data/frames/.openface").exists()
    assert {line.split()[3] for line in log(openface)} == {"1"}  # a thread each, since several run side by side


def test_a_video_is_decoded_by_openface_alone(here: Path, stage: Run, decoded: Counter[str]) -> None:
    assert stage("align").code == 0
    assert set(decoded) == {"images"}  # what OpenFace wrote is looked at: black images, and corners for masks


def test_of_a_video_that_openface_reads_whole_the_wanted_frames_are_taken(
    here: Path, openface: Path, stage: Run
) -> None:
    table = [
        replace(video, frame_step=4, frame_rate=7.5, frame_count=38)
        for video in videos.read(here / "data/videos.parquet")
    ]
    videos.write(here / "data/videos.parquet", table)
    told = stage("align")
    assert told.code == 0, told.err
    assert told.out.startswith("align: 3 videos, 114 frames")
    with frames.open(here / "data/frames/ann_1.h5") as shard:
        assert shard.columns.frame_label.tolist() == list(range(0, FRAMES, 4))
        assert shard.columns.face_found.tolist() == [False] * 3 + [True] * 35
        assert np.diff(shard.columns.pts_seconds) == pytest.approx(4 / 30, abs=0.002)


def test_a_colleague_without_videos_frames_and_openface_keeps_what_git_tracks_of_the_frames(
    here: Path, openface: Path, stage: Run
) -> None:
    words = ("--stated", "frames.json")
    assert stage("align", extra=words).code == 0
    for path in (here / "corpus", here / "data/frames", openface):
        shutil.rmtree(path)
    told = stage("align", extra=words)
    assert told.code == 0, told.err
    assert "what frames.json tells of its frames still holds; whether OpenFace or its files are other" in told.out
    change(TINY, "align", method="builtin")
    assert "and its frames are to be made" in stage("align", extra=words).err


def test_what_is_current_is_kept_even_where_openface_is_not(here: Path, openface: Path, stage: Run) -> None:
    stage("align")
    before = (here / "data/frames/manifest.json").read_bytes()
    shutil.rmtree(openface)
    assert "(0 new, 3 kept)" in stage("align").out
    assert (here / "data/frames/manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"writes": "nothing", "code": 0}, "expected <stem>.csv"),
        ({"frames": 149, "code": 0}, "rows for 149 frames up to frame 149, but the video decodes to 150"),
        ({"frames": 151, "code": 0}, "rows for 151 frames up to frame 151, but the video decodes to 150"),
        ({"crash_at": 60}, "rows for 60 frames up to frame 60, but the video decodes to 150"),
    ],
)
def test_a_video_that_openface_fails_on_is_listed_and_the_others_are_done(
    here: Path, openface: Path, stage: Run, fault: dict[str, object], told: str
) -> None:
    tell(openface, ben_1=fault)
    ended = stage("align")
    assert ended.code == 3
    listed = (here / "data/frames/failures.csv").read_text(encoding="utf-8")
    assert "ben_1" in listed
    assert "OpenFace ended with exit code" in listed
    assert told in listed
    assert sorted(path.name for path in (here / "data/frames").glob("*.h5")) == ["ann_1.h5", "cem_1.h5"]
    assert "ben_1" not in manifest.read(here / "data/frames").shards
    # Once OpenFace can, only that video is made.
    tell(openface)
    assert "(1 new, 2 kept)" in stage("align").out
    assert not (here / "data/frames/failures.csv").exists()


def test_an_exit_code_that_claims_failure_does_not_matter_when_everything_is_there(
    here: Path, openface: Path, stage: Run
) -> None:
    tell(openface, ben_1={"code": 1})
    assert stage("align").code == 0


def test_partial_output_of_a_killed_run_is_not_taken_over(here: Path, stage: Run) -> None:
    stale = here / "data/frames/.openface/0123456789abcdef/ann_1/0123/output/ann_1_aligned"
    stale.mkdir(parents=True)
    (stale / "frame_det_00_000001.png").write_bytes(b"half an image")
    assert stage("align").code == 0
    assert not stale.exists()


def test_every_run_has_an_output_folder_of_its_own(here: Path, openface: Path, stage: Run) -> None:
    stage("align")
    outputs = [line.split()[4] for line in log(openface)]
    assert len(set(outputs)) == len(outputs) == 4  # three videos, and the trial


def test_openface_that_is_nowhere_is_said_before_anything_is_done(here: Path, stage: Run, tmp_path: Path) -> None:
    change(TINY, "align", openface_folder=str(tmp_path / "nowhere"))
    told = stage("align")
    assert told.code == 4
    assert f"FeatureExtraction is not in {tmp_path}/nowhere, nor in bin or build/bin there. Install" in told.err
    assert "align.openface_folder" in told.err


def test_openface_is_found_by_the_variable_and_on_the_path(
    here: Path, openface: Path, stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(TINY, "align", openface_folder=None)
    monkeypatch.setenv("OPENFACE", str(openface))
    assert stage("align").code == 0
    monkeypatch.delenv("OPENFACE")
    monkeypatch.setenv("PATH", str(openface), prepend=":")
    assert stage("align", extra=("--force",)).code == 0


def test_openface_without_its_models_is_said_with_what_to_do(here: Path, openface: Path, stage: Run) -> None:
    tell(openface, has_models=False)
    told = stage("align")
    assert told.code == 4
    assert "Could not find the CEN patch experts" in told.err
    assert "main_clnf_general.txt" in told.err
    change(TINY, "align", openface_model="model/main_clnf_general.txt")
    assert stage("align").code == 0
    assert all(line.startswith("-mloc model/main_clnf_general.txt") for line in log(openface)[-3:])


def test_images_are_named_so_that_openface_sees_them_in_order(here: Path, openface: Path, stage: Run) -> None:
    shutil.rmtree(here / "corpus/videos")
    shutil.rmtree(here / "data")
    folder = here / "corpus/videos/ann_1"
    folder.mkdir(parents=True)
    for number in (1, 2, 3, 9, 10, 11, 12, 20, 21, 22, 23, 100):
        cv2.imwrite(str(folder / f"img{number}.JPG"), np.full((48, 48, 3), number, np.uint8))
    (here / "corpus/expressions.csv").write_text("subject,video,onset,apex,offset,emotion\nann,ann_1,,,,\n", "utf-8")
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    described["facts"] |= {"source": "images", "first_frame": 1, "frame_rate": 30.0}
    TINY.write_text(yaml.safe_dump(described), encoding="utf-8")
    told = stage("index", "align")
    assert told.code == 0, told.err
    assert json.loads((openface / "seen.json").read_text(encoding="utf-8")) == [f"{n:02d}.jpg" for n in range(1, 13)]
    with frames.open(here / "data/frames/ann_1.h5") as shard:
        assert shard.columns.frame_label.tolist() == [1, 2, 3, 9, 10, 11, 12, 20, 21, 22, 23, 100]
        assert shard.columns.pts_seconds[-1] == pytest.approx(99 / 30)


def test_another_model_or_command_of_openface_makes_every_shard_anew(here: Path, openface: Path, stage: Run) -> None:
    assert "(3 new, 0 kept)" in stage("align").out
    assert "(0 new, 3 kept)" in stage("align").out
    (openface / "model" / "cen_patches.dat").write_text("more patches", encoding="utf-8")
    told = stage("align")
    assert "(3 new, 0 kept)" in told.out
    assert "DVC does not see the files of OpenFace change" in told.err
    assert "dvc repro --single-item --force align@tiny" in told.err
    with (openface / "FeatureExtraction").open("a", encoding="utf-8") as file:
        file.write("# built again\n")
    assert "(3 new, 0 kept)" in stage("align").out


def test_frames_that_openface_made_elsewhere_are_kept_where_there_is_none(
    here: Path, openface: Path, stage: Run
) -> None:
    stage("align")
    shutil.rmtree(openface)
    assert "(0 new, 3 kept)" in stage("align").out
