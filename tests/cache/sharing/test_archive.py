"""An archive is the same bytes for the same content, and a hostile one is refused in one line."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from cache import files
from cache.errors import InputError, ShardError
from cache.sharing import archive
from cache.sharing.archive import Title

TITLE = Title("demo", "ferplus", False)
CONTENT = {name: name.encode() * 9 for name in (*archive.ALWAYS, "features/a.h5", "features/ab/b.h5")}
Member = tuple[tarfile.TarInfo, bytes]


def write(folder: Path) -> Path:
    """Write an archive whose members hold no more than their name."""
    sources = {}
    for name, content in CONTENT.items():
        path = folder / name.replace("/", "_")
        path.write_bytes(content)
        sources[name] = path, files.sha256_of(path)
    archive.write(folder / "cache.tar", TITLE, sources)
    return folder / "cache.tar"


def unpack(path: Path, folder: Path) -> dict[str, bytes]:
    with archive.opened(path) as opened:
        folder.mkdir()
        opened.unpack(folder)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def members(path: Path) -> list[Member]:
    with tarfile.open(path) as tar:
        return [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]


def rewrite(path: Path, changed: list[Member], kind: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=kind) as tar:
        for member, content in changed:
            tar.addfile(member, io.BytesIO(content))
    return path


def member(name: str, content: bytes = b"x", **told: object) -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in told.items():
        setattr(info, field, value)
    return info, content


def test_what_is_packed_comes_back_and_the_bytes_are_the_same_every_time(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert unpack(path, tmp_path / "out") == CONTENT
    os.utime(tmp_path / "features_a.h5", (1, 1))
    before = path.read_bytes()
    assert write(tmp_path).read_bytes() == before
    for found, _ in members(path):
        assert (found.mtime, found.uid, found.gid, found.uname, found.gname) == (0, 0, 0, "", "")


def test_plain_tools_can_unpack_and_check_it(tmp_path: Path) -> None:
    found = {info.name: content for info, content in members(write(tmp_path))}
    assert json.loads(found["facespan.json"]) == {
        "format": 1, "corpus": "demo", "encoder": "ferplus", "pseudonyms": False
    }  # fmt: skip
    for line in found["SHA256SUMS"].decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(found[name]).hexdigest() == digest


def test_the_longest_name_of_a_video_is_packed(tmp_path: Path) -> None:
    name = f"features/ab/{'v' * 128}.h5"
    (tmp_path / "shard").write_bytes(b"shard")
    sources = {known: (tmp_path / "shard", files.sha256_of(tmp_path / "shard")) for known in (*archive.ALWAYS, name)}
    archive.write(tmp_path / "long.tar", TITLE, sources)
    assert unpack(tmp_path / "long.tar", tmp_path / "out")[name] == b"shard"


def test_a_file_that_is_not_what_was_stated_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "shard").write_bytes(b"shard")
    with pytest.raises(ShardError, match="has SHA-256"):
        archive.write(tmp_path / "cache.tar", TITLE, {"features/a.h5": (tmp_path / "shard", "0" * 64)})
    assert [path.name for path in tmp_path.iterdir()] == ["shard"]


def add(extra: Member) -> Callable[[list[Member]], list[Member]]:
    return lambda held: [*held, extra]


def exchange(name: str, by: Member) -> Callable[[list[Member]], list[Member]]:
    return lambda held: [by if info.name == name else (info, content) for info, content in held]


def retitle(**changed: object) -> Callable[[list[Member]], list[Member]]:
    def change(held: list[Member]) -> list[Member]:
        stored = json.loads(held[0][1]) | changed
        return [member("facespan.json", json.dumps(stored).encode()), *held[1:]]

    return change


def relist(change: Callable[[str], str]) -> Callable[[list[Member]], list[Member]]:
    return lambda held: [held[0], member("SHA256SUMS", change(held[1][1].decode()).encode()), *held[2:]]


def name_too(name: str) -> Callable[[list[Member]], list[Member]]:
    """Name one more member in the list, and have it."""

    def change(held: list[Member]) -> list[Member]:
        listed = held[1][1].decode() + f"{hashlib.sha256(b'x').hexdigest()}  {name}\n"
        rest = sorted([*held[2:], member(name)], key=lambda one: one[0].name)
        return [held[0], member("SHA256SUMS", listed.encode()), *rest]

    return change


LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd", "size": 0}
HOSTILE = {
    "nothing at all": lambda held: [],
    "no title": lambda held: held[1:],
    "another order": lambda held: [*held[:2], *reversed(held[2:])],
    "a member less": lambda held: held[:-1],
    "a member more": add(member("features/z.h5")),
    "a member twice": lambda held: [*held, held[-1]],
    "a way out": name_too("../../.git/hooks/post-checkout"),
    "a way out behind a folder of ours": name_too("features/../../x.h5"),
    "an absolute path": name_too("/etc/cron.d/x.h5"),
    "a hidden file": name_too("features/.hidden.h5"),
    "a folder of its own": name_too("features/elsewhere/a.h5"),
    "an image": name_too("frames/a.h5"),
    "two names for one file": name_too("features/A.h5"),
    "a link": exchange("features/a.h5", member("features/a.h5", b"", **LINK)),
    "a hard link": exchange("features/a.h5", member("features/a.h5", b"", **LINK | {"type": tarfile.LNKTYPE})),
    "a device": exchange("features/a.h5", member("features/a.h5", b"", type=tarfile.CHRTYPE, size=0)),
    "a pipe": exchange("features/a.h5", member("features/a.h5", b"", type=tarfile.FIFOTYPE, size=0)),
    "a folder": exchange("features/a.h5", member("features/a.h5", b"", type=tarfile.DIRTYPE, size=0)),
    "a sparse file": exchange("features/a.h5", member("features/a.h5", b"x", type=tarfile.GNUTYPE_SPARSE)),
    "headers of its own": exchange("features/a.h5", member("features/a.h5", b"x", pax_headers={"comment": "x"})),
    "other bytes": exchange("features/a.h5", member("features/a.h5", b"y")),
    "an empty file": exchange("features/a.h5", member("features/a.h5", b"")),
    "a later format": retitle(format=2),
    "more in the title": retitle(more=1),
    "a corpus that leads out": retitle(corpus="../x"),
    "an encoder that leads out": retitle(encoder="a/b"),
    "an encoder that is none": retitle(encoder=[]),
    "pseudonyms of a kind": retitle(pseudonyms="no"),
    "a title that is a list": lambda held: [member("facespan.json", b"[]"), *held[1:]],
    "a title of brackets": lambda held: [member("facespan.json", b"[" * 4096), *held[1:]],
    "a long title": lambda held: [member("facespan.json", b" " * 4097), *held[1:]],
    "a title in another script": lambda held: [member("facespan.json", b"\xff"), *held[1:]],
    "a line that is no digest": relist(lambda text: text + "x\n"),
    "no table named": relist(lambda text: text.replace("videos.parquet", "videos.csv")),
}  # fmt: skip


@pytest.mark.parametrize("fault", HOSTILE)
def test_a_hostile_archive_is_refused_and_nothing_is_written_outside(tmp_path: Path, fault: str) -> None:
    path = write(tmp_path)
    rewrite(path, HOSTILE[fault](members(path)))
    outside = {entry.name for entry in tmp_path.iterdir()}
    with pytest.raises(ShardError, match=r"cache\.tar is no archive of features of format 1: .* Copy it whole, or"):
        unpack(path, tmp_path / "out")
    assert {entry.name for entry in tmp_path.iterdir()} - outside <= {"out"}
    assert not any(entry.is_symlink() for entry in tmp_path.rglob("*"))


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.5])
def test_a_cut_archive_is_refused(tmp_path: Path, share: float) -> None:
    path = write(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ShardError, match="no archive of features"):
        unpack(path, tmp_path / "out")


def test_a_compressed_archive_and_a_file_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    for content in (gzip.compress(path.read_bytes()), b"\x89HDF\r\n\x1a\n" + bytes(10_000), b"x" * 10_000):
        path.write_bytes(content)
        with pytest.raises(ShardError, match="no archive of features"):
            unpack(path, tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.REGTYPE])
def test_a_header_that_claims_a_gigabyte_costs_no_memory(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "large.tar"
    header = tarfile.TarInfo("facespan.json")
    header.size, header.type = 1 << 30, kind
    with path.open("wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.truncate(1 << 31)  # sparse: nothing of it lies on the disk
    tracemalloc.start()
    try:
        with pytest.raises(ShardError, match="no archive of features"):
            unpack(path, tmp_path / "out")
        assert tracemalloc.get_traced_memory()[1] < 1 << 25
    finally:
        tracemalloc.stop()


def test_a_missing_archive_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        unpack(tmp_path / "absent.tar", tmp_path / "out")
