"""`facespan import-annotations`: coders correct detections, the corpus trains from them; nothing is lost or doubled."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pympi
import pytest
import yaml

from cache.shards import features, manifest
from cache.tables import audit, intervals, videos
from cache.tables.intervals import NO_APEX, Expression
from stages.shell.command import ExitCode

Run = Callable[..., Any]
LABELS = Path("corpus/expressions.csv")
FILES = {"elan": "ann_1.eaf", "boris": "tiny.boris", "labelstudio": "tasks.json", "csv": "tiny.csv"}


def exported(facespan: Run, name: str, *words: str) -> Path:
    told = facespan("export", "tiny", "--to", name, *words)
    assert told.code == 0, told.err
    return Path("exports/tiny") / name / FILES[name]


def rows(video: str, path: Path = LABELS) -> list[str]:
    """Return the rows of a video, as they stand."""
    return [line for line in path.read_text("utf-8").splitlines()[1:] if line.split(",")[1] == video]


def rules(path: Path = Path("data/tiny/imported.csv")) -> list[str]:
    return [row.rule for row in audit.read(path)]


def correct_elan(path: Path) -> None:
    """Do what a coder does: move an end, name another emotion, take one out, mark a new one."""
    found = pympi.Eaf(path)
    marked = found.tiers["corrections"][0]
    by_value = {value: number for number, (_, _, value, _) in marked.items()}
    happiness, anger, surprise = (marked[by_value[name]] for name in ("happiness", "anger", "surprise"))
    found.timeslots[happiness[1]] = 1800  # the beginning of frame 54
    marked[by_value["anger"]] = (*anger[:2], "disgust", None)
    assert surprise[2] == "surprise"
    del marked[by_value["surprise"]]
    found.add_annotation("corrections", 4500, 4800, "fear")  # frames 135 to 143
    found.to_file(path)


def correct_boris(path: Path) -> None:
    project = json.loads(path.read_text("utf-8"))
    events = project["observations"]["ann_1 corrections"]["events"]
    for event in events:
        event[2] = {"anger": "disgust"}.get(event[2], event[2])
    [_, stop] = [event for event in events if event[2] == "happiness"]
    stop[0] = 1.8
    events[:] = [event for event in events if event[2] != "surprise"]
    events += [[4.5, "ann", "fear", "", "", 135], [4.8, "ann", "fear", "", "", 144]]
    path.write_text(json.dumps(project), encoding="utf-8")


def correct_label_studio(path: Path) -> None:
    tasks = json.loads(path.read_text("utf-8"))
    [task] = [task for task in tasks if task["data"]["facespan"]["video"] == "ann_1"]
    result = task["annotations"][0]["result"]
    mine = [region for region in result if region["from_name"] == "corrections"]
    by_value = {region["value"]["timelinelabels"][0]: region["value"] for region in mine}
    by_value["happiness"]["ranges"][0]["end"] = 54  # counted from 1, the last one included
    by_value["anger"]["timelinelabels"] = ["disgust"]
    result[:] = [region for region in result if region["value"] is not by_value["surprise"]]
    new = {"ranges": [{"start": 136, "end": 144}], "timelinelabels": ["fear"]}
    result.append({"id": "x", "from_name": "corrections", "to_name": "video", "type": "timelinelabels", "value": new})
    path.write_text(json.dumps(tasks), encoding="utf-8")


def correct_csv(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    kept = []
    for row in found:
        if (row["tier"], row["video"]) == ("corrections", "ann_1"):
            if row["emotion"] == "surprise":
                continue
            row["emotion"] = {"anger": "disgust"}.get(row["emotion"], row["emotion"])
            if row["emotion"] == "happiness":
                row |= {"offset": "53", "offset_seconds": ""}
        kept.append(row)
    new = {
        "tier": "corrections",
        "subject": "ann",
        "video": "ann_1",
        "onset": "135",
        "offset": "143",
        "emotion": "fear",
    }
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(found[0]), restval="")
        writer.writeheader()
        writer.writerows([*kept, new])


CODERS = {"elan": correct_elan, "boris": correct_boris, "labelstudio": correct_label_studio, "csv": correct_csv}


@pytest.mark.parametrize("name", CODERS)
def test_what_coders_corrected_becomes_rows_that_the_corpus_trains_from(coded: Path, facespan: Run, name: str) -> None:
    path = exported(facespan, name)
    before = LABELS.read_text("utf-8").splitlines()
    CODERS[name](path)
    told = facespan("import-annotations", "tiny", str(path), "--from", name)
    assert told.code == 0, told.err
    assert told.out == (
        "import-annotations: 1 videos, expressions 1 added, 2 changed, 0 removed, 0 as they were, in "
        "corpus/expressions.csv\n"
    )
    # The two that were annotated are changed where they stand, the new one is added, the proposed one is no truth.
    after = LABELS.read_text("utf-8").splitlines()
    assert after == [before[0], "ann,ann_1,20,,53,happiness", "ann,ann_1,90,,125,disgust", *before[3:],
                     "ann,ann_1,135,,143,fear"]  # fmt: skip
    noted = [(row.rule, row.row, row.before, row.after) for row in audit.read(Path("data/tiny/imported.csv"))]
    assert ("expression_changed", 2, "20-49 happiness", "20-53 happiness") in noted
    assert ("expression_changed", 3, "90-125 anger", "90-125 disgust") in noted
    assert ("expression_added", 0, "", "135-143 fear") in noted
    assert facespan("index", "tiny", "--root", "corpus", "--output", "data/tiny").code == 0
    trained = [one for one in intervals.read(Path("data/tiny/expressions.parquet"), Expression) if one.video == "ann_1"]
    assert [(one.start, one.stop, one.emotion) for one in trained] == [
        (20, 54, "happiness"), (90, 126, "disgust"), (135, 144, "fear"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", CODERS)
def test_taken_twice_nothing_is_doubled(coded: Path, facespan: Run, name: str) -> None:
    path = exported(facespan, name)
    CODERS[name](path)
    words = ("import-annotations", "tiny", str(path), "--from", name)
    assert facespan(*words).code == 0
    once = LABELS.read_bytes()
    told = facespan(*words)
    assert "0 added, 0 changed, 0 removed, 3 as they were" in told.out
    assert LABELS.read_bytes() == once


@pytest.mark.parametrize("name", CODERS)
def test_what_comes_back_untouched_is_known_and_taken_only_if_confirmed(coded: Path, facespan: Run, name: str) -> None:
    path, before = exported(facespan, name, "--all"), LABELS.read_bytes()
    told = facespan("import-annotations", "tiny", str(path), "--from", name)
    assert told.code == 0
    assert "videos came back untouched: nothing is taken of them; --confirm takes" in told.err
    assert LABELS.read_bytes() == before
    assert set(rules()) == {"came_back_untouched"}
    told = facespan("import-annotations", "tiny", str(path), "--from", name, "--confirm")
    # The truth is there already; the one detection beside it is new.
    assert "1 added, 0 changed, 0 removed" in told.out
    assert rows("ann_1")[-1] == "ann,ann_1,60,,69,surprise"


def test_columns_of_others_an_apex_that_still_fits_and_a_spreadsheets_ways_stay(coded: Path, facespan: Run) -> None:
    lines = LABELS.read_text("utf-8").splitlines()
    noted = [f"{lines[0]},note", "ann,ann_1,20,30,49,happiness,seen twice", "ann,ann_1,90,125,125,anger,",
             *(f"{line}," for line in lines[3:])]  # fmt: skip
    LABELS.write_bytes(("\ufeff" + "\r\n".join(noted) + "\r\n").encode())
    assert facespan("index", "tiny", "--root", "corpus", "--output", "data/tiny").code == 0
    path = exported(facespan, "csv", "ann_1")
    text = path.read_text("utf-8").splitlines()
    edited = [line.replace(",49,", ",53,").replace(",1.633,", ",,") if line.startswith("corrections") else line
              for line in text]  # fmt: skip
    edited = [line.replace(",125,", ",119,").replace(",4.167,", ",,") if line.startswith("corrections") else line
              for line in edited]  # fmt: skip
    path.write_text("\n".join(edited) + "\n", encoding="utf-8")
    assert facespan("import-annotations", "tiny", str(path), "--from", "csv").code == 0
    after = LABELS.read_bytes().decode().split("\r\n")
    assert after[0] == "\ufeffsubject,video,onset,apex,offset,emotion,note"
    assert after[1] == "ann,ann_1,20,30,53,happiness,seen twice"
    assert after[2] == "ann,ann_1,90,,119,anger,"  # the apex 125 lies in it no more


def test_two_coders_of_one_video_do_not_undo_each_other(coded: Path, facespan: Run) -> None:
    path = exported(facespan, "elan")
    texts = []
    for value, begin in (("fear", 4500), ("disgust", 2500)):
        found = pympi.Eaf(path)
        found.add_annotation("corrections", begin, begin + 300, value)
        other = path.with_name(f"{value}.eaf")
        found.to_file(other)
        texts.append(str(other))
    told = facespan("import-annotations", "tiny", *texts, "--from", "elan")
    assert told.code == 0, told.err
    assert sorted(rows("ann_1")) == sorted([
        "ann,ann_1,20,,49,happiness", "ann,ann_1,60,,69,surprise", "ann,ann_1,75,,83,disgust",
        "ann,ann_1,90,,125,anger", "ann,ann_1,135,,143,fear",
    ])  # fmt: skip


def test_a_video_without_any_left_is_declared_so_and_the_declaration_goes_with_the_first(
    coded: Path, facespan: Run
) -> None:
    path = exported(facespan, "elan")
    found = pympi.Eaf(path)
    found.tiers["corrections"][0].clear()
    found.to_file(path)
    told = facespan("import-annotations", "tiny", str(path), "--from", "elan")
    assert "0 added, 0 changed, 2 removed" in told.out
    assert rows("ann_1") == ["ann,ann_1,,,,"]
    # What a removed row said stands in the audit.
    assert "ann,ann_1,20,,49,happiness" in [row.note for row in audit.read(Path("data/tiny/imported.csv"))]
    assert facespan("index", "tiny", "--root", "corpus", "--output", "data/tiny").code == 0
    path = exported(facespan, "elan", "--force")
    found = pympi.Eaf(path)
    found.add_annotation("corrections", 4500, 4800, "fear")
    found.to_file(path)
    assert facespan("import-annotations", "tiny", str(path), "--from", "elan").code == 0
    assert sorted(rows("ann_1")) == [
        "ann,ann_1,135,,143,fear", "ann,ann_1,21,,51,happiness", "ann,ann_1,60,,69,surprise",
    ]  # fmt: skip


def test_a_micro_expression_has_a_tier_of_its_own_and_a_column_kind(coded: Path, facespan: Run) -> None:
    path = exported(facespan, "elan")
    found = pympi.Eaf(path)
    found.add_tier("corrections micro", "emotion")
    found.add_annotation("corrections micro", 4500, 4633, "fear")
    found.to_file(path)
    assert facespan("import-annotations", "tiny", str(path), "--from", "elan").code == 0
    assert LABELS.read_text("utf-8").splitlines()[0] == "subject,video,onset,apex,offset,emotion,kind"
    assert rows("ann_1")[-1] == "ann,ann_1,135,,138,fear,micro"
    assert facespan("index", "tiny", "--root", "corpus", "--output", "data/tiny").code == 0
    exported(facespan, "elan", "--force")
    assert list(pympi.Eaf(path).get_annotation_data_for_tier("truth micro")) == [(4500, 4633, "fear")]


FOREIGN = {"gaze": [(0, 500, "left")], "feeling": [(667, 1667, "Happiness"), (1500, 2333, "anger")]}


def foreign(path: Path, marked: dict[str, list[tuple[int, int, str]]], **options: Any) -> Path:
    """Write a file of ELAN that does not come from us."""
    found = pympi.Eaf()
    found.remove_tier("default")
    for tier, own in marked.items():
        found.add_tier(tier)
        for one in own:
            found.add_annotation(tier, *one)
    found.to_file(path)
    return path


def test_a_file_of_others_is_added_to_what_is_there(coded: Path, facespan: Run) -> None:
    path = foreign(coded / "ann_1.eaf", FOREIGN)
    told = facespan("import-annotations", "tiny", str(path), "--from", "elan")
    assert told.code == ExitCode.INPUT
    assert "ann_1.eaf has no tier 'corrections'. It has 'gaze', 'feeling': say which holds the expressions" in told.err
    told = facespan("import-annotations", "tiny", str(path), "--from", "elan", "--tier", "feeling")
    assert told.code == 0, told.err
    # The first was annotated already; the second overlaps it, in one tier, and is kept.
    assert "1 added, 0 changed, 0 removed, 1 as they were" in told.out
    assert rows("ann_1")[-1] == "ann,ann_1,45,,69,anger"
    assert "emotion_spelling" in rules()


def test_times_of_another_frame_rate_go_to_the_nearest_frames_and_into_the_audit(coded: Path, facespan: Run) -> None:
    # A coder who saw the video at 25 frames a second: every mark lies at a multiple of 40 ms.
    path = foreign(coded / "ann_1.eaf", {"corrections": [(2040, 2360, "fear")]})
    assert facespan("import-annotations", "tiny", str(path), "--from", "elan").code == 0
    # 2.04 s is nearest to the beginning of frame 61 (2.033 s), 2.36 s to that of frame 71 (2.367 s).
    assert rows("ann_1")[-1] == "ann,ann_1,61,,70,fear"
    [row] = [row for row in audit.read(Path("data/tiny/imported.csv")) if row.rule == "nearest_frame"]
    assert (row.before, row.after) == ("2.040 s to 2.360 s", "2.033 s to 2.367 s")


BAD = {
    "no video": ({"corrections": [(0, 500, "fear")]}, "zoe_1.eaf", "is of 'zoe_1', which is no video of tiny"),
    "an unknown emotion": ({"corrections": [(0, 500, "angr")]}, "ann_1.eaf", "unknown (did you mean 'anger'?)"),
    "no emotion": ({"corrections": [(0, 500, "")]}, "ann_1.eaf", "it has no emotion: choose one of happiness"),
    "beyond the end": (
        {"corrections": [(9000, 9500, "fear")]}, "ann_1.eaf",
        "9.000 s to 9.500 s cannot be in video ann_1: the video goes from 0.000 s to 5.000 s",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_file_with_anything_wrong_is_left_out_whole_and_says_what(coded: Path, facespan: Run, case: str) -> None:
    marked, name, message = BAD[case]
    marked["corrections"].insert(0, (3000, 3300, "surprise"))
    before = LABELS.read_bytes()
    told = facespan("import-annotations", "tiny", str(foreign(coded / name, marked)), "--from", "elan")
    assert told.code == ExitCode.INPUT
    assert message in told.err
    assert LABELS.read_bytes() == before
    assert not Path("data/tiny/imported.csv").exists()


def test_a_file_with_anything_wrong_leaves_the_others(coded: Path, facespan: Run) -> None:
    path = exported(facespan, "elan")
    correct_elan(path)
    bad = foreign(coded / "ben_1.eaf", {"corrections": [(0, 500, "angr")]})
    told = facespan("import-annotations", "tiny", str(bad), str(path), "--from", "elan")
    assert told.code == ExitCode.PARTIAL
    assert f"import-annotations: {bad} failed: " in told.err
    assert "1 added, 2 changed" in told.out
    assert len(rows("ben_1")) == 2


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>\n<ANNOTATION_DOCUMENT>&b;</ANNOTATION_DOCUMENT>'
NO_EAF = {
    "a document type": (BOMB.encode(), "declares a document type, which ELAN never does"),
    "a document type in UTF-16": (BOMB.encode("utf-16"), "declares a document type, which ELAN never does"),
    "an entity of a file": (
        b'<!DOCTYPE a [<!ENTITY a SYSTEM "/etc/passwd">]><ANNOTATION_DOCUMENT/>',
        "declares a document type",
    ),
    "a file that was cut": (b"<?xml version='1.0'?><ANNOTATION_DOCUMENT>", "is no XML"),
    "nothing": (b"", "is no XML"),
    "XML of others": (b"<html><body/></html>", "is no annotation document as ELAN writes it"),
    "a tier without a name": (
        b'<ANNOTATION_DOCUMENT VERSION="2.8" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        b'xsi:noNamespaceSchemaLocation="x"><TIER/></ANNOTATION_DOCUMENT>',
        "is no annotation document as ELAN writes it",
    ),
}


@pytest.mark.parametrize("case", NO_EAF)
def test_what_is_no_file_of_elan_is_refused(coded: Path, facespan: Run, case: str) -> None:
    content, message = NO_EAF[case]
    (coded / "ann_1.eaf").write_bytes(content)
    told = facespan("import-annotations", "tiny", "ann_1.eaf", "--from", "elan")
    assert told.code == ExitCode.INPUT
    assert message in told.err
    assert len(told.err) < 1000


def test_a_named_pipe_and_what_is_not_there_are_refused(coded: Path, facespan: Run) -> None:
    os.mkfifo("ann_1.eaf")
    assert "is a folder, pipe or device" in facespan("import-annotations", "tiny", "ann_1.eaf", "--from", "elan").err
    assert "ben_1.eaf does not exist" in facespan("import-annotations", "tiny", "ben_1.eaf", "--from", "elan").err


@pytest.mark.parametrize("tier", ["truth", "detections"])
def test_an_edit_in_a_tier_that_is_not_taken_is_not_lost_in_silence(coded: Path, facespan: Run, tier: str) -> None:
    path = exported(facespan, "elan")
    found = pympi.Eaf(path)
    [first, *_] = found.tiers[tier][0].values()
    found.timeslots[first[1]] += 200
    found.to_file(path)
    told = facespan("import-annotations", "tiny", str(path), "--from", "elan")
    assert told.code == ExitCode.INPUT
    assert "truth or detections or below threshold was edited, and only the tier corrections is taken" in told.err
    assert "--tier" not in told.err


@pytest.mark.parametrize("tier", ["truth", "detections"])
@pytest.mark.parametrize("name", CODERS)
def test_a_tier_of_ours_that_is_for_reading_is_not_taken_for_the_coders_word(
    coded: Path, facespan: Run, name: str, tier: str
) -> None:
    path, before = exported(facespan, name), LABELS.read_bytes()
    told = facespan("import-annotations", "tiny", str(path), "--from", name, "--tier", tier)
    assert told.code == ExitCode.INPUT
    assert f"the tier {tier} shows what went out" in told.err
    assert f"Make the change in corrections, and leave out --tier {tier}" in told.err
    assert LABELS.read_bytes() == before
    assert not Path("data/tiny/imported.csv").exists()


def test_annotations_in_a_tier_that_is_not_taken_are_not_lost_in_silence(coded: Path, facespan: Run) -> None:
    path, before = exported(facespan, "elan"), LABELS.read_bytes()
    found = pympi.Eaf(path)
    for name in ("mine", "Corrections", "empty"):
        found.add_tier(name, "emotion")
    found.add_annotation("mine", 4500, 4800, "fear")
    found.add_annotation("Corrections", 2500, 2800, "anger")
    found.add_annotation("Corrections", 4500, 4800, "fear")
    found.to_file(path)
    words = ("import-annotations", "tiny", str(path), "--from", "elan")
    told = facespan(*words)
    assert told.code == ExitCode.INPUT
    remedy = "would be lost, for only corrections is taken. Move them to corrections, or delete them"
    assert f"ann_1.eaf: 1 annotations in the tier 'mine' {remedy}" in told.err
    assert f"ann_1.eaf: 2 annotations in the tier 'Corrections' {remedy}" in told.err
    assert "'empty'" not in told.err
    assert LABELS.read_bytes() == before


def test_a_row_whose_tier_was_left_empty_is_not_lost_in_silence(coded: Path, facespan: Run) -> None:
    path = exported(facespan, "csv", "ann_1")
    columns = path.read_text("utf-8").splitlines()[0].split(",")
    new = {"video": "ann_1", "onset": "135", "offset": "143", "emotion": "fear"}
    with path.open("a", encoding="utf-8") as file:
        file.write(",".join(new.get(name, "") for name in columns) + "\n")
    told = facespan("import-annotations", "tiny", str(path), "--from", "csv")
    assert told.code == ExitCode.INPUT
    assert "1 annotations in the tier '' would be lost" in told.err


def test_corrections_are_not_lost_beside_another_tier_that_is_taken(coded: Path, facespan: Run) -> None:
    path = exported(facespan, "elan")
    found = pympi.Eaf(path)
    found.add_tier("mine", "emotion")
    found.add_annotation("mine", 4500, 4800, "fear")
    found.to_file(path)
    words = ("import-annotations", "tiny", str(path), "--from", "elan", "--tier", "mine", "-n")
    assert facespan(*words).code == 0  # nobody touched corrections
    correct_elan(path)
    told = facespan(*words)
    assert told.code == ExitCode.INPUT
    assert "3 annotations in the tier 'corrections' would be lost, for only mine is taken" in told.err


def test_a_tier_of_others_may_be_called_truth(coded: Path, facespan: Run) -> None:
    path = foreign(coded / "ann_1.eaf", {"truth": [(4500, 4800, "fear")]})
    told = facespan("import-annotations", "tiny", str(path), "--from", "elan", "--tier", "truth")
    assert told.code == 0, told.err
    assert rows("ann_1")[-1] == "ann,ann_1,135,,143,fear"


def test_an_end_a_little_beyond_the_video_is_its_last_frame(coded: Path, facespan: Run) -> None:
    path = foreign(coded / "ann_1.eaf", {"corrections": [(4800, 5600, "fear")]})
    assert facespan("import-annotations", "tiny", str(path), "--from", "elan").code == 0
    assert rows("ann_1")[-1] == "ann,ann_1,144,,149,fear"
    assert "nearest_frame" in rules()


def edit(path: Path, change: Callable[[Any], None]) -> None:
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def of_boris(project: Any) -> Any:
    return project["observations"]["ann_1 corrections"]


BORIS = {
    "a start without a stop": (lambda p: of_boris(p)["events"].pop(), "has a start and no stop"),
    "a time offset": (lambda p: of_boris(p).update({"time offset": 5.0}), "has a time offset of 5.0 s: set it to 0"),
    "two media files": (lambda p: of_boris(p)["file"]["2"].append("x.mp4"), "has 2 media files; expected one"),
    "a live observation": (lambda p: of_boris(p).update(type="LIVE"), "is of type LIVE; expected MEDIA"),
    "a point event": (
        lambda p: p["behaviors_conf"]["0"].update(type="Point event"), "is no state event of the ethogram",
    ),
    "no events": (lambda p: of_boris(p).pop("events"), "is no project as BORIS writes it"),
    "a time that is none": (
        lambda p: of_boris(p)["events"][0].__setitem__(0, "soon"), "is no project as BORIS writes it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BORIS)
def test_what_boris_cannot_mean_is_refused(coded: Path, facespan: Run, case: str) -> None:
    change, message = BORIS[case]
    path, before = exported(facespan, "boris"), LABELS.read_bytes()
    edit(path, change)
    told = facespan("import-annotations", "tiny", str(path), "--from", "boris")
    assert told.code == ExitCode.INPUT
    assert message in told.err
    assert LABELS.read_bytes() == before


def test_an_edit_in_an_observation_of_truth_is_not_lost_in_silence(coded: Path, facespan: Run) -> None:
    path = exported(facespan, "boris")
    edit(path, lambda project: project["observations"]["ann_1 truth"]["events"].clear())
    told = facespan("import-annotations", "tiny", str(path), "--from", "boris")
    assert told.code == ExitCode.INPUT
    assert "was edited, and only the tier corrections is taken" in told.err


def test_a_project_of_others_is_read_by_the_names_of_its_videos(coded: Path, facespan: Run) -> None:
    path = exported(facespan, "boris")

    def change(project: Any) -> None:
        own = of_boris(project)
        own["description"] = ""
        own["events"] = [
            [4.5, "No focal subject", "fear", "None", "", 135],
            [4.8, "No focal subject", "fear", "None", "", 1],
        ]
        project["observations"] = {"Ann, first session": own}

    edit(path, change)
    told = facespan("import-annotations", "tiny", str(path), "--from", "boris")
    assert told.code == 0, told.err
    assert [*rows("ann_1")] == ["ann,ann_1,20,,49,happiness", "ann,ann_1,90,,125,anger", "ann,ann_1,135,,143,fear"]


def test_two_annotators_of_label_studio_who_differ_are_not_mixed(coded: Path, facespan: Run) -> None:
    path = exported(facespan, "labelstudio")
    values = [{"ranges": [{"start": 4, "end": 9}], "timelinelabels": [name]} for name in ("fear", "anger")]
    same = {"id": "x", "from_name": "corrections", "to_name": "video", "type": "timelinelabels"}
    result = [{**same, "value": value} for value in values]
    edit(path, lambda tasks: tasks[0]["annotations"].extend({"result": [one]} for one in result))
    told = facespan("import-annotations", "tiny", str(path), "--from", "labelstudio")
    assert told.code == ExitCode.INPUT
    assert "has 2 annotations that differ: keep the right one" in told.err
    edit(path, lambda tasks: tasks[0]["annotations"].pop())
    told = facespan("import-annotations", "tiny", str(path), "--from", "labelstudio")
    assert told.code == 0, told.err  # the one that we proposed is nobody's word
    assert rows("ann_1") == ["ann,ann_1,3,,8,fear"]


def test_an_export_of_label_studio_of_others_says_its_rate_and_its_control(coded: Path, facespan: Run) -> None:
    value = {"ranges": [{"start": 51, "end": 60}], "timelinelabels": ["fear"]}
    region = {"id": "x", "from_name": "videoLabels", "to_name": "video", "type": "timelinelabels", "value": value}
    task = {"id": 7, "data": {"video": "/data/upload/1/0a1b2c3d-ann_1.mp4"}, "annotations": [{"result": [region]}]}
    Path("theirs.json").write_text(json.dumps([task]), encoding="utf-8")
    words = ("import-annotations", "tiny", "theirs.json", "--from", "labelstudio", "--tier", "videoLabels")
    told = facespan(*words)
    assert told.code == ExitCode.INPUT
    assert "task 7 has no frame_rate beside its video" in told.err
    # At 25 a second, their frames 51 to 60 last from 2.0 to 2.4 s: our frames 60 to 71.
    edit(Path("theirs.json"), lambda tasks: tasks[0]["data"].update(frame_rate=25))
    told = facespan(*words)
    assert told.code == 0, told.err
    assert rows("ann_1")[-1] == "ann,ann_1,60,,71,fear"


def test_a_relation_between_regions_of_label_studio_leaves_them_readable(coded: Path, facespan: Run) -> None:
    path = exported(facespan, "labelstudio")
    correct_label_studio(path)
    relation = {"from_id": "corrections_0", "to_id": "x", "type": "relation", "direction": "right", "labels": []}
    edit(path, lambda tasks: tasks[0]["annotations"][0]["result"].insert(0, relation))
    told = facespan("import-annotations", "tiny", str(path), "--from", "labelstudio")
    assert told.code == 0, told.err
    assert "1 added, 2 changed, 0 removed" in told.out


def keep(path: Path, which: Callable[[dict[str, str]], bool]) -> None:
    """Take rows out of a CSV, as a spreadsheet does."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        found, names = [row for row in reader if which(row)], reader.fieldnames or ()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(found)


