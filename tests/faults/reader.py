"""A reader that opens whatever is visible of what stages make, again and again, while they write and are killed."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from types import TracebackType

from cache.errors import InputError, ShardError
from cache.fingerprints import stated_frames
from cache.shards import features, frames, manifest
from tests.faults.harness import Project


class Reader:
    """Reads in a thread of this process, from its start to the end of the block.

    Attributes:
        count: files opened and found whole.
        problems: what was seen in part, or otherwise than an undisturbed run leaves it.
    """

    def __init__(self, project: Project, allowed: dict[str, bytes], *stages: str) -> None:
        self.project, self.stages, self.count = project, stages, 0
        self.allowed = {name: hashlib.sha256(content).digest() for name, content in allowed.items()}
        self.problems: set[str] = set()
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._read)

    def __enter__(self) -> Reader:
        """Begin to read."""
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Read to the end of the last file, and stop."""
        self.is_over.set()
        self.thread.join()

    def _read(self) -> None:
        while not self.is_over.wait(0.002):
            for path in self.project.outputs(*self.stages):
                try:
                    self._look_below(path)
                except FileNotFoundError:
                    pass  # DVC removed a folder while it was listed
                except Exception as problem:  # a reader that ends in silence would find nothing any more
                    self.problems.add(repr(problem))

    def _look_below(self, path: Path) -> None:
        for one in sorted(path.glob("**/*")) if path.is_dir() else [path]:
            if not one.name.startswith(".") and one.is_file():
                self._look(one)

    def _look(self, path: Path) -> None:
        try:
            content = path.read_bytes()
            if path.name == manifest.NAME:
                self._open_all(path.parent)
            elif path.parent == self.project.folder / "configs/frames":
                stated_frames.read(path)
            elif self.allowed.get(name := self._name(path)) != hashlib.sha256(content).digest():
                self.problems.add(f"{name}: {len(content)} bytes that no undisturbed run leaves")
            self.count += 1
        except FileNotFoundError:
            pass
        except (InputError, ShardError) as problem:
            if path.exists():
                self.problems.add(f"{self._name(path)}: {problem}")

    def _open_all(self, folder: Path) -> None:
        """Open what a manifest states, as whoever trains on it does."""
        held = manifest.read(folder)
        for entry in held.shards.values():
            path = folder / entry.file
            if held.kind == features.LAYOUT.kind:
                features.read(path, entry.key, entry.sha256)
            else:
                frames.open(path, key=entry.key, sha256=entry.sha256, verify=True).close()

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.project.folder))
