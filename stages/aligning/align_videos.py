"""Aligns the videos of a job, one after the other or several at once, each in the shard of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from cache.errors import InputError
from cache.fingerprints import in_place
from cache.shards import frames
from cache.shards.frames import Frame
from cache.shards.upkeep import Bring, BringAll, Brought, Made, Note, one_by_one
from cache.tables.videos import Video
from stages.aligning import aligners
from stages.aligning.align_job import AlignJob, Prepared
from stages.parts import shard_folders
from stages.shell import memory, workers

# A process that works on less takes longer to start than it saves.
FRAMES_WORTH_A_PROCESS = 1000
# Of a process with its libraries and networks; and how many frames are in it at once, decoded or about to be.
PROCESS_BYTES, FRAMES_IN_MEMORY = 400_000_000, 24
REMEDY = "Set align.processes to 1 in configs/params.yaml and run the same command again"


class Aligner:
    """Writes the shard of a video of a job; in each process that it is handed to, the method is made ready once."""

    def __init__(self, job: AlignJob, keys: Mapping[str, str], prepared: Prepared | None = None) -> None:
        """Take the keys of the shards, and the method where this process has made it ready."""
        self._job, self._keys, self._prepared = job, keys, prepared
        self._videos = {video.video: video for video in job.videos}
        self._open = ExitStack()

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what another process makes its own from, where nobody is told again what goes for all videos."""
        return Aligner, (replace(self._job, say=_say_nothing), self._keys)

    def __call__(self, name: str, path: Path) -> Made:
        """Write the frames of one video.

        Raises:
            InputError: the source cannot be read, or has another number of frames than when it was indexed.
        """
        method, video = self._job.parameters.method, self._videos[name]
        if self._prepared is None:
            self._prepared = self._open.enter_context(aligners.METHODS[method].prepare(self._job))
        with shard_folders.refusals(), self._prepared.read(video) as alignment:
            taken = counted(alignment.frames, video)
            count = frames.write(path, taken, self._keys[name], method, alignment.seconds)
            content = in_place.content_of(self._job.root, video, alignment.digests) if self._is_unread(video) else None
            return Made(count, tuple(alignment.warnings), content)

    def _is_unread(self, video: Video) -> bool:
        return video.path in self._job.unread


def counted(found: Iterable[Frame], video: Video) -> Iterator[Frame]:
    """Yield the frames of a video; InputError after the last when there are more or fewer than when it was indexed."""
    written = 0
    for frame in found:
        written += 1
        yield frame
    if written != video.frame_count:
        raise InputError(
            f"{video.path} gave {written} frames, {video.frame_count} when it was indexed. "
            "The file changed, or OpenFace stopped early: align it again with OpenFace, then index the corpus again"
        )


def several_at_once(job: AlignJob) -> BringAll:
    """Return what brings the videos of a job up to date, as many at once as its parameters, memory and work allow."""
    processes = count_processes(job)
    if processes == 1:
        return one_by_one

    def bring_all(bring: Bring, videos: Sequence[str], note: Note) -> None:
        count = min(processes, len(videos))
        if count > 1:
            workers.run(bring_one, videos, count, _advance_nothing, (bring,), note, REMEDY)
        else:
            one_by_one(bring, videos, note)

    return bring_all


def bring_one(video: str, _advance: workers.Advance, bring: Bring) -> Brought:
    """Bring one video up to date; called in a process of its own."""
    return bring(video)


def count_processes(job: AlignJob) -> int:
    """Return how many videos to align at once: as asked, or one a core where work and memory reach so far."""
    asked = job.parameters.processes
    if aligners.METHODS[job.parameters.method].works_alone:
        return 1
    if asked:
        return workers.count(asked, len(job.videos))
    work = sum(video.frame_count for video in job.videos)
    largest = max((3 * video.width * video.height for video in job.videos), default=0)
    fitting = memory.available_bytes() // (PROCESS_BYTES + FRAMES_IN_MEMORY * largest)
    cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, len(job.videos), work // FRAMES_WORTH_A_PROCESS, fitting))


def _advance_nothing(_units: int) -> None:
    """Do nothing: a video is told of when it is done."""


def _say_nothing(_line: str) -> None:
    """Do nothing: it was said in the process that started this one."""
