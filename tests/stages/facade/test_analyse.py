"""`facespan.analyse`: a video's expressions as a table, from any folder, as the command finds them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.stages import test_align_methods
from tests.stages.conftest import Run
from tests.stages.facade.conftest import ROOT, Ask

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


@pytest.mark.parametrize("keep", [False, True])
def test_ctrl_c_stops_openface_and_leaves_no_face_on_the_disk(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    openface = test_align_methods.install(tmp_path / "OpenFace")
    test_align_methods.tell(openface, ann_1={"hang_at": 20})
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("OPENFACE", str(openface))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    program = f"import facespan; facespan.analyse({VIDEO!r}, align='openface', keep={keep}, device='cpu')"
    asked = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (openface / "pid").exists():
        assert asked.poll() is None, asked.stderr and asked.stderr.read()
        time.sleep(0.01)
    running, faces = int((openface / "pid").read_text()), [tmp_path / "temporary", tmp_path / "kept"]
    assert any(folder.rglob("*.png") for folder in faces)
    os.killpg(asked.pid, signal.SIGINT)  # as a terminal does
    _, said = asked.communicate()
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert said.count("Traceback") == 1
    with pytest.raises(ProcessLookupError):
        os.kill(running, 0)
    assert not [path for folder in faces for path in folder.rglob("*") if path.suffix in (".png", ".h5")]
