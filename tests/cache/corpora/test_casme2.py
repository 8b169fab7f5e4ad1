"""CAS(ME)^2: every fault of its workbook, written anew here, is repaired by a named rule or refused with its cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openpyxl
import pytest
import yaml

from cache.corpora import readers
from cache.corpora.annotations import Expected, Labels
from cache.corpora.casme2 import Facts
from cache.errors import InputError
from cache.tables import audit
from cache.tables.audit import AuditRow
from stages.shell import params

ROOT = Path(__file__).resolve().parents[3]
LABELS = "CAS(ME)^2code_final.xlsx"
FOLDERS = [15, 16, *range(19, 28), *range(29, 39), 40]
NAMES = ["disgust1", "disgust2", "anger1", "anger2", "happy1", "happy2", "happy3", "happy4", "happy5"]
CODES = dict(zip(NAMES, [101, 102, 401, 402, 502, 503, 505, 507, 508], strict=True))
MACRO, MICRO = "macro-expression", "micro-expression"
# The first subject's three videos in the small folders below, and how many frames they have.
VIDEOS = {"15_0101disgustingteeth": 60, "15_0401girlcrashing": 60, "15_0502funny": 40}


def read(root: Path, facts: Facts) -> readers.Tables:
    return readers.read(readers.READERS["casme2"], root, facts)


def read_labels(path: Path, facts: Facts) -> Labels:
    return readers.read_labels(readers.READERS["casme2"], path, facts)


@pytest.fixture
def facts() -> Facts:
    """Return the facts as configured, without totals: the corpora here are small."""
    configured = yaml.safe_load((ROOT / "configs/corpora/casme2.yaml").read_text(encoding="utf-8"))["facts"]
    return replace(params.build(configured, Facts, "casme2"), expected=Expected(None, None, None), frames="rawpic")


def row(
    name: str = "disgust1_1",
    onset: Any = 10,
    apex: Any = 15,
    offset: Any = 20,
    annotated: Any = "negative",
    kind: str = MACRO,
    reported: Any = "disgust",
    subject: Any = 1,
) -> list[Any]:
    return [subject, name, onset, apex, offset, "4+7", annotated, kind, reported]


def write_labels(folder: Path, rows: list[list[Any]], **sheets: list[list[Any]] | None) -> Path:
    """Write the workbook; `rule1` and `rule2` replace the sheets of names, None leaves one out."""
    folder.mkdir(parents=True, exist_ok=True)
    subjects = [[number, f"s{number}", index] for index, number in enumerate(FOLDERS, start=1)]
    written = {
        "CASFEcode_final": rows,
        "naming rule1": sheets.get("rule1", subjects + subjects[:1]),
        "naming rule2": sheets.get("rule2", [[code, name] for name, code in CODES.items()]),
    }
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, lines in written.items():
        if lines is not None:
            sheet = workbook.create_sheet(title)
            for line in lines:
                sheet.append(line)
    workbook.save(folder / LABELS)
    return folder / LABELS


def write_frames(folder: Path, layout: str = "rawpic", pattern: str = "img{:03d}.jpg") -> Path:
    """Write the frames of the first subject's three videos."""
    image = cv2.imencode(".jpg", np.full((12, 16, 3), 90, np.uint8))[1].tobytes()
    for name, count in VIDEOS.items():
        place = folder / layout / "s15" / name
        place.mkdir(parents=True)
        for number in range(1, count + 1):
            (place / pattern.format(number)).write_bytes(image)
    return folder


def rules(labels: Labels) -> Counter[str]:
    """Return how often each rule was used, without the two that every workbook needs."""
    return Counter(line.rule for line in labels.audit if line.rule not in ("leading_zero", "subject_folder"))


def audit_of(labels: Labels, rule: str) -> AuditRow:
    found = [line for line in labels.audit if line.rule == rule]
    assert len(found) == 1, f"{len(found)} x {rule}"
    return found[0]


