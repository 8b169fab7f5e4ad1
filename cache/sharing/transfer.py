"""Exporting a corpus' features with the tables that training needs, and importing them: everything or nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cache import files
from cache.errors import InputError, ShardError
from cache.printing import printable
from cache.shards import features, manifest
from cache.shards.manifest import CORPUS, STALE, Manifest
from cache.shards.shard_entry import ShardEntry
from cache.sharing import archive, integrity, inventory, pseudonyms
from cache.sharing.archive import Title
from cache.sharing.integrity import Beside
from cache.sharing.inventory import EXPRESSIONS, FEATURES, VIDEOS
from cache.sharing.pseudonyms import Pseudonyms
from cache.tables import intervals, videos
from cache.tables.intervals import Expression
from cache.tables.videos import Video

WORKSPACE, CLAIM = ".workspace", ".claim"
MOST_SHOWN = 5


@dataclass(frozen=True)
class Handed:
    """What was exported or imported.

    Attributes:
        folder: of the features.
        mended: videos whose shard was there already, but missing or damaged, and was put in place again.
    """

    title: Title
    folder: Path
    shards: dict[str, ShardEntry]
    expressions: int
    mended: tuple[str, ...] = ()

    @property
    def frame_count(self) -> int:
        """Frames of all videos."""
        return sum(entry.frames for entry in self.shards.values())


def export(folder: Path, path: Path, names: Pseudonyms | None) -> Handed:
    """Write the archive of a folder of features and the tables beside it.

    Args:
        names: what stands for videos and subjects; None hands on their names.

    Raises:
        InputError: a table is missing, a video of it has no features, or the disk refuses.
        ShardError: a shard is not what the manifest states.
    """
    held = manifest.read(folder)
    title = _title(folder, held, names)
    corpus = inventory.corpus_folder(folder)
    table, labels = videos.read(corpus / VIDEOS), intervals.read(corpus / EXPRESSIONS, Expression)
    chosen = _stated(folder, held, table)
    with _workspace(path.parent) as made:
        if names is not None:
            forbidden = {*_names_of(table, labels)}
            pseudonyms.refuse_names(_texts(title, held), forbidden)
            pseudonyms.refuse_names(_texts_of_shards(folder, chosen), forbidden)
            table, labels = pseudonyms.of_videos(names, table), pseudonyms.of_expressions(names, labels)
            chosen, folder = _renamed(folder, chosen, names, made), made
        run = {key: value for key, value in held.run.items() if key not in (manifest.MISSING, STALE)}
        run = run if names is None else pseudonyms.of_facts(held) | {CORPUS: title.corpus}
        manifest.write(made, Manifest(held.kind, chosen, run))
        videos.write(made / VIDEOS, table)
        intervals.write(made / EXPRESSIONS, Expression, labels)
        sources = {f"{FEATURES}/{entry.file}": (folder / entry.file, entry.sha256) for entry in chosen.values()}
        for member, place in (
            (VIDEOS, VIDEOS), (EXPRESSIONS, EXPRESSIONS), (archive.FEATURES_MANIFEST, manifest.NAME)
        ):  # fmt: skip
            sources[member] = made / place, files.sha256_of(made / place)
        archive.write(path, title, sources)
    return Handed(title, folder, chosen, len(labels))


def take_in(path: Path, sha256: str | None, data: Path, output: Path | None) -> Handed:
    """Put the features and tables of an archive where those of its corpus lie; all of them, or nothing.

    What lies there with the same bytes stays, so an import that was killed is finished by the next; shards of it
    that are missing or damaged are put in place again.

    Args:
        sha256: what the whole file has to have, told by whoever made it; None checks none.
        data: the folder of all corpora.
        output: the folder of this corpus, where it is to be another.

    Raises:
        InputError: another table or other features lie there, or the disk refuses.
        ShardError: the archive is not what it says, or not of one piece.
    """
    if sha256 is not None and (found := files.sha256_of(path)) != sha256.lower():
        raise ShardError(f"{path} has SHA-256 {found}, expected {sha256}. {archive.REMEDY}.")
    with _workspace(output.parent if output else data) as staged:
        with archive.opened(path) as opened:
            opened.unpack(staged)
        corpus = output or data / opened.title.corpus
        handed = _check(opened.title, staged, path, corpus)
        tables = {staged / name: corpus / name for name in (EXPRESSIONS, VIDEOS)}
        there = _place({staged / FEATURES: handed.folder, **tables})
        mended = _mend(staged / FEATURES, handed.folder) if handed.folder in there else ()
    return replace(handed, mended=mended)


def _title(folder: Path, held: Manifest, names: Pseudonyms | None) -> Title:
    if held.kind != features.LAYOUT.kind:
        raise InputError(f"{folder} holds {held.kind}; only features are handed on. Name a folder of features.")
    corpus, encoder = held.run.get(CORPUS), inventory.encoder_name(held)
    if not isinstance(corpus, str) or not encoder:
        raise InputError(f"{folder / manifest.NAME} does not say of which corpus or encoder. Run: facespan extract")
    # Under its own name, detectors that learned from these people by their names would find all of them unseen.
    corpus = corpus if names is None else names.corpus(corpus)
    files.check_video_ids([corpus])
    files.check_video_ids([encoder])
    return Title(corpus, encoder, names is not None)


def _stated(folder: Path, held: Manifest, table: Sequence[Video]) -> dict[str, ShardEntry]:
    """Return the entries of the videos of the table, all of which have one, of the right length."""
    absent = [video.video for video in table if video.video not in held.shards]
    if absent:
        more = f" and {len(absent) - MOST_SHOWN} more" if absent[MOST_SHOWN:] else ""
        raise InputError(
            f"{folder} has no features of {', '.join(absent[:MOST_SHOWN])}{more}, and nobody can train without. "
            "Run: dvc repro, or facespan extract"
        )
    for video in table:
        if held.shards[video.video].frames != video.frame_count:
            found = held.shards[video.video].frames
            raise ShardError(
                f"{folder} has {found} frames of {video.video}, the table {video.frame_count}. Run: dvc repro"
            )
    return {video.video: held.shards[video.video] for video in table}


def _renamed(folder: Path, chosen: dict[str, ShardEntry], names: Pseudonyms, made: Path) -> dict[str, ShardEntry]:
    """Write shards anew under pseudonyms, so that they hold what is known and nothing else; return their entries."""
    renamed = {}
    for video, entry in chosen.items():
        shard = features.read(folder / entry.file, entry.key, entry.sha256, entry.bytes)
        path = manifest.shard_path(made, names.video(video), len(chosen))
        features.write(path, shard.features, shard.columns, shard.key, shard.layer)
        renamed[names.video(video)] = manifest.describe(made, path, entry.frames, entry.key)
    if len(renamed) < len(chosen):
        raise InputError("two videos have one pseudonym by this key. Name another --key.")
    return renamed


def _texts(title: Title, held: Manifest) -> Iterator[tuple[str, object]]:
    """Yield what is handed on as it is, and what it is."""
    yield from (("the corpus", title.corpus), ("the encoder", title.encoder))
    yield from ((f"{name} of the manifest", value) for name, value in pseudonyms.of_facts(held).items())


def _texts_of_shards(folder: Path, chosen: dict[str, ShardEntry]) -> Iterator[tuple[str, object]]:
    """Yield the attributes of shards, which are handed on as they are."""
    for entry in chosen.values():
        shard = features.read(folder / entry.file, entry.key, entry.sha256, entry.bytes)
        yield from ((f"the layer of {entry.file}", shard.layer), (f"the key of {entry.file}", shard.key))


def _names_of(table: Sequence[Video], labels: Sequence[Expression]) -> Iterator[str]:
    yield from (name for video in table for name in (video.video, video.subject))
    yield from (name for row in labels for name in (row.video, row.subject))


def _check(title: Title, staged: Path, path: Path, corpus: Path) -> Handed:
    """Return what was unpacked; a ShardError unless it is of one piece, to the last value."""
    try:
        held = manifest.read(staged / FEATURES)
        table, labels = videos.read(staged / VIDEOS), intervals.read(staged / EXPRESSIONS, Expression)
        counts = {video.video: video.frame_count for video in table}
        faults = integrity.verify(staged / FEATURES, Beside(counts), lambda _: None)
        told = [*map(str, faults), *_contradictions(title, held, table, labels)]
    except (InputError, ShardError) as problem:
        told = [str(problem)]
    if told:
        more = f" and {len(told) - MOST_SHOWN} more" if told[MOST_SHOWN:] else ""
        shown = printable("; ".join(told[:MOST_SHOWN]).replace(f"{staged}{os.sep}", ""))
        raise ShardError(f"{path} is not of one piece: {shown}{more}. {archive.REMEDY}.")
    return Handed(title, corpus / FEATURES / title.encoder, dict(held.shards), len(labels))


def _contradictions(
    title: Title, held: Manifest, table: Sequence[Video], labels: Sequence[Expression]
) -> Iterator[str]:
    stated = (held.kind, held.run.get(CORPUS), inventory.encoder_name(held))
    if stated != (features.LAYOUT.kind, title.corpus, title.encoder):
        yield f"its manifest is of {', '.join(map(inventory.told, stated))}, not of {title.corpus} by {title.encoder}"
    known = {video.video: video for video in table}
    for row in labels:
        video = known.get(row.video)
        if video is None or video.subject != row.subject or row.stop > video.frame_count:
            yield f"the expression of row {row.row} is in no video of its subject, or beyond its end"


def _place(moves: dict[Path, Path]) -> set[Path]:
    """Move every source to its target, or none; return the targets that say the same already, which stay."""
    waiting = {source: target for source, target in moves.items() if not _is_there(source, target)}
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in waiting.items():
            with files.explain_failures(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                source.rename(target)
            done.append((source, target))
    except BaseException:
        for source, target in reversed(done):
            target.rename(source)
        raise
    return set(moves.values()) - set(waiting.values())


def _mend(source: Path, target: Path) -> tuple[str, ...]:
    """Put shards in place that the manifest there names, and that are not what it states; return their videos."""
    held = manifest.read(target)
    faulty = dict.fromkeys(fault.video for fault in integrity.verify(target, Beside(), lambda _: None))
    mended = tuple(video for video in faulty if video in held.shards)
    for video in mended:
        path = target / held.shards[video].file
        with files.explain_failures(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            (source / held.shards[video].file).replace(path)
    return mended


def _is_there(source: Path, target: Path) -> bool:
    """Return whether the same is there already, by the manifest of a folder; InputError where another is."""
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        return False
    pair = (source / manifest.NAME, target / manifest.NAME) if source.is_dir() else (source, target)
    if pair[1].is_file() and files.sha256_of(pair[0]) == files.sha256_of(pair[1]):
        return True
    raise InputError(
        f"{target} is there already and is another one. Import with an --output of its own; folders of features of one "
        "corpus can then be joined: facespan cache merge"
    )


@contextmanager
def _workspace(parent: Path) -> Iterator[Path]:
    """Give a new folder in another one; those that killed processes left there are removed."""
    with files.explain_failures(parent / WORKSPACE):
        parent.mkdir(parents=True, exist_ok=True)
        for left in sorted(parent.glob(f".facespan-*{WORKSPACE}")):
            _remove_abandoned(left)
        made = Path(tempfile.mkdtemp(prefix=".facespan-", suffix=WORKSPACE, dir=parent))
    try:
        with files.claim(made / CLAIM):
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _remove_abandoned(left: Path) -> None:
    """Remove the workspace of a process that is dead; its claim says that it was one of ours."""
    if (left / CLAIM).is_file() and not left.is_symlink():
        with files.claim(left / CLAIM) as ours:
            if ours:
                shutil.rmtree(left)
