"""Shared-memory arrays for several processes, and how much memory is left.

The arrays lie in files of the kernel's memory that have no name, so nothing is left behind when processes are killed,
and the size of `/dev/shm`, 64 MB in many containers, is no limit.
"""

from __future__ import annotations

import mmap
import os
import weakref
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MEMINFO = Path("/proc/meminfo")
# Limit and use of a container's memory, of cgroups version 2 and 1.
CONTAINER = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
CGROUPS = Path("/sys/fs/cgroup")


class SharedArray:
    """An array that a process hands to those it starts: they see the same memory, which goes with the last of them."""

    def __init__(self, shape: tuple[int, ...], data_type: npt.DTypeLike, descriptor: int | None = None) -> None:
        """Make an array of zeros, or see the one behind a descriptor, which is then this object's to close."""
        kind = np.dtype(data_type)
        size = max(1, int(np.prod(shape, dtype=np.int64)) * kind.itemsize)  # an empty file cannot be mapped
        if descriptor is None:
            descriptor = os.memfd_create("facespan")
            os.ftruncate(descriptor, size)
        weakref.finalize(self, os.close, descriptor)
        self.descriptor = descriptor
        count = int(np.prod(shape, dtype=np.int64))
        self.array: npt.NDArray[Any] = np.frombuffer(mmap.mmap(descriptor, size), kind, count).reshape(shape)

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> SharedArray:
        """Return a copy of an array."""
        made = cls(array.shape, array.dtype)
        made.array[...] = array
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what a process that is being started sees the same memory by."""
        return _see, (self.array.shape, self.array.dtype.str, DupFd(self.descriptor))


def _see(shape: tuple[int, ...], data_type: str, handed: Any) -> SharedArray:
    return SharedArray(shape, data_type, handed.detach())


def available_bytes() -> int:
    """Return how much memory processes can still take without others having to swap, in this container if it is one."""
    lines = dict(line.split(":", 1) for line in MEMINFO.read_text(encoding="ascii").splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    for limit, used in CONTAINER:
        try:
            told = (CGROUPS / limit).read_text(encoding="ascii").strip()
            # What the kernel keeps of files counts as used, though it is given up when needed.
            cached = _cached((CGROUPS / limit).with_name("memory.stat"))
            if told != "max":
                free = min(free, int(told) - int((CGROUPS / used).read_text(encoding="ascii")) + cached)
        except FileNotFoundError:
            continue
    return max(free, 0)


def _cached(stat: Path) -> int:
    lines = dict(line.split() for line in stat.read_text(encoding="ascii").splitlines())
    return int(lines.get("inactive_file", lines.get("total_inactive_file", 0)))
