"""A wrong --output deletes and overwrites nothing: what a stage removes from a folder, its own manifest has named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cache.shards import manifest
from cache.sharing import integrity
from cache.sharing.integrity import Beside
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
FRAMES = Path("data/frames")
FEATURES = Path("data/features")
ELSEWHERE = Path("elsewhere")
BEFORE = {"align": "index", "extract": "align"}
FOLDERS = {"align": FRAMES, "extract": FEATURES}


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def put(path: Path, content: bytes = b"years of work") -> None:
    """Write somebody's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def change_run(folder: Path, **facts: object) -> None:
    """Change what a manifest says of its run; None takes a fact away."""
    held = manifest.read(folder)
    run = {name: value for name, value in {**held.run, **facts}.items() if value is not None}
    manifest.write(folder, replace(held, run=run))


@pytest.mark.parametrize("name", BEFORE)
@pytest.mark.parametrize("file", ["precious.h5", "ann_1.h5", "ab/precious.h5", "failures.csv"])
def test_a_folder_of_somebody_elses_files_is_refused_before_anything_is_written(
    begin: Begin, stage: Run, name: str, file: str
) -> None:
    begin(BEFORE[name])
    put(ELSEWHERE / file)
    put(ELSEWHERE / "notes.txt")
    before = contents(ELSEWHERE)
    for extra in ((), ("--dry-run",), ("--force",)):
        told = stage(name, extra=("--output", str(ELSEWHERE), *extra))
        assert told.code == ExitCode.INPUT
        assert f"error: elsewhere holds {file}, but no manifest.json that says that this was made here" in told.err
        assert "Give an --output of its own" in told.err
    assert contents(ELSEWHERE) == before


@pytest.mark.parametrize("name", BEFORE)
def test_shards_in_folders_inside_are_left_alone(begin: Begin, stage: Run, name: str) -> None:
    begin("extract")
    shutil.move(FOLDERS[name], "inside")
    for inner in ("imagenet", "ab"):
        shutil.copytree("inside", FOLDERS[name] / inner)
    put(FOLDERS[name] / "old/precious.h5")
    before = contents(FOLDERS[name])
    for new, kept in ((3, 0), (0, 3)):
        told = stage(name)
        assert told.code == ExitCode.DONE, told.err
        assert f"({new} new, {kept} kept)" in told.out
        assert "removed" not in told.err
    assert before.items() <= contents(FOLDERS[name]).items()


def test_a_folder_of_another_kind_of_shard_is_refused_and_not_emptied(begin: Begin, stage: Run) -> None:
    begin("extract")
    before = contents(Path("data"))
    told = stage("align", extra=("--output", str(FEATURES)))
    assert told.code == ExitCode.INPUT
    assert "data/features holds features of the corpus tiny, expected frames of the corpus tiny" in told.err
    told = stage("extract", extra=("--output", str(FRAMES)))
    assert told.code == ExitCode.INPUT
    assert "data/frames holds frames of the corpus tiny, expected features" in told.err
    told = stage("extract", extra=("--frames", str(FEATURES)))
    assert told.code == ExitCode.INPUT
    assert "data/features holds features, expected frames. Correct --frames" in told.err
    assert contents(Path("data")) == before


@pytest.mark.parametrize("name", BEFORE)
def test_the_folder_of_another_corpus_is_refused_and_not_emptied(
    begin: Begin, facespan: Run, words: Callable[[str], list[str]], name: str
) -> None:
    begin("extract")
    shutil.copy("configs/corpora/tiny.yaml", "configs/corpora/other.yaml")
    before = contents(Path("data"))
    told = facespan(name, "other", *words(name)[1:])
    assert told.code == ExitCode.INPUT
    kind = FOLDERS[name].name
    assert f"data/{kind} holds {kind} of the corpus tiny, expected {kind} of the corpus other" in told.err
    assert contents(Path("data")) == before