def genuine_shape() -> Iterator[list[Any]]:
    """Yield 300 macro and 57 micro rows of 22 subjects with the faults that are known, each as often as it is known.

    Each row has 100 frames of its subject's video for itself, except 18 that are made to overlap another; two of these
    begin with it.
    """
    emotions = ["positive"] * 116 + ["surprise"] * 16 + ["negative"] * 105 + ["others"] * 63
    for i in range(357):
        begin = 100 * (i // 22) + 1
        onset, apex, offset = begin + 10, begin + 20, begin + 30
        if i < 44:
            offset = 0
        elif i < 47:
            offset = apex - 1
        elif i == 47:
            apex = 0
        elif 66 <= i < 84:
            # Begins with the row of the same video 22 rows before, or five frames after it.
            onset, apex, offset = onset - (100 if i < 68 else 95), apex - 90, offset - 60
        kind, emotion = (MACRO, emotions[i]) if i < 300 else (MICRO, "others")
        yield row(f"anger1_{i // 22 + 1}", onset, apex, offset, emotion, kind, "happyiness", i % 22 + 1)


def test_totals_and_faults_of_a_workbook_in_the_genuine_shape(tmp_path: Path, facts: Facts) -> None:
    configured = yaml.safe_load((ROOT / "configs/corpora/casme2.yaml").read_text(encoding="utf-8"))["facts"]
    labels = read_labels(write_labels(tmp_path, list(genuine_shape())), params.build(configured, Facts, "x"))
    assert Counter(line.kind for line in labels.found) == {"macro": 300, "micro": 57}
    assert len(labels.used) == 300
    assert rules(labels) == {
        "kind_not_selected": 57,
        "offset_zero": 44,
        "offset_before_apex": 3,
        "apex_missing": 1,
        "overlap": 16,
        "shared_onset": 2,
    }


def test_another_total_is_reported_with_both_numbers(tmp_path: Path, facts: Facts) -> None:
    wanted = Expected(2, 0, 1, {"annotated": {"negative": 1}})
    labels = read_labels(write_labels(tmp_path, [row()]), replace(facts, expected=wanted))
    differs = audit_of(labels, "total_differs")
    assert (differs.field, differs.before, differs.after) == ("macro", "1", "2")


@pytest.mark.parametrize(("rule", "offset"), [("apex", 15), ("apex+20", 35), ("onset+20", 30), ("drop", None)])
def test_an_offset_of_zero_follows_the_rule_chosen(tmp_path: Path, facts: Facts, rule: Any, offset: int | None) -> None:
    chosen = replace(facts, rules=replace(facts.rules, offset_zero=rule))
    labels = read_labels(write_labels(tmp_path, [row(offset=0)]), chosen)
    assert [line.offset for line in labels.used] == ([] if offset is None else [offset])
    line = audit_of(labels, "offset_zero")
    assert (line.row, line.field, line.before, line.after) == (1, "offset", "0", str(offset or ""))


@pytest.mark.parametrize(
    ("rule", "interval"), [("apex", (10, 15, 15)), ("apex+20", (10, 15, 35)), ("keep", (10, -1, 12)), ("drop", None)]
)
def test_an_offset_before_the_apex_follows_the_rule_chosen(
    tmp_path: Path, facts: Facts, rule: Any, interval: tuple[int, int, int] | None
) -> None:
    chosen = replace(facts, rules=replace(facts.rules, offset_before_apex=rule))
    labels = read_labels(write_labels(tmp_path, [row(offset=12)]), chosen)
    assert [(line.onset, line.apex, line.offset) for line in labels.used] == ([] if interval is None else [interval])
    assert rules(labels) == {"offset_before_apex": 1}


def test_an_apex_of_zero_is_no_apex(tmp_path: Path, facts: Facts) -> None:
    labels = read_labels(write_labels(tmp_path, [row(apex=0)]), facts)
    assert [(line.onset, line.apex, line.offset) for line in labels.used] == [(10, -1, 20)]
    assert audit_of(labels, "apex_missing").before == "0"


def test_a_row_without_apex_and_offset_is_dropped_aloud(tmp_path: Path, facts: Facts) -> None:
    labels = read_labels(write_labels(tmp_path, [row(apex=0, offset=0)]), facts)
    assert labels.used == ()
    assert audit_of(labels, "offset_zero").note == "apex needs an apex: dropped"


def test_an_offset_before_the_onset_is_dropped_when_the_offset_is_believed(tmp_path: Path, facts: Facts) -> None:
    believed = replace(facts, rules=replace(facts.rules, offset_before_apex="keep"))
    labels = read_labels(write_labels(tmp_path, [row(offset=5)]), believed)
    assert labels.used == ()
    assert rules(labels) == {"offset_before_apex": 1, "interval_empty": 1}


@pytest.mark.parametrize(("rule", "used"), [("keep", [1, 2, 3]), ("drop_later", [1, 3])])
def test_overlapping_rows_are_kept_or_the_later_dropped(
    tmp_path: Path, facts: Facts, rule: Any, used: list[int]
) -> None:
    rows = [row(), row(onset=20, apex=22, offset=25), row(onset=26, apex=27, offset=30)]
    chosen = replace(facts, rules=replace(facts.rules, overlaps=rule))
    labels = read_labels(write_labels(tmp_path, rows), chosen)
    assert [line.row for line in labels.used] == used
    assert audit_of(labels, "overlap").note == f"row 1 has [10, 20]: {rule}"


def test_rows_of_different_videos_do_not_overlap(tmp_path: Path, facts: Facts) -> None:
    assert rules(read_labels(write_labels(tmp_path, [row(), row("anger1_1")]), facts)) == {}


def test_a_shared_onset_is_named_so(tmp_path: Path, facts: Facts) -> None:
    labels = read_labels(write_labels(tmp_path, [row(), row(offset=30)]), facts)
    assert rules(labels) == {"shared_onset": 1}


def test_a_code_gets_its_leading_zero_back_and_a_subject_its_folder(tmp_path: Path, facts: Facts) -> None:
    labels = read_labels(write_labels(tmp_path, [row("happy5_2", subject=22), row(subject=3)]), facts)
    assert [(line.video, line.subject) for line in labels.used] == [("40_0508", "s40"), ("19_0101", "s19")]
    changed = Counter(line.rule for line in labels.audit)
    assert changed == {"leading_zero": 9, "subject_folder": 22}


def test_self_reported_emotions_keep_ten_classes_and_their_spelling_is_repaired(tmp_path: Path, facts: Facts) -> None:
    rows = [row(reported="happyiness"), row("anger1_1", reported="Sympathy")]
    chosen = replace(facts, label_set="self_reported", class_map="self_reported")
    labels = read_labels(write_labels(tmp_path, rows), chosen)
    assert [line.emotion for line in labels.used] == ["happiness", "sympathy"]
    assert [(line.before, line.after) for line in labels.audit if line.rule == "emotion_mapped"] == [
        ("happyiness", "happiness"),
        ("Sympathy", "sympathy"),
    ]


def test_ten_self_reported_emotions_become_three_classes_and_null_drops_a_row(tmp_path: Path, facts: Facts) -> None:
    words = ["happiness", "surprise", "anger", "fear", "confused"]
    rows = [row(onset=100 * i, apex=100 * i + 1, offset=100 * i + 2, reported=w) for i, w in enumerate(words, start=1)]
    chosen = replace(facts, label_set="self_reported", class_map="self_reported_three")
    labels = read_labels(write_labels(tmp_path, rows), chosen)
    assert [line.emotion for line in labels.used] == ["positive", "surprise", "negative", "negative"]
    assert audit_of(labels, "emotion_dropped").before == "confused"


def test_a_row_without_an_emotion_is_dropped_aloud(tmp_path: Path, facts: Facts) -> None:
    labels = read_labels(write_labels(tmp_path, [row(annotated=None)]), facts)
    assert labels.used == ()
    assert audit_of(labels, "no_emotion").field == "estimated emotion"


def test_micro_expressions_are_used_when_selected(tmp_path: Path, facts: Facts) -> None:
    path = write_labels(tmp_path, [row(kind=MICRO)])
    assert audit_of(read_labels(path, facts), "kind_not_selected").before == "micro"
    both = read_labels(path, replace(facts, kinds=("macro", "micro")))
    assert [line.kind for line in both.used] == ["micro"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"onset": "ten"}, r"row 2, column C \(onset\): found 'ten', expected a frame number from 0"),
        ({"offset": None}, r"row 2, column E \(offset\): found nothing, expected a frame number"),
        (
            {"annotated": "cheerful"},
            r"column G \(estimated emotion\): found 'cheerful', expected one of positive, .*class_maps",
        ),
        ({"kind": "mega"}, r"column H \(type\): found 'mega', expected macro-expression or micro-expression"),
        (
            {"name": "boredom7_1"},
            r"column B \(expression name\): found 'boredom7_1', expected a name of sheet 'naming rule2'",
        ),
        ({"subject": 99}, r"column A \(subject index\): found 99, expected one of sheet 'naming rule1'"),
    ],
)
def test_a_bad_cell_is_named_with_what_was_expected(
    tmp_path: Path, facts: Facts, changed: dict[str, Any], message: str
) -> None:
    path = write_labels(tmp_path, [row(), row(**changed)])
    with pytest.raises(InputError, match=message) as refused:
        read_labels(path, facts)
    assert f"{LABELS}, sheet 'CASFEcode_final'" in str(refused.value)


