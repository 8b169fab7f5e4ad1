"""The formats by the names that commands give them: what each writes, and what some of them read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cache.exchange import activitynet, boris, elan, fiftyone, label_studio, sheets, webvtt
from cache.exchange.returned import Returned
from cache.exchange.tiers import Exported, TieredVideo

Writer = Callable[[Sequence[TieredVideo], Exported], Iterator[tuple[str, bytes]]]

WRITERS: dict[str, Writer] = {
    "elan": elan.write,
    "boris": boris.write,
    "labelstudio": label_studio.write,
    "webvtt": webvtt.write,
    "activitynet": activitynet.write,
    "fiftyone": fiftyone.write,
    "csv": sheets.write_csv,
    "parquet": sheets.write_parquet,
}
READERS: dict[str, Callable[[Path], list[Returned]]] = {
    "elan": elan.read,
    "boris": boris.read,
    "labelstudio": label_studio.read,
    "csv": sheets.read,
}
