"""`import facespan`: what each call answers is what the command answers or what lies in the files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.stages.conftest import Run
from tests.stages.facade.conftest import Ask

DETECTIONS, EXPRESSIONS = "results/tiny/detections.parquet", "data/tiny/expressions.parquet"
CLASSES = ("happiness", "surprise", "disgust", "anger", "fear", "sadness")


def test_importing_it_loads_nothing_heavy_and_starts_nothing(ask: Ask) -> None:
    told = ask("""
        import facespan, sys
        print({"cache", "h5py", "numpy", "pipeline", "pyarrow", "stages", "torch", "typer"} & set(sys.modules))
        print(facespan._answering)
    """)
    assert told == "set()\n{}\n"


def test_tables_are_those_of_the_files(ask: Ask) -> None:
    told = ask(f"""
        import facespan
        import pyarrow.parquet as pq
        expressions, videos = facespan.expressions("tiny"), facespan.videos("tiny")
        assert expressions.to_pylist() == pq.read_table("{EXPRESSIONS}").to_pylist()
        assert videos.to_pylist() == pq.read_table("data/tiny/videos.parquet").to_pylist()
        print(type(expressions), expressions.num_rows, videos["video"].to_pylist())
    """)
    assert told == "<class 'pyarrow.lib.Table'> 6 ['ann_1', 'ben_1', 'cem_1']\n"


def test_detections_are_those_that_show_shows_with_their_place_in_the_arrays(ask: Ask, facespan: Run) -> None:
    answered = ask("""
        import facespan, json
        print(json.dumps([facespan.detections("tiny", below=below).to_pylist() for below in (False, True)]))
    """)
    accepted, every = json.loads(answered)
    for rows, words in ((accepted, ()), (every, ("--all",))):
        shown = json.loads(facespan("show", "tiny", "--json", *words).out)
        assert len(shown) == len(rows)
        for row, line in zip(rows, shown, strict=True):
            # Of what is accepted, found.csv has seconds and overlaps rounded.
            assert {name: row[name] for name in ("video", "onset", "offset", "emotion", "confidence")} == {
                name: line[name] for name in ("video", "onset", "offset", "emotion", "confidence")
            }
            assert (row["start"], row["stop"]) == (row["onset"], row["offset"] + 1)  # numbered from 0, no gaps
    assert len(every) > len(accepted)


def test_features_are_a_mapping_of_arrays_each_checked_when_it_is_asked_for(ask: Ask, project: Path) -> None:
    folder = project / "data/tiny/features/ferplus"
    damaged = bytearray((folder / "ben_1.h5").read_bytes())
    damaged[-1000] ^= 1
    (folder / "ben_1.h5").write_bytes(damaged)
    told = ask("""
        import facespan
        features = facespan.features("tiny")
        print(features, list(features), features.subjects["cem_1"], "dan_1" in features)
        one = features["ann_1"]
        print(one.features.shape, one.features.dtype, one.face_found.shape, one.frame_label[:3], one.encoder["name"])
        try:
            features["ben_1"]
        except facespan.Error as error:
            print(error)
        print(features["cem_1"].video)
    """)
    lines = told.splitlines()
    assert lines[0] == "<features of tiny: 3 videos of 3 subjects> ['ann_1', 'ben_1', 'cem_1'] cem False"
    assert lines[1] == "(150, 512) float16 (150,) [0 1 2] random"
    assert lines[2].startswith("data/tiny/features/ferplus/ben_1.h5: found SHA-256 ")
    assert lines[3] == "cem_1"


def test_scores_and_score_are_those_of_the_commands(ask: Ask, facespan: Run) -> None:
    told = ask(f"""
        import facespan, json
        import pyarrow.parquet as pq
        print(json.dumps(facespan.scores("tiny")))
        how = {{"protocol": "all", "threshold": 0.1, "classes": {CLASSES}}}
        files = facespan.score("{DETECTIONS}", "{EXPRESSIONS}", **how)
        tables = facespan.score(pq.read_table("{DETECTIONS}"), facespan.expressions("tiny"), **how)
        assert files == tables
        print(json.dumps(files))
    """)
    scores, score = map(json.loads, told.splitlines())
    assert scores == json.loads(facespan("scores", "tiny", "--json").out)
    words = ("--detections", DETECTIONS, "--expressions", EXPRESSIONS, "--all-protocols", "--threshold", "0.1")
    shown = json.loads(facespan("score", *words, "--classes", ",".join(CLASSES), "--json").out)
    assert score == {name: value for name, value in shown.items() if name not in ("detections", "expressions")}


def test_compare_gives_the_figures_of_the_command_a_row_each(ask: Ask, facespan: Run) -> None:
    told = ask("""
        import facespan, json
        table = facespan.compare("results/tiny", "workspace", corpus="tiny", repetitions=100)
        print(json.dumps(table.to_pylist()))
    """)
    words = ("compare", "results/tiny", "workspace", "--corpus", "tiny", "--repetitions", "100", "--json")
    shown = json.loads(facespan(*words).out)["comparisons"][0]["differences"]
    rows = json.loads(told)
    assert len(rows) == 7
    for row in rows:
        line = shown[row["part"]][row["name"]]
        assert (row["value_a"], row["value_b"]) == (line["a"][0], line["b"][0])
        assert (row["b_minus_a"], row["p_value"], row["same"]) == (line["b_minus_a"], line["p_value"], line["ties"])


def test_a_detector_finds_in_unseen_people_what_detect_found(ask: Ask) -> None:
    told = ask(f"""
        import facespan
        import pyarrow.parquet as pq
        features, found = facespan.features("tiny"), []
        for video in features.values():
            detector = facespan.detector("tiny", unseen=video.subject)
            assert detector.held_out == (video.subject,)
            found += detector.search(video).to_pylist()
        assert found == pq.read_table("{DETECTIONS}").to_pylist()
        print(len(found) > 0)
        plain = detector.search(video.features, video.features).to_pylist()
        assert [row["start"] for row in plain if row["video"] == "1"] == [
            row["start"] for row in found if row["video"] == video.video
        ]
    """)
    assert told == "True\n"


def test_a_detector_refuses_whom_it_learned_from_and_another_encoders_features(ask: Ask) -> None:
    told = ask("""
        import dataclasses, facespan
        video = facespan.features("tiny")["ann_1"]
        other = dataclasses.replace(video, encoder={"name": "other"})
        for unseen, given in ((None, video), ("ann", other), ("ann", video.features[:, :3])):
            try:
                facespan.detector("tiny", unseen=unseen).search(given)
            except facespan.Error as error:
                print(error)
        try:
            facespan.detector("tiny", unseen="dan")
        except facespan.Error as error:
            print(error)
    """)
    lines = told.splitlines()
    assert lines[0].startswith("results/tiny/detectors/all.safetensors learned from ann of tiny: ")
    assert lines[0].endswith("facespan.detector('tiny', unseen='ann')")
    assert "those of ann_1 are of {'name': 'other'}" in lines[1]
    assert "3" in lines[2]
    assert lines[3] == (
        "results/tiny/detectors has no detector that left out 'dan' alone. It has some that left out ann, ben, cem"
    )


def test_a_table_becomes_a_csv_that_score_reads(ask: Ask, project: Path) -> None:
    ask(f"""
        import facespan, pyarrow.csv
        pyarrow.csv.write_csv(facespan.detections("tiny", below=True), "own.csv")
        facespan.score("own.csv", facespan.expressions("tiny"), classes={CLASSES})
    """)
    with (project / "own.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file))[:4] == ["subject", "video", "onset", "offset"]