def test_a_column_out_of_place_is_said_once_a_column_with_the_right_order(tmp_path: Path, facts: Facts) -> None:
    rows = [row(onset=100 * i) for i in range(50)]
    for line in rows:
        line[6], line[7] = line[7], line[6]
    with pytest.raises(InputError) as refused:
        read_labels(write_labels(tmp_path, rows), facts)
    assert "column H (type): found 'negative'" in str(refused.value)
    assert "subject index, expression name, onset, apex, offset, action units, estimated emotion" in str(refused.value)
    assert "(49 more like this.)" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 2


def test_at_most_twenty_problems_are_written_out(tmp_path: Path, facts: Facts) -> None:
    rows = [row(annotated=f"word{i}") for i in range(30)]
    with pytest.raises(InputError, match="30 problems") as refused:
        read_labels(write_labels(tmp_path, rows), facts)
    assert len(str(refused.value).splitlines()) == 1 + 20 + 1
    assert "and 10 more" in str(refused.value)


def test_a_missing_sheet_is_named(tmp_path: Path, facts: Facts) -> None:
    with pytest.raises(InputError, match=r"no sheet 'naming rule2'; found 'CASFEcode_final', 'naming rule1'"):
        read_labels(write_labels(tmp_path, [row()], rule2=None), facts)


