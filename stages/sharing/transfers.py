"""Push and pull of a corpus: what is sent can be taken, and what is taken is checked before it is placed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cache.errors import InputError, ShardError
from stages.sharing import contents, objects, project, removed_frames, workspace
from stages.sharing.objects import File, Held
from stages.sharing.project import Output, Project
from stages.sharing.remote import Remote
from stages.sharing.workspace import ChangedFile

MOST_NAMED = 5


@dataclass(frozen=True)
class Pushed:
    """What became of a push.

    Attributes:
        outputs: how many.
        files: in them.
        bytes: of them.
        sent: how many objects the remote lacked, listings among them.
        to_commit: what colleagues need through git, and git does not have.
        still_listed: the videos that left the corpus, and whose frames git would have colleagues pull.
    """

    outputs: int
    files: int
    bytes: int
    sent: int
    to_commit: Sequence[str]
    still_listed: Sequence[str]


@dataclass(frozen=True)
class Pulled:
    """What became of a pull.

    Attributes:
        fetched: how many objects came from the remote.
        damaged: the files whose copy in DVC's cache was damaged and was fetched again.
        replaced: the files of the workspace that were others.
        removed: the files of the workspace that are of no output any more.
        placed: how many files the workspace lacked or had otherwise.
    """

    outputs: int
    files: int
    bytes: int
    fetched: int
    damaged: Sequence[str]
    replaced: Sequence[str]
    removed: Sequence[str]
    placed: int


def push(opened: Project, corpus: str, parts: Sequence[str], to: Remote) -> Pushed:
    """Send what `dvc.lock` states of these parts of a corpus; what `pull` would refuse is not sent.

    Raises:
        InputError: something is not made yet, or the remote cannot be written.
        ShardError: something in DVC's cache is damaged, or no pull would take it.
    """
    if "frames" in parts and (folder := project.untracked_frames(opened, corpus)) is not None:
        contents.check_folder(folder, corpus)
        project.add(opened, folder)
    outputs = project.outputs(opened, corpus, parts)
    held = objects.check_held(opened.objects, outputs)
    for output, files in held.items():
        contents.check(opened.objects, output, files, corpus)
    names = {output.name for output in outputs} | {file.name for files in held.values() for file in files}
    sent = to.send(opened.objects, sorted(names))
    still_listed = removed_frames.still_listed_or_said(opened, corpus)
    return Pushed(*_totals(held), len(sent), project.uncommitted(opened, corpus), still_listed)


def pull(
    opened: Project,
    corpus: str,
    parts: Sequence[str],
    source: Remote,
    *,
    force: bool,
    advance: Callable[[int], None],
) -> Pulled:
    """Bring what `dvc.lock` states of these parts of a corpus, checked, into the workspace.

    Args:
        force: replace files of the workspace whose content is nowhere else.
        advance: called with the number of files that are done.

    Raises:
        InputError: something is missing, or would be lost in the workspace, or frames left the corpus.
        ShardError: something is not what `dvc.lock` or a manifest states. In both cases nothing is written.
    """
    outputs = project.outputs(opened, corpus, parts)
    frames = project.frames_folder(corpus).as_posix()

    def check(output: Output, files: Sequence[File]) -> None:
        if output.path == frames:
            removed_frames.check(opened, corpus, files, source)

    held = objects.bring(opened.objects, outputs, source, advance, check)
    for output, files in held.files.items():
        contents.check(opened.objects, output, files, corpus)
    differing = _differences(opened, held.files)
    lost = [difference for difference in differing if not difference.is_kept]
    if lost and not force:
        raise InputError(
            f"{_name_some(lost)} would be replaced, and DVC's cache has no copy of what lies there now: it was changed "
            "here, or is damaged. Nothing was written. To lose it: --force; to keep it: dvc commit, or move it away."
        )
    placed = sum(difference.is_of_output for difference in differing) + sum(
        len(workspace.absent(opened, files)) for files in held.files.values()
    )
    workspace.clear(opened, differing)
    project.checkout(opened, [output.path for output in outputs])
    _check_placed(opened, held)
    replaced = [difference.path for difference in differing if difference.is_of_output]
    removed = [difference.path for difference in differing if not difference.is_of_output]
    return Pulled(*_totals(held.files), len(held.fetched), held.damaged, replaced, removed, placed)


def count(outputs: Sequence[Output]) -> int:
    """Return how many objects outputs consist of, listings among them."""
    return sum(1 if output.files is None else output.files + 1 for output in outputs)


def _check_placed(opened: Project, held: Held) -> None:
    """Raise ShardError when the workspace is not, byte by byte, what `dvc.lock` states, whatever DVC said."""
    wrong = [difference.path for difference in _differences(opened, held.files)]
    wrong += [file.path for files in held.files.values() for file in workspace.absent(opened, files)]
    if wrong:
        raise ShardError(f"{wrong[0]} was not placed as dvc.lock states it ({len(wrong)} so). Run the same again.")


def _differences(opened: Project, held: Mapping[Output, Sequence[File]]) -> list[ChangedFile]:
    return [one for output, files in held.items() for one in workspace.differences(opened, output, files)]


def _totals(held: Mapping[Output, Sequence[File]]) -> tuple[int, int, int]:
    return len(held), sum(len(files) for files in held.values()), sum(output.bytes for output in held)


def _name_some(differing: Sequence[ChangedFile]) -> str:
    named = ", ".join(difference.path for difference in differing[:MOST_NAMED])
    return named + (f" and {len(differing) - MOST_NAMED} more" if len(differing) > MOST_NAMED else "")