OF_REFERENCE: dict[str, Callable[[dict[str, str]], bool]] = {
    "a row of truth": lambda row: (row["tier"], row["emotion"]) != ("truth", "anger"),
    "a row of detections": lambda row: row["tier"] != "detections" or row["emotion"] != "surprise",
    "all but corrections": lambda row: row["tier"] == "corrections",
    "all but an expression": lambda row: row["tier"] == "corrections" and row["emotion"] == "happiness",
}


@pytest.mark.parametrize("case", OF_REFERENCE)
def test_rows_of_reference_taken_out_of_a_csv_are_missed(coded: Path, facespan: Run, case: str) -> None:
    path, before = exported(facespan, "csv", "ann_1"), LABELS.read_bytes()
    keep(path, OF_REFERENCE[case])
    told = facespan("import-annotations", "tiny", str(path), "--from", "csv")
    assert told.code == ExitCode.INPUT
    assert "was edited, and only the tier corrections is taken" in told.err
    assert LABELS.read_bytes() == before


def test_a_csv_without_any_correction_left_takes_all_expressions_out(coded: Path, facespan: Run) -> None:
    path = exported(facespan, "csv", "ann_1")
    keep(path, lambda row: row["tier"] != "corrections")
    told = facespan("import-annotations", "tiny", str(path), "--from", "csv")
    assert told.code == 0, told.err
    assert "0 added, 0 changed, 2 removed" in told.out
    assert rows("ann_1") == ["ann,ann_1,,,,"]


