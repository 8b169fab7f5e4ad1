"""What is exported can be trained on elsewhere; what is imported is whole, or nothing is."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cache import files
from cache.errors import InputError, ShardError
from cache.shards import features, manifest
from cache.sharing import archive, integrity, inventory, transfer
from cache.sharing.pseudonyms import Pseudonyms
from cache.tables import intervals, videos
from cache.tables.intervals import Expression
from tests.cache.sharing import invented

NAMES = Pseudonyms(b"k" * 32)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return features at home."""
    return invented.write_corpus(tmp_path / "home" / "data" / "demo")


def take_in(path: Path, data: Path, **more: Any) -> transfer.Handed:
    return transfer.take_in(path, more.get("sha256"), data, more.get("output"))


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_cache_arrives_as_it_was_without_its_images(home: Path, tmp_path: Path) -> None:
    handed = transfer.export(home, tmp_path / "demo.tar", None)
    assert (len(handed.shards), handed.frame_count, handed.expressions) == (3, 18, 3)
    taken = take_in(tmp_path / "demo.tar", tmp_path / "away")
    assert taken.folder == tmp_path / "away" / "demo" / "features" / "ferplus"
    before = tree(inventory.corpus_folder(home))
    assert tree(tmp_path / "away" / "demo") == {name: c for name, c in before.items() if not name.startswith("frames/")}
    assert [path.name for path in (tmp_path / "away").iterdir()] == ["demo"]


def test_the_same_cache_gives_the_same_archive_in_another_process(home: Path, tmp_path: Path) -> None:
    for names in (None, NAMES):
        transfer.export(home, tmp_path / "one.tar", names)
        program = (
            "import sys; from pathlib import Path; from cache.sharing import transfer; "
            "from cache.sharing.pseudonyms import Pseudonyms; "
            f"transfer.export(Path(sys.argv[1]), Path(sys.argv[2]), {names!r})"
        )
        subprocess.run([sys.executable, "-c", program, home, tmp_path / "two.tar"], check=True)
        assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_no_name_is_in_an_archive_under_pseudonyms_and_features_are_the_same(home: Path, tmp_path: Path) -> None:
    # HDF5 leaves room between datasets, and nothing forbids bytes behind the last: a name could be there.
    with (home / "anneliese-1.h5").open("ab") as file:
        file.write(b"anneliese, bartholomew")
    invented.restate(home, "anneliese-1")
    held = manifest.read(home)
    manifest.write(home, replace(held, run={**held.run, "missing": ["bartholomew-9"], "note": "of anneliese"}))
    transfer.export(home, tmp_path / "demo.tar", NAMES)
    content = (tmp_path / "demo.tar").read_bytes().lower()
    for name in (b"anneliese", b"bartholomew", NAMES.key.hex().encode(), b"5" * 64):
        assert name not in content
    taken = take_in(tmp_path / "demo.tar", tmp_path / "away")
    for name in invented.PEOPLE:
        original, found = features.read(home / f"{name}.h5"), features.read(taken.folder / f"{NAMES.video(name)}.h5")
        np.testing.assert_array_equal(original.features, found.features)
        np.testing.assert_array_equal(original.columns.pts_seconds, found.columns.pts_seconds)
    at_home = intervals.read(inventory.corpus_folder(home) / "expressions.parquet", Expression)
    away = intervals.read(tmp_path / "away" / NAMES.corpus("demo") / "expressions.parquet", Expression)
    assert manifest.read(taken.folder).run["corpus"] == NAMES.corpus("demo")
    assert sorted((NAMES.video(r.video), NAMES.subject(r.subject), r.start, r.stop) for r in at_home) == [
        (row.video, row.subject, row.start, row.stop) for row in away
    ]


def test_an_encoder_named_after_a_subject_is_not_handed_on_under_pseudonyms(home: Path, tmp_path: Path) -> None:
    held = manifest.read(home)
    held.run["encoder"]["name"] = "tuned-on-anneliese"
    manifest.write(home, held)
    with pytest.raises(InputError, match="the encoder holds the name 'anneliese'"):
        transfer.export(home, tmp_path / "demo.tar", NAMES)
    assert not (tmp_path / "demo.tar").exists()