def test_a_manifest_of_an_earlier_version_is_known_by_its_videos(begin: Begin, stage: Run) -> None:
    begin("align")
    change_run(FRAMES, corpus=None)
    assert "(0 new, 3 kept)" in stage("align").out
    assert manifest.read(FRAMES).run["corpus"] == "tiny"
    held = manifest.read(FRAMES)
    for video in held.shards:
        (FRAMES / f"{video}.h5").rename(FRAMES / f"x{video}.h5")
    others = {f"x{video}": replace(entry, file=f"x{entry.file}") for video, entry in held.shards.items()}
    manifest.write(FRAMES, replace(held, shards=others, run={}))
    before = contents(FRAMES)
    told = stage("align")
    assert told.code == ExitCode.INPUT
    assert "of the corpus with the videos xann_1, xben_1, xcem_1, expected frames of the corpus tiny" in told.err
    assert contents(FRAMES) == before


@pytest.mark.parametrize("name", BEFORE)
@pytest.mark.parametrize("content", [b'{"name": "a web page", "icons": []}', b"", b"{"])
def test_a_folder_with_a_manifest_that_is_none_of_ours_is_refused(
    begin: Begin, stage: Run, name: str, content: bytes
) -> None:
    begin("extract")
    put(FOLDERS[name] / "manifest.json", content)
    before = contents(FOLDERS[name])
    told = stage(name)
    assert told.code == ExitCode.SHARD
    assert "manifest.json is no manifest of format 1" in told.err
    assert "nothing is written there: fetch it again, move manifest.json and the shards away" in told.err
    assert contents(FOLDERS[name]) == before


def leave(video: str) -> None:
    """Take a video out of the corpus."""
    Path(f"corpus/videos/{video}.avi").unlink()
    labels = Path("corpus/expressions.csv")
    kept = [line for line in labels.open(encoding="utf-8") if video not in line]
    labels.write_text("".join(kept), encoding="utf-8")


def test_what_is_not_as_it_was_made_is_not_removed(begin: Begin, stage: Run) -> None:
    begin("extract")
    leave("cem_1")
    put(FRAMES / "cem_1.h5")
    put(FRAMES / "mine.h5")
    told = stage("index", "align")
    assert told.code == ExitCode.DONE
    assert "data/frames/cem_1.h5 belongs to no video of this corpus, but is not what was made here, and was left" in (
        told.err
    )
    assert (FRAMES / "cem_1.h5").read_bytes() == (FRAMES / "mine.h5").read_bytes() == b"years of work"
    assert sorted(manifest.read(FRAMES).shards) == ["ann_1", "ben_1"]
    assert "data/features/cem_1.h5 belongs to no video of this corpus and was removed" in stage("extract").err
    assert not (FEATURES / "cem_1.h5").exists()


@pytest.mark.parametrize("name", BEFORE)
def test_somebodys_file_in_the_place_of_a_shard_fails_that_video_alone(begin: Begin, stage: Run, name: str) -> None:
    begin("extract")
    held = manifest.read(FOLDERS[name])
    manifest.write(FOLDERS[name], replace(held, shards={v: e for v, e in held.shards.items() if v != "ben_1"}))
    put(FOLDERS[name] / "ben_1.h5")
    told = stage(name)
    assert told.code == ExitCode.PARTIAL
    assert f"ben_1 failed: {FOLDERS[name]}/ben_1.h5 lies where the shard of this video goes" in told.err
    assert (FOLDERS[name] / "ben_1.h5").read_bytes() == b"years of work"
    assert "(0 new, 2 kept)" in told.out


@pytest.mark.parametrize("name", BEFORE)
def test_a_shard_of_ours_that_nothing_states_is_made_anew(begin: Begin, stage: Run, name: str) -> None:
    begin("extract")
    before = contents(FOLDERS[name])
    held = manifest.read(FOLDERS[name])
    manifest.write(FOLDERS[name], replace(held, shards={v: e for v, e in held.shards.items() if v != "ben_1"}))
    told = stage(name)
    assert told.code == ExitCode.DONE
    assert "(1 new, 2 kept)" in told.out
    assert contents(FOLDERS[name]) == before


