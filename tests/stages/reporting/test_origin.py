"""Which parameters differ from those that facespan ships, and how each stage made what a report shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.parts import recordings
from stages.reporting import origin
from stages.reporting.origin import SECTIONS, changed_of, run_of
from stages.shell import runs

ROOT = Path(__file__).resolve().parents[3]
PARAMS, CORPUS = Path("configs/params.yaml"), Path("configs/corpora/tiny.yaml")


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(described)
    path.write_text(yaml.safe_dump(described), encoding="utf-8")


def changed() -> dict[str, tuple[Any, Any]]:
    return {row.name: (row.value, row.default) for row in changed_of(PARAMS, CORPUS)}


def test_what_facespan_ships_is_what_its_parameters_say() -> None:
    shipped = yaml.safe_load((ROOT / origin.SHIPPED).read_text(encoding="utf-8"))
    expected = yaml.safe_load((ROOT / PARAMS).read_text(encoding="utf-8"))
    assert shipped == {section: expected[section] for section in SECTIONS}, (
        "configs/params.yaml and configs/shipped.yaml differ: change both where facespan is to ship another value"
    )


def test_edited_and_overridden_parameters_are_told_beside_those_that_facespan_ships(begin: Callable[..., Path]) -> None:
    begin()
    edit(CORPUS, lambda described: described.update(overrides={name: {} for name in (*SECTIONS, "report")}))
    assert changed() == {}
    edit(PARAMS, lambda described: described["detect"].update(score_floor=0.05))
    edit(CORPUS, lambda described: described["overrides"]["train"].update(epochs=3, head="decoupled"))
    assert changed() == {"detect.score_floor": (0.05, 0.01), "train.epochs": (3, 30)}


def test_a_networks_own_block_is_compared_with_what_it_goes_before(begin: Callable[..., Path]) -> None:
    begin()
    edit(CORPUS, lambda described: described.update(overrides={name: {} for name in (*SECTIONS, "report")}))
    edit(PARAMS, lambda described: described["train"].update(fedn={"width": 64, "epochs": 30}))
    edit(CORPUS, lambda described: described["overrides"]["train"].update(fedn={"batch_size": 8}))
    assert changed() == {"train.fedn.width": (64, 512), "train.fedn.batch_size": (8, 32)}


def test_the_block_of_a_network_that_is_not_chosen_is_left_out(begin: Callable[..., Path]) -> None:
    begin()
    block = {"normalisation": "video"}
    overrides = {name: {} for name in (*SECTIONS, "report")}
    edit(CORPUS, lambda described: described.update(overrides={**overrides, "train": {"framewise": block}}))
    assert changed() == {}
    edit(CORPUS, lambda described: described["overrides"]["train"].update(network="framewise"))
    assert changed() == {
        "train.network": ("framewise", "fedn"),
        "train.framewise.normalisation": ("video", "none"),
    }


def test_detect_names_the_code_that_it_began_with(
    begin: Callable[..., Path], stage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (begin("detect") / ".dvc").mkdir()
    commits = {"now": "a" * 40}
    load = recordings.load

    def commit_meanwhile(inputs: recordings.Inputs) -> Any:
        commits["now"] = "b" * 40
        return load(inputs)

    monkeypatch.setattr(runs, "commit_of", lambda _: (commits["now"], False))
    monkeypatch.setattr(recordings, "load", commit_meanwhile)
    assert stage("detect").code == 0
    assert run_of("detect", Path("results/detections.parquet")).commit == "a" * 40


def test_a_stages_run_is_told_where_it_ran_here_and_else_said_to_be_unknown(begin: Callable[..., Path]) -> None:
    here = begin("index")
    (here / ".dvc").mkdir()
    made = runs.begin("index", Path("data/videos.parquet"))
    made.note(device="a GPU")
    told = run_of("index", Path("data/videos.parquet"))
    assert told.stage == "index"
    assert told.machine.startswith("a GPU, python 3")
    assert told.made
    unknown = run_of("align", Path("data/frames"))
    assert (unknown.commit, unknown.made, unknown.machine) == (None, "", "")
