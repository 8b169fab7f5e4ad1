"""`facespan doctor`: facts of this machine, for people and for scripts."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError

import pytest
import torch

from cache.errors import InputError
from cache.weights import face_networks
from stages.commands import doctor


def test_the_facts_are_the_machines_own(capsys: pytest.CaptureFixture[str]) -> None:
    doctor.main(as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert found["precision"] == "float32"
    assert "cpu" in found["devices"]


def test_an_aligner_that_is_not_there_is_said_to_be_absent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> tuple[bytes, bytes]:
        raise InputError("needs a package") from PackageNotFoundError()

    monkeypatch.setattr(face_networks, "read", absent)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("OPENFACE", raising=False)
    doctor.main(as_json=False)
    lines = {line[:25].strip(): line[25:] for line in capsys.readouterr().out.splitlines()}
    assert lines["builtin aligner"].startswith("not installed")
    assert lines["OpenFace"].startswith("not found")
    assert lines["DVC links"].startswith("not known")
