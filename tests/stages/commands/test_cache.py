"""`facespan cache`, as it is typed: what is said, how it ends, what lies there afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cache.fingerprints import stated_frames
from cache.shards import features, manifest
from cache.shards.frames import Frames
from pipeline.encoder import resnet
from pipeline.encoder.preparation import IMAGENET_DEVIATION, IMAGENET_MEAN, Preprocessing
from stages.parts import encoders
from stages.shell.command import ExitCode
from tests.cache.sharing import invented

Run = Callable[..., Any]
Begin = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[3]
FEATURES = Path("data/demo/features/ferplus")


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the features of a corpus in data/, and make its parent the current folder."""
    monkeypatch.chdir(tmp_path)
    return invented.write_corpus(Path("data/demo"))


def test_ls_lists_every_folder_by_its_manifest_alone(corpus: Path, facespan: Run) -> None:
    for path in corpus.glob("*.h5"):
        path.unlink()
    for words in ([], ["demo"], ["data/demo"]):
        told = facespan("cache", "ls", *words)
        assert told.code == ExitCode.DONE
        lines = [line.split() for line in told.out.splitlines()]
        assert lines[0] == ["folder", "kind", "corpus", "encoder", "videos", "frames", "MB", "missing"]
        assert lines[1] == [str(FEATURES), "features", "demo", "ferplus", "3", "18", "0.01", "0"]
        assert lines[2][:3] == ["data/demo/frames", "frames", "demo"]
    found = json.loads(facespan("cache", "ls", "--json").out)
    assert [one["videos"] for one in found] == [3, 3]


