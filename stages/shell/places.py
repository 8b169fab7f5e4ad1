"""Where each corpus lies on this machine: `configs/places.yaml`, which git ignores, for paths differ between people.

An experiment that DVC runs in a copy of the checkout finds the checkout itself by the variable `DVC_ROOT`.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import yaml

from cache import files
from cache.errors import InputError
from stages.shell import params

FILE = Path("configs/places.yaml")
BELOW_DVC = Path(".dvc/facespan")
HEADING = (
    "# Where corpora lie on this machine; git ignores this file. A corpus without a line lies in data/<name>/corpus.\n"
)


def checkout() -> Path:
    """Return the folder of the checkout: the current one, but in an experiment's copy the one it was copied from."""
    named = os.environ.get("DVC_ROOT")
    return Path(named) if named and not _is_here(Path(named)) else Path()


def is_copy() -> bool:
    """Return whether this runs in a copy that DVC made for an experiment."""
    return checkout() != Path()


def root_of(corpus: str) -> Path:
    """Return where a corpus lies, whether it is there or not.

    Raises:
        ParameterError: the file of places is not as it should be.
    """
    return checkout() / Path(read().get(corpus, f"data/{corpus}/corpus")).expanduser()


def is_there(root: Path) -> bool:
    """Return whether a corpus lies in a folder; one empty but for hidden names awaits its disk."""
    try:
        with os.scandir(root) as entries:
            return any(not entry.name.startswith(".") for entry in entries)
    except OSError:
        return False


def check(corpus: str, root: Path) -> None:
    """Raise InputError when the folder of a corpus is not there, with what can be done."""
    if not is_there(root):
        raise InputError(f"{absent(corpus, root)}. {remedy(corpus)}")


def absent(corpus: str, root: Path) -> str:
    """Return in words that the folder of a corpus is not there."""
    found = "is no folder" if root.exists() and not root.is_dir() else "is empty" if root.is_dir() else "does not exist"
    return f"{root}, the folder of the corpus {corpus}, {found}"


def remedy(corpus: str) -> str:
    """Return what can be done where a corpus is not there and is needed."""
    listed = read()
    if corpus == "demo" and corpus not in listed:
        return "Draw it: facespan demo"
    named = f" ({FILE} names {', '.join(sorted(listed))})" if listed and corpus not in listed else ""
    return (
        f"Say where it lies{named}: facespan place {corpus} FOLDER, or connect its disk. Without the corpus, take "
        f"what others made of it: facespan cache pull {corpus}, and the configs/fingerprints, configs/frames and "
        "dvc.lock that whoever made it has to commit"
    )


def read() -> dict[str, str]:
    """Return the places that the file states, as it states them; none where there is no file.

    Raises:
        ParameterError: it is no YAML, or holds anything but `name: folder`.
    """
    path = checkout() / FILE
    if not path.is_file():
        return {}
    stated = params.load(path)
    for name, place in stated.items():
        if not isinstance(name, str) or not isinstance(place, str) or not place:
            raise params.ParameterError(f"{path}: expected lines as `casme2: /data/CASME2`, found {name!r}: {place!r}")
    return stated


def write(corpus: str, place: Path) -> None:
    """State where a corpus lies, in place of what was stated of it; other lines stay, comments do not."""
    stated = read() | {corpus: str(place)}
    with files.write_atomically(checkout() / FILE) as temporary:
        temporary.write_text(HEADING + yaml.safe_dump(dict(sorted(stated.items())), allow_unicode=True), "utf-8")


def set_to(corpus: str, folder: Path) -> None:
    """Write where a corpus lies: what is in the checkout moves along with it, all else by its whole path."""
    here, whole = Path.cwd(), folder.absolute()
    write(corpus, whole.relative_to(here) if whole.is_relative_to(here) else whole)


def seen_file(corpus: str) -> Path | None:
    """Return where is remembered what was seen of a corpus on this disk; None outside of a checkout that DVC knows."""
    return _with(remembered("footage"), f"{corpus}.json")


def checked_file(folder: Path) -> Path | None:
    """Return where is remembered what was checked in a folder of shards.

    None outside of a checkout that DVC knows, and in an experiment's copy, whose folders nobody sees again.
    """
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    return None if is_copy() else _with(remembered("checked"), f"{name}.json")


def remembered(what: str) -> Path | None:
    """Return the folder below `.dvc` of the checkout for what is kept on this machine; None where DVC knows none."""
    here = checkout()
    # False, not an error, where one may not look.
    return here / BELOW_DVC / what if os.path.isdir(here / ".dvc") else None  # noqa: PTH112


def find(path: Path) -> Path:
    """Return where to find what DVC copies for no experiment, as frames: where there is none here, in the checkout."""
    original = checkout() / path
    return original if not path.exists() and original.exists() else path


def _with(folder: Path | None, name: str) -> Path | None:
    return folder / name if folder else None


def _is_here(folder: Path) -> bool:
    try:
        return folder.samefile(Path())
    except OSError:
        return True
