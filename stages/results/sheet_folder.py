"""A folder of contact sheets: a page a video and the list of them; what is current is kept, what is not ours stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cache import files
from cache.errors import DiskError, InputError, ShardError
from cache.shards import frames
from cache.shards.shard_entry import ShardEntry
from cache.tables.videos import Video
from stages.page import sheets
from stages.page.sheets import Row, SheetFacts
from stages.results import contact_sheets
from stages.results.contact_sheets import FaceChoice

LIST, PAGES, SUFFIX = "index.html", "videos", ".html"
BACK = f"../{LIST}"


@dataclass(frozen=True)
class SheetsMade:
    """What became of the pages asked for.

    Attributes:
        removed: pages of videos that the corpus no longer has.
        failures: video -> why it has no sheet.
    """

    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


def check(folder: Path, corpus: str, table: Sequence[Video]) -> None:
    """Raise InputError when a file that is not ours lies where one of these pages goes."""
    path = folder / LIST
    if os.path.lexists(path) and (found := sheets.corpus_of(_head(path))) != corpus:
        what = "no list of contact sheets" if found is None else f"that of the corpus {found!r}"
        raise InputError(f"{path} is {what}: it would be overwritten. Give an --output of its own, or move it away.")
    for video in table:
        path = page_of(folder, video.video)
        if os.path.lexists(path) and not _is_ours(path, corpus):
            raise InputError(
                f"{path} is no contact sheet of the corpus {corpus}: it would be overwritten. Give an --output of its "
                "own, or move it away."
            )


def write(
    folder: Path,
    corpus: str,
    table: Sequence[Video],
    asked: Sequence[Video],
    shards: tuple[Path, Mapping[str, ShardEntry]],
    choice: FaceChoice,
    force: bool,
    advance: Callable[[int], None],
    hashed: bool = True,
) -> SheetsMade:
    """Make the pages that are asked for and not current, and the list of all; a video fails alone.

    Args:
        shards: the folder of frames, and what its manifest states.
        advance: is called with the frames of each video once it is done.
        hashed: whether a shard is read whole first, and has to have the digest that the manifest states.

    Raises:
        DiskError: the disk takes nothing more.
    """
    outcome = SheetsMade(removed=_remove_strangers(folder, corpus, table))
    for video in asked:
        try:
            _write_page(folder, corpus, video, shards, choice, force, hashed, outcome)
        except DiskError:
            raise
        except (InputError, ShardError) as problem:
            outcome.failures[video.video] = str(problem)
            # What it shows is no longer what lies there.
            page_of(folder, video.video).unlink(missing_ok=True)
        advance(video.frame_count)
    with files.write_atomically(folder / LIST) as temporary:
        rows = [_row(folder, video, outcome.failures.get(video.video, "")) for video in table]
        temporary.write_text(sheets.draw_list(corpus, rows, PAGES), encoding="utf-8")
    return outcome


def clear(folder: Path, corpus: str) -> None:
    """Remove every contact sheet of a corpus from a folder, the list of them, and the folder once it is empty."""
    _remove_strangers(folder, corpus, ())
    if sheets.corpus_of(_head(folder / LIST)) == corpus:
        (folder / LIST).unlink()
    for empty in (folder / PAGES, folder):
        with suppress(OSError):  # something else lies there, or nothing did
            empty.rmdir()


def page_of(folder: Path, video: str) -> Path:
    """Return where the page of a video lies."""
    return folder / PAGES / f"{files.check_video_id(video)}{SUFFIX}"


def read_facts(path: Path) -> SheetFacts | None:
    """Return what a page says of its video; None where none lies there as we make it now."""
    return sheets.facts_of(_head(path)) if os.path.lexists(path) else None


def size_of(folder: Path, table: Sequence[Video]) -> int:
    """Return the bytes of the list and of all pages."""
    pages = [folder / LIST, *(page_of(folder, video.video) for video in table)]
    return sum(path.stat().st_size for path in pages if path.is_file())


def _write_page(
    folder: Path,
    corpus: str,
    video: Video,
    shards: tuple[Path, Mapping[str, ShardEntry]],
    choice: FaceChoice,
    force: bool,
    hashed: bool,
    outcome: SheetsMade,
) -> None:
    frames_folder, entries = shards
    if (entry := entries.get(video.video)) is None:
        raise InputError(f"{frames_folder} has no frames of it. Run: facespan align {corpus}, or dvc repro")
    made_of = contact_sheets.fingerprint(corpus, video, entry.sha256, choice, BACK)
    target = page_of(folder, video.video)
    known = read_facts(target)
    if known is not None and known.made_of == made_of and not force:
        outcome.kept.append(video.video)
        return
    digest = entry.sha256 if hashed else None
    with frames.open(frames_folder / entry.file, key=entry.key, sha256=digest, size=entry.bytes) as opened:
        if len(opened) != video.frame_count:
            raise opened.refuse(f"{len(opened)} frames", f"{video.frame_count}, as the table of videos says")
        contact_sheets.write(opened, video, target, corpus=corpus, choice=choice, back=BACK, made_of=made_of)
    outcome.made.append(video.video)


def _remove_strangers(folder: Path, corpus: str, table: Sequence[Video]) -> list[Path]:
    """Remove our pages of videos that the corpus no longer has: who was taken out of it is not to be seen here."""
    files.sweep_temporaries(folder)
    wanted = {page_of(folder, video.video) for video in table}
    removed = [
        path for path in sorted((folder / PAGES).glob(f"*{SUFFIX}")) if path not in wanted and _is_ours(path, corpus)
    ]
    for path in removed:
        path.unlink()
    return removed


def _row(folder: Path, video: Video, problem: str) -> Row:
    return Row(video.video, video.subject, None if problem else read_facts(page_of(folder, video.video)), problem)


def _is_ours(path: Path, corpus: str) -> bool:
    return sheets.owner_of(_head(path)) == (corpus, path.stem)


def _head(path: Path) -> str:
    """Return the beginning of a file; nothing of what is no regular file."""
    try:
        descriptor = files.open_regular(path, follow_links=False)
    except InputError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(sheets.HEAD_BYTES).decode("utf-8", errors="replace")