def test_ls_answers_before_hdf5_arrow_or_torch_are_loaded(corpus: Path) -> None:
    program = (
        "import sys\nfrom stages.commands import app\ntry:\n    app.build()(['cache', 'ls'])\n"
        "finally:\n    print(sorted({'h5py', 'pyarrow', 'torch', 'numpy', 'cv2'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(FEATURES) in told.stdout
    assert told.stdout.splitlines()[-1] == "[]"


def test_a_damaged_folder_fails_alone(corpus: Path, facespan: Run) -> None:
    Path("data/demo/frames/manifest.json").write_text("{")
    for words in (["ls"], ["info", "demo"], ["verify", str(corpus)]):
        told = facespan("cache", *words)
        assert told.code == ExitCode.SHARD
        assert "data/demo/frames/manifest.json is no manifest of format 1" in told.err
    assert str(FEATURES) in facespan("cache", "ls").out


def test_what_is_no_folder_and_no_corpus_is_missing_input_and_the_corpora_are_named(
    corpus: Path, facespan: Run
) -> None:
    for command in ("ls", "info", "verify", "gc"):
        told = facespan("cache", command, "dmeo")
        assert told.code == ExitCode.INPUT
        assert "there are no shards in dmeo, nor in data/dmeo. Name a folder of shards, or a corpus: demo" in told.err


def test_info_says_rates_alignment_encoder_and_faces(corpus: Path, facespan: Run) -> None:
    told = facespan("cache", "info", "demo", "--videos")
    assert told.code == ExitCode.DONE
    for line in (
        "  kind            features of the corpus demo",
        "  rates           30 frames/s",
        "  without a face  16.67 % of the frames (at most 16.67 %, anneliese-1)",
        "  alignment       builtin (3)",
    ):
        assert line in told.out.splitlines()
    assert "name ferplus" in told.out
    assert "normalisation grey" in told.out
    found = json.loads(facespan("cache", "info", str(corpus), "--json").out)
    assert found[0]["videos"]["anneliese-1"]["rate"] == pytest.approx(30)


def test_info_of_a_shard_that_cannot_be_read_says_so(corpus: Path, facespan: Run) -> None:
    (corpus / "anneliese-1.h5").write_bytes(b"short")
    told = facespan("cache", "info", str(corpus))
    assert told.code == ExitCode.SHARD
    assert "anneliese-1: " in told.err


def test_verify_finds_a_flipped_bit_whose_time_was_kept_and_says_what_to_run(corpus: Path, facespan: Run) -> None:
    told = facespan("cache", "verify", "demo", "--quiet")
    assert told.code == ExitCode.DONE
    assert (
        f"verify: {corpus}: sound: 3 videos, 18 frames, 0.0 MB, beside the table of videos and the frames" in told.out
    )
    invented.flip(corpus / "anneliese-1.h5")
    told = facespan("cache", "verify", "demo", "--quiet")
    assert told.code == ExitCode.DIFFERENCES
    assert "anneliese-1: damaged: data/demo/features/ferplus/anneliese-1.h5: found SHA-256" in told.out
    assert "1 fault in 1 of 3 videos" in told.out
    assert "dvc repro --single-item --force extract@demo" in told.out
    found = json.loads(facespan("cache", "verify", str(corpus), "--json", "--quiet").out)
    assert [(fault["video"], fault["problem"]) for fault in found[0]["faults"]] == [("anneliese-1", "damaged")]


SHARED = (
    "data/tiny/videos.parquet",
    "data/tiny/expressions.parquet",
    "configs/frames/tiny.json",
    "configs/weights/mine.safetensors",
    "results/tiny/detectors/all.safetensors",
    "results/tiny/detections.parquet",
    "results/tiny/nested.parquet",
    "results/tiny/curves.parquet",
)


@pytest.fixture
def shared(begin: Begin, stage: Run) -> None:
    """Lay a corpus out as `dvc.yaml` does, with an encoder of its own and detectors."""
    begin("detect")
    for old, new in (("data", "data/tiny"), ("results", "results/tiny")):
        Path(old).rename("moved")
        Path(old).mkdir()
        Path("moved").rename(new)
    features, folder = Path("data/tiny/features"), Path("data/tiny/features/mine")
    features.rename("moved")
    features.mkdir()
    Path("moved").rename(folder)
    held = manifest.read(folder)
    told = {**held.run, "encoder": {**held.run["encoder"], "name": "mine"}}
    manifest.write(folder, manifest.Manifest(held.kind, held.shards, told))
    state = {key: value.half() for key, value in resnet.random_weights(0).items()}
    encoders.write(
        encoders.FOLDER, "mine", state, Preprocessing(32, "colour", IMAGENET_MEAN, IMAGENET_DEVIATION), {"name": "mine"}
    )
    stated = stated_frames.state(manifest.read(Path("data/tiny/frames")).shards)
    stated_frames.write(Path("configs/frames/tiny.json"), stated)


@pytest.mark.whole_line
@pytest.mark.usefixtures("shared")
def test_verify_of_a_corpus_also_finds_what_changed_in_tables_detectors_and_encoders(facespan: Run) -> None:
    for words in (["tiny"], ["data/tiny"], []):
        told = facespan("cache", "verify", *words, "--quiet")
        assert told.code == ExitCode.DONE, told.out + told.err
        assert "verify: data/tiny: sound: 11 other files" in told.out
    for number, name in enumerate(SHARED):
        path = Path(name)
        place = path.stat().st_size * (number + 1) // (len(SHARED) + 2)
        invented.flip(path, place)
        told = facespan("cache", "verify", "tiny", "--quiet")
        assert told.code == ExitCode.DIFFERENCES
        assert f"damaged: {name} " in told.out
        assert "verify: data/tiny: 1 fault in 11 other files" in told.out
        found = json.loads(facespan("cache", "verify", "tiny", "--quiet", "--json").out)
        assert [one["problem"] for report in found for one in report["faults"]] == ["damaged"]
        invented.flip(path, place)
    invented.flip(Path(SHARED[0]), 100)
    told = facespan("cache", "verify", "data/tiny/features/mine", "--quiet")
    assert told.code == ExitCode.DIFFERENCES
    assert "data/tiny/videos.parquet is not as it was written" in told.out


@pytest.mark.usefixtures("shared")
def test_images_are_held_against_what_their_shard_says_once_and_their_digest_is_always_taken(
    facespan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".dvc").mkdir()
    held: list[object] = []
    compute = Frames._compute_digest
    monkeypatch.setattr(Frames, "_compute_digest", lambda opened: held.append(opened) or compute(opened))
    for expected in (3, 3):
        assert facespan("cache", "verify", "data/tiny/frames", "--quiet").code == ExitCode.DONE
        assert len(held) == expected
    invented.flip(Path("data/tiny/frames/ben_1.h5"), 5000)
    told = facespan("cache", "verify", "data/tiny/frames", "--quiet")
    assert told.code == ExitCode.DIFFERENCES
    assert "ben_1: damaged" in told.out


def test_what_verify_says_to_run_repairs_that_video_alone(begin: Begin, stage: Run, facespan: Run) -> None:
    begin("extract")
    whole = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path("data/features").glob("*.h5")}
    invented.flip(Path("data/features/ben_1.h5"), 4000)
    assert facespan("cache", "verify", "data", "--quiet").code == ExitCode.DIFFERENCES
    assert "(1 new, 2 kept)" in stage("extract").out
    for name, (content, time) in whole.items():
        path = Path("data/features") / name
        assert path.read_bytes() == content
        assert (path.stat().st_mtime_ns == time) is (name != "ben_1.h5")
    assert facespan("cache", "verify", "data", "--quiet").code == ExitCode.DONE


