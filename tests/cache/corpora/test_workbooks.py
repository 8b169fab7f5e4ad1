"""Workbooks of both kinds become the same plain cells; what is no workbook, or has no values, is refused clearly."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from cache.corpora import workbooks
from cache.errors import InputError


def write_xlsx(path: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    workbook.save(path)
    return path


def write_xls(path: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    xlwt = pytest.importorskip("xlwt", reason="xlwt writes the .xls files of the tests; install the extra 'develop'")
    workbook = xlwt.Workbook()
    for name, rows in sheets.items():
        sheet = workbook.add_sheet(name)
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if cell is not None:
                    sheet.write(row, column, cell)
    workbook.save(str(path))
    return path


WRITERS = pytest.mark.parametrize(("write", "suffix"), [(write_xlsx, "xlsx"), (write_xls, "xls")])


@WRITERS
def test_cells_become_texts_whole_numbers_fractions_and_nothing(tmp_path: Path, write: Any, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", {"A": [[" text ", 3.0, 2.5, "", True], [None, None, 7]], "B": [["x"]]})
    sheets = workbooks.read(path)
    assert list(sheets) == ["A", "B"]
    assert sheets["A"].rows == (("text", 3, 2.5, None, True), (None, None, 7))
    assert [type(cell) for cell in sheets["A"].rows[0]] == [str, int, float, type(None), bool]


@WRITERS
def test_row_numbers_stay_those_of_the_spreadsheet(tmp_path: Path, write: Any, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", {"A": [["one"], [], [], ["four"], [], [None]]})
    assert workbooks.read(path)["A"].rows == (("one",), (), (), ("four",))


def test_a_date_becomes_an_iso_text(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"A": [[datetime.datetime(2020, 4, 7)]]})
    assert workbooks.read(path)["A"].rows == (("2020-04-07T00:00:00",),)


def test_the_kind_is_told_by_the_contents_and_not_by_the_suffix(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"A": [[1]]}).rename(tmp_path / "a.xls")
    assert workbooks.read(path)["A"].rows == ((1,),)


def test_a_formula_without_its_value_is_refused_with_its_cell(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"Labels": [[1, 2], [3, "=A1+B1"]]})
    with pytest.raises(
        InputError, match=r"a\.xlsx, sheet 'Labels', row 2, column B: found a formula without its value"
    ):
        workbooks.read(path)


def test_a_formula_with_its_value_is_read_as_the_value(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"A": [["=1+2"]]})
    computed = tmp_path / "computed.xlsx"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(computed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(
                name,
                content.replace(b"<f>1+2</f><v></v>", b"<f>1+2</f><v>3</v>").replace(
                    b"<f>1+2</f><v />", b"<f>1+2</f><v>3</v>"
                ),
            )
    assert workbooks.read(computed)["A"].rows == ((3,),)


def test_an_error_value_is_refused_with_its_cell(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"A": [["#REF!"]]})
    with pytest.raises(InputError, match=r"row 1, column A: found the error #REF!"):
        workbooks.read(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"onset,offset\n1,2\n",
        b"<html>",
        b"version https://git-lfs",
        b"PK\x03\x04 cut",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 cut",
    ],
    ids=["empty", "csv", "html", "pointer", "cut xlsx", "cut xls"],
)
def test_what_is_no_workbook_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.xls"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"labels\.xls .*(Copy it again|save it as)"):
        workbooks.read(path)


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9, 0.99])
@WRITERS
def test_a_workbook_cut_anywhere_is_refused(tmp_path: Path, write: Any, suffix: str, keep: float) -> None:
    path = write(tmp_path / f"a.{suffix}", {"A": [[row, "text"] for row in range(1000)]})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(InputError):
        workbooks.read(path)


def test_a_zip_that_is_no_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(InputError, match="damaged"):
        workbooks.read(path)


def test_a_workbook_that_unpacks_to_gigabytes_is_refused_unopened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks, "LARGEST_BYTES", 8000)
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * 100_000)
    with pytest.raises(InputError, match="unpacks to 100000 bytes"):
        workbooks.read(path)


def test_a_row_of_millions_of_empty_cells_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"<row>" + b"<c/>" * workbooks.MOST_TAGS + b"</row>")
    with pytest.raises(InputError, match="unpacks to 1000002 XML tags"):
        workbooks.read(path)


def test_a_missing_file_and_missing_sheets_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.xlsx is missing"):
        workbooks.read(tmp_path / "none.xlsx")
    path = write_xlsx(tmp_path / "a.xlsx", {"A": [[1]], "B": [[1]]})
    with pytest.raises(InputError, match=r"has no sheet 'C', 'D'; found 'A', 'B'"):
        workbooks.select(path, "B", "C", "D")
    assert [sheet.name for sheet in workbooks.select(path, "B", "A")] == ["B", "A"]


def test_a_cell_at_the_sheets_far_corner_is_refused_by_name(tmp_path: Path) -> None:
    """A library that makes room for the rows and columns before it would need a terabyte."""
    path = write_xlsx(tmp_path / "a.xlsx", {"A": [["x"]]})
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(tmp_path / "far.xlsx", "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            rows = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
            target.writestr(name, source.read(name).replace(b"</sheetData>", rows))
    with pytest.raises(InputError, match=r"far\.xlsx, sheet 'A' has more than 200000 rows or 10000000 cells"):
        workbooks.read(tmp_path / "far.xlsx")


@WRITERS
def test_a_value_far_to_the_right_is_refused_with_its_cell(tmp_path: Path, write: Any, suffix: str) -> None:
    far = [None] * 199
    path = write(tmp_path / f"a.{suffix}", {"Labels": [["x"], *[[*far, row] for row in range(7, 1000)]]})
    with pytest.raises(InputError, match=r"sheet 'Labels', row 2, column GR: found 7(\.0)?, expected nothing beyond"):
        workbooks.read(path)


def test_empty_cells_far_to_the_right_are_left_out_unless_they_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbook = openpyxl.Workbook()
    assert workbook.active is not None
    workbook.active["A1"] = "x"
    for row in (1, 2):
        workbook.active.cell(row, 16384).font = openpyxl.styles.Font(bold=True)
    workbook.save(tmp_path / "a.xlsx")
    assert workbooks.read(tmp_path / "a.xlsx")["Sheet"].rows == (("x",),)
    monkeypatch.setattr(workbooks, "MOST_CELLS", 20_000)
    with pytest.raises(InputError, match=r"sheet 'Sheet' has more than .* cells, empty ones between others counted"):
        workbooks.read(tmp_path / "a.xlsx")
