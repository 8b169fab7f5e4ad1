"""A team on one repository: who holds the videos works as ever, who holds none trains on features, by plain `dvc`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.stages.typing_in import change, commit, dvc, facespan, queued, run, started

pytestmark = pytest.mark.whole_line

ROOT = Path(__file__).resolve().parents[2]
SHARED = ("index@tiny", "extract@tiny")
FINGERPRINT, STATED = Path("configs/fingerprints/tiny.json"), Path("configs/frames/tiny.json")
LATER = ("train", "detect", "evaluate", "report")
ALL = {f"{stage}@tiny" for stage in ("check", "fingerprint", "index", "align", "extract", *LATER)}


@pytest.fixture(scope="module")
def team(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of everything after it ran: `disk` the corpus, `home` the repository, `share` its remote."""
    folder = tmp_path_factory.mktemp("team")
    here = folder / "home"
    shutil.copytree(pristine, here)
    (here / "corpus").rename(folder / "disk")
    for name in ("cache", "pipeline", "stages"):
        shutil.copytree(ROOT / name, here / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, here)
    (here / "configs/weights").mkdir()
    (here / "configs/weights/note.txt").write_text("git keeps no empty folder\n", encoding="utf-8")

    def list_tiny(described: dict[str, Any]) -> None:
        described["corpora"] = ["tiny"]
        described["extract"]["weights"] = "random"

    def fit(described: dict[str, Any]) -> None:
        described["overrides"]["extract"] = {"random_image_size": 32, "random_seed": 0}

    change(here / "configs/params.yaml", list_tiny)
    change(here / "configs/corpora/tiny.yaml", fit)
    run(here, "git", "init", "--quiet")
    dvc(here, "init", "--quiet")
    dvc(here, "remote", "add", "--quiet", "--default", "share", str(folder / "share"))
    facespan(here, "place", "tiny", "../disk")
    assert started(dvc(here, "repro")) == ALL
    commit(here)
    dvc(here, "push", "--quiet", *SHARED)
    return folder


@pytest.fixture
def home(team: Path, tmp_path: Path) -> Path:
    """Return the repository of who holds the corpus, which lies beside it."""
    for name in ("home", "disk"):
        shutil.copytree(team / name, tmp_path / name, symlinks=True)
    facespan(tmp_path / "home", "place", "tiny", "../disk")
    return tmp_path / "home"


@pytest.fixture
def colleague(team: Path, tmp_path: Path) -> Path:
    """Return a clone that has neither corpus nor frames, with tables and features fetched."""
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", str(team / "home"), str(clone))
    dvc(clone, "pull", "--quiet", *SHARED)
    return clone


def pulled(here: Path) -> dict[str, bytes]:
    """Return the files that came from the remote."""
    features = here / "data/tiny/features/random"
    found = [*(here / "data/tiny").glob("*.parquet"), here / "data/tiny/audit.csv", *features.glob("[!.]*")]
    return {str(path.relative_to(here)): path.read_bytes() for path in found}


def stages(*names: str) -> set[str]:
    return {f"{name}@tiny" for name in names}


@pytest.mark.timeout(3600)
def test_a_colleague_without_videos_or_frames_trains_by_plain_commands(colleague: Path) -> None:
    before, tracked = pulled(colleague), run(colleague, "git", "ls-files", "-s", "configs")
    assert len(before) == 3 + 3 + 1

    told = dvc(colleague, "repro")
    assert started(told) == stages("check", "fingerprint", *LATER), told
    assert "data/tiny/corpus, the folder of the corpus tiny, does not exist" in told
    assert started(dvc(colleague, "repro")) == stages("fingerprint")

    told = dvc(colleague, "exp", "run", "-S", "configs/corpora/tiny.yaml:overrides.train.epochs=3")
    assert started(told) == stages("check", "fingerprint", *LATER), told
    run(colleague, "git", "checkout", "--quiet", "--", ".")

    told = queued(colleague, "-S", "configs/corpora/tiny.yaml:overrides.train.epochs=4")
    assert started(told) == stages("check", "fingerprint", *LATER), told

    assert pulled(colleague) == before
    assert run(colleague, "git", "status", "--short", "configs") == ""
    assert run(colleague, "git", "ls-files", "-s", "configs") == tracked
    assert not (colleague / "data/tiny/frames").exists()


@pytest.mark.timeout(3600)
def test_what_a_colleague_cannot_make_is_said_and_nothing_that_was_pulled_goes(colleague: Path) -> None:
    before, path = pulled(colleague), colleague / "configs/corpora/tiny.yaml"
    text = path.read_text(encoding="utf-8")
    dvc(colleague, "repro", "extract@tiny")

    # Of no consequence: features are looked at, and are current without a frame.
    change(colleague / "configs/params.yaml", lambda described: described["extract"].update(batch_size=7))
    told = dvc(colleague, "repro", "extract@tiny")
    assert started(told) == stages("check", "fingerprint", "extract")
    assert "(0 new, 3 kept)" in told
    assert pulled(colleague) == before

    change(path, lambda described: described["overrides"]["extract"].update(random_seed=1))
    told = dvc(colleague, "repro", "extract@tiny", expected=255)
    assert (
        "features of 3 videos (ann_1, ben_1, cem_1) are to be made, and the frames that configs/frames/tiny.json"
        in told
    )
    assert "facespan cache pull tiny --frames" in told
    path.write_text(text, encoding="utf-8")

    # Of no consequence for `none` but the images decoded, which are not here.
    change(path, lambda described: described["overrides"]["align"].update(quality=80))
    told = dvc(colleague, "repro", "extract@tiny", expected=255)
    assert "and its frames are to be made" in told
    path.write_text(text, encoding="utf-8")

    change(path, lambda described: described["classes"].append("contempt"))
    told = dvc(colleague, "repro", "extract@tiny", expected=255)
    assert "data/tiny/corpus, the folder of the corpus tiny, does not exist" in told
    assert "facespan cache pull tiny" in told
    assert pulled(colleague) == before