def test_features_made_here_state_their_key_so_that_other_frames_are_found(begin: Begin, facespan: Run) -> None:
    begin("extract")
    frames = Path("data/frames")
    shutil.copy(frames / "ben_1.h5", frames / "cem_1.h5")
    invented.restate(frames, "cem_1")
    told = facespan("cache", "verify", "data/features", "--quiet")
    assert told.code == ExitCode.DIFFERENCES
    assert "cem_1: key: made from other frames than those in place" in told.out


def test_verify_encodes_a_sample_again_and_finds_features_of_another_frame(begin: Begin, facespan: Run) -> None:
    begin("extract")
    words = ("cache", "verify", "data/features", "--sample", "20", "--device", "cpu", "--quiet")
    told = facespan(*words)
    assert told.code == ExitCode.DONE
    assert "sample: encoded again by random on cpu, 20 frames with a face: largest difference" in told.out
    assert "within tolerance 0.01" in told.out

    shard = features.read(Path("data/features/ben_1.h5"))
    features.write(Path("data/features/ben_1.h5"), shard.features[::-1], shard.columns, shard.key, shard.layer)
    invented.restate(Path("data/features"), "ben_1")
    told = facespan(*words)
    assert told.code == ExitCode.DIFFERENCES
    assert "NOT WITHIN tolerance 0.01" in told.out
    found = json.loads(facespan(*words, "--json").out)
    assert found[0]["sample"]["within"] is False
    assert found[0]["sample"]["agreement"]["smallest_cosine"] < 1


def test_a_sample_that_is_not_taken_is_told_of(corpus: Path, facespan: Run) -> None:
    invented.flip(corpus / "anneliese-1.h5")
    told = facespan("cache", "verify", "demo", "--sample", "2", "--quiet")
    assert told.code == ExitCode.DIFFERENCES
    assert f"no frame of {corpus} was encoded again: first what is wrong with it is to be mended" in told.err
    assert "no frame of data/demo/frames was encoded again: it holds no features" in told.err


def test_a_folder_that_lacks_something_fails_alone(corpus: Path, facespan: Run) -> None:
    shutil.copytree("data/demo/frames", "data/other/frames")
    Path("configs").mkdir()
    shutil.copy(ROOT / "configs/params.yaml", "configs")
    told = facespan("cache", "verify", "--sample", "2", "--quiet", "--json")  # the encoder is not here
    assert told.code == ExitCode.INPUT
    assert "error: " in told.err
    assert "data/other/frames" in {report["folder"] for report in json.loads(told.out)}


def test_a_sample_by_an_encoder_that_is_not_here_is_refused(begin: Begin, facespan: Run) -> None:
    begin("extract")
    held = manifest.read(Path("data/features"))
    for changed, message in (
        ({"name": "affectnet"}, "the encoder asked for is 'affectnet'"),
        ({"digest": "0" * 64}, "the encoder random in configs/weights has other weights"),
        ({"image_size": None}, "the features in data/features were made elsewhere"),
        ({"name": "../../etc"}, "cannot name a video"),
    ):
        encoder = {**held.run["encoder"], **changed}
        manifest.write(
            Path("data/features"), manifest.Manifest(held.kind, held.shards, {**held.run, "encoder": encoder})
        )
        told = facespan("cache", "verify", "data/features", "--sample", "1", "--device", "cpu", "--quiet")
        assert told.code == ExitCode.INPUT
        assert message in told.err


def test_diff_names_videos_fields_and_how_far_features_are_apart(corpus: Path, facespan: Run) -> None:
    other = invented.write_corpus(Path("theirs"), ["anneliese-1", "constance-1"], changed={"precision": "tf32"})
    values = features.read(other / "anneliese-1.h5").features.copy()
    values[0, 0] += np.float16(0.5)
    shard = features.read(other / "anneliese-1.h5")
    features.write(other / "anneliese-1.h5", values, shard.columns, shard.key, shard.layer)
    invented.restate(other, "anneliese-1")
    told = facespan("cache", "diff", "demo", "theirs")
    assert told.code == ExitCode.DIFFERENCES
    lines = told.out.splitlines()
    assert lines[2:5] == [
        "key: precision float32 / tf32",
        "only A: 2 videos: anneliese-2, bartholomew-1",
        "only B: 1 video: constance-1",
    ]
    assert lines[5].startswith("anneliese-1: key: precision; 5 frames with a face: largest difference 0.5 (of values")
    assert facespan("cache", "diff", "demo", str(corpus)).code == ExitCode.DONE
    found = json.loads(facespan("cache", "diff", "demo", "theirs", "--json").out)
    assert found["videos"]["anneliese-1"]["largest_difference"] == pytest.approx(0.5, rel=1e-3)