def test_a_folder_that_contradicts_its_number_is_refused(tmp_path: Path, facts: Facts) -> None:
    with pytest.raises(
        InputError, match=r"sheet 'naming rule1', row 1, column B \(folder\): found 's16', expected s15"
    ):
        read_labels(write_labels(tmp_path, [row()], rule1=[[15, "s16", 1]]), facts)


@pytest.mark.parametrize(("layout", "pattern"), [("rawpic", "img{:03d}.jpg"), ("longVideoFaceCropped", "img_{}.jpg")])
def test_both_layouts_give_the_same_videos_and_expressions(
    tmp_path: Path, facts: Facts, layout: str, pattern: str
) -> None:
    write_labels(tmp_path, [row(), row("anger1_1", offset=0), row("anger1_2", kind=MICRO)])
    videos, expressions, audit = read(write_frames(tmp_path, layout, pattern), replace(facts, frames=layout))
    assert [(v.video, v.subject, v.frame_count, v.first_label) for v in videos] == [
        ("15_0101", "s15", 60, 1),
        ("15_0401", "s15", 60, 1),
        ("15_0502", "s15", 40, 1),
    ]
    assert videos[0].path == f"{layout}/s15/15_0101disgustingteeth"
    assert (videos[0].width, videos[0].height, videos[0].frame_rate, videos[0].frame_step) == (16, 12, 30.0, 1)
    # Frame 10 is at position 9; the last frame, 20, is at position 19, so the interval stops at 20.
    assert [(e.video, e.start, e.stop, e.apex, e.onset, e.offset, e.row) for e in expressions] == [
        ("15_0101", 9, 20, 14, 10, 20, 1),
        ("15_0401", 9, 15, 14, 10, 15, 2),
    ]
    assert [line.video for line in audit if line.rule == "video_without_expressions"] == ["15_0502"]


def test_another_label_set_changes_the_expressions_and_no_video(tmp_path: Path, facts: Facts) -> None:
    write_labels(tmp_path, [row(), row("anger1_1")])
    write_frames(tmp_path)
    annotated = read(tmp_path, facts)
    reported = read(tmp_path, replace(facts, label_set="self_reported", class_map="self_reported"))
    both = read(tmp_path, replace(facts, kinds=("micro",)))
    assert annotated[0] == reported[0] == both[0]
    assert [e.emotion for e in annotated[1]] == ["negative", "negative"]
    assert [e.emotion for e in reported[1]] == ["disgust", "disgust"]
    assert both[1] == []