@pytest.mark.parametrize("attribute", ["layer", "key"])
def test_an_attribute_that_names_a_video_is_not_handed_on_under_pseudonyms(
    home: Path, tmp_path: Path, attribute: str
) -> None:
    shard = features.read(home / "anneliese-1.h5")
    told = {"key": shard.key, "layer": shard.layer} | {attribute: "of bartholomew-1"}
    features.write(home / "anneliese-1.h5", shard.features, shard.columns, told["key"], told["layer"])
    held = manifest.read(home)
    entry = manifest.describe(home, home / "anneliese-1.h5", 6, told["key"])
    manifest.write(home, replace(held, shards={**held.shards, "anneliese-1": entry}))
    with pytest.raises(InputError, match=f"the {attribute} of anneliese-1.h5 holds the name 'bartholomew-1'"):
        transfer.export(home, tmp_path / "demo.tar", NAMES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_what_training_would_lack_or_what_is_damaged_is_not_exported(home: Path, tmp_path: Path) -> None:
    invented.flip(home / "anneliese-1.h5")
    with pytest.raises(ShardError, match="has SHA-256"):
        transfer.export(home, tmp_path / "demo.tar", None)
    invented.flip(home / "anneliese-1.h5")
    held = manifest.read(home)
    manifest.write(home, replace(held, shards={v: e for v, e in held.shards.items() if v != "anneliese-1"}))
    with pytest.raises(InputError, match="has no features of anneliese-1, and nobody can train without"):
        transfer.export(home, tmp_path / "demo.tar", None)
    with pytest.raises(InputError, match="only features are handed on"):
        transfer.export(inventory.corpus_folder(home) / "frames", tmp_path / "demo.tar", None)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_an_import_that_is_there_already_changes_nothing_and_finishes_a_killed_one(home: Path, tmp_path: Path) -> None:
    transfer.export(home, tmp_path / "demo.tar", None)
    take_in(tmp_path / "demo.tar", tmp_path / "away")
    before = tree(tmp_path / "away")
    take_in(tmp_path / "demo.tar", tmp_path / "away")
    assert tree(tmp_path / "away") == before
    (tmp_path / "away" / "demo" / "videos.parquet").unlink()
    take_in(tmp_path / "demo.tar", tmp_path / "away")
    assert tree(tmp_path / "away") == before


@pytest.mark.parametrize("name", ["videos.parquet", "expressions.parquet", "features/ferplus/manifest.json"])
def test_what_is_there_and_another_one_is_never_replaced(home: Path, tmp_path: Path, name: str) -> None:
    transfer.export(home, tmp_path / "demo.tar", None)
    target = tmp_path / "away" / "demo" / name
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    with pytest.raises(InputError, match="is there already and is another one"):
        take_in(tmp_path / "demo.tar", tmp_path / "away")
    assert tree(tmp_path / "away") == {f"demo/{name}": b"mine"}
    take_in(tmp_path / "demo.tar", tmp_path / "away", output=tmp_path / "elsewhere" / "demo")
    assert (tmp_path / "elsewhere" / "demo" / "features" / "ferplus" / "manifest.json").is_file()


def test_a_second_encoders_features_join_the_first_ones(home: Path, tmp_path: Path) -> None:
    transfer.export(home, tmp_path / "one.tar", None)
    held = manifest.read(home)
    held.run["encoder"]["name"] = "affectnet"
    manifest.write(home, held)
    transfer.export(home, tmp_path / "two.tar", None)
    for name in ("one", "two"):
        take_in(tmp_path / f"{name}.tar", tmp_path / "away")
    assert len(inventory.find(tmp_path / "away" / "demo")) == 2


def test_a_move_that_fails_takes_back_those_before(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transfer.export(home, tmp_path / "demo.tar", None)
    rename = Path.rename

    def full(self: Path, target: Path) -> Path:
        if self.name == "videos.parquet":
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(InputError, match="the disk is full"):
        take_in(tmp_path / "demo.tar", tmp_path / "away")
    assert tree(tmp_path / "away") == {}


def test_what_a_killed_import_left_is_removed_by_the_next_and_somebodys_folder_is_not(
    home: Path, tmp_path: Path
) -> None:
    transfer.export(home, tmp_path / "demo.tar", None)
    for name in (".facespan-dead.workspace", ".facespan-busy.workspace", ".facespan-mine.workspace"):
        (tmp_path / "away" / name).mkdir(parents=True)
    (tmp_path / "away" / ".facespan-dead.workspace" / ".claim").touch()
    with files.claim(tmp_path / "away" / ".facespan-busy.workspace" / ".claim"):
        take_in(tmp_path / "demo.tar", tmp_path / "away")
    found = sorted(path.name for path in (tmp_path / "away").iterdir())
    assert found == [".facespan-busy.workspace", ".facespan-mine.workspace", "demo"]


def test_a_digest_told_apart_is_checked_first(home: Path, tmp_path: Path) -> None:
    transfer.export(home, tmp_path / "demo.tar", None)
    take_in(tmp_path / "demo.tar", tmp_path / "away", sha256=files.sha256_of(tmp_path / "demo.tar").upper())
    with pytest.raises(ShardError, match="has SHA-256"):
        take_in(tmp_path / "demo.tar", tmp_path / "other", sha256="0" * 64)
    assert not (tmp_path / "other").exists()


def forge(home: Path, path: Path, change: Any) -> Path:
    """Write an archive whose digests are right and whose content is not."""
    corpus = inventory.corpus_folder(home)
    change(home, corpus)
    held = manifest.read(home)
    places = {f"features/{entry.file}": home / entry.file for entry in held.shards.values()}
    places |= {name: corpus / name for name in (inventory.VIDEOS, inventory.EXPRESSIONS)}
    places["features/manifest.json"] = home / "manifest.json"
    sources = {name: (place, files.sha256_of(place)) for name, place in places.items()}
    archive.write(path, archive.Title("demo", "ferplus", False), sources)
    return path


def rewrite_first(home: Path, **changed: Any) -> None:
    shard = features.read(home / "anneliese-1.h5")
    values = changed.get("values", shard.features)
    features.write(home / "anneliese-1.h5", values, shard.columns, changed.get("key", shard.key), shard.layer)
    invented.restate(home, "anneliese-1")


def claim_more_frames(home: Path, corpus: Path) -> None:
    invented.restate(home, "anneliese-1", frames=7)


def other_corpus(home: Path, corpus: Path) -> None:
    held = manifest.read(home)
    manifest.write(home, replace(held, run={**held.run, "corpus": "\x1b[2Jcasme2"}))


def late_expression(home: Path, corpus: Path) -> None:
    known = intervals.read(corpus / "expressions.parquet", Expression)
    intervals.write(corpus / "expressions.parquet", Expression, [replace(known[0], stop=7), *known[1:]])


def strange_subject(home: Path, corpus: Path) -> None:
    known = intervals.read(corpus / "expressions.parquet", Expression)
    intervals.write(corpus / "expressions.parquet", Expression, [replace(known[0], subject="constance"), *known[1:]])


def longer_video(home: Path, corpus: Path) -> None:
    rows = videos.read(corpus / "videos.parquet")
    videos.write(corpus / "videos.parquet", [replace(rows[0], frame_count=9), *rows[1:]])


def escaping_path(home: Path, corpus: Path) -> None:
    rows = videos.read(corpus / "videos.parquet")
    table = {name: [getattr(row, name) for row in rows] for name in videos.SCHEMA.names}
    table["path"] = ["../\x1b[2Jx", *table["path"][1:]]
    pq.write_table(pa.Table.from_pydict(table, schema=videos.SCHEMA), corpus / "videos.parquet")


def no_hdf5(home: Path, corpus: Path) -> None:
    (home / "anneliese-1.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 999)
    invented.restate(home, "anneliese-1")


FORGED = {
    "dead features": lambda home, corpus: rewrite_first(home, values=np.zeros((6, 8), np.float16)),
    "another key": lambda home, corpus: rewrite_first(home, key="another"),
    "more frames": claim_more_frames,
    "another corpus": other_corpus,
    "an expression beyond the end": late_expression,
    "an expression of somebody else": strange_subject,
    "a longer video": longer_video,
    "no HDF5": no_hdf5,
    "a path that leads out and moves the cursor": escaping_path,
    "no parquet": lambda home, corpus: (corpus / "videos.parquet").write_bytes(b"PAR1" + b"x" * 99),
    "no manifest": lambda home, corpus: None,
    "a video without features": lambda home, corpus: invented.write_tables(corpus, [*invented.PEOPLE, "constance-1"]),
    "features without a video": lambda home, corpus: invented.write_tables(corpus, ["anneliese-1"]),
}  # fmt: skip


@pytest.mark.parametrize("fault", FORGED)
def test_a_forged_archive_with_right_digests_is_refused_whole(home: Path, tmp_path: Path, fault: str) -> None:
    path = forge(home, tmp_path / "forged.tar", FORGED[fault])
    if fault == "no manifest":
        (home / "manifest.json").write_text("{}")
        sources = {name: (home / "manifest.json", files.sha256_of(home / "manifest.json")) for name in archive.ALWAYS}
        archive.write(path, archive.Title("demo", "ferplus", False), sources)
    with pytest.raises(ShardError) as refused:
        take_in(path, tmp_path / "away")
    assert "\x1b" not in str(refused.value)
    assert "workspace" not in str(refused.value)
    assert tree(tmp_path / "away") == {}
    assert list((tmp_path / "away").iterdir()) == []


def test_what_was_imported_is_sound(home: Path, tmp_path: Path) -> None:
    transfer.export(home, tmp_path / "demo.tar", NAMES)
    taken = take_in(tmp_path / "demo.tar", tmp_path / "away")
    compared = integrity.beside(None, inventory.videos_beside(taken.folder))
    assert integrity.verify(taken.folder, compared, lambda _: None) == []