def test_diff_of_frames_does_not_compare_images(corpus: Path, facespan: Run) -> None:
    told = facespan("cache", "diff", "demo", "data/demo/frames", "--kind", "frames")
    assert told.code == ExitCode.DONE


def test_merge_adds_what_is_new_and_says_what_dvc_will_do_with_it(corpus: Path, facespan: Run) -> None:
    invented.write_corpus(Path("theirs"), ["anneliese-1", "constance-1"])
    told = facespan("cache", "merge", "demo", "theirs", "--dry-run", "--quiet")
    assert told.out.startswith("merge: would copy 1 shard, ")
    assert not (corpus / "constance-1.h5").exists()
    told = facespan("cache", "merge", "demo", "theirs", "--quiet")
    assert told.code == ExitCode.DONE
    assert told.out.startswith("merge: copied 1 shard, 0.0 MB, into data/demo/features/ferplus (3 kept)")
    assert "the corpus does not name constance-1 yet: the next dvc repro removes these shards" in told.err
    assert (corpus / "constance-1.h5").read_bytes() == Path("theirs/features/ferplus/constance-1.h5").read_bytes()


def test_merge_refuses_another_encoder_and_a_damaged_folder(corpus: Path, facespan: Run) -> None:
    other = invented.write_corpus(Path("other"), ["constance-1"], changed={"encoder_digest": "d" * 64})
    told = facespan("cache", "merge", "demo", "other", "--quiet")
    assert told.code == ExitCode.INPUT
    assert "were made differently (encoder_digest " in told.err
    other = invented.write_corpus(Path("flipped"), ["constance-1"])
    invented.flip(other / "constance-1.h5")
    told = facespan("cache", "merge", "demo", "flipped", "--quiet")
    assert told.code == ExitCode.SHARD
    assert "is not sound, so nothing is taken from it: constance-1: damaged" in told.err
    assert sorted(path.name for path in corpus.glob("*.h5")) == [f"{name}.h5" for name in sorted(invented.PEOPLE)]


def test_gc_says_what_would_go_and_removes_it_only_when_told_to(corpus: Path, facespan: Run) -> None:
    invented.write_tables(Path("data/demo"), ["anneliese-1", "anneliese-2"])
    for words in ([], ["--dry-run", "--yes"]):
        told = facespan("cache", "gc", str(corpus), *words)
        assert told.code == ExitCode.DONE
        assert f"{corpus}/bartholomew-1.h5: of a video that the corpus has no more" in told.out
        assert f"gc: 1 file, 0.0 MB would go from {corpus}; remove them: --yes" in told.out
        assert (corpus / "bartholomew-1.h5").exists()
    assert f"1 file removed from {corpus}" in facespan("cache", "gc", str(corpus), "--yes").out
    assert not (corpus / "bartholomew-1.h5").exists()
    assert facespan("cache", "gc", str(corpus), "--yes").out == f"gc: {corpus} holds nothing to remove\n"
    assert facespan("cache", "verify", str(corpus), "--quiet").code == ExitCode.DONE