def test_more_videos_without_a_row_than_known_are_refused(tmp_path: Path, facts: Facts) -> None:
    write_labels(tmp_path, [row()])
    write_frames(tmp_path)
    assert len(read(tmp_path, replace(facts, unlabelled_videos=2))[0]) == 3
    with pytest.raises(InputError, match=r"2 videos without a row in .* \(15_0401, 15_0502\), expected at most 1"):
        read(tmp_path, replace(facts, unlabelled_videos=1))


def test_a_subject_without_folder_and_a_video_without_folder_are_named_together(tmp_path: Path, facts: Facts) -> None:
    write_labels(tmp_path, [row(), row("happy5_1"), row(subject=2), row("anger1_1", subject=2)])
    with pytest.raises(InputError) as refused:
        read(write_frames(tmp_path), facts)
    message = str(refused.value)
    assert "row 2: found no frames of video 15_0508" in message
    assert "row 3: found no frames of subject s16" in message
    assert message.count("s16") == 1


def test_a_missing_folder_of_frames_says_what_is_there(tmp_path: Path, facts: Facts) -> None:
    write_labels(tmp_path, [row()])
    write_frames(tmp_path, "longVideoFaceCropped", "img_{}.jpg")
    with pytest.raises(InputError, match=r"rawpic is missing.*holds longVideoFaceCropped"):
        read(tmp_path, facts)


def test_frames_missing_in_the_middle_are_refused_or_kept_with_rows_moved_to_the_nearest(
    tmp_path: Path, facts: Facts
) -> None:
    write_labels(tmp_path, [row(onset=13, apex=15, offset=20)])
    place = write_frames(tmp_path) / "rawpic/s15/15_0101disgustingteeth"
    for number in (12, 13, 14, 30):
        (place / f"img{number:03d}.jpg").unlink()
    videos, expressions, notes = read(tmp_path, facts)
    assert [v.video for v in videos] == ["15_0401", "15_0502"]
    assert expressions == []
    expected = "found no frames 12-14, 30 (4 missing), expected every number from 1 to 60"
    assert expected in audit.failures(notes)["15_0101"]
    assert [(a.row, a.video) for a in notes if a.rule == audit.EXPRESSION_OF_FAILED] == [(1, "15_0101")]
    videos, expressions, notes = read(tmp_path, replace(facts, gaps="keep"))
    # Frames 11 and 15 are equally far from 13, so the earlier is taken: position 10. Frame 20 is the 17th: position 16.
    assert [(e.start, e.stop, e.apex) for e in expressions] == [(10, 17, 11)]
    assert videos[0].frame_count == 56
    assert [(a.rule, a.before, a.after) for a in notes if a.rule == "nearest_frame"] == [("nearest_frame", "13", "11")]


def test_images_of_different_sizes_are_refused(tmp_path: Path, facts: Facts) -> None:
    write_labels(tmp_path, [row()])
    place = write_frames(tmp_path) / "rawpic/s15/15_0101disgustingteeth"
    cv2.imwrite(str(place / "img060.jpg"), np.zeros((20, 16, 3), np.uint8))
    _, _, notes = read(tmp_path, facts)
    expected = "different sizes (img001.jpg 16 x 12, img031.jpg 16 x 12, img060.jpg 16 x 20)"
    assert expected in audit.failures(notes)["15_0101"]


def test_a_corpus_of_which_no_video_can_be_read_is_refused_with_each_fault(tmp_path: Path, facts: Facts) -> None:
    write_labels(tmp_path, [row()])
    for place in (write_frames(tmp_path) / "rawpic/s15").iterdir():
        (place / "img001.jpg").write_bytes(b"junk")
    with pytest.raises(InputError, match="3 problems") as refused:
        read(tmp_path, facts)
    assert str(refused.value).count("img001.jpg") == 3


def test_a_damaged_video_that_no_row_names_is_no_video_without_expressions(tmp_path: Path, facts: Facts) -> None:
    write_labels(tmp_path, [row()])
    (write_frames(tmp_path) / "rawpic/s15/15_0502funny/img001.jpg").write_bytes(b"junk")
    _, _, notes = read(tmp_path, facts)
    assert [a.video for a in notes if a.rule == "video_without_expressions"] == ["15_0401"]
    assert list(audit.failures(notes)) == ["15_0502"]


