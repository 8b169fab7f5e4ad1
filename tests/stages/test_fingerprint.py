"""The stage `fingerprint`: what it notices of a corpus, what it leaves alone, and where corpora lie."""

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
import pytest
import yaml

from cache import files, own_digest
from cache.fingerprints import stated_frames
from cache.shards import manifest
from stages.shell import places
from stages.shell.command import ExitCode

ROOT = Path(__file__).resolve().parents[2]
FILE = Path("configs/fingerprints/tiny.json")
PLACES = Path("configs/places.yaml")

Begin = Callable[..., Path]
Run = Callable[..., Any]


@pytest.fixture
def look(begin: Begin, facespan: Run) -> Callable[..., str]:
    """Return a function that runs the stage on the tiny corpus in a checkout, and returns what stands in its file."""
    here = begin()
    (here / ".dvc").mkdir()
    PLACES.write_text("tiny: corpus\n", encoding="utf-8")

    def run() -> str:
        told = facespan("fingerprint", "tiny", "--output", str(FILE))
        assert told.code == ExitCode.DONE, told.err
        return FILE.read_text(encoding="utf-8")

    return run


def write_images(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        cv2.imwrite(str(folder / f"img{number:03d}.bmp"), np.full((32, 32, 3), number % 200, np.uint8))


def overwrite(path: Path, seconds: int = 10) -> None:
    """Change a byte of a file, which is then as large as before and a little younger."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    touch(path, seconds)


def touch(path: Path, seconds: int = 10) -> None:
    """Make a file younger: a test may be too quick for a clock."""
    known = path.stat()
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns + seconds * 10**9))


def test_the_same_corpus_has_the_same_fingerprint_elsewhere_and_later(look: Callable[..., str]) -> None:
    first = look()
    assert look() == first
    shutil.copytree("corpus", "moved")
    for path in Path("moved").rglob("*.*"):
        touch(path)
    PLACES.write_text("tiny: moved\n", encoding="utf-8")
    assert look() == first


def test_no_name_stands_in_a_fingerprint(look: Callable[..., str]) -> None:
    text = look()
    assert not [name for name in ("ann", "ben", "cem", "avi", "videos", "expressions", "corpus") if name in text]


@pytest.mark.parametrize("how", ["added", "removed", "renamed", "longer", "in place", "label", "in a linked folder"])
def test_a_change_is_noticed(look: Callable[..., str], how: str) -> None:
    video, label = Path("corpus/videos/ann_1.avi"), Path("corpus/expressions.csv")
    elsewhere = Path("elsewhere")
    elsewhere.mkdir()
    (elsewhere / "dan_1.avi").write_bytes(b"dan")
    (Path("corpus/videos/more")).symlink_to(elsewhere.resolve(), target_is_directory=True)
    first = look()
    if how == "added":
        shutil.copy(video, video.with_name("dan_1.avi"))
    elif how == "removed":
        video.unlink()
    elif how == "renamed":
        video.rename(video.with_name("dan_1.avi"))
    elif how == "longer":
        video.write_bytes(video.read_bytes() + b"\0")
    elif how == "in place":
        overwrite(video)
    elif how == "label":
        label.write_text(label.read_text(encoding="utf-8").replace("49", "48"), encoding="utf-8")
    else:
        (elsewhere / "eve_1.avi").write_bytes(b"eve")
    second = look()
    assert second != first
    assert look() == second


def test_a_new_time_alone_changes_nothing_of_what_was_read_before(look: Callable[..., str], stage: Run) -> None:
    first = look()
    assert stage("index").code == ExitCode.DONE  # which reads each video
    for path in Path("corpus").rglob("*.*"):
        touch(path)
    assert look() == first


def test_what_was_never_read_counts_as_changed_when_its_time_is_new(look: Callable[..., str]) -> None:
    write_images(Path("corpus/videos/dan_1"), 120)
    first = look()
    touch(Path("corpus/videos/dan_1/img005.bmp"))
    second = look()
    differing = [a for a, b in zip(first.split("\n"), second.split("\n"), strict=True) if a != b]
    assert len([line for line in differing if "own_digest" not in line]) == 1
    touch(Path("corpus/videos/dan_1/img007.bmp"))
    assert look() == second


def test_images_are_known_from_their_alignment_and_none_is_read_a_second_time(
    look: Callable[..., str], stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree("corpus/videos")
    folder = Path("corpus/videos/dan_1")
    write_images(folder, 120)
    (folder / "notes.txt").write_text("no image", encoding="utf-8")
    Path("corpus/expressions.csv").write_text("subject,video,onset,apex,offset,emotion\ndan,dan_1,,,,\n", "utf-8")
    described = yaml.safe_load(Path("configs/corpora/tiny.yaml").read_text(encoding="utf-8"))
    described["facts"] |= {"source": "images", "first_frame": 1, "frame_rate": 30.0}
    Path("configs/corpora/tiny.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    first, hashed = look(), []
    assert stage("index").code == ExitCode.DONE
    digest = files.sha256_of
    monkeypatch.setattr(files, "sha256_of", lambda path: hashed.append(path.name) or digest(path))
    told = stage("align")
    assert told.code == ExitCode.DONE, told.err
    assert [name for name in hashed if not name.endswith(".h5")] == ["notes.txt"]
    for path in folder.iterdir():
        touch(path)
    assert look() == first
    overwrite(folder / "img005.bmp", 20)
    assert look() != first


def test_a_colleague_with_the_same_footage_agrees_with_what_changed_in_place(look: Callable[..., str]) -> None:
    write_images(Path("corpus/videos/dan_1"), 120)
    first = look()
    overwrite(Path("corpus/videos/dan_1/img005.bmp"))
    second = look()
    assert second != first
    shutil.rmtree(".dvc/facespan")
    assert look() == second
    # One who has not got the change notices that the footage is another.
    overwrite(Path("corpus/videos/dan_1/img005.bmp"))
    shutil.rmtree(".dvc/facespan")
    assert look() not in (first, second)


def test_links_that_lead_in_circles_or_nowhere_are_no_trouble(look: Callable[..., str]) -> None:
    first = look()
    videos = Path("corpus/videos")
    (videos / "self").symlink_to("self")
    (videos / "above").symlink_to("..", target_is_directory=True)
    (videos / "nowhere.avi").symlink_to("/nowhere/at/all.avi")
    (videos / ".hidden").write_bytes(b"an editor's")
    assert look() != first


def test_where_the_corpus_is_not_its_fingerprint_stays(look: Callable[..., str], facespan: Run) -> None:
    first = look()
    shutil.rmtree("corpus")
    assert look() == first
    Path("corpus").mkdir()  # a disk is to be mounted there
    for name in (".DS_Store", ".Trash"):
        Path("corpus", name).touch()
    before = FILE.stat()
    told = facespan("fingerprint", "tiny", "--output", str(FILE))
    assert "fingerprint: corpus, the folder of the corpus tiny, is empty" in told.err
    assert f"{FILE} stays as it is" in told.err
    assert FILE.stat() == before


def test_where_the_corpus_was_once_it_is_said_how_many_videos_and_what_to_type(
    look: Callable[..., str], facespan: Run
) -> None:
    look()
    Path("corpus").rename("moved")
    told = facespan("fingerprint", "tiny", "--root", "corpus", "--output", str(FILE))
    assert told.code == 0
    assert (
        "of the 3 videos and folders that were there. If they lie elsewhere now: facespan place tiny FOLDER" in told.err
    )


def test_without_corpus_and_fingerprint_it_is_said_what_to_do(begin: Begin, facespan: Run) -> None:
    begin()
    told = facespan("fingerprint", "tiny", "--output", str(FILE))
    assert told.code == ExitCode.INPUT
    assert "data/tiny/corpus, the folder of the corpus tiny, does not exist, and there is no" in told.err
    assert "facespan place tiny FOLDER" in told.err
    assert "facespan cache pull tiny" in told.err
    PLACES.write_text("tyni: corpus\n", encoding="utf-8")
    assert "(configs/places.yaml names tyni)" in facespan("fingerprint", "tiny", "--output", str(FILE)).err
    told = facespan("fingerprint", "demo", "--output", "configs/fingerprints/demo.json")
    assert told.code == ExitCode.INPUT
    assert told.err.endswith("Draw it: facespan demo\n")


def test_who_has_the_corpus_but_only_features_of_it_is_not_made_to_align(begin: Begin, facespan: Run) -> None:
    """What git tracks of the frames stays where there were none, and is corrected where some of them went."""
    here, stated = begin("align"), Path("configs/frames/tiny.json")
    (here / ".dvc").mkdir()
    PLACES.write_text("tiny: corpus\n", encoding="utf-8")
    stated.parent.mkdir()
    stated_frames.write(stated, stated_frames.state(stated_frames.present(Path("data/frames"))))
    words = ("fingerprint", "tiny", "--output", str(FILE), "--frames", "data/frames", "--stated", str(stated))
    before = stated.read_bytes()
    Path("data/frames").rename("data/elsewhere")
    for _ in range(2):
        told = facespan(*words)
        assert told.code == ExitCode.DONE, told.err
        assert f"data/frames holds no frames: what {stated} tells of those of 3 videos stays as it is" in told.err
        assert stated.read_bytes() == before
        Path("data/frames").mkdir(exist_ok=True)
    Path("data/frames").rmdir()
    Path("data/elsewhere").rename("data/frames")
    Path("data/frames/ben_1.h5").unlink()
    assert "holds the frames of 2 videos, not those of 3" in facespan(*words).err
    assert stated_frames.read(stated).videos == 2


def test_frames_that_were_here_and_are_gone_as_a_whole_are_made_again(begin: Begin, facespan: Run) -> None:
    here, stated = begin("align"), Path("configs/frames/tiny.json")
    (here / ".dvc").mkdir()
    PLACES.write_text("tiny: corpus\n", encoding="utf-8")
    stated.parent.mkdir()
    told = facespan(
        "align", "tiny", "--videos", "data/videos.parquet", "--output", "data/frames", "--stated", str(stated)
    )
    assert "(0 new, 3 kept)" in told.out, told
    shutil.rmtree("data/frames")
    told = facespan("fingerprint", "tiny", "--output", str(FILE), "--frames", "data/frames", "--stated", str(stated))
    assert "holds the frames of 0 videos, not those of 3" in told.err, told
    assert stated_frames.read(stated).videos == 0


def as_a_link(path: Path) -> None:
    path.replace("elsewhere.json")
    path.symlink_to(Path("elsewhere.json").absolute())


def of_a_later_version(path: Path) -> None:
    stored = json.loads(path.read_bytes()) | {"format": 2}
    stored["run"]["own_digest"] = own_digest.BLANK
    path.write_text(own_digest.filled(json.dumps(stored, sort_keys=True)), encoding="ascii")


def of_nobody(path: Path) -> None:
    path.write_text("{", encoding="ascii")


@pytest.mark.parametrize("change", [as_a_link, of_a_later_version, of_nobody])
def test_a_manifest_that_is_another_and_not_damaged_leaves_what_is_said_of_the_frames(
    begin: Begin, facespan: Run, change: Callable[[Path], None]
) -> None:
    begin("align")
    frames, stated = Path("data/frames"), Path("configs/frames/tiny.json")
    Path(".dvc").mkdir()
    PLACES.write_text("tiny: corpus\n", encoding="utf-8")
    stated_frames.write(stated, stated_frames.state(stated_frames.present(frames)))
    words = ("fingerprint", "tiny", "--output", str(FILE), "--frames", str(frames), "--stated", str(stated))
    whole, before = (frames / manifest.NAME).read_bytes(), stated.read_bytes()
    change(frames / manifest.NAME)
    told = facespan(*words)
    assert (told.code, f"{frames / manifest.NAME} is" in told.err) == (ExitCode.SHARD, True)
    assert stated.read_bytes() == before
    (frames / manifest.NAME).unlink()
    (frames / manifest.NAME).write_bytes(whole.replace(b'"kind"', b'"kine"'))
    told = facespan(*words)
    assert (told.code, "is damaged: align runs" in told.err) == (ExitCode.DONE, True)
    assert stated_frames.read(stated).videos == 0


@pytest.mark.parametrize("damage", ["[]", "{}", '{"format": 1, "footage": {"ann": null}, "labels": []}', "\xff"])
def test_a_damaged_fingerprint_is_refused(look: Callable[..., str], facespan: Run, damage: str) -> None:
    look()
    FILE.write_text(damage, encoding="latin-1")
    told = facespan("fingerprint", "tiny", "--output", str(FILE))
    assert told.code == ExitCode.INPUT
    assert f"{FILE} is no fingerprint of a corpus" in told.err


def test_a_bit_changed_anywhere_in_a_fingerprint_is_noticed(look: Callable[..., str], facespan: Run) -> None:
    look()
    whole, generator = FILE.read_bytes(), np.random.default_rng(0)
    for place in generator.integers(0, len(whole), 40).tolist():
        changed = bytearray(whole)
        changed[place] ^= 1 << int(generator.integers(8))
        FILE.write_bytes(changed)
        told = facespan("fingerprint", "tiny", "--output", str(FILE))
        assert told.code == ExitCode.INPUT
        assert f"{FILE} is no fingerprint of a corpus" in told.err
        assert f"git restore {FILE}" in told.err
    FILE.write_text(json.dumps({k: v for k, v in json.loads(whole).items() if k != "own_digest"}), encoding="ascii")
    assert facespan("fingerprint", "tiny", "--output", str(FILE)).code == ExitCode.DONE  # of an earlier version
    assert FILE.read_bytes() == whole


def test_a_place_is_written_for_this_machine_alone(begin: Begin, facespan: Run, tmp_path: Path) -> None:
    begin()
    assert "data/tiny/corpus, which is not there" in facespan("place", "tiny").out
    outside = tmp_path / "disk"
    shutil.copytree("corpus", outside)
    assert facespan("place", "demo", "corpus").code == ExitCode.DONE
    assert facespan("place", "tiny", str(outside)).out == f"place: tiny lies in {outside}\n"
    assert yaml.safe_load(PLACES.read_text(encoding="utf-8")) == {"demo": "corpus", "tiny": str(outside)}
    ignored = subprocess.run(["git", "check-ignore", "--quiet", str(PLACES)], cwd=ROOT, check=False).returncode
    assert ignored == 0
    assert facespan("place", "tiny", "nowhere").code == ExitCode.INPUT
    assert facespan("place", "tyni", "corpus").code == ExitCode.USAGE
    told = facespan("index", "tiny", "--output", "data")
    assert told.code == ExitCode.DONE, told.err


@pytest.mark.parametrize("text", ["tiny: [a]", "tiny:", "3: corpus", "- tiny", "tiny: 'corpus"])
def test_places_are_read_strictly(begin: Begin, facespan: Run, text: str) -> None:
    begin()
    PLACES.write_text(text, encoding="utf-8")
    told = facespan("place", "tiny")
    assert told.code == ExitCode.USAGE
    assert "configs/places.yaml" in told.err


def test_a_copy_of_the_checkout_finds_corpora_through_the_original(
    look: Callable[..., str], facespan: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, original = look(), Path.cwd()
    copy = tmp_path / "copy"
    shutil.copytree("configs", copy / "configs", ignore=shutil.ignore_patterns("places.yaml"))
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(original))
    for kind in ("footage", "checked", "detectors"):
        assert places.remembered(kind) == original / ".dvc/facespan" / kind
    overwrite(original / "corpus/videos/ann_1.avi")
    told = facespan("fingerprint", "tiny", "--output", str(FILE))
    assert told.code == ExitCode.DONE, told.err
    second = FILE.read_text(encoding="utf-8")
    assert second != first
    # What the copy noticed first, the original notices too.
    monkeypatch.chdir(original)
    assert look() == second


def test_the_stage_loads_no_large_library() -> None:
    large = ("torch", "cv2", "pyarrow", "h5py", "numpy")
    code = f"import sys, stages.fingerprint; print([name for name in {large} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