def test_what_was_exported_under_pseudonyms_is_imported_and_trained_on_elsewhere(
    begin: Begin, facespan: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = begin("extract")
    held = manifest.read(Path("data/features"))
    assert {"ann_1", "ben_1", "cem_1"} == set(held.shards)
    told = facespan("cache", "export", "data", "tiny.tar", "--pseudonyms", "--key", "secret.key")
    assert told.code == ExitCode.DONE, told.err
    assert "the names are by a new key in secret.key: keep it, and never hand it on" in told.err
    assert Path("secret.key").stat().st_mode & 0o777 == 0o600
    digest = told.out.split("SHA-256 ")[1].strip()

    colleague = tmp_path / "colleague"
    shutil.copytree(project / "configs", colleague / "configs")
    monkeypatch.chdir(colleague)
    told = facespan("cache", "import", str(project / "tiny.tar"), "--sha256", digest)
    assert told.code == ExitCode.DONE, told.err
    name = next(Path("data").iterdir()).name
    assert re.fullmatch("tiny-pseudonyms-[0-9a-f]{8}", name)
    counts = "3 videos under pseudonyms, 450 frames, 6 expressions"
    assert f"{counts}, features random of {name} -> data/{name}" in told.out
    assert f"configs/corpora/{name}.yaml is not here" in told.err
    shutil.copy("configs/corpora/tiny.yaml", f"configs/corpora/{name}.yaml")
    words = told.err.split("next: facespan ")[1].split()
    told = facespan(*words, "--device", "cpu", "--processes", "1")
    assert told.code == ExitCode.DONE, told.err
    assert len(list(Path(f"results/{name}/detectors").glob("*.safetensors"))) >= 3


def test_detectors_that_learned_from_people_by_name_search_nobody_of_them_under_pseudonyms(
    begin: Begin, facespan: Run, tmp_path: Path
) -> None:
    begin("train")
    assert facespan("cache", "export", "data", "tiny.tar", "--pseudonyms").code == ExitCode.DONE
    assert facespan("cache", "import", "tiny.tar", "--data", "away").code == ExitCode.DONE
    (taken,) = Path("away").iterdir()
    shutil.copy("configs/corpora/tiny.yaml", f"configs/corpora/{taken.name}.yaml")
    for name in ("tiny", taken.name):  # under its name, as of an archive of an earlier version, or the new one
        words = ["--videos", f"{taken}/videos.parquet", "--features", f"{taken}/features/random"]
        told = facespan("detect", name, *words, "--detectors", "results/detectors", "--output", "found.parquet")
        assert told.code == ExitCode.INPUT
        assert f"learned from tiny and knows none of the 3 subjects of {name} by name" in told.err
        assert not Path("found.parquet").exists()


def test_no_original_name_is_anywhere_in_an_archive_under_pseudonyms(corpus: Path, facespan: Run) -> None:
    assert facespan("cache", "export", "demo", "demo.tar").code == ExitCode.DONE
    assert b"anneliese" in Path("demo.tar").read_bytes()
    words = ("cache", "export", "demo", "demo.tar", "--pseudonyms")
    told = facespan(*words)
    assert told.code == ExitCode.INPUT
    assert "demo.tar is there already. Name another FILE, or replace it: --force" in told.err
    assert not Path("demo.tar.key").exists()
    assert facespan(*words, "--force").code == ExitCode.DONE
    assert Path("demo.tar.key").stat().st_mode & 0o777 == 0o600
    content = Path("demo.tar").read_bytes().lower()
    for name in (*invented.PEOPLE, *invented.PEOPLE.values(), Path("demo.tar.key").read_text().strip()):
        assert name.encode() not in content


def test_the_same_archive_is_exported_twice(corpus: Path, facespan: Run) -> None:
    for name in ("one.tar", "two.tar"):
        assert facespan("cache", "export", "demo", name, "--pseudonyms", "--key", "key").code == ExitCode.DONE
    assert Path("one.tar").read_bytes() == Path("two.tar").read_bytes()


def test_a_hostile_archive_is_one_line_and_leaves_nothing(corpus: Path, facespan: Run) -> None:
    assert facespan("cache", "export", "demo", "demo.tar").code == ExitCode.DONE
    invented.flip(Path("demo.tar"), 9000)
    told = facespan("cache", "import", "demo.tar", "--data", "away")
    assert told.code == ExitCode.SHARD
    assert told.err.count("\n") == 1
    assert list(Path("away").iterdir()) == []


def test_an_import_over_damaged_shards_of_its_own_replaces_them(corpus: Path, facespan: Run) -> None:
    assert facespan("cache", "export", "demo", "demo.tar").code == ExitCode.DONE
    words = ("cache", "import", "demo.tar", "--data", "away")
    assert facespan(*words).code == ExitCode.DONE
    taken = Path("away/demo/features/ferplus")
    before = {path.name: path.read_bytes() for path in taken.iterdir()}
    invented.flip(taken / "anneliese-1.h5")
    (taken / "bartholomew-1.h5").unlink()
    told = facespan(*words)
    assert told.code == ExitCode.DONE
    assert "2 shards there missing or damaged, now replaced: anneliese-1, bartholomew-1" in told.err
    assert {path.name: path.read_bytes() for path in taken.iterdir()} == before
    assert "now replaced" not in facespan(*words).err


def test_of_several_encoders_one_has_to_be_named(corpus: Path, facespan: Run) -> None:
    shutil.copytree(corpus, "data/demo/features/affectnet")
    told = facespan("cache", "export", "demo", "demo.tar")
    assert told.code == ExitCode.INPUT
    assert "there are several: data/demo/features/affectnet, data/demo/features/ferplus. Name one of them" in told.err
    assert facespan("cache", "export", str(corpus), "demo.tar").code == ExitCode.DONE
