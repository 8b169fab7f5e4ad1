"""A team's own corpus: inclusive numbers become half-open intervals once, and all that is wrong is said at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from cache.corpora import readers
from cache.corpora.annotations import Labels
from cache.corpora.table import TableFacts
from cache.errors import InputError
from cache.tables import audit, intervals, videos
from cache.tables.intervals import Expression

FACTS = TableFacts(
    labels="labels.csv",
    folder="videos",
    source="video",
    first_frame=0,
    frame_rate=None,
    emotions={"joy": "positive", "anger": "negative", "fear": "negative"},
    allow_truncated=False,
)


def read(root: Path, facts: TableFacts) -> readers.Tables:
    return readers.read(readers.READERS["table"], root, facts)


def read_labels(path: Path, facts: TableFacts) -> Labels:
    return readers.read_labels(readers.READERS["table"], path, facts)


def write_video(path: Path, frame_count: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (32, 32))
    for position in range(frame_count):
        writer.write(np.full((32, 32, 3), position, np.uint8))
    writer.release()


def write_images(folder: Path, labels: list[int]) -> None:
    folder.mkdir(parents=True)
    for label in labels:
        noise = np.random.default_rng(label).integers(0, 255, (32, 32, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"img_{label}.png"), noise)


def write_labels(root: Path, *rows: str, header: str = "subject,video,onset,apex,offset,emotion,kind") -> Path:
    root.mkdir(exist_ok=True)
    (root / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus of two videos of 40 frames, without labels."""
    for name in ("v1", "v2"):
        write_video(tmp_path / "videos" / f"{name}.avi")
    return tmp_path


def problems(root: Path, facts: TableFacts = FACTS) -> str:
    with pytest.raises(InputError) as caught:
        read(root, facts)
    return str(caught.value)


def test_inclusive_numbers_become_half_open_positions(root: Path) -> None:
    write_labels(root, "s1,v1,10,12,19,joy,micro", "s2,v2,0,,39,fear,")
    found, events, notes = read(root, FACTS)
    assert [(one.video, one.subject, one.path, one.source, one.frame_count) for one in found] == [
        ("v1", "s1", "videos/v1.avi", "video", 40),
        ("v2", "s2", "videos/v2.avi", "video", 40),
    ]
    assert [(one.frame_rate, one.first_label, one.width, one.height) for one in found] == [(25.0, 0, 32, 32)] * 2
    assert [(one.start, one.stop, one.apex, one.kind, one.emotion, one.row) for one in events] == [
        (10, 20, 12, "micro", "positive", 2),
        (0, 40, intervals.NO_APEX, "macro", "negative", 3),
    ]
    assert notes == []


def test_frames_counted_from_1_are_moved_by_one(root: Path) -> None:
    write_labels(root, "s1,v1,1,1,40,joy,", "s2,v2,11,13,20,fear,")
    found, events, _ = read(root, dataclasses.replace(FACTS, first_frame=1))
    assert [(one.start, one.stop, one.apex, one.onset, one.offset) for one in events] == [
        (0, 40, 0, 1, 40),
        (10, 20, 12, 11, 20),
    ]
    assert found[0].first_label == 1


def test_what_is_read_can_be_written(root: Path) -> None:
    write_labels(root, "s1,v1,10,12,19,joy,micro", "s2,v2,,,,,")
    found, events, notes = read(root, FACTS)
    videos.write(root / "videos.parquet", found)
    intervals.write(root / "expressions.parquet", Expression, events)
    audit.write(root / "audit.csv", notes)
    assert videos.read(root / "videos.parquet") == found
    assert intervals.read(root / "expressions.parquet", Expression) == events
    assert audit.read(root / "audit.csv") == notes


def test_apex_and_kind_may_be_absent_and_other_columns_are_left_alone(root: Path) -> None:
    write_labels(root, "x,19,10,joy,v1,s1", "x,19,10.0,joy,v2,s1", header="mood, offset , onset ,emotion,video,subject")
    _, events, _ = read(root, FACTS)
    assert [(one.video, one.start, one.stop, one.apex, one.kind) for one in events] == [
        ("v1", 10, 20, -1, "macro"),
        ("v2", 10, 20, -1, "macro"),
    ]


def test_the_allowed_classes_may_be_a_list(root: Path) -> None:
    write_labels(root, "s1,v1,1,,2,joy,", "s1,v2,1,,2,joy,")
    _, events, _ = read(root, dataclasses.replace(FACTS, emotions=["joy", "fear"]))
    assert {one.emotion for one in events} == {"joy"}


def test_a_video_without_expressions_is_declared_and_audited(root: Path) -> None:
    write_labels(root, "s1,v1,1,,2,joy,", "s2,v2,,,,,")
    found, events, notes = read(root, FACTS)
    assert [one.video for one in found] == ["v1", "v2"]
    assert [one.video for one in events] == ["v1"]
    assert [(one.rule, one.video, one.subject, one.row) for one in notes] == [
        ("video_without_expressions", "v2", "s2", 3),
        ("subject_without_expressions", "", "s2", 0),
    ]


