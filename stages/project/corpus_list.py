"""The list `corpora` in configs/params.yaml, edited where it stands: comments and layout stay as people left them."""

from __future__ import annotations

from pathlib import Path

import yaml

from cache import files
from stages.shell import documents, params
from stages.shell.params import ParameterError

KEY = "corpora"


def read(path: Path) -> list[str]:
    """Return the corpora that `dvc repro` runs over.

    Raises:
        ParameterError: no such file, or what stands there is no list of names.
    """
    listed = params.load(path).get(KEY) or []
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise ParameterError(f"{path}: {KEY}: expected a list of names, found {params.shown(listed)}")
    return listed


def with_name(text: str, name: str, path: Path) -> str:
    """Return the text of a parameters file with one corpus more in its list, and nothing else changed.

    Raises:
        ParameterError: the list is written in a way that is not edited here, with what to write by hand.
    """
    edited = _edited(text, name)
    if edited is not None:
        before, after = documents.parse(text), _parsed(edited)
        if after == {**before, KEY: [*(before[KEY] or []), name]}:
            return edited
    raise ParameterError(
        f"{path}: the list {KEY} is written in a way that is not edited here. Add {name} to it yourself"
    )


def add(path: Path, name: str) -> None:
    """Add a corpus to the list in a file; errors as in `with_name`, before anything is written."""
    # Line ends are people's, too.
    text = with_name(path.read_bytes().decode("utf-8"), name, path)
    with files.write_atomically(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def _edited(text: str, name: str) -> str | None:
    """Return the text with the name where a reader would write it; None where there is no list."""
    root = yaml.compose(text, yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    listed = next((value for key, value in pairs if key.value == KEY), None)
    if not isinstance(listed, yaml.SequenceNode):
        return None
    if not listed.value:
        place = listed.start_mark.index + 1
        return f"{text[:place]}{name}{text[place:]}"
    last = listed.value[-1].end_mark.index
    if listed.flow_style:
        return f"{text[:last]}, {name}{text[last:]}"
    end = text.find("\n", last)
    line_end = "\r\n" if "\r\n" in text else "\n"
    before = text if end < 0 else text[:end].removesuffix("\r")
    return f"{before}{line_end}{' ' * listed.start_mark.column}- {name}{text[len(before) :]}"


def _parsed(text: str) -> object:
    try:
        return documents.parse(text)
    except ValueError:
        return None
