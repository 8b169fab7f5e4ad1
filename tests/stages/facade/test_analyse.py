"""`facespan.analyse`: a video's expressions as a table, from any folder, as the command finds them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stages.conftest import Run
from tests.stages.facade.conftest import Ask

VIDEO = "corpus/videos/ann_1.avi"


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is analysed be kept in a folder of the test."""
    monkeypatch.setenv("FACESPAN_CACHE", str(tmp_path / "kept"))


def test_a_table_has_the_rows_of_the_command_also_from_a_folder_outside_of_the_project(
    ask: Ask, facespan: Run, project: Path, tmp_path: Path
) -> None:
    words = ("--align", "none", "--detectors", "results/tiny/detectors", "--threshold", "0", "--json")
    [video] = json.loads(facespan("analyse", VIDEO, *words).out)
    (tmp_path / "elsewhere").mkdir()
    for here, prefix in ((project, Path()), (tmp_path / "elsewhere", project)):
        answered = ask(
            f"""
            import facespan, json
            detectors = {str(prefix / "results/tiny/detectors")!r}
            table = facespan.analyse({str(prefix / VIDEO)!r}, align="none", threshold=0.0, detectors=detectors)
            print(json.dumps(table.to_pylist()))
            """,
            here=here,
        )
        assert json.loads(answered) == [row | {"video": str(prefix / VIDEO)} for row in video["found"]]
    assert video["found"]


def test_what_is_no_video_is_an_error_in_the_words_of_the_command(ask: Ask) -> None:
    told = ask("""
        import facespan
        try:
            facespan.analyse("https://example.org/a.mp4", detectors="results/tiny/detectors")
        except facespan.Error as error:
            print(error)
    """)
    assert told.startswith("https://example.org/a.mp4 is an address, expected a file")