def test_a_declaration_that_other_rows_contradict_is_audited(root: Path) -> None:
    write_labels(root, "s1,v1,,,,,", "s1,v1,1,,2,joy,", "s1,v2,1,,2,joy,")
    _, events, notes = read(root, FACTS)
    assert len(events) == 2
    assert [(one.rule, one.row) for one in notes] == [("contradicted_row", 2)]


def test_overlapping_expressions_are_kept(root: Path) -> None:
    write_labels(root, "s1,v1,10,,19,joy,", "s1,v1,15,,30,fear,", "s1,v1,15,,30,joy,", "s1,v2,,,,,")
    _, events, _ = read(root, FACTS)
    assert [(one.start, one.stop, one.row) for one in events] == [(10, 20, 2), (15, 31, 3), (15, 31, 4)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("s1,v1,30,,20,joy,", "row 2: offset 20 is before onset 30"),
        ("s1,v1,10,25,20,joy,", "row 2: apex 25 is not between onset 10 and offset 20"),
        ("s1,v1,1.5,,20,joy,", "row 2: onset is '1.5': expected a whole number"),
        ("s1,v1,ten,,20,joy,", "row 2: onset is 'ten': expected a whole number"),
        ("s1,v1,10,,20,joi,", "row 2: emotion 'joi' is unknown (did you mean 'joy'?); known: anger, fear, joy"),
        ("s1,v1,10,,20,Joy,", "row 2: emotion 'Joy' is unknown (did you mean 'joy'?)"),
        ("s1,v1,10,,20,joy,Micro", "row 2: kind 'Micro' is unknown (did you mean 'micro'?)"),
        ("s1,v1,10,,,joy,", "row 2: offset is empty: fill it in, or empty the whole row"),
        (",v1,10,,20,joy,", "row 2: subject is empty"),
        ("s1,,10,,20,joy,", "row 2: video is empty"),
        ("s1,../v1,10,,20,joy,", "row 2: '../v1' cannot name a video"),
        ("s1,v11,10,,20,joy,", "row 2: no file for video 'v11' (did you mean 'v1'?): add it"),
        ("s1,v1,30,,40,joy,", "row 2: onset 30 to offset 40 is outside video v1, whose frames are 0 to 39"),
        ("s1,v1,-1,,4,joy,", "row 2: onset -1 to offset 4 is outside video v1"),
        ("s2,v1,10,,20,joy,", "row 3: video v1 has subject s1, but s2 in row 2: a video shows one subject"),
    ],
)
def test_a_row_with_a_problem_is_named(root: Path, row: str, message: str) -> None:
    write_labels(root, row, "s1,v1,,,,,", "s1,v2,,,,,")
    assert message in problems(root)


def test_a_repeated_row_is_named(root: Path) -> None:
    write_labels(root, "s1,v1,10,,20,joy,", "s1,v2,10,,20,joy,", "s1,v1,10,,20,joy,")
    assert "row 4: repeats row 2" in problems(root)


def test_all_problems_are_said_together_and_20_are_shown(root: Path) -> None:
    write_labels(root, *(f"s1,v1,{onset},,1,joy,x" for onset in range(10, 35)), "s1,v2,,,,,")
    message = problems(root)
    assert "50 problems" in message
    assert message.count("\n  row") == 20
    assert message.endswith("and 30 more; correct these first.")


def test_problems_of_rows_and_of_files_are_said_together(root: Path) -> None:
    write_video(root / "videos" / "v9.avi")
    write_labels(root, "s1,v1,10,,20,joy,", "s1,v2,,,,,", "s1,v3,,,,,")
    message = problems(root)
    assert "row 4: no file for video 'v3'" in message
    assert "v9.avi has no row in labels.csv: add a row with subject, video v9, and empty onset" in message


def test_a_missing_column_is_named_with_the_nearest(root: Path) -> None:
    write_labels(root, "s1,v1,10,20,joy", header="subject,video,onset,ofset,emotion")
    assert "no column 'offset' (did you mean 'ofset'?)" in problems(root)


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    write_labels(tmp_path)
    assert "the corpus is empty" in problems(tmp_path)


def test_missing_labels_and_folders_are_named(tmp_path: Path) -> None:
    assert "labels.csv is missing" in problems(tmp_path)
    write_labels(tmp_path)
    assert "videos is missing or is no folder" in problems(tmp_path)


