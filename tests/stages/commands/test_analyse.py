"""`facespan analyse`: any video, from any folder; instant the second time, nothing lost when it is stopped."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import wave
from collections import Counter
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from cache import files
from cache.analysed import parts, records
from cache.errors import InputError
from cache.media import video_files
from cache.shards import features, frames, manifest
from cache.tables import intervals
from cache.tables.intervals import Detection
from cache.weights import detector_card, face_networks, tensors
from pipeline.encoder import resnet
from stages.commands import analyse
from stages.parts import class_layers
from tests.stages import test_align_methods, test_framewise
from tests.stages.conftest import EXPRESSIONS

Run = Callable[..., Any]
Begin = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[3]
VIDEO = "corpus/videos/ann_1.avi"
AS_THEY_ARE = ("--align", "none", "--detectors", "results/detectors", "--device", "cpu")


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache folder of this test."""
    monkeypatch.setenv("FACESPAN_CACHE", str(tmp_path / "kept"))
    monkeypatch.delenv("OPENFACE", raising=False)
    return tmp_path / "kept/facespan"


@pytest.fixture(scope="module")
def networks() -> None:
    """Skip where the optional packages are not installed."""
    try:
        face_networks.read()
    except InputError as problem:
        pytest.skip(str(problem))


def below(folder: Path, pattern: str) -> Path:
    """Return the one folder of a video's that is called so."""
    [found] = folder.glob(f"videos/*/{pattern}")
    return found


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_it_finds_what_detect_finds_in_the_same_features(begin: Begin, facespan: Run, kept: Path) -> None:
    here = begin("evaluate")
    told = facespan("analyse", VIDEO, *AS_THEY_ARE, "--threshold", "0", "--csv", "found.csv")
    assert told.code == 0, told.err
    ours = features.read(below(kept, "features-*") / "00000000.0.h5").features
    assert ours.tobytes() == features.read(here / "data/features/ann_1.h5").features.tobytes()
    shutil.copytree("results/detectors", "results/only")
    for path in Path("results/only").glob("without-*"):
        path.unlink()
    # Of a corpus that nobody learned from, `detect` takes the detector that left nobody out.
    shutil.copy("configs/corpora/tiny.yaml", "configs/corpora/other.yaml")
    words = "detect other --videos data/videos.parquet --features data/features --detectors results/only --device cpu"
    told = facespan(*words.split(), "--output", "results/other.parquet", "--nested", "results/nested2.parquet")
    assert told.code == 0, told.err
    theirs = intervals.read(Path("results/other.parquet"), Detection)
    expected = [(row.start, row.stop - 1, row.emotion) for row in theirs if row.video == "ann_1"]
    found = [(int(row["onset"]), int(row["offset"]), row["emotion"]) for row in rows_of(Path("found.csv"))]
    assert found == expected
    assert found


def test_the_second_time_nothing_is_decoded_and_the_table_is_the_same(
    begin: Begin, facespan: Run, decoded: Counter[str]
) -> None:
    begin("evaluate")
    first = facespan("analyse", VIDEO, *AS_THEY_ARE)
    assert decoded["ann_1"] == 150
    decoded.clear()
    assert facespan("analyse", VIDEO, *AS_THEY_ARE).out == first.out
    assert not decoded


def test_the_second_time_torch_is_not_even_loaded(begin: Begin, facespan: Run) -> None:
    begin("evaluate")
    assert facespan("analyse", VIDEO, *AS_THEY_ARE).code == 0
    typed = ["facespan", "analyse", VIDEO, *AS_THEY_ARE]
    code = f"import sys; sys.argv = {typed!r}\nfrom stages.commands import app\ntry: app.main()\n"
    code += "finally: print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True)
    assert told.stdout.split()[-1] == b"False", told.stderr


def test_a_copy_is_known_by_its_content_and_called_by_its_own_name(
    begin: Begin, facespan: Run, decoded: Counter[str]
) -> None:
    here = begin("evaluate")
    facespan("analyse", VIDEO, *AS_THEY_ARE)
    shutil.copy(VIDEO, here / "copy of it.avi")
    decoded.clear()
    told = facespan("analyse", "copy of it.avi", *AS_THEY_ARE, "--json", "--threshold", "0")
    [video] = json.loads(told.out)
    assert video["video"] == "copy of it.avi"
    assert {row["video"] for row in video["found"]} <= {"copy of it.avi"}
    assert not decoded


