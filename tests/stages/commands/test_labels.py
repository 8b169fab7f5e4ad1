"""`facespan labels audit` needs the label file only, hides no row, and answers a script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from typer.testing import CliRunner

from stages.commands import labels
from stages.shell.command import ExitCode

ROOT = Path(__file__).resolve().parents[3]
EMOTIONS = ["positive"] * 116 + ["surprise"] * 16 + ["negative"] * 105 + ["others"] * 63
FOLDERS = [15, 16, *range(19, 28), *range(29, 39), 40]


def write(path: Path, macro: int, micro: int) -> Path:
    """Write a CAS(ME)^2 workbook with one offset of 0."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    expressions = workbook.create_sheet("CASFEcode_final")
    for i in range(macro + micro):
        onset, kind = 1 + 50 * (i // 22), "macro-expression" if i < macro else "micro-expression"
        offset = 0 if i == 0 else onset + 20
        emotion = EMOTIONS[i] if i < macro else "others"
        expressions.append([i % 22 + 1, "anger1_1", onset, onset + 10, offset, "4", emotion, kind, "anger"])
    subjects = workbook.create_sheet("naming rule1")
    for index, number in enumerate(FOLDERS, start=1):
        subjects.append([number, f"s{number}", index])
    workbook.create_sheet("naming rule2").append([401, "anger1"])
    workbook.save(path)
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.chdir(ROOT)
    return CliRunner().invoke(labels.app, ["audit", *arguments])


def test_the_totals_of_the_genuine_file_are_confirmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.xlsx", 300, 57)
    told = run(monkeypatch, "casme2", "--labels", str(path))
    assert told.exit_code == ExitCode.DONE
    lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
    assert lines[0] == "casme2: 357 rows, 300 used"
    assert "macro 300 300" in lines
    assert "micro 57 0" in lines
    assert "macro positive 116 116" in lines
    assert "s15 17 14" in lines
    assert "offset_zero 1" in lines
    assert "offset_zero row 1 15_0401 offset 0 -> 11 (apex)" in lines
    assert lines[-1] == "all totals are as expected"


def test_json_holds_the_counts_and_every_row_of_the_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.xlsx", 300, 57)
    found = json.loads(run(monkeypatch, "casme2", "--labels", str(path), "--json").stdout)
    assert found["found"]["by_kind"] == {"macro": 300, "micro": 57}
    assert found["used"]["by_class"] == {
        "macro negative": 105,
        "macro others": 63,
        "macro positive": 116,
        "macro surprise": 16,
    }
    assert len(found["found"]["by_subject"]) == 22
    assert sum(found["rules"].values()) == len(found["audit"])
    assert found["differences"] == []
    zero = next(row for row in found["audit"] if row["rule"] == "offset_zero")
    assert (zero["row"], zero["field"], zero["before"], zero["after"]) == (1, "offset", "0", "11")


def test_another_total_is_said_and_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = run(monkeypatch, "casme2", "--labels", str(write(tmp_path / "a.xlsx", 299, 57)))
    assert told.exit_code == ExitCode.DIFFERENCES
    assert "macro: found 299, expected 300" in told.stdout
    assert "macro others: found 62, expected 63" in told.stdout


def write_table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["subject,video,onset,apex,offset,emotion,kind", *rows]) + "\n", encoding="utf-8")
    return path


def test_a_teams_own_table_is_audited_without_its_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_table(tmp_path / "a.csv", "s1,v1,1,,9,fear,", "s1,v1,20,25,29,anger,micro", "s2,v2,,,,,")
    told = run(monkeypatch, "demo", "--labels", str(path))
    assert told.exit_code == ExitCode.DONE, told.stderr
    lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
    assert lines[0] == "demo: 2 rows, 2 used"
    assert {"macro 1 1", "micro 1 1", "macro fear 1 1", "micro anger 1 1", "s1 2 2"} <= set(lines)
    assert "video_without_expressions row 4 v2 (kept)" in lines
    assert "subject_without_expressions s2 (kept)" in lines


