"""Ownership of a folder of shards, by kind and corpus as its manifest says; nothing else is touched."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from cache.errors import InputError, ShardError
from cache.shards import manifest
from cache.shards.layout import Layout
from cache.shards.manifest import CORPUS, Manifest
from cache.shards.shard_entry import ShardEntry
from cache.shards.untrusted import UntrustedShard
from cache.tables import failures

IsCurrent = Callable[[Path, str, ShardEntry | None], bool]


@dataclass(frozen=True)
class ShardFolder:
    """A folder that is kept up.

    Args:
        corpus: whose videos it holds.
        layout: of its shards.
        is_current: tells whether the shard at a path can be kept, by the key it has to have and its entry.
    """

    path: Path
    corpus: str
    layout: Layout
    is_current: IsCurrent


def held(folder: ShardFolder, videos: Collection[str]) -> Manifest | None:
    """Return our manifest of the folder, or None where nothing lies that could be somebody's shards.

    Raises:
        InputError: there are shards, or a table of failures, without a manifest; or it is of another kind or corpus.
        ShardError: the manifest is damaged, or something else's.
    """
    if not _has_manifest(folder):
        found = _strangers(folder)
        # Another process that began meanwhile wrote its manifest before its first shard.
        if not _has_manifest(folder):
            _refuse(folder, found)
            return None
    try:
        found_manifest = manifest.read(folder.path)
    except ShardError as problem:
        raise ShardError(
            f"{_without_remedy(problem)}. Nobody can tell that the shards in {folder.path} were made here, so nothing "
            f"is written there: fetch it again, move {manifest.NAME} and the shards away, or give another --output."
        ) from problem
    _check(folder, found_manifest, videos)
    return found_manifest


def check_place(folder: ShardFolder, path: Path, entry: ShardEntry | None) -> None:
    """Raise InputError when what lies where a video's shard goes was not made here.

    Args:
        entry: what the manifest stated of the video.
    """
    if not os.path.lexists(path) or (entry is not None and folder.path / entry.file == path):
        return
    try:
        # Of a run that was killed between a shard and its statement, or that could not make it anew.
        UntrustedShard(path, folder.layout, None).close()
    except (InputError, ShardError) as problem:
        raise InputError(
            f"{path} lies where the shard of this video goes, but {manifest.NAME} does not name it and it is no shard "
            f"of {folder.layout.kind}: it may be somebody's. Move it away."
        ) from problem


def _without_remedy(problem: ShardError) -> str:
    return str(problem).partition(" Run: ")[0].removesuffix(".")


def _has_manifest(folder: ShardFolder) -> bool:
    return os.path.lexists(folder.path / manifest.NAME)


def _strangers(folder: ShardFolder) -> list[Path]:
    table = folder.path / failures.NAME
    return manifest.list_shards(folder.path) + ([table] if os.path.lexists(table) and not _is_our_table(table) else [])


def _is_our_table(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.readline(64).strip() == ",".join(failures.COLUMNS).encode()


def _refuse(folder: ShardFolder, found: list[Path]) -> None:
    if found:
        more = f" and {len(found) - 1} more" if found[1:] else ""
        raise InputError(
            f"{folder.path} holds {found[0].relative_to(folder.path)}{more}, but no {manifest.NAME} that says that "
            "this was made here: it could be overwritten or removed. Give an --output of its own, or move this away."
        )


def _check(folder: ShardFolder, found: Manifest, videos: Collection[str]) -> None:
    corpus = found.run.get(CORPUS)
    if corpus is None and found.shards and not set(found.shards) & set(videos):
        # Manifests of earlier versions do not name it.
        corpus = f"with the videos {', '.join(sorted(found.shards)[:3])}"
    if found.kind != folder.layout.kind or corpus not in (None, folder.corpus):
        of = f" of the corpus {corpus}" if corpus else ""
        raise InputError(
            f"{folder.path} holds {found.kind}{of}, expected {folder.layout.kind} of the corpus {folder.corpus}: what "
            "is there would be removed. Give an --output of its own."
        )