@pytest.mark.parametrize("other", ["videos/v1.mp4", "videos/more/V1.avi"])
def test_two_files_with_one_id_are_refused(root: Path, other: str) -> None:
    write_video(root / "videos" / "v1.avi")
    (root / other).parent.mkdir(exist_ok=True)
    (root / other).write_bytes((root / "videos" / "v1.avi").read_bytes())
    write_labels(root, "s1,v1,,,,,", "s1,v2,,,,,")
    assert "have one video id" in problems(root)


def test_a_file_whose_name_is_no_id_is_refused(root: Path) -> None:
    write_video(root / "videos" / "my video.avi")
    write_labels(root, "s1,v1,,,,,", "s1,v2,,,,,")
    assert "'my video' cannot name a video" in problems(root)


def test_what_the_corpus_file_leaves_out_needs_no_row_and_is_audited(root: Path) -> None:
    (root / "videos/tried out.avi").write_bytes(b"no video, and no name for one")
    write_labels(root, "s1,v1,10,12,19,joy,micro")
    found, _, notes = read(root, dataclasses.replace(FACTS, leave_out=("tried out.avi", "v2.avi")))
    assert [video.video for video in found] == ["v1"]
    assert [row.before for row in notes if row.rule == "left_out"] == ["tried out.avi", "v2.avi"]


def test_damaged_videos_are_all_named(root: Path) -> None:
    for name in ("v1", "v2"):
        (root / "videos" / f"{name}.avi").write_bytes(b"junk")
    write_labels(root, "s1,v1,,,,,", "s1,v2,,,,,")
    message = problems(root)
    assert "2 problems" in message
    assert "v1.avi does not open" in message
    assert "v2.avi does not open" in message


def test_one_damaged_video_leaves_the_others_and_takes_its_expressions_along_aloud(root: Path) -> None:
    (root / "videos" / "v1.avi").write_bytes(b"junk")
    write_labels(root, "s1,v1,10,12,19,joy,", "s1,v1,25,,30,fear,", "s1,v2,1,,5,joy,")
    found, events, notes = read(root, FACTS)
    assert [one.video for one in found] == ["v2"]
    assert [one.row for one in events] == [4]
    assert "v1.avi does not open" in audit.failures(notes)["v1"]
    assert [(one.rule, one.video, one.subject, one.row) for one in notes] == [
        ("video_failed", "v1", "s1", 0),
        ("expression_of_failed_video", "v1", "s1", 2),
        ("expression_of_failed_video", "v1", "s1", 3),
    ]


def test_a_damaged_video_without_expressions_is_not_said_to_be_kept(root: Path) -> None:
    (root / "videos" / "v1.avi").write_bytes(b"junk")
    write_labels(root, "s1,v1,,,,,", "s2,v2,1,,5,joy,")
    _, _, notes = read(root, FACTS)
    assert [(one.rule, one.video) for one in notes] == [("video_failed", "v1")]


def test_a_wrong_row_is_said_together_with_a_damaged_video(root: Path) -> None:
    (root / "videos" / "v1.avi").write_bytes(b"junk")
    write_labels(root, "s1,v1,,,,,", "s2,v2,30,,90,joy,")
    message = problems(root)
    assert "row 3: onset 30 to offset 90 is outside video v2" in message
    assert "v1.avi does not open" in message


def test_labels_are_read_without_videos(tmp_path: Path) -> None:
    write_labels(tmp_path, "s1,v1,10,12,19,joy,micro", "s1,v1,25,,30,fear,", "s2,v2,,,,,")
    labels = read_labels(tmp_path / "labels.csv", FACTS)
    assert [(one.onset, one.apex, one.offset, one.kind, one.emotion, one.row) for one in labels.found] == [
        (10, 12, 19, "micro", "positive", 2),
        (25, -1, 30, "macro", "negative", 3),
    ]
    assert labels.used == labels.found
    assert [one.rule for one in labels.audit] == ["video_without_expressions", "subject_without_expressions"]


def test_a_truncated_video_is_accepted_only_when_asked_and_audited(root: Path) -> None:
    path = root / "videos" / "v1.avi"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    write_labels(root, "s1,v1,1,,5,joy,", "s1,v2,1,,5,joy,")
    _, _, notes = read(root, FACTS)
    assert "header promises 40 frames" in audit.failures(notes)["v1"]
    found, _, notes = read(root, dataclasses.replace(FACTS, allow_truncated=True))
    cuts = [one for one in notes if one.rule != "decoder_complained"]  # of the frame that was cut through
    assert [(one.rule, one.video, one.before, one.after, one.note) for one in cuts] == [
        ("fewer_frames_than_header", "v1", "40", str(found[0].frame_count), "the file is cut")
    ]


def test_other_files_beside_the_videos_are_audited(root: Path) -> None:
    (root / "videos" / "notes.txt").write_text("x")
    write_labels(root, "s1,v1,1,,5,joy,", "s1,v2,1,,5,joy,")
    _, _, notes = read(root, FACTS)
    assert [(one.rule, one.before) for one in notes] == [("ignored_files", "1 files '.txt'")]


