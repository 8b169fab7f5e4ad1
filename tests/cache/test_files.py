"""Files are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cache import files
from cache.errors import InputError


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a Python program that can import ours; its output is a pipe."""
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2])


def fail(path: Path, problem: BaseException) -> None:
    """Fail in the midst of writing a file."""
    with files.write_atomically(path) as temporary:
        temporary.write_text("after")
        raise problem


WRITER = """
    import pathlib, sys, time
    from cache import files
    with files.write_atomically(pathlib.Path(sys.argv[1])) as temporary:
        temporary.write_text("half")
        print("writing", flush=True)
        time.sleep(60)
"""


def test_a_file_appears_whole_with_ordinary_permissions_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with files.write_atomically(path) as temporary:
        temporary.write_text("whole")
        assert temporary.parent == path.parent
        assert not path.exists()
    mask = os.umask(0)
    os.umask(mask)
    assert path.read_text() == "whole"
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_stood_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt):
        fail(path, KeyboardInterrupt())
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_replaces_a_link_and_leaves_its_target(tmp_path: Path) -> None:
    target, soft, hard = tmp_path / "target", tmp_path / "soft", tmp_path / "hard"
    target.write_text("before")
    soft.symlink_to(target)
    hard.hardlink_to(target)
    for path in (soft, hard):
        with files.write_atomically(path) as temporary:
            temporary.write_text("after")
    assert target.read_text() == "before"
    assert not soft.is_symlink()
    assert [soft.read_text(), hard.read_text()] == ["after", "after"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_refuses_is_explained_and_the_temporary_removed(tmp_path: Path, number: int) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(InputError, match=r"a\.txt could not be written .*: .*(free some space|another folder)"):
        fail(path, OSError(number, os.strerror(number)))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_permission_is_explained_only_for_the_file_that_is_written(tmp_path: Path) -> None:
    ours, foreign = tmp_path / "a.txt", "/elsewhere/video.mp4"
    with pytest.raises(InputError, match="permissions"), files.explain_failures(ours):
        raise PermissionError(errno.EACCES, "no", str(tmp_path))
    with pytest.raises(PermissionError), files.explain_failures(ours):
        raise PermissionError(errno.EACCES, "no", foreign)


def test_a_file_in_the_place_of_the_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(InputError, match="could not be written"), files.write_atomically(tmp_path / "folder" / "a"):
        pass


def test_a_killed_writer_leaves_a_temporary_that_the_sweep_removes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with start(WRITER, path) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        (left,) = tmp_path.iterdir()
        assert files.sweep_temporaries(tmp_path) == []  # its writer lives
        writer.send_signal(signal.SIGKILL)
    assert not path.exists()
    assert files.sweep_temporaries(tmp_path) == [left]
    assert list(tmp_path.iterdir()) == []


def test_the_sweep_looks_one_folder_deeper_and_takes_only_what_is_named_like_a_temporary(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    left = tmp_path / "ab" / f".v.h5.{'0' * 16}.tmp"
    link = tmp_path / f".link.{'0' * 16}.tmp"
    others = [tmp_path / ".notes.tmp", tmp_path / "v.h5", tmp_path / f"v.{'0' * 16}.tmp"]
    for path in (left, *others):
        path.write_text("x")
    link.symlink_to(others[0])
    assert files.sweep_temporaries(tmp_path) == [left]
    assert link.is_symlink()
    assert all(path.exists() for path in others)
    assert files.sweep_temporaries(tmp_path / "absent") == []


def test_one_process_holds_a_claim_until_it_dies(tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "v.lock"
    program = """
        import pathlib, sys, time
        from cache import files
        with files.claim(pathlib.Path(sys.argv[1])) as ours:
            print(ours, flush=True)
            time.sleep(60)
    """
    with start(program, lock) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with files.claim(lock) as ours:
            assert not ours
        assert lock.exists()
        holder.send_signal(signal.SIGKILL)
    with files.claim(lock) as ours:
        assert ours
    assert not lock.exists()


def test_a_claim_that_waits_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    program = """
        import pathlib, sys
        from cache import files
        counter = pathlib.Path(sys.argv[1])
        for _ in range(50):
            with files.claim(counter.with_name("lock"), wait=True) as ours:
                assert ours
                counter.write_text(str(int(counter.read_text()) + 1))
    """
    counter = tmp_path / "counter"
    counter.write_text("0")
    processes = [start(program, counter) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert counter.read_text() == "150"
    assert [path.name for path in tmp_path.iterdir()] == ["counter"]


def test_four_processes_share_out_the_videos_and_none_is_made_twice(tmp_path: Path) -> None:
    program = """
        import pathlib, sys
        from cache import files
        folder = pathlib.Path(sys.argv[1])
        for number in range(40):
            with files.claim(folder / f"{number}.lock") as ours:
                if ours and not (folder / f"{number}.done").exists():
                    (folder / f"{number}.done").touch()
                    print(number)
    """
    workers = [start(program, tmp_path) for _ in range(4)]
    made = [line for worker in workers for line in worker.communicate()[0].split()]
    assert sorted(map(int, made)) == list(range(40))


def test_the_digest_is_that_of_the_bytes_and_follows_links(tmp_path: Path) -> None:
    path, link = tmp_path / "a", tmp_path / "link"
    path.write_bytes(b"abc")
    link.symlink_to(path)
    # The example of FIPS 180-2.
    assert files.sha256_of(link) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    large = bytes(files.CHUNK_BYTES + 1)
    path.write_bytes(large)
    assert files.sha256_of(path) == hashlib.sha256(large).hexdigest()


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").touch()
    for name, expected in {"pipe": "a regular file", "absent": "does not exist", ".": "regular file"}.items():
        with pytest.raises(InputError, match=expected):
            files.sha256_of(tmp_path / name)
    with pytest.raises(InputError, match="symbolic link"):
        files.open_regular(tmp_path / "link", follow_links=False)


@pytest.mark.parametrize("text", ["a", "15_0401girl", "spNO.1_a", "006_1-2", "x" * 128])
def test_ordinary_video_ids_are_allowed(text: str) -> None:
    assert files.check_video_id(text) == text


@pytest.mark.parametrize("text", ["", ".", "..", ".a", "-a", "a..b", "a.", "a/b", "a b", "a\n", "é", "x" * 129])
def test_what_could_leave_the_folder_is_no_video_id(text: str) -> None:
    with pytest.raises(InputError, match="cannot name a video"):
        files.check_video_id(text)


def test_two_videos_that_differ_in_case_alone_are_refused() -> None:
    files.check_video_ids(["a", "b"])
    with pytest.raises(InputError, match="'Ab' and 'aB'"):
        files.check_video_ids(["Ab", "c", "aB"])


def test_a_file_past_the_allowed_size_is_explained_and_leaves_nothing(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(InputError, match="ulimit -f"), files.write_atomically(tmp_path / "a") as temporary:
            temporary.write_bytes(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []
