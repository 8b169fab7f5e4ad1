"""`facespan export`: what coders' tools, players and evaluation codes read, and what is never overwritten."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pympi
import pytest
import webvtt
import yaml

from cache.columns import FrameColumns
from cache.shards import features, manifest
from stages.results import formats
from stages.shell.command import ExitCode

Run = Callable[..., Any]


def put(folder: Path, video: str, seconds: np.ndarray[Any, Any]) -> None:
    """Show the frames of a video at other times."""
    held = manifest.read(folder)
    path = folder / held.shards[video].file
    shard = features.read(path)
    columns = FrameColumns(seconds, *dataclasses.astuple(shard.columns)[1:])
    features.write(path, shard.features, columns, shard.key, shard.layer)
    entry = manifest.describe(folder, path, len(seconds), shard.key)
    manifest.write(folder, manifest.Manifest("features", {**held.shards, video: entry}, held.run))


def test_elan_gets_a_file_a_video_with_a_tier_for_each_and_the_video_beside(coded: Path, facespan: Run) -> None:
    told = facespan("export", "tiny", "--to", "elan")
    assert told.code == 0, told.err
    assert told.out == "export: 3 videos, 6 in truth, 4 in detections, 7 in corrections, in exports/tiny/elan\n"
    found = pympi.Eaf("exports/tiny/elan/ann_1.eaf")
    assert list(found.get_tier_names()) == ["corrections", "truth", "detections", "confidence (detections)"]
    # 20 / 30 s to the beginning of frame 50; 21 / 30 s and so on, in milliseconds.
    assert sorted(found.get_annotation_data_for_tier("truth")) == [(667, 1667, "happiness"), (3000, 4200, "anger")]
    detections = [(700, 1733, "happiness"), (2000, 2333, "surprise")]
    assert sorted(found.get_annotation_data_for_tier("detections")) == detections
    assert [row[2] for row in found.get_ref_annotation_data_for_tier("confidence (detections)")] == ["0.750", "0.700"]
    # The truth, and the detection that shares no frame with it.
    corrections = [(667, 1667, "happiness"), (2000, 2333, "surprise"), (3000, 4200, "anger")]
    assert sorted(found.get_annotation_data_for_tier("corrections")) == corrections
    [media] = found.get_linked_files()
    assert (coded / "exports/tiny/elan" / media["RELATIVE_MEDIA_URL"]).resolve() == coded / "corpus/videos/ann_1.avi"
    entries = found.get_cv_entries("emotions").values()
    described = yaml.safe_load((coded / "configs/corpora/tiny.yaml").read_text("utf-8"))
    assert [values[0][0] for values, _ in entries] == described["classes"]
    assert found.linguistic_types["emotion"]["CONTROLLED_VOCABULARY_REF"] == "emotions"


def test_what_lies_below_the_threshold_is_a_tier_of_its_own_and_proposed_to_nobody(coded: Path, facespan: Run) -> None:
    assert facespan("export", "tiny", "ann_1", "--to", "elan", "--all").code == 0
    found = pympi.Eaf("exports/tiny/elan/ann_1.eaf")
    assert list(found.get_annotation_data_for_tier("below threshold")) == [(4333, 4667, "anger")]
    assert len(list(found.get_annotation_data_for_tier("corrections"))) == 3
    assert sorted(path.name for path in Path("exports/tiny/elan").glob("*.eaf")) == ["ann_1.eaf"]


def test_a_stated_threshold_decides_what_is_a_detection(coded: Path, facespan: Run) -> None:
    told = facespan("export", "tiny", "--to", "csv", "--threshold", "0.05")
    assert "6 in detections" in told.out
    told = facespan("export", "tiny", "--to", "csv", "--threshold", "0.78", "--output", "other")
    assert "1 in detections" in told.out


def test_every_tier_of_webvtt_is_a_track_that_its_parser_reads(coded: Path, facespan: Run) -> None:
    assert facespan("export", "tiny", "--to", "webvtt").code == 0
    names = sorted(path.name for path in Path("exports/tiny/webvtt").glob("ann_1*"))
    assert names == ["ann_1.detections.vtt", "ann_1.truth.vtt"]
    cues = [(cue.start, cue.end, cue.text) for cue in webvtt.read("exports/tiny/webvtt/ann_1.detections.vtt")]
    assert cues == [
        ("00:00:00.700", "00:00:01.733", "happiness 0.75"),
        ("00:00:02.000", "00:00:02.333", "surprise 0.70"),
    ]


def test_activitynet_is_what_its_evaluation_reads(coded: Path, facespan: Run) -> None:
    assert facespan("export", "tiny", "--to", "activitynet").code == 0
    truth = json.loads(Path("exports/tiny/activitynet/truth.json").read_text("utf-8"))
    found = json.loads(Path("exports/tiny/activitynet/detections.json").read_text("utf-8"))
    # The fields that ANETdetection demands, and what it takes of each row.
    assert {"database", "taxonomy", "version"} <= truth.keys()
    assert {"results", "version", "external_data"} <= found.keys()
    assert {row["subset"] for row in truth["database"].values()} == {"validation"}
    assert truth["database"]["cem_1"]["annotations"] == [
        {"segment": [pytest.approx(20 / 30, abs=1e-3), pytest.approx(50 / 30, abs=1e-3)], "label": "happiness"},
        {"segment": [pytest.approx(90 / 30, abs=1e-3), pytest.approx(126 / 30, abs=1e-3)], "label": "anger"},
    ]
    [row] = found["results"]["cem_1"]
    assert (row["label"], row["score"]) == ("happiness", pytest.approx(0.7))


def test_fiftyone_gets_first_and_last_frame_counted_from_1(coded: Path, facespan: Run) -> None:
    assert facespan("export", "tiny", "--to", "fiftyone").code == 0
    found = json.loads(Path("exports/tiny/fiftyone/detections.json").read_text("utf-8"))
    assert set(found) == {"classes", "labels"}
    [row] = found["labels"]["videos/cem_1"]
    # Positions 20 to 49.
    assert (row["label"], row["support"], row["confidence"]) == ("happiness", [21, 50], pytest.approx(0.7))


def test_csv_and_parquet_name_frames_as_found_csv_does(coded: Path, facespan: Run) -> None:
    for name in ("csv", "parquet"):
        assert facespan("export", "tiny", "--to", name).code == 0
    with Path("exports/tiny/csv/tiny.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["tier"] == "detections"]
    with Path("results/tiny/found.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    names = ("video", "onset", "offset", "onset_seconds", "offset_seconds", "emotion", "confidence")
    assert [[row[name] for name in names] for row in rows] == [[row[name] for name in names] for row in found]
    table = pq.read_table("exports/tiny/parquet/tiny.parquet").to_pylist()
    of_ben = [(row["start"], row["stop"]) for row in table if (row["tier"], row["video"]) == ("detections", "ben_1")]
    assert of_ben == [(20, 50)]


def test_times_are_those_of_the_frames_where_the_rate_varies(coded: Path, facespan: Run) -> None:
    put(Path("data/tiny/features/ferplus"), "cem_1", np.arange(150) ** 1.5 / 100)
    assert facespan("export", "tiny", "cem_1", "--to", "elan").code == 0
    found = pympi.Eaf("exports/tiny/elan/cem_1.eaf")
    times = [math.floor(frame**1.5 / 100 * 1000 + 0.5) for frame in (20, 50)]
    assert list(found.get_annotation_data_for_tier("detections")) == [(*times, "happiness")]


@pytest.mark.parametrize("name", formats.WRITERS)
def test_names_of_classes_stand_as_they_are_in_every_format(coded: Path, facespan: Run, name: str) -> None:
    path, odd = coded / "configs/corpora/tiny.yaml", 'joy <b> & "x", --> y'
    path.write_text(path.read_text("utf-8").replace("happiness", json.dumps(odd)), encoding="utf-8")
    assert facespan("index", "tiny", "--root", "corpus", "--output", "data/tiny").code == ExitCode.INPUT
    labels = coded / "corpus/expressions.csv"
    quoted = '"' + odd.replace('"', '""') + '"'
    labels.write_text(labels.read_text("utf-8").replace("happiness", quoted), encoding="utf-8")
    assert facespan("index", "tiny", "--root", "corpus", "--output", "data/tiny").code == 0
    Path("results/tiny/detections.parquet").unlink()
    assert facespan("export", "tiny", "--to", name).code == 0
    folder = Path("exports/tiny") / name
    shown = {
        "elan": lambda: pympi.Eaf(folder / "ann_1.eaf").get_annotation_data_for_tier("truth"),
        "boris": lambda: str(json.loads((folder / "tiny.boris").read_text("utf-8"))["observations"]["ann_1 truth"]),
        "labelstudio": lambda: [one.get("value") for one in ElementTree.parse(folder / "labels.xml").iter("Label")],
        "webvtt": lambda: [cue.raw_text for cue in webvtt.read(folder / "ann_1.truth.vtt")],
        "activitynet": lambda: json.loads((folder / "truth.json").read_text("utf-8")),
        "fiftyone": lambda: json.loads((folder / "truth.json").read_text("utf-8"))["classes"],
        "csv": lambda: list(csv.reader((folder / "tiny.csv").open(encoding="utf-8", newline=""))),
        "parquet": lambda: pq.read_table(folder / "tiny.parquet").column("emotion").to_pylist(),
    }[name]()
    expected = 'joy &lt;b&gt; &amp; "x", --&gt; y' if name == "webvtt" else odd
    assert repr(expected)[1:-1] in str(shown) or expected in str(shown)


@pytest.mark.parametrize("name", formats.WRITERS)
def test_the_same_export_twice_gives_the_same_bytes(coded: Path, facespan: Run, name: str) -> None:
    contents = []
    for _ in range(2):
        assert facespan("export", "tiny", "--to", name).code == 0
        folder = Path("exports/tiny") / name
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]


def test_a_file_that_a_coder_edited_or_somebody_made_is_left_alone(coded: Path, facespan: Run) -> None:
    folder = Path("exports/tiny/elan")
    folder.mkdir(parents=True)
    (folder / "ben_1.eaf").write_text("somebody's", encoding="utf-8")
    told = facespan("export", "tiny", "--to", "elan")
    assert told.code == ExitCode.PARTIAL
    assert "exports/tiny/elan/ben_1.eaf was edited, or is not ours: left as it is; --force replaces it" in told.err
    (folder / "ann_1.eaf").write_text("edited", encoding="utf-8")
    before = (folder / "cem_1.eaf").read_bytes()
    told = facespan("export", "tiny", "--to", "elan", "--threshold", "0.9")
    assert told.code == ExitCode.PARTIAL
    assert (folder / "ann_1.eaf").read_text("utf-8") == "edited"
    assert (folder / "ben_1.eaf").read_text("utf-8") == "somebody's"
    assert (folder / "cem_1.eaf").read_bytes() != before  # ours, and nobody touched it
    assert facespan("export", "tiny", "--to", "elan", "--force").code == 0
    assert all(path.read_text("utf-8").startswith("<?xml") for path in folder.glob("*.eaf"))


def test_before_anything_was_searched_the_annotated_expressions_are_written(coded: Path, facespan: Run) -> None:
    Path("results/tiny/detections.parquet").unlink()
    told = facespan("export", "tiny", "--to", "boris")
    assert (told.code, told.out.split(",")[2]) == (0, " 0 in detections")
    assert "results/tiny has no detections: annotated expressions alone are written" in told.err


def test_without_an_evaluation_a_threshold_is_asked_for(coded: Path, facespan: Run) -> None:
    Path("results/tiny/figures.json").unlink()
    told = facespan("export", "tiny", "--to", "elan")
    assert told.code == ExitCode.INPUT
    assert "or say how confident a detection has to be: --threshold 0.5" in told.err
    assert facespan("export", "tiny", "--to", "elan", "--threshold", "0.5").code == 0


def test_a_video_without_features_fails_alone(coded: Path, facespan: Run) -> None:
    folder = Path("data/tiny/features/ferplus")
    held = manifest.read(folder)
    left = {video: entry for video, entry in held.shards.items() if video != "ben_1"}
    manifest.write(folder, manifest.Manifest("features", left, held.run))
    told = facespan("export", "tiny", "--to", "elan")
    assert told.code == ExitCode.PARTIAL
    assert "export: ben_1 failed: " in told.err
    assert sorted(path.name for path in Path("exports/tiny/elan").glob("*.eaf")) == ["ann_1.eaf", "cem_1.eaf"]


def test_what_there_is_not_is_named_with_the_nearest(coded: Path, facespan: Run) -> None:
    told = facespan("export", "tiny", "--to", "elam")
    assert told.code == ExitCode.USAGE
    assert "--to 'elam': expected one of elan, boris" in told.err
    assert "did you mean 'elan'?" in told.err
    told = facespan("export", "tiny", "ann_l", "--to", "elan")
    assert told.code == ExitCode.INPUT
    assert "there is no video 'ann_l' in data/tiny/videos.parquet (did you mean 'ann_1'?)" in told.err
    assert not Path("exports").exists()


def test_detections_that_share_frames_take_tiers_of_their_own(coded: Path, facespan: Run) -> None:
    # At 0.05 all detections of ann count; the tiny corpus has none that overlap, so the truth is made to.
    labels = coded / "corpus/expressions.csv"
    labels.write_text(labels.read_text("utf-8") + "ann,ann_1,40,,60,surprise\n", encoding="utf-8")
    assert facespan("index", "tiny", "--root", "corpus", "--output", "data/tiny").code == 0
    assert facespan("export", "tiny", "ann_1", "--to", "elan").code == 0
    found = pympi.Eaf("exports/tiny/elan/ann_1.eaf")
    assert {"truth", "truth 2", "corrections", "corrections 2"} <= set(found.get_tier_names())
    assert list(found.get_annotation_data_for_tier("truth 2")) == [(1333, 2033, "surprise")]