def test_a_teams_own_table_with_wrong_rows_ends_with_4_and_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_table(tmp_path / "a.csv", "s1,v1,9,,1,fear,", "s1,v1,20,25,29,angre,")
    told = run(monkeypatch, "demo", "--labels", str(path))
    assert told.exit_code == ExitCode.INPUT
    assert "row 2: offset 1 is before onset 9" in told.stderr
    assert "row 3: emotion 'angre' is unknown (did you mean 'anger'?)" in told.stderr


def test_a_bad_label_file_ends_with_4_and_an_unknown_corpus_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, "casme2", "--labels", str(tmp_path / "none.xlsx")).exit_code == ExitCode.INPUT
    assert run(monkeypatch, "demo", "--labels", str(tmp_path / "none.csv")).exit_code == ExitCode.INPUT
    assert run(monkeypatch, "casme9", "--labels", str(tmp_path / "none.xlsx")).exit_code == ExitCode.USAGE


def test_a_small_workbook_with_cells_far_to_the_right_is_refused_and_not_unfolded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbook = openpyxl.Workbook()
    assert workbook.active is not None
    for row in range(1, 2001):
        workbook.active.cell(row, 16384, 1)
    workbook.save(tmp_path / "far.xlsx")
    told = run(monkeypatch, "casme2", "--labels", str(tmp_path / "far.xlsx"))
    assert told.exit_code == ExitCode.INPUT
    assert "far.xlsx, sheet 'Sheet', row 1, column XFD: found 1, expected nothing beyond column CV" in told.stderr


def test_where_no_totals_are_declared_none_are_called_as_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "expressions.csv"
    path.write_text("subject,video,onset,apex,offset,emotion\nann,ann_1,5,,9,anger\n", encoding="utf-8")
    told = run(monkeypatch, "demo", "--labels", str(path))
    assert told.exit_code == ExitCode.DONE
    assert told.stdout.splitlines()[-1] == "the corpus file declares no totals to compare with"


def own_corpus(folder: Path, monkeypatch: pytest.MonkeyPatch, *rows: str) -> Any:
    """Audit the labels of a corpus where it lies, beside two videos nobody has to decode."""
    (folder / "configs/corpora").mkdir(parents=True)
    (folder / "footage/videos").mkdir(parents=True)
    for name in ("ann_1", "ben_1"):
        (folder / f"footage/videos/{name}.avi").touch()
    (folder / "configs/corpora/mine.yaml").write_bytes((ROOT / "configs/corpora/demo.yaml").read_bytes())
    (folder / "configs/places.yaml").write_text("mine: footage\n", encoding="utf-8")
    text = "\n".join(["subject,video,onset,apex,offset,emotion", *rows, ""])
    (folder / "footage/expressions.csv").write_text(text, encoding="utf-8")
    monkeypatch.chdir(folder)
    return CliRunner().invoke(labels.app, ["audit", "mine"])


def test_without_a_file_the_corpus_own_is_audited_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = own_corpus(tmp_path, monkeypatch, "ann,ann_1,3,,9,happiness", "ben,ben_1,,,,")
    assert told.exit_code == ExitCode.DONE, told.output
    assert told.stdout.startswith("mine: 1 rows, 1 used\n")


def test_rows_are_compared_with_the_videos_that_lie_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = own_corpus(tmp_path, monkeypatch, "ann,ann_1,3,,9,happiness", "ben,bem_1,,,,")
    assert told.exit_code == ExitCode.INPUT
    assert "row 3: no file for video 'bem_1' (did you mean 'ben_1'?): add it" in told.stderr
    assert "ben_1.avi has no row in expressions.csv" in told.stderr


def test_a_csv_that_nobody_filled_in_is_said_to_hold_no_expression(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = own_corpus(tmp_path, monkeypatch, "ann,ann_1,,,,", "ben,ben_1,,,,")
    assert "no expression yet: a row of a video says onset, offset and emotion, or that it has none" in told.stdout


def test_where_the_corpus_is_not_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_corpus(tmp_path, monkeypatch).exit_code == ExitCode.INPUT  # each video needs a row
    (tmp_path / "configs/places.yaml").write_text("mine: elsewhere\n", encoding="utf-8")
    told = CliRunner().invoke(labels.app, ["audit", "mine"])
    assert told.exit_code == ExitCode.INPUT
    assert "facespan place mine FOLDER, or give the label file itself: --labels FILE" in told.stderr
