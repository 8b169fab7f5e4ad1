"""Shards are the same bytes every time, and a hostile one is refused before it can do anything."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import h5py
import numpy as np
import pytest

from cache import files
from cache.columns import FrameColumns, describe_fault
from cache.errors import InputError, ShardError, StaleShardError
from cache.shards import layout as shards
from cache.shards.layout import COLUMN_DATASETS, Layout
from cache.shards.untrusted import UntrustedShard

LAYOUT = Layout("test", COLUMN_DATASETS, MappingProxyType({"note": str}), "make again")
KEY = "k" * 64


def columns(frame_count: int = 5) -> FrameColumns:
    return FrameColumns(
        pts_seconds=np.arange(frame_count) / 30,
        frame_label=np.arange(1, frame_count + 1),
        face_found=np.arange(frame_count) % 2 == 0,
        face_confidence=np.full(frame_count, 0.75, np.float32),
    )


def write(path: Path) -> None:
    shards.write(path, LAYOUT, {"key": KEY, "note": "Gruß"}, shards.contents_of(columns()))


def load(path: Path, sha256: str | None = None) -> FrameColumns:
    with UntrustedShard(path, LAYOUT, sha256) as shard:
        return shard.load_columns()


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """Return the path of a sound shard."""
    write(tmp_path / "v.h5")
    return tmp_path / "v.h5"


def test_what_is_written_is_read(shard: Path) -> None:
    with UntrustedShard(shard, LAYOUT, files.sha256_of(shard)) as opened:
        assert opened.attributes == {"format": 1, "kind": "test", "key": KEY, "note": "Gruß"}
        found = opened.load_columns()
    for name in COLUMN_DATASETS:
        expected = getattr(columns(), name)
        assert getattr(found, name).dtype == expected.dtype
        np.testing.assert_array_equal(getattr(found, name), expected)


def test_any_hdf5_reader_reads_it(shard: Path) -> None:
    with h5py.File(shard) as file:
        np.testing.assert_array_equal(file["frame_label"], [1, 2, 3, 4, 5])
        assert file.attrs["key"] == KEY.encode()


def test_the_same_input_gives_the_same_bytes_in_another_process_at_another_time(shard: Path) -> None:
    program = """
        import runpy, pathlib, sys, time
        time.sleep(1.1)  # HDF5 would store whole seconds
        runpy.run_path(sys.argv[1])["write"](pathlib.Path(sys.argv[2]))
    """
    other = shard.with_name("other.h5")
    command = [sys.executable, "-c", textwrap.dedent(program), __file__, str(other)]
    subprocess.run(command, check=True, cwd=Path(__file__).resolve().parents[3])
    assert other.read_bytes() == shard.read_bytes()


def test_every_dataset_begins_at_a_multiple_of_its_item(shard: Path) -> None:
    with UntrustedShard(shard, LAYOUT, None) as opened:
        assert all(place.offset % place.data_type.itemsize == 0 for place in opened.places.values())


def test_another_key_is_stale_and_both_are_named(shard: Path) -> None:
    with UntrustedShard(shard, LAYOUT, None) as opened:
        opened.check_key(None)
        opened.check_key(KEY)
        with pytest.raises(StaleShardError, match=f"{KEY}, but new is asked for.*make again"):
            opened.check_key("new")


def test_a_fingerprint_depends_on_names_and_values_but_not_on_order() -> None:
    assert shards.fingerprint({"a": 1, "b": "2"}) == shards.fingerprint({"b": "2", "a": 1})
    assert len({shards.fingerprint(fields) for fields in ({"a": 1}, {"a": 2}, {"b": 1}, {"a": "1"}, {})}) == 5


@pytest.mark.parametrize("text", ["", "a\0b", "x" * 1025])
def test_a_text_that_hdf5_would_not_give_back_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="note is"):
        shards.write(tmp_path / "v.h5", LAYOUT, {"key": KEY, "note": text}, shards.contents_of(columns()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "values", "fault"),
    [
        ("pts_seconds", [0, 1, np.nan], "pts_seconds is not finite or negative at position 2"),
        ("pts_seconds", [-1, 0, 1], "pts_seconds is not finite or negative at position 0"),
        ("pts_seconds", [0, 2, 1], "less than that of the frame before at position 2"),
        ("frame_label", [-1, 0, 1], "frame_label is negative at position 0"),
        ("frame_label", [1, 1, 2], "not greater than that of the frame before at position 1"),
        ("face_confidence", [0, 1.5, 1], "face_confidence is not between 0 and 1 at position 1"),
        ("face_confidence", [0, 1, np.nan], "face_confidence is not between 0 and 1 at position 2"),
        ("face_found", [True, False], r"face_found has shape \(2,\) of bool, expected \(3,\) of bool"),
    ],
)
def test_columns_that_contradict_themselves_are_described(name: str, values: list[float], fault: str) -> None:
    sound = columns(3)
    parts = {other: getattr(sound, other) for other in COLUMN_DATASETS}
    parts[name] = np.array(values, parts[name].dtype)
    with pytest.raises(AssertionError, match=fault):
        raise AssertionError(describe_fault(FrameColumns(**parts)))
    assert describe_fault(sound) is None


def replace(file: h5py.File, **options: object) -> None:
    """Store the labels in another way."""
    del file["frame_label"]
    file.create_dataset("frame_label", **options)


def link(file: h5py.File, target: h5py.SoftLink | h5py.ExternalLink) -> None:
    del file["frame_label"]
    file["frame_label"] = target


def virtual(file: h5py.File) -> None:
    """Store labels that lie in a named pipe: who follows them waits for ever."""
    os.mkfifo(f"{file.filename}.pipe")
    layout = h5py.VirtualLayout((5,), "<i8")
    layout[:] = h5py.VirtualSource(f"{file.filename}.pipe", "labels", (5,))
    del file["frame_label"]
    file.create_virtual_dataset("frame_label", layout)


def declare(file: h5py.File, frame_count: int) -> None:
    """Store labels that say how many they are, and hold none."""
    del file["frame_label"]
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_LATE)
    h5py.h5d.create(file.id, b"frame_label", h5py.h5t.STD_I64LE, h5py.h5s.create_simple((frame_count,)), dcpl=creation)


def attribute(file: h5py.File, value: object, name: str = "note") -> None:
    file.attrs[name] = value


LABELS = np.arange(1, 6)
TAMPERING: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "an external link": (lambda file: link(file, h5py.ExternalLink("/etc/passwd", "/x")), "soft or external link"),
    "a soft link": (lambda file: link(file, h5py.SoftLink("/pts_seconds")), "soft or external link"),
    "a missing dataset": (lambda file: file.pop("frame_label"), "3 links"),
    "another dataset": (lambda file: file.create_dataset("more", data=LABELS), "5 links"),
    "another name": (lambda file: file.move("frame_label", "labels"), "no dataset frame_label"),
    "a group": (lambda file: (file.pop("frame_label"), file.create_group("frame_label")), "a GroupID"),
    "external storage": (
        lambda file: replace(file, shape=(5,), dtype="<i8", external=[("/dev/zero", 0, 40)]),
        "data lies in another file",
    ),
    "a virtual dataset": (virtual, "virtual"),
    "chunks": (lambda file: replace(file, data=LABELS, chunks=(5,)), "chunked"),
    "a filter": (lambda file: replace(file, data=LABELS, compression="gzip"), "filtered"),
    "another type": (lambda file: replace(file, data=LABELS.astype("<f8")), "another data type"),
    "the other byte order": (lambda file: replace(file, data=LABELS.astype(">i8")), "another data type"),
    "variable strings": (lambda file: replace(file, data=["a"] * 5), "another data type"),
    "another rank": (lambda file: replace(file, data=LABELS[:, None]), "1 dimensions"),
    "no shape": (lambda file: replace(file, data=h5py.Empty("<i8")), "shape None"),
    "no frame": (lambda file: replace(file, shape=(0,), dtype="<i8"), "none empty"),
    "another length": (lambda file: replace(file, data=np.arange(6)), r"frame_label has shape \(6,\)"),
    "a petabyte": (lambda file: declare(file, 1 << 47), "data inside the"),
    "an overflowing length": (lambda file: declare(file, (1 << 60) - 1), "data inside the"),
    "a face that is neither": (lambda file: file["face_found"].write_direct(np.full(5, 2, "u1")), "neither 0 nor 1"),
    "a time that is no number": (lambda file: file["pts_seconds"].write_direct(np.full(5, np.nan)), "not finite"),
    "a variable text": (lambda file: attribute(file, "text"), "attribute note of another type"),
    "a long text": (lambda file: attribute(file, np.bytes_(b"x" * 1025)), "attribute note of another type"),
    "a text that is no UTF-8": (lambda file: attribute(file, np.bytes_(b"\xff")), "HDF5 cannot read"),
    "a number for a text": (lambda file: attribute(file, np.int64(1)), "attribute note of another type"),
    "many texts": (lambda file: attribute(file, np.full(9, b"x")), "that is an array"),
    "another attribute": (lambda file: attribute(file, np.int64(1), "more"), "5 attributes"),
    "a missing attribute": (lambda file: file.attrs.pop("note"), "no attribute note"),
    "another format": (lambda file: attribute(file, np.int64(2), "format"), "format 2, expected format 1"),
    "another kind": (lambda file: attribute(file, np.bytes_(b"frames"), "kind"), "a shard of 'frames'"),
}


@pytest.mark.parametrize("case", TAMPERING)
def test_a_tampered_shard_is_refused(shard: Path, case: str) -> None:
    tamper, expected = TAMPERING[case]
    with h5py.File(shard, "r+") as file:
        tamper(file)
    with pytest.raises(ShardError, match=rf"v\.h5: found .*({expected}).*Run: make again"):
        load(shard)


def test_the_manifest_digest_is_checked_before_anything_is_parsed(shard: Path) -> None:
    shard.write_bytes(b"junk")
    with pytest.raises(ShardError, match=r"found SHA-256 .*, as the manifest says"):
        load(shard, "0" * 64)


@pytest.mark.parametrize("size", [0, 7, 8, 47, 500, 2047, 2100])
def test_a_truncated_shard_is_refused(shard: Path, size: int) -> None:
    shard.write_bytes(shard.read_bytes()[:size])
    with pytest.raises(ShardError, match=r"v\.h5: found .*, expected .*\. Run: make again"):
        load(shard)


def test_junk_is_refused(shard: Path) -> None:
    shard.write_bytes(b"%PDF-1.7" + bytes(5000))
    with pytest.raises(ShardError, match="expected an HDF5 file"):
        load(shard)


def test_what_is_no_regular_file_is_refused_without_waiting(shard: Path) -> None:
    pipe, link, folder = (shard.with_name(name) for name in ("pipe", "link", "folder"))
    os.mkfifo(pipe)
    link.symlink_to(shard)
    folder.mkdir()
    for path, expected in {pipe: "pipe", link: "symbolic link.*relink", folder: "folder"}.items():
        with pytest.raises(ShardError, match=expected):
            load(path)
    with pytest.raises(InputError, match=r"absent does not exist\. Run: make again"):
        load(shard.with_name("absent"))


def test_a_flipped_bit_anywhere_is_refused_or_harmless_but_never_another_error(shard: Path) -> None:
    whole = shard.read_bytes()
    source = random.Random(0)
    for position in source.sample(range(len(whole)), 300):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << source.randrange(8)
        shard.write_bytes(flipped)
        try:
            assert len(load(shard)) == 5
        except ShardError:
            continue


def test_no_file_stays_open_after_a_refusal(shard: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("this system does not list open files under /proc")
    before = len(list(descriptors.iterdir()))
    with h5py.File(shard, "r+") as file:
        file.attrs["more"] = np.int64(1)
    for _ in range(10):
        with pytest.raises(ShardError):
            load(shard)
    assert len(list(descriptors.iterdir())) == before