def test_a_row_far_beyond_its_video_is_refused_and_one_near_its_end_moved(tmp_path: Path, facts: Facts) -> None:
    write_frames(tmp_path)
    write_labels(tmp_path, [row(onset=50, apex=55, offset=70)])
    _, expressions, audit = read(tmp_path, replace(facts, unlabelled_videos="any"))
    assert [(e.start, e.stop) for e in expressions] == [(49, 60)]
    assert [(a.before, a.after) for a in audit if a.rule == "nearest_frame"] == [("70", "60")]
    write_labels(tmp_path, [row(onset=200, apex=210, offset=220)])
    with pytest.raises(InputError, match=r"row 1: found onset 200, expected a frame of video 15_0101, .* 1 to 60"):
        read(tmp_path, facts)


def test_a_video_of_another_subject_and_a_second_one_with_the_same_code_are_refused(
    tmp_path: Path, facts: Facts
) -> None:
    write_labels(tmp_path, [row()])
    write_frames(tmp_path)
    (tmp_path / "rawpic/s15/16_0101disgustingteeth").mkdir()
    (tmp_path / "rawpic/s15/15_0101copy").mkdir()
    with pytest.raises(InputError) as refused:
        read(tmp_path, facts)
    assert "found a video of another subject" in str(refused.value)
    assert "found 15_0101 a second time" in str(refused.value)


def test_what_is_not_of_the_corpus_is_left_alone_aloud(tmp_path: Path, facts: Facts) -> None:
    write_labels(tmp_path, [row()])
    write_frames(tmp_path)
    (tmp_path / "rawpic/s15/notes").mkdir()
    (tmp_path / "rawpic/s99").mkdir()
    (tmp_path / "rawpic/s15/15_0101disgustingteeth/Thumbs.db").write_bytes(b"x")
    audit = read(tmp_path, facts)[2]
    assert [a.before for a in audit if a.rule == "ignored_folder"] == ["rawpic/s15/notes", "rawpic/s99"]
    assert [a.before for a in audit if a.rule == "ignored_file"] == ["Thumbs.db"]


def write_video(path: Path, frame_rate: float) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), frame_rate, (32, 24))
    for number in range(60):
        writer.write(np.full((24, 32, 3), number, np.uint8))
    writer.release()


def test_a_video_file_is_taken_and_one_of_another_rate_refused(tmp_path: Path, facts: Facts) -> None:
    write_labels(tmp_path, [row()])
    folder = tmp_path / "rawpic/s15"
    folder.mkdir(parents=True)
    write_video(folder / "15_0101disgustingteeth.avi", 30.0)
    videos, expressions, _ = read(tmp_path, facts)
    assert [(v.source, v.frame_count, v.path) for v in videos] == [
        ("video", 60, "rawpic/s15/15_0101disgustingteeth.avi")
    ]
    assert [(e.start, e.stop) for e in expressions] == [(9, 20)]
    write_video(folder / "15_0101disgustingteeth.avi", 25.0)
    with pytest.raises(InputError, match=r"found 25 frames a second, expected 30"):
        read(tmp_path, facts)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kinds": []}, "kinds must name macro, micro or both"),
        ({"label_set": "objective"}, "label_set"),
        ({"class_map": "guessed"}, "class_map is 'guessed'"),
        ({"frame_step": 0}, "frame_step must be 1 or more"),
        ({"frames_rate": 30}, "unknown key 'frames_rate'"),
    ],
)
def test_impossible_facts_are_parameter_errors(changed: dict[str, Any], message: str) -> None:
    configured = yaml.safe_load((ROOT / "configs/corpora/casme2.yaml").read_text(encoding="utf-8"))["facts"]
    with pytest.raises(params.ParameterError, match=message):
        params.build(configured | changed, Facts, "casme2")


def test_the_digest_follows_names_and_sizes_or_contents(tmp_path: Path, facts: Facts) -> None:
    write_labels(tmp_path, [row()])
    place = write_frames(tmp_path) / "rawpic/s15/15_0101disgustingteeth"
    by_contents = replace(facts, digest="contents")
    before = [read(tmp_path, one)[0][0].source_digest for one in (facts, by_contents)]
    image = bytearray((place / "img007.jpg").read_bytes())
    image[-3] ^= 1
    (place / "img007.jpg").write_bytes(image)
    after = [read(tmp_path, one)[0][0].source_digest for one in (facts, by_contents)]
    assert before[0] == after[0]
    assert before[1] != after[1]
