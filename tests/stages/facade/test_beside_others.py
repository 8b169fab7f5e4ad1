"""`facespan` and `import facespan` beside packages of others, from any folder, and when something ends in the midst."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.shell.command import ExitCode
from tests.stages.facade.conftest import ROOT, Ask


def test_packages_of_others_named_as_ours_stay_theirs(ask: Ask, foreign: Path) -> None:
    told = ask(
        """
        import cache
        import facespan
        print(facespan.expressions("tiny").num_rows)
        import pipeline, stages
        print(cache.WHOSE, pipeline.WHOSE, stages.WHOSE)
        """,
        foreign,
    )
    assert told == "6\nforeign foreign foreign\n"


@pytest.mark.parametrize("first", ["", "import cache, stages; "], ids=["ahead in the path", "loaded already"])
def test_the_command_runs_beside_packages_of_others(project: Path, foreign: Path, first: str) -> None:
    program = f"{first}import sys, facespan; sys.argv = ['facespan', 'cache', 'ls']; facespan.main()"
    paths = os.pathsep.join(map(str, (foreign, ROOT)))
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONSAFEPATH": "1"}
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert told.returncode == ExitCode.DONE, told.stderr
    assert "data/tiny/features/ferplus" in told.stdout


def test_the_project_is_found_from_a_folder_in_it_and_is_left_as_the_current_one(ask: Ask, project: Path) -> None:
    told = ask(
        """
        import facespan, os
        features = facespan.features("tiny")
        print(facespan.project().name, os.path.basename(os.getcwd()))
        os.chdir("/")
        print(features["ann_1"].video)
        try:
            facespan.videos("tiny")
        except facespan.Error as error:
            print(error)
        """,
        here=project / "data/tiny",
    )
    assert told == (
        "project tiny\nann_1\nneither / nor a folder above it holds configs/corpora. "
        "Change into a project: os.chdir(...)\n"
    )


def test_what_is_refused_says_what_the_command_says(ask: Ask) -> None:
    told = ask(
        """
        import facespan
        for corpus in ("tinny", "demo"):
            try:
                facespan.expressions(corpus)
            except facespan.Error as error:
                print(error)
        """
    )
    first, second = told.splitlines()
    assert first.startswith("there is no corpus 'tinny'")
    assert second.startswith("data/demo/expressions.parquet is missing.")


def test_notes_go_to_the_stderr_of_whoever_asked(ask: Ask) -> None:
    told = ask(
        """
        import contextlib, facespan, io
        (said := io.StringIO()).write("said: ")
        found = facespan.detections("tiny", below=True)
        known = facespan.expressions("tiny")
        with contextlib.redirect_stderr(said):
            facespan.score(found, known, kind="macro", classes=set(found["emotion"].to_pylist()) | {"anger"})
        print(said.getvalue())
        """
    )
    assert told.startswith("said: note: detections have no column kind")


def test_after_an_end_in_the_midst_the_next_question_is_answered(ask: Ask) -> None:
    told = ask(
        """
        import facespan, os, signal
        facespan.videos("tiny")
        one = facespan._answering[facespan.project()]
        one.process.kill()
        try:
            facespan.videos("tiny")
        except RuntimeError as error:
            print(error)
        print(facespan.videos("tiny").num_rows)

        def stop(*_):
            raise KeyboardInterrupt

        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        try:
            while True:
                facespan.detections("tiny")
        except KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, 0)
        print(facespan.videos("tiny").num_rows, facespan.expressions("tiny").num_rows)
        """
    )
    assert told.splitlines() == [
        "facespan ended before it answered videos; above stands why, if it could say",
        "3",
        "3 6",
    ]


def test_a_question_that_waits_for_its_turn_is_answered_though_the_one_before_it_ends_in_the_midst(ask: Ask) -> None:
    told = ask(
        """
        import facespan, threading
        facespan.videos("tiny")
        one = facespan._answering[facespan.project()]
        begun, go_on, found = threading.Event(), threading.Event(), []

        def end_in_the_midst(question):
            begun.set()
            go_on.wait()
            raise EOFError

        one.ask = end_in_the_midst

        class Lock:
            def __init__(self, inner):
                self.inner = inner

            def __enter__(self):
                if begun.is_set():
                    go_on.set()
                self.inner.acquire()

            def __exit__(self, *_):
                self.inner.release()

        one.lock = Lock(one.lock)

        def ask(name):
            try:
                found.append((name, getattr(facespan, name)("tiny").num_rows))
            except RuntimeError as error:
                found.append((name, str(error)[:34]))

        asking = [threading.Thread(target=ask, args=(name,)) for name in ("videos", "expressions", "detections")]
        asking[0].start()
        begun.wait()
        for thread in asking[1:]:
            thread.start()
        for thread in asking:
            thread.join()
        known = dict(found)
        print(known["videos"], known["expressions"], known["detections"] == facespan.detections("tiny").num_rows)
        """
    )
    assert told == "facespan ended before it answered  6 True\n"


def test_threads_and_forks_each_get_their_own_answers(ask: Ask) -> None:
    told = ask(
        """
        import facespan, os
        from concurrent.futures import ThreadPoolExecutor
        features = facespan.features("tiny")
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda name: features[name].video, list(features) * 5))
        assert found == list(features) * 5
        if (child := os.fork()) == 0:
            os._exit(0 if features["ben_1"].video == "ben_1" else 1)
        assert features["cem_1"].video == "cem_1"
        print(os.waitpid(child, 0)[1])
        """
    )
    assert told == "0\n"


@pytest.mark.parametrize("what", ["build_wheel", "build_sdist"])
def test_no_wheel_is_built_and_it_is_said_why(what: str, tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", f"import editable_only; editable_only.{what}({str(tmp_path)!r})"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert "pip install --editable ." in told.stderr
    assert not any(tmp_path.iterdir())


def test_pip_builds_no_wheel_and_says_why(tmp_path: Path) -> None:
    words = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path), str(ROOT)]
    told = subprocess.run(
        [sys.executable, "-m", "pip", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert told.returncode == 1
    assert "facespan is installed from a checkout alone" in told.stdout + told.stderr
    assert not list(tmp_path.glob("*.whl"))