def test_it_runs_from_any_folder_with_the_parameters_of_the_run(
    begin: Begin, facespan: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = begin("evaluate")
    first = facespan("analyse", VIDEO, *AS_THEY_ARE, "--json")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    words = ("--align", "none", "--detectors", str(here / "results/detectors"), "--device", "cpu", "--json")
    told = facespan("analyse", str(here / VIDEO), *words)
    assert told.code == 0, told.err
    assert told.out.replace(str(here / VIDEO), VIDEO) == first.out
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_changed_parameters_search_anew_but_align_and_encode_nothing(
    begin: Begin, facespan: Run, decoded: Counter[str]
) -> None:
    begin("evaluate")
    facespan("analyse", VIDEO, *AS_THEY_ARE)
    decoded.clear()
    path = Path("configs/params.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("  keep: 200 ", "  keep: 1 "), encoding="utf-8")
    told = facespan("analyse", VIDEO, *AS_THEY_ARE, "--threshold", "0", "--json")
    assert len(json.loads(told.out)[0]["found"]) == 1
    assert "encoder random" not in told.err
    assert not decoded


def test_what_the_detectors_learned_from_is_said_and_folds_without_one_for_all_look_together(
    begin: Begin, facespan: Run
) -> None:
    begin("evaluate")
    told = facespan("analyse", VIDEO, *AS_THEY_ARE)
    assert "detector fedn, fold all: learned from 3 people of the corpus tiny" in told.err
    assert "threshold 0.5: the run was not evaluated" in told.err
    Path("results/detectors/all.safetensors").unlink()
    told = facespan("analyse", VIDEO, *AS_THEY_ARE)
    assert told.code == 0, told.err
    assert "3 detectors fedn of tiny, each without some people: learned from 3 people" in told.err


def test_folds_that_are_sure_of_nothing_find_frames_of_the_video_all_the_same(begin: Begin, facespan: Run) -> None:
    begin("evaluate")
    Path("results/detectors/all.safetensors").unlink()
    for path, card in detector_card.read_folder(Path("results/detectors")).items():
        held = detector_card.read_finite(path)
        never = {name: np.full_like(held[name], -1e4) for name in held if name.endswith("last.1.taps.bias")}
        detector_card.write(path, held | never, card)
    configs = Path("configs/params.yaml")
    configs.write_text(configs.read_text(encoding="utf-8").replace("score_floor: 0.01", "score_floor: 0.0"), "utf-8")
    told = facespan("analyse", VIDEO, *AS_THEY_ARE, "--threshold", "0", "--json")
    assert told.code == 0, told.err
    found = json.loads(told.out)[0]["found"]
    assert {row["confidence"] for row in found} == {0.0}
    assert all(0 <= row["onset"] <= row["offset"] < 150 for row in found)


def test_the_threshold_of_an_evaluated_run_is_the_median_of_its_own(begin: Begin, facespan: Run) -> None:
    begin("evaluate")
    rows = {str(number): {"threshold": number / 8} for number in (1, 2, 7)}
    Path("results/figures.json").write_text(json.dumps({"per_subject": rows}), encoding="utf-8")
    told = facespan("analyse", VIDEO, *AS_THEY_ARE, "--json")
    assert json.loads(told.out)[0]["threshold"] == 0.25
    assert "the median of those that the evaluation of the run chose" in told.err


def test_the_table_as_csv_and_the_curves_count_frames_from_0(begin: Begin, facespan: Run) -> None:
    begin("evaluate")
    told = facespan(
        "analyse", VIDEO, *AS_THEY_ARE, "--threshold", "0", "--csv", "a/found.csv", "--curves", "curves.csv"
    )
    assert told.code == 0, told.err
    found = rows_of(Path("a/found.csv"))
    assert list(found[0]) == list(records.COLUMNS)
    for row in found:
        assert abs(float(row["offset_seconds"]) - int(row["offset"]) / 30) < 0.001
        assert 0 <= float(row["confidence"]) <= 1
    curves = rows_of(Path("curves.csv"))
    assert [int(row["frame"]) for row in curves] == list(range(150))
    assert list(curves[0])[4:] == ["face_found", "happiness", "surprise", "disgust", "anger", "fear", "sadness"]
    first = found[0]
    inside = [float(row[first["emotion"]]) for row in curves[int(first["onset"]) : int(first["offset"]) + 1]]
    assert max(inside) >= float(first["confidence"]) - 0.001


def test_where_it_is_kept_and_that_it_holds_faces_is_said(begin: Begin, facespan: Run, kept: Path) -> None:
    begin("evaluate")
    told = facespan("analyse", VIDEO, *AS_THEY_ARE)
    assert f"{kept} keeps what was made of 1 video, " in told.err
    assert "it holds faces" in told.err
    assert kept.stat().st_mode & 0o077 == 0
    assert (kept / "CACHEDIR.TAG").read_text(encoding="ascii").startswith("Signature: 8a477f597d28d172")


def test_a_folder_of_the_user_s_is_not_called_a_cache_and_only_one_below_it_is_taken(
    begin: Begin, facespan: Run, kept: Path
) -> None:
    begin("evaluate")
    kept.parent.mkdir(mode=0o755)
    kept.parent.chmod(0o755)
    (kept.parent / "thesis.txt").write_text("mine", encoding="utf-8")
    told = facespan("analyse", VIDEO, *AS_THEY_ARE)
    assert told.code == 0, told.err
    assert f"{kept} keeps what was made of 1 video" in told.err
    assert sorted(path.name for path in kept.parent.iterdir()) == ["facespan", "thesis.txt"]
    assert kept.parent.stat().st_mode & 0o777 == 0o755
    assert kept.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_happens_to_be_called_as_ours_is_left_alone(begin: Begin, facespan: Run, kept: Path) -> None:
    begin("evaluate")
    kept.mkdir(parents=True)
    (kept / "thesis.txt").write_text("mine", encoding="utf-8")
    told = facespan("analyse", VIDEO, *AS_THEY_ARE)
    assert told.code == 4
    assert f"{kept} was not made by facespan analyse: it holds thesis.txt" in told.err
    assert [path.name for path in kept.iterdir()] == ["thesis.txt"]
    assert facespan("analyse", VIDEO, *AS_THEY_ARE, "--no-keep").code == 0


def test_with_no_keep_nothing_is_left_anywhere(
    begin: Begin, facespan: Run, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("evaluate")
    (tmp_path / "room").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "room"))
    told = facespan("analyse", VIDEO, *AS_THEY_ARE, "--no-keep", "--page", "page.html")
    assert told.code == 0, told.err
    assert not kept.exists()
    assert list((tmp_path / "room").iterdir()) == []
    assert "keeps" not in told.err


@pytest.fixture
def slow(begin: Begin, tmp_path: Path) -> Callable[..., tuple[subprocess.Popen[bytes], Path]]:
    """Return a function that analyses slowly and without keeping anything, in a process of its own with faces by now.

    It returns the process, and where its temporary folders are.
    """

    def start() -> tuple[subprocess.Popen[bytes], Path]:
        begin("evaluate")
        (tmp_path / "room").mkdir()
        process = begin_slowly("--no-keep", TMPDIR=str(tmp_path / "room"))
        wait_for(process, tmp_path / "room", "*/*/videos/*/frames-*/manifest.json")
        return process, tmp_path / "room"

    return start


def begin_slowly(*words: str, **environment: str) -> subprocess.Popen[bytes]:
    code = f"import sys; sys.argv = {['facespan', 'analyse', VIDEO, *AS_THEY_ARE, *words]!r}\n"
    code += (
        "from cache.analysed import parts\nfrom cache.media import video_files\nimport time\nparts.PART_FRAMES = 40\n"
    )
    code += "right = video_files._retrieve\ndef slow(*a):\n    time.sleep(0.02)\n    return right(*a)\n"
    code += "video_files._retrieve = slow\nfrom stages.commands import app\napp.main()"
    return subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)} | environment, stderr=subprocess.PIPE
    )


