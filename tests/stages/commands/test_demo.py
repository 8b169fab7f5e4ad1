"""`facespan demo`: the same corpus however many processes write it, and nothing written twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from cache.files import sha256_of
from cache.labelled import layouts as labelled_images
from stages.commands import demo
from stages.shell import params
from stages.shell.params import ParameterError

SECTION = """
demo:
  subjects: 2
  videos_per_subject: 1
  recordings:
    {{seed: {seed}, frame_rate: 30, duration_seconds: 2.0, fewest_expressions: 1, most_expressions: 1,
     median_length: 20.0, length_spread: 0.2, shortest: 16, longest: 30, smallest_gap: 4, weakest: 0.5}}
"""


def describe(folder: Path, seed: int = 0) -> Path:
    path = folder / f"params-{seed}.yaml"
    path.write_text(SECTION.format(seed=seed))
    return path


def digests(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): sha256_of(path) for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_damaged_video_is_written_again_as_it_was_by_any_number_of_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, root = describe(tmp_path), tmp_path / "corpus"
    demo.main(root, path, processes=2)
    whole = digests(root)
    assert "2 videos of 2 subjects, 120 frames, 2 expressions (2 new, 0 kept)" in capsys.readouterr().out

    (root / "videos" / "p02_1.avi").write_bytes(b"damaged")
    demo.main(root, path, processes=1)
    assert digests(root) == whole
    assert "(1 new, 1 kept)" in capsys.readouterr().out


def test_stills_show_other_people_and_can_be_learned_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo.main(tmp_path / "corpus", describe(tmp_path), stills=tmp_path / "stills", people=3)
    assert "84 stills of 3 people" in capsys.readouterr().out
    assert not (tmp_path / "corpus").exists()
    read = labelled_images.read(tmp_path / "stills/faces.csv", "csv", 48)
    assert read.classes == ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
    assert read.targets.sum(axis=0).tolist() == [12] * 7
    assert len(set(read.subjects)) == 3
    first = digests(tmp_path / "stills")
    demo.main(tmp_path / "corpus", describe(tmp_path), stills=tmp_path / "stills", people=2)
    again = digests(tmp_path / "stills")
    assert all(again[name] == digest for name, digest in first.items() if "s001" in name or "s002" in name)


def test_a_single_subject_is_refused_because_nobody_could_be_held_out(tmp_path: Path) -> None:
    path = describe(tmp_path)
    path.write_text(path.read_text().replace("subjects: 2", "subjects: 1"))
    with pytest.raises(ParameterError, match="at least 2 subjects"):
        demo.main(tmp_path / "corpus", path)


def test_the_parameters_of_the_repository_are_valid() -> None:
    read = params.read(Path(__file__).resolve().parents[3] / params.PARAMS, "demo", demo.DemoParameters)
    assert read.subjects >= 8
    assert read.videos_per_subject >= 2
    assert read.recordings.duration_seconds >= 30