@pytest.mark.timeout(3600)
def test_features_of_other_frames_than_those_of_the_commit_are_refused(home: Path, colleague: Path) -> None:
    shutil.copy(home.parent / "disk/videos/ann_1.avi", home.parent / "disk/videos/ann_2.avi")
    with (home.parent / "disk/expressions.csv").open("a", encoding="utf-8") as file:
        file.write("ann,ann_2,20,,49,happiness\n")
    dvc(home, "repro", "extract@tiny")
    commit(home)
    run(colleague, "git", "pull", "--quiet", str(home), "HEAD")
    before = pulled(colleague)
    told = dvc(colleague, "repro", "--single-item", "extract@tiny", expected=255)
    assert "were made from others" in told
    assert "facespan cache pull tiny" in told
    assert "facespan cache pull tiny" in dvc(colleague, "repro", expected=255)
    assert pulled(colleague) == before
    dvc(home, "push", "--quiet", *SHARED)
    dvc(colleague, "pull", "--quiet", *SHARED)
    assert started(dvc(colleague, "repro", "extract@tiny")) <= stages("check", "fingerprint")
    assert len(pulled(colleague)) == len(before) + 1


@pytest.mark.timeout(3600)
def test_at_home_what_is_missing_is_made_again_and_nothing_else(home: Path) -> None:
    assert started(dvc(home, "repro")) == stages("fingerprint")
    stated = (home / STATED).read_text(encoding="utf-8")

    (home / "data/tiny/frames/ben_1.h5").unlink()
    told = dvc(home, "repro")
    assert "holds the frames of 2 videos, not those of 3" in told
    assert started(told) == stages("fingerprint", "align")
    assert "(1 new, 2 kept)" in told
    assert (home / STATED).read_text(encoding="utf-8") == stated

    shutil.rmtree(home / "data/tiny/frames")
    told = dvc(home, "repro")
    assert "holds the frames of 0 videos, not those of 3" in told
    assert started(told) == stages("fingerprint", "align")
    assert "(3 new, 0 kept)" in told
    assert (home / STATED).read_text(encoding="utf-8") == stated

    for path in (home.parent / "disk").rglob("*.*"):
        os.utime(path, (1, 1))
    assert started(dvc(home, "repro")) == stages("fingerprint")

    with (home.parent / "disk/videos/ben_1.avi").open("r+b") as file:
        file.seek(-9, os.SEEK_END)
        file.write(b"other")
    told = dvc(home, "repro", "align@tiny")
    assert started(told) == stages("fingerprint", "index", "align")
    assert "(1 new, 2 kept)" in told


@pytest.mark.timeout(3600)
def test_a_queued_experiment_at_home_takes_frames_from_the_checkout(home: Path) -> None:
    told = queued(home, "-S", "configs/corpora/tiny.yaml:overrides.extract.random_seed=1")
    assert started(told) == stages("check", "fingerprint", "extract", *LATER), told
    assert "(3 new, 0 kept)" in told


@pytest.mark.timeout(3600)
def test_a_stage_that_fails_removes_nothing(home: Path) -> None:
    before, tracked = pulled(home), (home / FINGERPRINT).read_text(encoding="utf-8")
    label = home.parent / "disk/expressions.csv"
    label.write_text("subject,video\n", encoding="utf-8")
    assert "has no column" in dvc(home, "repro", expected=255)
    assert pulled(home) == before
    assert (home / FINGERPRINT).read_text(encoding="utf-8") != tracked


def flip(path: Path, keep_time: bool) -> None:
    """Put another file in place of one, with one bit changed: DVC's own copy stays as it is."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("data/tiny/videos.parquet", "train"),
        ("data/tiny/expressions.parquet", "evaluate"),
        ("results/tiny/detectors/all.safetensors", "detect"),
        ("results/tiny/detections.parquet", "evaluate"),
    ],
)
def test_what_changed_on_the_disk_is_made_again_as_it_was_and_nothing_is_trained(
    home: Path, name: str, user: str
) -> None:
    path = home / name
    whole = path.read_bytes()
    flip(path, keep_time=False)
    told = dvc(home, "repro")
    assert path.read_bytes() == whole
    flip(path, keep_time=True)
    refused = dvc(home, "repro", "--single-item", "--force", f"{user}@tiny", expected=None)
    assert f"{path.name} is not" in refused
    assert "emove" in refused
    # Which is what the message says to do.
    path.unlink()
    told += dvc(home, "repro")
    assert path.read_bytes() == whole
    trained = [line for line in told.splitlines() if line.startswith("train: ") and " detectors (" in line]
    assert all("(0 new, " in line for line in trained), told