def wait_for(process: subprocess.Popen[bytes], folder: Path, pattern: str) -> None:
    while not list(folder.glob(pattern)):
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.parametrize(
    "stops", [(signal.SIGTERM,), (signal.SIGHUP,), (signal.SIGHUP, signal.SIGTERM)], ids=lambda stops: len(stops)
)
def test_with_no_keep_a_run_that_is_stopped_leaves_no_faces(
    slow: Callable[..., tuple[subprocess.Popen[bytes], Path]], stops: tuple[signal.Signals, ...]
) -> None:
    process, room = slow()
    for stop in stops:
        process.send_signal(stop)
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert list(room.iterdir()) == []


def test_what_a_killed_run_was_not_to_keep_goes_at_the_next_run_of_any_kind(
    slow: Callable[..., tuple[subprocess.Popen[bytes], Path]], facespan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, room = slow()
    process.kill()
    process.communicate()
    assert list(room.rglob("*.h5"))
    monkeypatch.setattr("tempfile.tempdir", str(room))
    assert facespan("analyse", VIDEO, *AS_THEY_ARE).code == 0
    assert list(room.iterdir()) == []


def test_what_nohup_ignores_stays_ignored_and_no_handler_of_ours_is_left(
    begin: Begin, facespan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("evaluate")
    right = video_files._retrieve

    def retrieve(*words: Any) -> Any:
        os.kill(os.getpid(), signal.SIGHUP)
        return right(*words)

    monkeypatch.setattr(video_files, "_retrieve", retrieve)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        told = facespan("analyse", VIDEO, *AS_THEY_ARE)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert told.code == 0, told.err
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_page_shows_faces_of_what_was_found_and_overwrites_no_other_file(begin: Begin, facespan: Run) -> None:
    begin("evaluate")
    words = ("analyse", VIDEO, *AS_THEY_ARE, "--threshold", "0")
    told = facespan(*words, "--page", "report")
    assert told.code == 0, told.err
    page = Path("report/index.html").read_text(encoding="utf-8")
    assert "What was found in ann_1.avi" in page
    assert "/9j/" in page  # how a JPEG begins in base64
    assert "it shows faces" in told.err
    Path("mine.html").write_text("my notes", encoding="utf-8")
    told = facespan(*words, "--page", "mine.html")
    assert told.code == 4
    assert "--output" not in told.err
    assert Path("mine.html").read_text(encoding="utf-8") == "my notes"


BAD = {
    "https://example.org/a.mp4": "is an address, expected a file",
    "folder": "is a folder, expected a video file. It holds 1 of them: facespan analyse folder/a.avi",
    "gone.mp4": "does not exist",
    "empty.mp4": "is empty",
    "still.png": "is a still image: an expression is a change",
    "still.mp4": "is a still image: an expression is a change",
    "sound.wav": "holds sound and no picture",
    "sound.mp4": "holds sound and no picture",
    "junk.mp4": "does not open as a video",
    "pipe.mp4": "expected a regular file",
}


@pytest.fixture
def bad(begin: Begin) -> Path:
    """Return a project with what is no video."""
    here = begin("evaluate")
    (here / "folder").mkdir()
    shutil.copy(VIDEO, here / "folder/a.avi")
    (here / "empty.mp4").touch()
    (here / "junk.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    cv2.imwrite(str(here / "still.png"), np.zeros((32, 32, 3), np.uint8))
    shutil.copy(here / "still.png", here / "still.mp4")
    with wave.open(str(here / "sound.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    shutil.copy(here / "sound.wav", here / "sound.mp4")
    os.mkfifo(here / "pipe.mp4")
    return here


@pytest.mark.parametrize("given", BAD)
def test_what_is_no_video_is_called_what_it_is(bad: Path, facespan: Run, kept: Path, given: str) -> None:
    told = facespan("analyse", given, *AS_THEY_ARE)
    assert told.code == 4
    assert f"error: {given}" in told.err
    assert BAD[given] in told.err
    assert not list(kept.glob("videos/*"))


def test_of_several_videos_what_fails_fails_alone(bad: Path, facespan: Run) -> None:
    told = facespan("analyse", "junk.mp4", VIDEO, "gone.mp4", *AS_THEY_ARE, "--csv", "found.csv", "--threshold", "0")
    assert told.code == 3
    assert "analyse: junk.mp4 failed: junk.mp4 does not open as a video" in told.err
    assert "analyse: gone.mp4 failed: gone.mp4 does not exist" in told.err
    assert {row["video"] for row in rows_of(Path("found.csv"))} == {VIDEO}


def test_a_video_without_a_face_is_an_error_that_says_so(begin: Begin, facespan: Run, networks: None) -> None:
    begin("evaluate")
    told = facespan("analyse", VIDEO, "--align", "builtin", "--detectors", "results/detectors")
    assert told.code == 4
    assert f"no face is seen in any of the 150 frames of {VIDEO}" in told.err


WRONG = {
    ("--face", "0"): "--face 0: expected largest, all, or the number of a person",
    ("--align", "mediapipe"): "--align mediapipe: expected one of auto, openface, builtin, none",
    ("--threshold", "2"): "--threshold 2: expected 0 to 1",
    ("--threshold", "nan"): "--threshold nan: expected 0 to 1",
    (VIDEO,): f"{VIDEO} is given twice",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_cannot_be_asked_is_refused_before_anything_is_done(
    begin: Begin, facespan: Run, kept: Path, words: tuple[str, ...]
) -> None:
    begin("evaluate")
    told = facespan("analyse", VIDEO, *words)
    assert told.code == 2
    assert WRONG[words] in told.err
    assert not kept.exists()


TABLES = {
    ("--csv", "corpus/videos/ben_1.avi"): (2, "ben_1.avi is called as a video is: expected the file of a table"),
    ("--curves", "New.MP4"): (2, "--curves New.MP4 is called as a video is"),
    ("bare", "--csv", "./bare"): (2, "--csv bare is the video bare, which would be overwritten"),
    ("--csv", "a.csv", "--curves", "./a.csv"): (2, "--curves a.csv is the file of --csv"),
    ("--csv", "a.html", "--page", "a.html"): (2, "--csv a.html is the file of --page"),
    ("--csv", "mine.csv"): (4, "mine.csv does not begin with video,person,onset"),
    ("--curves", "found.csv"): (4, "found.csv does not begin with video,person,frame,seconds,face_found"),
    ("--csv", "link.csv"): (4, "link.csv is a symbolic link, expected a regular file. It would be overwritten"),
    ("--csv", "corpus"): (4, "corpus is a folder, pipe or device, expected a regular file. It would be overwritten"),
}


@pytest.mark.parametrize("words", TABLES, ids=" ".join)
def test_a_table_overwrites_nothing_but_a_table_of_its_kind(
    begin: Begin, facespan: Run, kept: Path, words: tuple[str, ...]
) -> None:
    here = begin("evaluate")
    shutil.copy(VIDEO, "bare")
    Path("mine.csv").write_text("subject,score\n1,2\n", encoding="utf-8")
    Path("found.csv").write_text(records.as_csv([]), encoding="utf-8")
    Path("link.csv").symlink_to("mine.csv")
    before = whole(here)
    told = facespan("analyse", VIDEO, *AS_THEY_ARE, *words)
    code, said = TABLES[words]
    assert told.code == code, told.err
    assert said in told.err
    assert whole(here) == before
    assert not kept.exists()


def test_a_table_of_an_earlier_run_is_written_anew_and_an_empty_file_is_filled(begin: Begin, facespan: Run) -> None:
    begin("evaluate")
    Path("found.csv").touch()
    words = ("analyse", VIDEO, *AS_THEY_ARE, "--csv", "found.csv", "--curves", "curves.csv", "--threshold")
    assert facespan(*words, "1").code == 0
    assert not rows_of(Path("found.csv"))
    assert facespan(*words, "0").code == 0
    assert rows_of(Path("found.csv"))


def test_frames_that_are_not_square_are_no_aligned_faces(begin: Begin, facespan: Run) -> None:
    begin("evaluate")
    writer = cv2.VideoWriter("wide.avi", cv2.VideoWriter.fourcc(*"MJPG"), 30, (64, 48))
    for _ in range(5):
        writer.write(np.full((48, 64, 3), 90, np.uint8))
    writer.release()
    told = facespan("analyse", "wide.avi", *AS_THEY_ARE)
    assert told.code == 4
    assert "frames of 64 x 48 pixels, and an aligned face is square" in told.err


def whole(kept: Path) -> dict[str, bytes]:
    """Return all that is kept, by name."""
    return {str(path.relative_to(kept)): path.read_bytes() for path in sorted(kept.rglob("*")) if path.is_file()}


def stop_at(monkeypatch: pytest.MonkeyPatch, count: int, problem: BaseException) -> None:
    """Raise at the retrieval of a frame, counted from 0."""
    right, seen = video_files._retrieve, iter(range(10**6))

    def retrieve(*words: Any) -> Any:
        if next(seen) == count:
            raise problem
        return right(*words)

    monkeypatch.setattr(video_files, "_retrieve", retrieve)


@pytest.mark.parametrize("stopped_at", [10, 40, 130])
def test_what_was_stopped_goes_on_and_ends_as_if_it_had_not_been(
    begin: Begin, facespan: Run, kept: Path, monkeypatch: pytest.MonkeyPatch, stopped_at: int
) -> None:
    begin("evaluate")
    monkeypatch.setattr(parts, "PART_FRAMES", 40)
    with monkeypatch.context() as patched:
        stop_at(patched, stopped_at, KeyboardInterrupt())
        told = facespan("analyse", VIDEO, *AS_THEY_ARE)
    assert told.code == 130
    assert "what is finished is kept" in told.err
    finished = {path: path.stat().st_mtime_ns for path in kept.glob("videos/*/frames-*/*.h5")}
    assert len(finished) in (stopped_at // 40, max(stopped_at - 8, 0) // 40)  # frames are decoded ahead
    assert facespan("analyse", VIDEO, *AS_THEY_ARE).code == 0
    assert finished == {path: path.stat().st_mtime_ns for path in finished}
    gone_on = whole(kept)
    shutil.rmtree(kept)
    assert facespan("analyse", VIDEO, *AS_THEY_ARE).code == 0
    assert whole(kept) == gone_on


@pytest.mark.whole_line
def test_faces_are_followed_on_as_if_nobody_had_stopped(
    begin: Begin, facespan: Run, kept: Path, monkeypatch: pytest.MonkeyPatch, networks: None, shared: Path
) -> None:
    begin("evaluate")
    monkeypatch.setattr(parts, "PART_FRAMES", 20)
    words = ("analyse", str(shared / "openface/inputs/multi_face_2s.avi"), "--face", "all", "--align", "builtin")
    words += ("--detectors", "results/detectors", "--json")
    with monkeypatch.context() as patched:
        stop_at(patched, 55, KeyboardInterrupt())
        assert facespan(*words).code == 130
    assert len(list(kept.glob("videos/*/frames-*/*.h5"))) == 4
    told = facespan(*words)
    assert told.code == 0, told.err
    [video] = json.loads(told.out)
    assert video["people"] == [
        {"person": 1, "frames_with_face": 60, "is_analysed": True},
        {"person": 2, "frames_with_face": 60, "is_analysed": True},
    ]
    gone_on = whole(kept)
    shutil.rmtree(kept)
    assert facespan(*words).out == told.out
    assert whole(kept) == gone_on


def test_of_two_people_the_largest_is_taken_and_the_other_is_said(
    begin: Begin, facespan: Run, networks: None, shared: Path
) -> None:
    begin("evaluate")
    video = str(shared / "openface/inputs/multi_face_2s.avi")
    told = facespan("analyse", video, "--align", "builtin", "--detectors", "results/detectors", "--json")
    people = json.loads(told.out)[0]["people"]
    assert [person["is_analysed"] for person in people].count(True) == 1
    assert "2 people are seen (person 1 in 60 frames, person 2 in 60 frames): analysed is" in told.err
    told = facespan("analyse", video, "--align", "builtin", "--detectors", "results/detectors", "--face", "3")
    assert told.code == 4
    assert "there is no person 3: 2 were seen" in told.err


def test_a_variable_rate_is_kept_true(begin: Begin, facespan: Run, networks: None, shared: Path) -> None:
    begin("evaluate")
    path = shared / "faces/videos/pyfeat_face_noface.mov"
    told = facespan("analyse", str(path), "--align", "builtin", "--detectors", "results/detectors", "--curves", "c.csv")
    assert told.code == 0, told.err
    playback = video_files.Playback(path)
    assert sum(1 for _ in playback.grab(1)) == 169
    seconds = playback.seconds()
    assert np.ptp(np.diff(seconds)) > 0.01
    curves = rows_of(Path("c.csv"))
    assert [row["seconds"] for row in curves] == [f"{told:.3f}" for told in seconds]
    assert {row["face_found"] for row in curves} == {"0", "1"}


def test_a_full_disk_in_the_middle_keeps_what_is_finished(
    begin: Begin, facespan: Run, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("evaluate")
    monkeypatch.setattr(parts, "PART_FRAMES", 40)
    right, written = frames.write, iter(range(100))

    def write(path: Path, *words: Any, **named: Any) -> int:
        if next(written) == 2:
            with files.explain_failures(path):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return right(path, *words, **named)

    with monkeypatch.context() as patched:
        patched.setattr(frames, "write", write)
        told = facespan("analyse", VIDEO, *AS_THEY_ARE)
    assert told.code == 4
    assert "the disk is full: free some space and run the same command again" in told.err
    assert len(manifest.read(below(kept, "frames-*")).shards) == 2
    assert facespan("analyse", VIDEO, *AS_THEY_ARE).code == 0


def test_what_is_damaged_in_the_cache_is_made_again(begin: Begin, facespan: Run, kept: Path) -> None:
    begin("evaluate")
    first = facespan("analyse", VIDEO, *AS_THEY_ARE)
    shutil.rmtree(below(kept, "found-*"))
    path = below(kept, "features-*/*.h5")
    damaged = bytearray(path.read_bytes())
    damaged[-1000] ^= 1
    path.write_bytes(damaged)
    told = facespan("analyse", VIDEO, *AS_THEY_ARE)
    assert told.code == 0, told.err
    assert f"What was kept of {VIDEO} is damaged and made again" in told.err
    assert told.out == first.out
    (below(kept, "found-*") / records.NAME).write_text("{", encoding="utf-8")
    assert facespan("analyse", VIDEO, *AS_THEY_ARE).out == first.out


@pytest.mark.parametrize("pattern", ["found-*/curve-1.npy", "frames-*/*.h5"])
@pytest.mark.parametrize("is_missing", [False, True])
def test_a_damaged_curve_or_frame_of_one_video_is_made_again_for_curves_and_page(
    begin: Begin, facespan: Run, kept: Path, pattern: str, is_missing: bool
) -> None:
    begin("evaluate")
    words = (*AS_THEY_ARE, "--curves", "curves.csv", "--page", "page.html")
    assert facespan("analyse", VIDEO, *words).code == 0
    path = below(kept, pattern)
    path.unlink() if is_missing else path.write_bytes(path.read_bytes()[:-2000])
    told = facespan("analyse", VIDEO, "corpus/videos/ben_1.avi", *words)
    assert told.code == 0, told.err
    assert "2 videos" in told.out
    assert Counter(row["video"] for row in rows_of(Path("curves.csv"))) == {VIDEO: 150, "corpus/videos/ben_1.avi": 150}
    assert "What was found in 2 videos" in Path("page.html").read_text(encoding="utf-8")


def test_the_table_is_told_also_where_curves_cannot_be_written(begin: Begin, facespan: Run) -> None:
    begin("evaluate")
    Path("file").touch()
    for option in ("--csv", "--curves", "--page"):
        told = facespan("analyse", VIDEO, *AS_THEY_ARE, option, "file/a.html")
        assert told.code == 4
        assert "found in 1 video" in told.out


def test_features_of_frames_that_were_cut_otherwise_are_made_again(
    begin: Begin, facespan: Run, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("evaluate")
    first = facespan("analyse", VIDEO, *AS_THEY_ARE, "--threshold", "0")
    shutil.rmtree(below(kept, "found-*"))
    shutil.rmtree(below(kept, "frames-*"))
    monkeypatch.setattr(parts, "PART_FRAMES", 40)
    told = facespan("analyse", VIDEO, *AS_THEY_ARE, "--threshold", "0")
    assert told.code == 0, told.err
    assert told.out == first.out
    assert "damaged" not in told.err


def test_a_kill_leaves_no_temporary_file_and_the_next_run_goes_on(begin: Begin, facespan: Run, kept: Path) -> None:
    begin("evaluate")
    process = begin_slowly()
    wait_for(process, kept, "videos/*/frames-*/manifest.json")
    process.kill()
    process.communicate()
    assert facespan("analyse", VIDEO, *AS_THEY_ARE).code == 0
    assert not [path for path in kept.rglob("*") if path.name.endswith((".tmp", ".lock"))]


@pytest.fixture
def untrained(begin: Begin, stage: Run) -> Path:
    """Return a project without detectors, whose encoder has a class layer that knows the first person."""
    here = begin("align")
    test_framewise.WEIGHTS.mkdir()
    test_framewise.keep("known", None)
    test_framewise.override("extract", weights="known")
    told = stage("extract")
    assert told.code == 0, told.err
    test_framewise.keep("known", test_framewise.fitted())
    described = yaml.safe_load(Path("configs/params.yaml").read_text(encoding="utf-8"))
    described["extract"]["weights"] = "known"
    Path("configs/params.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    return here


def test_without_training_the_class_layer_of_the_encoder_finds_expressions(untrained: Path, facespan: Run) -> None:
    told = facespan("analyse", VIDEO, "--align", "none", "--device", "cpu", "--json", "--curves", "curves.csv")
    assert told.code == 0, told.err
    [video] = json.loads(told.out)
    assert video["classes"] == ["happiness", "anger"]
    assert [row["emotion"] for row in video["found"]] == ["happiness", "anger"]
    for row, (onset, offset, _) in zip(video["found"], EXPRESSIONS, strict=True):
        assert abs(row["onset"] - onset) <= 4
        assert abs(row["offset"] - offset) <= 4
    assert "detector framewise: trained on no video; it follows the class layer of the encoder known" in told.err
    assert "every rise over the person's usual face" in told.err
    curves = rows_of(Path("curves.csv"))
    assert float(curves[35]["happiness"]) > 0.5 > float(curves[70]["happiness"])


def test_without_training_the_encoder_is_read_and_hashed_once_a_command(
    untrained: Path, facespan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: Counter[str] = Counter()

    def count(module: Any, name: str) -> None:
        right = getattr(module, name)

        def call(*words: Any) -> Any:
            done[name] += 1
            return right(*words)

        monkeypatch.setattr(module, name, call)

    count(tensors, "read")
    count(resnet, "digest_of")
    monkeypatch.setattr(class_layers.Told, "digest", "")  # of the class layer
    told = facespan("analyse", VIDEO, "corpus/videos/ben_1.avi", "--align", "none", "--device", "cpu")
    assert told.code == 0, told.err
    assert done == {"read": 1, "digest_of": 1}


def test_parts_are_of_no_consequence_for_what_is_found(
    untrained: Path, facespan: Run, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("analyse", VIDEO, "--align", "none", "--device", "cpu")
    whole_video = facespan(*words)
    shutil.rmtree(kept)
    monkeypatch.setattr(parts, "PART_FRAMES", 64)
    assert facespan(*words).out == whole_video.out
    assert len(manifest.read(below(kept, "frames-*")).shards) == 3


def test_an_encoder_without_a_class_layer_stops_the_alignment_that_goes_on_meanwhile(
    untrained: Path, facespan: Run, decoded: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    test_framewise.keep("known", None)
    right = video_files._retrieve

    def retrieve(*words: Any) -> Any:
        futures.wait(loading)
        return right(*words)

    loading: list[futures.Future[Any]] = []
    submit = futures.ThreadPoolExecutor.submit

    def note(pool: futures.ThreadPoolExecutor, work: Any, *words: Any) -> futures.Future[Any]:
        future = submit(pool, work, *words)
        if work is analyse.load:
            loading.append(future)
        return future

    monkeypatch.setattr(futures.ThreadPoolExecutor, "submit", note)
    monkeypatch.setattr(video_files, "_retrieve", retrieve)
    for videos in ([VIDEO], [VIDEO, "corpus/videos/ben_1.avi"]):
        told = facespan("analyse", *videos, "--align", "none")
        assert told.code == 4
        assert "error: configs/weights/known.safetensors has no class layer" in told.err
        assert sum(decoded.values()) < 50
        decoded.clear()


@pytest.fixture
def openface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a fake OpenFace, which the environment names."""
    folder = test_align_methods.install(tmp_path / "OpenFace")
    monkeypatch.setenv("OPENFACE", str(folder))
    return folder


def test_openface_aligns_where_it_is_there(begin: Begin, facespan: Run, kept: Path, openface: Path) -> None:
    begin("evaluate")
    words = ("analyse", VIDEO, "--detectors", "results/detectors", "--device", "cpu", "--json")
    told = facespan(*words)
    assert told.code == 0, told.err
    [video] = json.loads(told.out)
    assert video["alignment"] == "openface"
    assert video["people"] == [{"person": 1, "frames_with_face": 140, "is_analysed": True}]
    with frames.open(below(kept, "frames-*") / "00000000.0.h5") as shard:
        assert shard.read(10) == (openface / "face.png").read_bytes()
        assert not shard.columns.face_found[:10].any()
        assert shard.columns.frame_label.tolist() == list(range(150))
    ran = len(test_align_methods.log(openface))
    assert facespan(*words).out == told.out
    assert len(test_align_methods.log(openface)) == ran


def test_a_video_by_two_methods_of_alignment_has_features_of_each(
    begin: Begin, facespan: Run, kept: Path, openface: Path
) -> None:
    begin("evaluate")
    words = ("analyse", VIDEO, *AS_THEY_ARE[2:], "--threshold", "0", "--json", "--curves", "curves.csv", "--align")
    assert facespan(*words, "openface").code == 0
    alone = rows_of(Path("curves.csv"))
    shutil.rmtree(kept)
    assert facespan(*words, "none").code == 0
    assert rows_of(Path("curves.csv")) != alone
    assert facespan(*words, "openface").code == 0
    assert rows_of(Path("curves.csv")) == alone
    assert len(list(kept.glob("videos/*/features-*"))) == 2


def test_an_openface_that_does_not_work_is_said_with_the_way_around_it(
    begin: Begin, facespan: Run, openface: Path
) -> None:
    begin("evaluate")
    test_align_methods.tell(openface, has_models=False)
    told = facespan("analyse", VIDEO, "--detectors", "results/detectors")
    assert told.code == 4
    assert "run on one image it wrote no CSV" in told.err
    assert "leave OpenFace aside: --align builtin" in told.err
