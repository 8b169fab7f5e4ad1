"""Shared-memory corpus for all processes that train on it: read from disk once, never copied per fold."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch

from cache import prefetch
from cache.errors import InputError
from pipeline.windows.recordings import Corpus, Stack, gather
from stages.parts import recordings
from stages.parts.recordings import Listing
from stages.shell import memory
from stages.shell.memory import SharedArray

VIDEOS_READ_AHEAD = 4


@dataclass(frozen=True)
class SharedCorpus:
    """What `Corpus` holds, in memory that a process can hand to those it starts; arrays in the order of `Stack`."""

    videos: tuple[str, ...]
    subjects: tuple[str, ...]
    arrays: tuple[SharedArray, ...]

    def open(self) -> Corpus:
        """Return the corpus, on the CPU, in the same memory."""
        return Corpus(self.videos, self.subjects, Stack(*(torch.from_numpy(one.array) for one in self.arrays)))


def read(listing: Listing, normalisation: str) -> SharedCorpus:
    """Return the whole corpus, normalised by a name in `NORMALISATIONS`; every shard is read and checked once.

    Raises:
        ShardError: as in `recordings.each`.
        InputError: the features are larger than the memory that is available.
        DataError: as in `pipeline.windows.recordings.gather`.
    """
    found = prefetch.ahead(recordings.each(listing), VIDEOS_READ_AHEAD)
    first = next(found)
    shape = (listing.frame_count, first.features.shape[1])
    _check_room(listing, 2 * shape[0] * shape[1])
    room = SharedArray(shape, np.float16)
    corpus = gather(itertools.chain([first], found), room.array, normalisation)
    rest = (SharedArray.of(values.numpy()) for values in corpus.stacked[1:])
    return SharedCorpus(corpus.videos, corpus.subjects, (room, *rest))


def _check_room(listing: Listing, wanted: int) -> None:
    available = memory.available_bytes()
    if wanted > available:
        raise InputError(
            f"the features in {listing.inputs.features} take {wanted / 1e9:.1f} GB of memory, "
            f"{available / 1e9:.1f} GB are available. Close other programs, or train on a machine with more memory"
        )
