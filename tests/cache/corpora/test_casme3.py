"""CAS(ME)^3: two workbooks become one list of expressions, and frames whose numbers begin anywhere and have gaps."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openpyxl
import pytest
import yaml
from typer.testing import CliRunner

from cache.corpora import readers
from cache.corpora.annotations import Expected, Labels
from cache.corpora.casme3 import Facts
from cache.errors import InputError
from cache.tables import intervals
from cache.tables.intervals import Expression
from stages.commands import app
from stages.shell import params

ROOT = Path(__file__).resolve().parents[3]
LABELS = "cas(me)3_part_A_v2.xls"
EMOTIONS = "cas(me)3_part_A_MaE_label_JpgIndex_v2_emotion.xlsx"
HEADINGS = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Expression type", "Objective class"]
EMOTION_HEADINGS = ["sub", "seq", "onset", "apex", "offset", "emotion"]
MACRO, MICRO = "Macro-expression", "Micro-expression"


def read(root: Path, facts: Facts) -> readers.Tables:
    return readers.read(readers.READERS["casme3"], root, facts)


def read_labels(path: Path, facts: Facts) -> Labels:
    return readers.read_labels(readers.READERS["casme3"], path, facts)


@pytest.fixture
def facts() -> Facts:
    """Return the facts as configured, without totals: the corpora here are small."""
    return replace(configured(), expected=Expected(None, None, None))


def configured() -> Facts:
    document = yaml.safe_load((ROOT / "configs/corpora/casme3.yaml").read_text(encoding="utf-8"))
    return params.build(document["facts"], Facts, "casme3")


def row(
    onset: Any = 1010,
    apex: Any = 1015,
    offset: Any = 1020,
    letter: Any = "a",
    kind: str = MACRO,
    subject: str = "spNO.1",
) -> list[Any]:
    return [subject, letter, onset, apex, offset, "4+7", kind, "II"]


def emotion_row(onset: Any = 1010, offset: Any = 1020, emotion: Any = "happy", letter: Any = "a") -> list[Any]:
    return ["spNO.1", letter, onset, onset, offset, emotion]


def write_labels(
    folder: Path,
    rows: list[list[Any]],
    emotions: list[list[Any]] | None = None,
    sheet: str = "AU+Emotion",
    headings: list[str] = HEADINGS,
) -> Path:
    """Write both workbooks; the emotions are left out when None."""
    xlwt = pytest.importorskip("xlwt", reason="xlwt writes the .xls files of the tests; install the extra 'develop'")
    folder.mkdir(parents=True, exist_ok=True)
    workbook = xlwt.Workbook()
    page = workbook.add_sheet(sheet)
    for number, line in enumerate([headings, *rows]):
        for column, cell in enumerate(line):
            if cell is not None:
                page.write(number, column, cell)
    workbook.save(str(folder / LABELS))
    if emotions is not None:
        beside = openpyxl.Workbook()
        assert beside.active is not None
        beside.active.title = "Sheet1"
        for line in [EMOTION_HEADINGS, *emotions]:
            beside.active.append(line)
        beside.save(folder / EMOTIONS)
    return folder / LABELS


def write_frames(folder: Path, labels: list[int], letter: str = "a", images: str = "color") -> Path:
    suffix = ".jpg" if images == "color" else ".png"
    place = folder / "part_A/data/part_A/spNO.1" / letter / images
    place.mkdir(parents=True)
    image = cv2.imencode(suffix, np.full((12, 16, 3), 90, np.uint8))[1].tobytes()
    for label in labels:
        (place / f"{label}{suffix}").write_bytes(image)
    return place


def rules(labels: Labels) -> Counter[str]:
    return Counter(line.rule for line in labels.audit)


def test_emotions_of_the_second_workbook_come_to_their_rows_in_one_spelling(tmp_path: Path, facts: Facts) -> None:
    rows = [row(), row(1100, 1105, 1110), row(1200, 1205, 1210), row(1300, 1305, 1310, kind=MICRO)]
    emotions = [emotion_row(1200, 1210, "sad"), emotion_row(1100, 1110, "happiness"), emotion_row()]
    labels = read_labels(write_labels(tmp_path, rows, emotions), facts)
    assert [(line.row, line.emotion) for line in labels.used] == [(2, "happiness"), (3, "happiness"), (4, "sadness")]
    assert rules(labels) == {"emotion_mapped": 2, "kind_not_selected": 1}
    assert [(a.row, a.before, a.after) for a in labels.audit if a.rule == "emotion_mapped"] == [
        (4, "happy", "happiness"),
        (2, "sad", "sadness"),
    ]


def genuine_shape() -> tuple[list[list[Any]], list[list[Any]]]:
    """Return the rows of both workbooks: 98 subjects, the kinds and objective classes as often as known."""
    counts = {"I": 182, "II": 244, "III": 495, "IV": 40, "V": 78, "VI": 24, "VII": 2283}
    objective = [name for name, count in counts.items() for _ in range(count)] + ["II"] * 860
    rows, emotions = [], []
    for i in range(3346 + 860):
        subject, letter, onset = f"spNO.{i % 98 + 1}", "abcdefghijklm"[i // 98 % 13], 1 + 200 * (i // (98 * 13))
        kind = MACRO if i < 3346 else MICRO
        rows.append([*row(onset, onset + 5, onset + 10, letter, kind, subject)[:7], objective[i]])
        if kind == MACRO:
            emotions.append([subject, letter, onset, onset + 5, onset + 10, "happy" if i % 2 else "others"])
    return rows, emotions


def test_totals_in_the_genuine_shape_agree_with_the_corpus_file(tmp_path: Path) -> None:
    rows, emotions = genuine_shape()
    labels = read_labels(write_labels(tmp_path, rows, emotions), configured())
    assert len(labels.used) == 3346
    assert len({line.subject for line in labels.found}) == 98
    assert rules(labels) == {"kind_not_selected": 860, "emotion_mapped": 1673}
    assert labels.missing == ""


def type_audit(monkeypatch: pytest.MonkeyPatch, path: Path) -> Any:
    """Type `facespan labels audit casme3`."""
    monkeypatch.chdir(ROOT)
    return CliRunner().invoke(app.build(), ["labels", "audit", "casme3", "--labels", str(path)])


def test_the_audit_confirms_the_genuine_totals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = type_audit(monkeypatch, write_labels(tmp_path, *genuine_shape()))
    assert told.exit_code == 0, told.stdout
    assert told.stdout.endswith("all totals are as expected\n")
    assert "not counted" not in told.stdout


def test_without_the_emotions_the_audit_counts_kinds_and_objective_classes_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = type_audit(monkeypatch, write_labels(tmp_path, genuine_shape()[0]))
    assert told.exit_code == 0, told.stdout
    lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
    assert {"macro 3346 3346", "micro 860 0", "macro I 182 182", "macro VI 24 24", "macro VII 2283 2283"} <= set(lines)
    assert lines[-1] == "all totals that could be counted are as expected"
    missing = next(line for line in lines if line.startswith("not counted: emotions: "))
    assert f"{EMOTIONS} is missing" in missing
    assert "label_set: objective" in missing


def test_without_the_emotions_another_objective_count_is_a_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, _ = genuine_shape()
    rows[0][-1] = "VII"
    told = type_audit(monkeypatch, write_labels(tmp_path, rows))
    assert told.exit_code == 1
    assert "macro I: found 181, expected 182" in told.stdout
    assert "macro VII: found 2284, expected 2283" in told.stdout


def test_the_corpus_is_indexed_by_objective_classes_without_the_emotions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_frames(tmp_path / "root", list(range(1005, 1060)))
    write_labels(tmp_path / "root", [row()])
    shutil.copytree(ROOT / "configs/corpora", tmp_path / "configs/corpora")
    path = tmp_path / "configs/corpora/casme3.yaml"
    monkeypatch.chdir(tmp_path)
    typed = ["index", "casme3", "--root", "root", "--output", "data"]
    told = CliRunner().invoke(app.build(), typed)
    assert told.exit_code == 4
    assert f"{EMOTIONS} is missing" in told.stderr
    assert "set label_set: objective, class_map: objective and classes: [I, II, III, IV, V, VI, VII]" in told.stderr
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["facts"] |= {"label_set": "objective", "class_map": "objective"}
    described["classes"] = ["I", "II", "III", "IV", "V", "VI", "VII"]
    path.write_text(yaml.safe_dump(described), encoding="utf-8")
    told = CliRunner().invoke(app.build(), typed)
    assert told.exit_code == 0, told.stderr
    found = intervals.read(tmp_path / "data/expressions.parquet", Expression)
    assert [(one.kind, one.emotion) for one in found] == [("macro", "II")]


def test_version_1_is_refused_by_name(tmp_path: Path, facts: Facts) -> None:
    rows = [row(kind=MACRO)] * 3285 + [row(kind=MICRO)] * 921
    with pytest.raises(InputError, match=r"is version 1 .* found 3285 macro and 921 micro, expected version 2"):
        read_labels(write_labels(tmp_path, rows, []), facts)


def test_objective_classes_need_no_second_workbook_and_know_micro_expressions(tmp_path: Path, facts: Facts) -> None:
    chosen = replace(facts, label_set="objective", class_map="objective", kinds=("macro", "micro"))
    labels = read_labels(write_labels(tmp_path, [row(), row(1100, 1101, 1103, kind=MICRO)]), chosen)
    assert [(line.kind, line.emotion) for line in labels.used] == [("macro", "II"), ("micro", "II")]
    assert labels.audit == ()


def test_micro_expressions_with_annotated_emotions_are_a_parameter_error() -> None:
    with pytest.raises(ValueError, match="use objective"):
        replace(configured(), kinds=("macro", "micro"))


def test_a_capital_letter_becomes_the_small_one_in_both_workbooks(tmp_path: Path, facts: Facts) -> None:
    path = write_labels(tmp_path, [row(letter="J")], [emotion_row(letter="j", emotion="fear")])
    labels = read_labels(path, facts)
    assert [line.video for line in labels.used] == ["spNO.1_j"]
    assert [(a.rule, a.row, a.before, a.after) for a in labels.audit] == [("small_letter", 2, "J", "j")]


def test_an_expression_without_an_equal_row_takes_the_emotion_of_the_one_it_shares_most_with(
    tmp_path: Path, facts: Facts
) -> None:
    rows = [row(), row(1100, 1105, 1110), row(1200, 1205, 1210)]
    # Frames 1112 to 1120 share none with row 3, 1100 to 1109 share ten.
    emotions = [
        emotion_row(),
        emotion_row(1112, 1120, "fear"),
        emotion_row(1100, 1109, "anger"),
        emotion_row(1200, 1210),
    ]
    labels = read_labels(write_labels(tmp_path, rows, emotions), facts)
    assert [line.emotion for line in labels.used] == ["happiness", "anger", "happiness"]
    overlap = next(a for a in labels.audit if a.rule == "emotion_by_overlap")
    assert (overlap.row, overlap.before, overlap.after) == (3, "[1100, 1110]", "[1100, 1109]")
    unused = next(a for a in labels.audit if a.rule == "emotion_unused")
    assert (unused.row, unused.before) == (3, "[1112, 1120]")


def test_an_expression_without_any_emotion_is_dropped_aloud(tmp_path: Path, facts: Facts) -> None:
    rows = [row(), row(1100, 1105, 1110), row(1300, 1305, 1310)]
    labels = read_labels(write_labels(tmp_path, rows, [emotion_row(), emotion_row(1100, 1110)]), facts)
    assert [line.row for line in labels.used] == [2, 3]
    assert [(a.row, a.video) for a in labels.audit if a.rule == "no_emotion"] == [(4, "spNO.1_a")]


def test_workbooks_of_different_versions_are_refused(tmp_path: Path, facts: Facts) -> None:
    path = write_labels(tmp_path, [row(), row(1100, 1105, 1110)], [emotion_row(1011, 1020), emotion_row(1101, 1110)])
    with pytest.raises(InputError, match="found 0 of 2 macro-expressions with the same onset and offset"):
        read_labels(path, facts)


def test_overlapping_and_long_expressions_are_kept_and_noted(tmp_path: Path, facts: Facts) -> None:
    rows = [row(1000, 1010, 1127), row(1120, 1130, 1248)]
    labels = read_labels(write_labels(tmp_path, rows, [emotion_row(1000, 1127), emotion_row(1120, 1248)]), facts)
    assert len(labels.used) == 2
    # 1000 to 1127 are 128 frames, as many as a window has; 1120 to 1248 are 129.
    assert rules(labels) == {"emotion_mapped": 2, "long_expression": 1, "overlap": 1}


@pytest.mark.parametrize(
    ("headings", "message"),
    [
        (
            ["Subject", "Filename", "Apex", "Onset", *HEADINGS[4:]],
            r"row 1, column C: found 'Apex', expected the heading 'Onset'",
        ),
        (HEADINGS[:7], r"row 1, column H: found nothing, expected the heading 'Objective class'"),
    ],
)
def test_a_column_out_of_place_is_named(tmp_path: Path, facts: Facts, headings: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_labels(write_labels(tmp_path, [row()], [emotion_row()], headings=headings), facts)


def test_a_missing_sheet_and_a_missing_second_workbook_are_named(tmp_path: Path, facts: Facts) -> None:
    with pytest.raises(InputError, match=r"no sheet 'AU\+Emotion'; found 'label'"):
        read_labels(write_labels(tmp_path, [row()], [], sheet="label"), facts)
    write_labels(tmp_path / "alone", [row()])
    with pytest.raises(InputError, match=r"v2_emotion\.xlsx is missing"):
        read(tmp_path / "alone", facts)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["sp1", *row()[1:]], r"column A \(Subject\): found 'sp1', expected a subject such as spNO.1"),
        (["spNO.1", "aa", *row()[2:]], r"column B \(Filename\): found 'aa', expected the letter of a video"),
        (row(onset="x"), r"row 2, column C \(Onset\): found 'x'"),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, facts: Facts, line: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_labels(write_labels(tmp_path, [line], []), facts)


def test_numbers_that_begin_anywhere_and_have_gaps_are_mapped_to_positions(tmp_path: Path, facts: Facts) -> None:
    # Positions 0 to 9 are frames 1005 to 1014; 1015 to 1017 are missing; position 10 is frame 1018.
    labels = [*range(1005, 1015), *range(1018, 1060)]
    write_frames(tmp_path, labels)
    write_labels(
        tmp_path, [row(1010, 1016, 1020), row(1017, 1019, 1030)], [emotion_row(1010, 1020), emotion_row(1017, 1030)]
    )
    videos, expressions, audit = read(tmp_path, facts)
    assert [(v.video, v.subject, v.frame_count, v.first_label) for v in videos] == [("spNO.1_a", "spNO.1", 52, 1005)]
    assert videos[0].path == "part_A/data/part_A/spNO.1/a/color"
    # 1010 is position 5 and 1020 position 12. Apex 1016 is as near to 1014 as to 1018: the earlier, position 9.
    # Onset 1017 is nearest to 1018, position 10; 1030 is position 22.
    assert [(e.start, e.stop, e.apex, e.onset, e.offset) for e in expressions] == [
        (5, 13, 9, 1010, 1020),
        (10, 23, 11, 1017, 1030),
    ]
    moved = [(a.row, a.field, a.before, a.after) for a in audit if a.rule == "nearest_frame"]
    assert moved == [(2, "apex", "1016", "1014"), (3, "onset", "1017", "1018")]
    assert [(a.rule, a.before) for a in audit if a.rule in ("first_label", "frame_gaps")] == [
        ("frame_gaps", "1015-1017"),
        ("first_label", "1005"),
    ]


def test_an_onset_of_0_is_the_first_frame_whatever_its_number(tmp_path: Path, facts: Facts) -> None:
    write_frames(tmp_path, list(range(1005, 1060)))
    write_labels(tmp_path, [row(0, 1010, 1014)], [emotion_row(0, 1014)])
    _, expressions, audit = read(tmp_path, facts)
    assert [(e.start, e.stop, e.apex) for e in expressions] == [(0, 10, 5)]
    assert {"onset_zero", "nearest_frame"} <= {a.rule for a in audit}


def test_depth_images_are_another_folder_of_the_same_videos(tmp_path: Path, facts: Facts) -> None:
    write_frames(tmp_path, list(range(1000, 1040)))
    write_frames(tmp_path, list(range(1000, 1040)), images="depth")
    write_labels(tmp_path, [row()], [emotion_row()])
    color, depth = read(tmp_path, facts), read(tmp_path, replace(facts, images="depth"))
    assert color[1] == depth[1]
    assert depth[0][0].path.endswith("/depth")
    with pytest.raises(InputError, match=r"found color, depth, expected the folder infrared"):
        read(tmp_path, replace(facts, images="infrared"))


def test_a_capital_letter_of_a_folder_is_the_same_video(tmp_path: Path, facts: Facts) -> None:
    write_frames(tmp_path, list(range(1000, 1040)), letter="J")
    write_labels(tmp_path, [row(letter="J")], [emotion_row(letter="J")])
    videos, expressions, _ = read(tmp_path, facts)
    assert [v.video for v in videos] == [e.video for e in expressions] == ["spNO.1_j"]


def test_videos_without_a_row_are_kept_aloud(tmp_path: Path, facts: Facts) -> None:
    write_frames(tmp_path, list(range(1000, 1040)))
    write_frames(tmp_path, list(range(2000, 2040)), letter="b")
    write_labels(tmp_path, [row()], [emotion_row()])
    videos, _, audit = read(tmp_path, facts)
    assert [v.video for v in videos] == ["spNO.1_a", "spNO.1_b"]
    assert [a.video for a in audit if a.rule == "video_without_expressions"] == ["spNO.1_b"]