def test_the_label_file_among_the_videos_is_not_left_out(root: Path) -> None:
    write_labels(root, "s1,v1,1,,5,joy,", "s1,v2,1,,5,joy,")
    (root / "other.csv").write_text("x")
    _, _, notes = read(root, dataclasses.replace(FACTS, folder="."))
    assert [(one.rule, one.before) for one in notes] == [("ignored_files", "1 files '.csv'")]


def test_images_are_found_by_the_numbers_in_their_names(tmp_path: Path) -> None:
    """Labels 151-155 without 153: 153 lies between 152 and 154, and the earlier is taken."""
    write_images(tmp_path / "videos" / "s1" / "v1", [151, 152, 154, 155])
    write_labels(tmp_path, "s1,v1,152,153,154,joy,")
    facts = dataclasses.replace(FACTS, source="images", frame_rate=30.0)
    found, events, notes = read(tmp_path, facts)
    assert (found[0].path, found[0].frame_count, found[0].first_label) == ("videos/s1/v1", 4, 151)
    assert (events[0].start, events[0].stop, events[0].apex) == (1, 3, 1)
    assert [(one.rule, one.row, one.field, one.before, one.after) for one in notes] == [
        ("nearest_frame", 2, "apex", "153", "152")
    ]


@pytest.mark.parametrize(("label", "used"), [(3, 2), (4, 2), (5, 6), (6, 6)])
def test_the_nearest_frame_stands_for_a_missing_one(tmp_path: Path, label: int, used: int) -> None:
    write_images(tmp_path / "videos" / "v1", [1, 2, 6, 7])
    write_labels(tmp_path, f"s1,v1,{label},,7,joy,")
    facts = dataclasses.replace(FACTS, source="images", frame_rate=30.0, first_frame=1)
    _, events, _ = read(tmp_path, facts)
    assert (events[0].onset, events[0].start, events[0].stop) == (used, [1, 2, 6, 7].index(used), 4)


def test_a_label_beyond_the_images_is_outside(tmp_path: Path) -> None:
    write_images(tmp_path / "videos" / "v1", [151, 152])
    write_labels(tmp_path, "s1,v1,150,,152,joy,")
    message = problems(tmp_path, dataclasses.replace(FACTS, source="images", frame_rate=30.0))
    assert "outside video v1, whose frames are 151 to 152" in message


@pytest.mark.parametrize(("first_label", "first_frame"), [(1, 0), (0, 1)])
def test_images_and_labels_that_count_differently_are_refused(
    tmp_path: Path, first_label: int, first_frame: int
) -> None:
    write_images(tmp_path / "videos" / "v1", [first_label, first_label + 1])
    write_labels(tmp_path, "s1,v1,1,,1,joy,")
    facts = dataclasses.replace(FACTS, source="images", frame_rate=30.0, first_frame=first_frame)
    assert f"numbered from {first_label}, but first_frame is {first_frame}" in problems(tmp_path, facts)


def test_images_need_a_frame_rate(tmp_path: Path) -> None:
    write_images(tmp_path / "videos" / "v1", [0, 1])
    write_labels(tmp_path, "s1,v1,0,,1,joy,")
    assert "Give frame_rate" in problems(tmp_path, dataclasses.replace(FACTS, source="images"))


def test_openface_output_is_a_video_of_its_rows(tmp_path: Path) -> None:
    write_images(tmp_path / "videos" / "v1_aligned", [1, 2, 3])
    lines = ["frame, face_id, timestamp, confidence, success"]
    for label in (1, 2, 3):
        path = tmp_path / "videos" / "v1_aligned" / f"img_{label}.png"
        path.rename(path.with_name(f"frame_det_00_{label:06d}.png"))
        lines.append(f"{label}, 0, {(label - 1) / 30:.3f}, 0.98, 1")
    (tmp_path / "videos" / "v1.csv").write_text("\n".join(lines) + "\n")
    write_labels(tmp_path, "s1,v1,1,,3,joy,")
    found, events, notes = read(tmp_path, dataclasses.replace(FACTS, source="openface", first_frame=1))
    assert (found[0].path, found[0].frame_count, found[0].frame_rate) == ("videos/v1.csv", 3, 30.0)
    assert (events[0].start, events[0].stop) == (0, 3)
    assert [one.rule for one in notes] == ["openface_warning"]
    assert "32 px wide" in notes[0].note


def test_reading_twice_gives_the_same(root: Path) -> None:
    write_labels(root, "s1,v2,10,12,19,joy,micro", "s2,v1,3,,9,fear,")
    assert read(root, FACTS) == read(root, FACTS)


def test_first_frame_is_0_or_1(root: Path) -> None:
    assert "first_frame is 2" in problems(root, dataclasses.replace(FACTS, first_frame=2))