def test_features_stay_while_the_frames_they_are_made_from_are_missing(begin: Begin, stage: Run) -> None:
    begin("extract")
    whole = (FEATURES / "ben_1.h5").read_bytes()
    path = Path("corpus/videos/ben_1.avi")
    video = path.read_bytes()
    path.write_bytes(video[:20000])
    assert stage("align", extra=("--force",)).code == ExitCode.PARTIAL
    # What could not be made anew is as good as it was.
    assert sorted(manifest.read(FRAMES).shards) == ["ann_1", "ben_1", "cem_1"]
    (FRAMES / "ben_1.h5").unlink()
    assert stage("align").code == ExitCode.PARTIAL
    assert manifest.read(FRAMES).run["missing"] == ["ben_1"]
    told = stage("extract")
    assert told.code == ExitCode.PARTIAL
    assert "ben_1 failed: data/frames has no frames of it: align failed there, or did not finish" in told.err
    assert (FEATURES / "ben_1.h5").read_bytes() == whole
    path.write_bytes(video)
    assert stage("align", "extract").code == ExitCode.DONE
    assert (FEATURES / "ben_1.h5").read_bytes() == whole
    assert "missing" not in manifest.read(FRAMES).run


def test_a_shard_that_is_refused_now_is_removed_with_its_video_later(begin: Begin, stage: Run) -> None:
    begin("align")
    corpus, labels = Path("configs/corpora/tiny.yaml"), Path("corpus/expressions.csv")
    described = yaml.safe_load(corpus.read_text(encoding="utf-8"))
    described["overrides"]["align"] = {}  # noise is refused where nobody gives a reason to take it
    corpus.write_text(yaml.safe_dump(described), encoding="utf-8")
    assert stage("align").code == ExitCode.PARTIAL
    assert manifest.read(FRAMES).shards == {}
    assert {path.name for path in FRAMES.glob("*.h5")} == {"ann_1.h5", "ben_1.h5", "cem_1.h5"}

    labels.write_text("".join(line for line in labels.open(encoding="utf-8") if "ann" not in line), encoding="utf-8")
    Path("corpus/videos/ann_1.avi").unlink()
    told = stage("index", "align")
    assert told.code == ExitCode.PARTIAL
    assert "data/frames/ann_1.h5 belongs to no video of this corpus and was removed" in told.err
    assert {path.name for path in FRAMES.glob("*.h5")} == {"ben_1.h5", "cem_1.h5"}


def test_frames_that_are_not_there_yet_empty_no_folder_of_features(begin: Begin, stage: Run) -> None:
    begin("extract")
    held = manifest.read(FRAMES)
    manifest.write(FRAMES, replace(held, shards={}, run={**held.run, "missing": sorted(held.shards)}))
    before = contents(FEATURES)
    told = stage("extract")
    assert told.code == ExitCode.INPUT
    assert "data/frames holds no frames yet. Run: facespan align" in told.err
    assert contents(FEATURES) == before


def test_shards_move_one_folder_deeper_when_they_become_many(
    begin: Begin, stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("align")
    monkeypatch.setattr(manifest, "FLAT_COUNT", 2)
    told = stage("align")
    assert "(3 new, 0 kept)" in told.out
    assert not list(FRAMES.glob("*.h5"))
    assert sorted(path.name for path in FRAMES.glob("??/*.h5")) == ["ann_1.h5", "ben_1.h5", "cem_1.h5"]
    assert integrity.verify(FRAMES, Beside(), lambda _: None) == []
    assert "(0 new, 3 kept)" in stage("align").out


def test_the_manifest_says_whose_a_folder_is(begin: Begin) -> None:
    begin("extract")
    for folder in (FRAMES, FEATURES):
        assert json.loads((folder / "manifest.json").read_text(encoding="ascii"))["run"]["corpus"] == "tiny"
