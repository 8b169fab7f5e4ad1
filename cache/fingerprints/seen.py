"""Local index of footage: times and contents seen on this disk, so that a file changed in place is noticed.

It stays here, ignored by git: times mean nothing elsewhere. Without it names and sizes alone are compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cache import files, strict_json
from cache.fingerprints import units
from cache.fingerprints.units import Unit

FORMAT = 1
# Of a unit so small the content is known from the start, for reading it costs nothing.
SMALL_BYTES, SMALL_COUNT = 1 << 20, 100


@dataclass(frozen=True)
class SeenUnit:
    """One unit as it was seen last.

    Attributes:
        content: its digest, or empty where it was never read.
        changed: whether it became another, or may have, while names and sizes stayed.
    """

    names: str
    times: str
    content: str
    changed: bool


def compare(place: Path | None, root: Path, found: Iterable[Unit], stated: Mapping[str, str]) -> dict[str, str | None]:
    """Return the footage of a fingerprint, and remember what was seen.

    A unit whose time changed is read. If what it holds is not what it was known to hold, its content enters.

    Args:
        place: the file of what was seen; its folder is made. None remembers nothing.
        root: the corpus folder.
        stated: of the units whose content entered before, that content by the digest of their names.
    """
    before = _read(place, root) if place else {}
    now: dict[str, SeenUnit] = {}
    for unit in found:
        now[unit.path] = _look(root, unit, before.get(unit.path), unit.names in stated)
    if place and now != before:
        _write(place, root, now)
    return {record.names: record.content if record.changed else None for record in now.values()}


def unread(place: Path | None, root: Path) -> frozenset[str]:
    """Return the paths of the units that were seen and never read."""
    records = _read(place, root) if place else {}
    return frozenset(path for path, record in records.items() if not record.content)


def note(place: Path | None, root: Path, contents: Mapping[str, str]) -> None:
    """Remember what units hold that were read and are as they were seen last: their time alone tells nothing then.

    Args:
        contents: the digest of the content by path of the unit.
    """
    if place is None:
        return
    before = _read(place, root)
    now = dict(before)
    for path, content in contents.items():
        record = before.get(path)
        if record is None or record.content:
            continue
        # Looked at after reading, so what changed meanwhile is not taken for what was there.
        unit = units.at(root, path)
        if unit is not None and (unit.names, unit.times) == (record.names, record.times):
            now[path] = replace(record, content=content)
    if now != before:
        _write(place, root, now)


def _look(root: Path, unit: Unit, record: SeenUnit | None, is_stated: bool) -> SeenUnit:
    if record is None or record.names != unit.names:
        is_small = unit.count <= SMALL_COUNT and unit.bytes <= SMALL_BYTES
        content = units.content_of(root, unit) if is_small or is_stated else ""
        return SeenUnit(unit.names, unit.times, content, is_stated)
    if record.times != unit.times or (is_stated and not record.content):
        content = units.content_of(root, unit)
        return SeenUnit(unit.names, unit.times, content, is_stated or record.changed or content != record.content)
    return replace(record, changed=is_stated or record.changed)


def _read(place: Path, root: Path) -> dict[str, SeenUnit]:
    """Return what was seen of the corpus in this folder; of one that moved, or in a damaged file, nothing."""
    try:
        stored = strict_json.parse(place.read_bytes())
        if stored["format"] != FORMAT or stored["root"] != str(root.resolve()):
            return {}
        return {path: SeenUnit(**record) for path, record in stored["units"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _write(place: Path, root: Path, records: Mapping[str, SeenUnit]) -> None:
    stored = {
        "format": FORMAT,
        "root": str(root.resolve()),
        "units": {path: asdict(record) for path, record in sorted(records.items())},
    }
    files.sweep_temporaries(place.parent)
    with files.write_atomically(place) as temporary:
        temporary.write_text(json.dumps(stored), encoding="utf-8")