def test_a_csv_of_ours_without_the_column_reference_is_read(coded: Path, facespan: Run) -> None:
    path = exported(facespan, "csv")
    correct_csv(path)
    lines = [line.rpartition(",")[0] for line in path.read_text("utf-8").splitlines()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    told = facespan("import-annotations", "tiny", str(path), "--from", "csv")
    assert told.code == 0, told.err
    assert "1 added, 2 changed, 0 removed" in told.out


def test_two_exports_of_a_video_in_one_csv_are_not_mixed(coded: Path, facespan: Run) -> None:
    path = exported(facespan, "csv", "ann_1")
    once = path.read_text("utf-8")
    again = exported(facespan, "csv", "ann_1", "--threshold", "0.05").read_text("utf-8")
    path.write_text(once + again.partition("\n")[2], encoding="utf-8")
    told = facespan("import-annotations", "tiny", str(path), "--from", "csv")
    assert told.code == ExitCode.INPUT
    assert "reference differs from that of video ann_1 above. Keep one export of it" in told.err


def test_seconds_edited_beside_numbers_of_frames_are_not_lost_in_silence(coded: Path, facespan: Run) -> None:
    path = exported(facespan, "csv")
    lines = path.read_text("utf-8").splitlines()
    edited = [line.replace("1.633", "1.9") if line.startswith("corrections,ann") else line for line in lines]
    path.write_text("\n".join(edited) + "\n", encoding="utf-8")
    told = facespan("import-annotations", "tiny", str(path), "--from", "csv")
    assert told.code == ExitCode.INPUT
    assert "offset is shown at 1.633 s, but offset_seconds is 1.9: correct one" in told.err


def test_a_dry_run_changes_nothing(coded: Path, facespan: Run) -> None:
    path, before = exported(facespan, "elan"), LABELS.read_bytes()
    correct_elan(path)
    told = facespan("import-annotations", "tiny", str(path), "--from", "elan", "-n")
    assert (told.code, "would be 1 added, 2 changed" in told.out) == (0, True)
    assert LABELS.read_bytes() == before
    assert not Path("data/tiny/imported.csv").exists()


def test_labels_stay_where_the_audit_of_earlier_imports_cannot_be_read(coded: Path, facespan: Run) -> None:
    path, before = exported(facespan, "elan"), LABELS.read_bytes()
    correct_elan(path)
    Path("data/tiny/imported.csv").write_text("somebody's table\n", encoding="utf-8")
    for more in ((), ("-n",)):
        told = facespan("import-annotations", "tiny", str(path), "--from", "elan", *more)
        assert told.code == ExitCode.INPUT
        assert "data/tiny/imported.csv has no column 'rule'" in told.err
        assert LABELS.read_bytes() == before


def test_labels_stay_where_the_audit_cannot_be_written(coded: Path, facespan: Run) -> None:
    path, before = exported(facespan, "elan"), LABELS.read_bytes()
    correct_elan(path)
    words = ("import-annotations", "tiny", str(path), "--from", "elan", "--audit", "corpus/expressions.csv/noted.csv")
    told = facespan(*words)
    assert told.code == ExitCode.INPUT, told.err
    assert "corpus/expressions.csv" in told.err
    assert LABELS.read_bytes() == before


def damage_features(video: str) -> None:
    folder = Path("data/tiny/features/ferplus")
    (folder / manifest.read(folder).shards[video].file).write_bytes(b"no shard")


def test_a_video_whose_features_are_damaged_fails_alone(coded: Path, facespan: Run) -> None:
    path = exported(facespan, "elan")
    correct_elan(path)
    other = path.with_name("ben_1.eaf")
    damage_features("ben_1")
    told = facespan("import-annotations", "tiny", str(other), str(path), "--from", "elan")
    assert told.code == ExitCode.PARTIAL
    assert "1 added, 2 changed" in told.out
    assert f"import-annotations: {other} failed: " in told.err
    assert "ben_1.eaf is of 'ben_1', whose frames have no known times: data/tiny/features/ferplus/ben_1.h5" in told.err
    assert len(rows("ben_1")) == 2


def test_labels_for_another_corpus_are_not_begun_without_the_expressions_of_a_video(coded: Path, facespan: Run) -> None:
    path, described = exported(facespan, "elan"), coded / "configs/corpora/tiny.yaml"
    described.write_text(described.read_text("utf-8").replace("reader: table", "reader: casme2"), encoding="utf-8")
    damage_features("ben_1")
    words = ("import-annotations", "tiny", str(path), "--from", "elan", "--confirm", "--output", "corrected.csv")
    told = facespan(*words)
    assert told.code == ExitCode.INPUT
    assert "corrected.csv would lack the expressions of 1 videos" in told.err
    assert "ben_1: data/tiny/features/ferplus/ben_1.h5" in told.err
    assert not Path("corrected.csv").exists()


def test_a_link_where_the_labels_lie_is_written_through(coded: Path, facespan: Run) -> None:
    (coded / "shared").mkdir()
    LABELS.rename("shared/labels.csv")
    LABELS.symlink_to(coded / "shared/labels.csv")
    path = exported(facespan, "elan")
    correct_elan(path)
    assert facespan("import-annotations", "tiny", str(path), "--from", "elan").code == 0
    assert LABELS.is_symlink()
    assert "135" in (coded / "shared/labels.csv").read_text("utf-8")


def test_words_of_the_label_file_stand_for_the_classes_of_the_corpus(coded: Path, facespan: Run) -> None:
    path = coded / "configs/corpora/tiny.yaml"
    described = yaml.safe_load(path.read_text("utf-8"))
    described["facts"]["emotions"] = {"joy": "happiness", "rage": "anger", "fright": "fear", "disgust": "disgust"}
    path.write_text(yaml.safe_dump(described), encoding="utf-8")
    LABELS.write_text(LABELS.read_text("utf-8").replace("happiness", "joy").replace("anger", "rage"), encoding="utf-8")
    assert facespan("index", "tiny", "--root", "corpus", "--output", "data/tiny").code == 0
    file = exported(facespan, "elan")
    correct_elan(file)
    told = facespan("import-annotations", "tiny", str(file), "--from", "elan")
    assert told.code == 0, told.err
    assert rows("ann_1") == ["ann,ann_1,20,,53,joy", "ann,ann_1,90,,125,disgust", "ann,ann_1,135,,143,fright"]


def test_a_class_that_the_label_file_has_no_word_for_is_refused(coded: Path, facespan: Run) -> None:
    path = coded / "configs/corpora/tiny.yaml"
    described = yaml.safe_load(path.read_text("utf-8"))
    described["facts"]["emotions"] = ["happiness", "anger"]
    path.write_text(yaml.safe_dump(described), encoding="utf-8")
    file = foreign(coded / "ann_1.eaf", {"corrections": [(4500, 4800, "fear")]})
    told = facespan("import-annotations", "tiny", str(file), "--from", "elan")
    assert told.code == ExitCode.INPUT
    assert "'fear' is unknown" in told.err


def test_labels_for_another_corpus_are_written_where_one_is_read_from_a_workbook(coded: Path, facespan: Run) -> None:
    path = coded / "configs/corpora/tiny.yaml"
    file = exported(facespan, "elan")
    correct_elan(file)
    text = path.read_text("utf-8")
    path.write_text(text.replace("reader: table", "reader: casme2"), encoding="utf-8")
    words = ("import-annotations", "tiny", str(file), "--from", "elan")
    told = facespan(*words)
    assert told.code == ExitCode.USAGE
    assert "has reader casme2, whose labels are no CSV. Name one to write with --output FILE" in told.err
    told = facespan(*words, "--output", "corpus/corrected.csv")
    assert told.code == 0, told.err
    lines = Path("corpus/corrected.csv").read_text("utf-8").splitlines()
    assert lines[:3] == ["subject,video,onset,apex,offset,emotion,kind", "ann,ann_1,20,,53,happiness,macro",
                         "ann,ann_1,90,,125,disgust,macro"]  # fmt: skip
    assert len(lines) == 1 + 7
    path.write_text(text.replace("expressions.csv", "corrected.csv"), encoding="utf-8")
    assert "7 expressions" in facespan("index", "tiny", "--root", "corpus", "--output", "data/tiny").out


@pytest.fixture
def every_seventh(coded: Path) -> Path:
    """Return the folder, its corpus read from a workbook; of ann_1 frames 1, 8, 15 ... are taken, as in SAMM-LV."""
    described = coded / "configs/corpora/tiny.yaml"
    described.write_text(described.read_text("utf-8").replace("reader: table", "reader: casme2"), encoding="utf-8")
    folder, table, known = (
        Path("data/tiny") / name for name in ("features/ferplus", "videos.parquet", "expressions.parquet")
    )
    held = manifest.read(folder)
    path = folder / held.shards["ann_1"].file
    shard = features.read(path)
    columns = replace(shard.columns, frame_label=1 + 7 * np.arange(150))
    features.write(path, shard.features, columns, shard.key, shard.layer)
    entry = manifest.describe(folder, path, 150, shard.key)
    manifest.write(folder, manifest.Manifest("features", {**held.shards, "ann_1": entry}, held.run))
    videos.write(table, [replace(one, frame_step=7 if one.video == "ann_1" else 1) for one in videos.read(table)])
    # Positions 20 to 49 are the numbers 141 to 344, 90 to 125 are 631 to 876, and 143 is 1002.
    annotated = [(20, 50, NO_APEX, "happiness", 137, 348), (90, 126, 100, "anger", 628, 880),
                 (143, 144, 143, "disgust", 1003, 1005)]  # fmt: skip
    of_ann = [Expression("ann_1", "ann", start, stop, apex, "macro", emotion, row, onset, offset)
              for row, (start, stop, apex, emotion, onset, offset) in enumerate(annotated, start=2)]  # fmt: skip
    others = [one for one in intervals.read(known, Expression) if one.video != "ann_1"]
    intervals.write(known, Expression, [*of_ann, *others])
    return coded


def test_annotated_numbers_of_frames_that_were_not_taken_stay(every_seventh: Path, facespan: Run) -> None:
    path = exported(facespan, "elan")
    correct_elan(path)
    words = ("import-annotations", "tiny", str(path), "--from", "elan", "--output", "corrected.csv")
    told = facespan(*words)
    assert told.code == 0, told.err
    # The end of the first was moved to frame 53, the number 372; the second has another emotion; frames 135 to 143 are
    # new. The apex of the third is the nearest taken frame, which lies outside.
    assert rows("ann_1", Path("corrected.csv")) == [
        "ann,ann_1,137,,372,happiness,macro", "ann,ann_1,628,701,880,disgust,macro",
        "ann,ann_1,1003,,1005,disgust,macro", "ann,ann_1,946,,1002,fear,macro",
    ]  # fmt: skip
    noted = [(row.rule, row.before, row.after) for row in audit.read(Path("data/tiny/imported.csv"))]
    assert ("expression_changed", "137-348 happiness", "137-372 happiness") in noted
    told = facespan(*words)
    assert "0 added, 0 changed, 0 removed, 4 as they were" in told.out


def test_a_csv_names_frames_as_they_were_annotated_and_takes_such_numbers(every_seventh: Path, facespan: Run) -> None:
    path = exported(facespan, "csv")
    with path.open(encoding="utf-8", newline="") as file:
        out = [(row["tier"], row["onset"], row["offset"]) for row in csv.DictReader(file) if row["video"] == "ann_1"]
    annotated = [("137", "348"), ("628", "880"), ("1003", "1005")]
    assert [numbers for tier, *numbers in out if tier == "truth"] == [list(numbers) for numbers in annotated]
    assert {("corrections", *numbers) for numbers in annotated} < set(out)
    words = ("import-annotations", "tiny", str(path), "--from", "csv", "--output", "corrected.csv")
    told = facespan(*words)
    assert "3 videos came back untouched" in told.err
    assert rules() == ["came_back_untouched"] * 3
    with path.open("a", encoding="utf-8") as file:
        file.write("corrections,ann,ann_1,716,,905,,,fear,,,\n")
    told = facespan(*words)
    assert told.code == 0, told.err
    assert "2 added, 0 changed, 0 removed, 3 as they were" in told.out  # and the surprise that was proposed
    after = rows("ann_1", Path("corrected.csv"))
    assert "ann,ann_1,137,,348,happiness,macro" in after
    assert "ann,ann_1,716,,905,fear,macro" in after
    assert "nearest_frame" not in rules()
    assert "0 added, 0 changed, 0 removed, 5 as they were" in facespan(*words).out


def test_a_format_that_does_not_come_back_is_named(coded: Path, facespan: Run) -> None:
    told = facespan("import-annotations", "tiny", "x.vtt", "--from", "webvtt")
    assert told.code == ExitCode.USAGE
    assert "--from 'webvtt': expected one of elan, boris, labelstudio, csv" in told.err
