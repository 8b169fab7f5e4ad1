"""Parameter files (YAML): one section -> one frozen dataclass, with strict types and no unknown keys.

`configs/params.yaml` holds a section per stage. A corpus file may override single values
(`overrides: {train: {epochs: 12}}`); each is said aloud, so nobody sweeps a number that is not in force.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from stages.shell import console, documents

T = TypeVar("T")
PARAMS = Path("configs/params.yaml")
CORPORA = "configs/corpora"
LONGEST_SHOWN = 200


class ParameterError(ValueError):
    """A parameter is unknown, missing or of the wrong type (exit code 2)."""


@dataclasses.dataclass(frozen=True)
class SectionOrigin:
    """Where the values of a section stand.

    Attributes:
        section: the file and the section.
        overriding: likewise, of the corpus file; empty without one.
        overridden: the keys whose values stand there.
    """

    section: str
    overriding: str = ""
    overridden: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Return the section."""
        return self.section

    def of(self, name: str) -> str:
        """Return the file, the section and the key of a value."""
        return f"{self.overriding if name in self.overridden else self.section}.{name}"

    def about(self, told: str) -> str:
        """Return where the values that a message names stand."""
        named = [name for name in self.overridden if re.search(rf"\b{re.escape(name)}\b", told)]
        return self.overriding if named else self.section


def read(path: Path, section: str, kind: type[T], corpus: Path | None = None) -> T:
    """Return one section of a parameters file as a frozen dataclass.

    Args:
        corpus: a corpus file whose `overrides` for this section win; each is printed to stderr.

    Raises:
        ParameterError: an unknown, missing or ill-typed key, named together with what to write instead.
    """
    return build(in_force(path, section, corpus), kind, origin(path, section, corpus))


def read_parts(path: Path, section: str, kinds: tuple[type[Any], ...], corpus: Path | None = None) -> tuple[Any, ...]:
    """Return one flat section split over several dataclasses, one per part of the code; errors as in `read`."""
    return build_parts(in_force(path, section, corpus), kinds, origin(path, section, corpus))


def build_parts(values: Mapping[str, Any], kinds: tuple[type[Any], ...], where: str | SectionOrigin) -> tuple[Any, ...]:
    """Return one dataclass per kind, each of its own fields; a key that no kind has is refused."""
    refuse_unknown(values, [field.name for kind in kinds for field in dataclasses.fields(kind)], str(where))
    return tuple(build({k: v for k, v in values.items() if k in _names(kind)}, kind, where) for kind in kinds)


def in_force(path: Path, section: str, corpus: Path | None = None) -> dict[str, Any]:
    """Return the values of a section after a corpus' overrides; whoever reads a block of them tells it."""
    values = load_section(path, section)
    overrides = overrides_of(corpus).get(section, {}) if corpus else {}
    refuse_unknown(overrides, list(values), f"{corpus}: overrides.{section}")
    for name, value in overrides.items():
        if value != values[name] and not isinstance(value, dict):
            console.say(f"{section}: {name} = {_cut(value)} ({corpus}) instead of {_cut(values[name])} ({path})")
    return values | overrides


def origin(path: Path, section: str, corpus: Path | None) -> SectionOrigin:
    """Return where the values of a section stand, those that a corpus overrides in its own file."""
    overridden = frozenset(overrides_of(corpus).get(section, {})) if corpus else frozenset[str]()
    return SectionOrigin(f"{path}: {section}", f"{corpus}: overrides.{section}", overridden)


def load_section(path: Path, section: str) -> dict[str, Any]:
    """Return one top-level mapping of a YAML file; ParameterError when the file or the section is missing."""
    document = load(path)
    if section not in document:
        raise ParameterError(f"{path} has no section {section!r}{_suggest(section, list(document))}")
    return _mapping(document[section], f"{path}: {section}")


def load(path: Path) -> dict[str, Any]:
    """Return a YAML file's top-level mapping."""
    try:
        with path.open(encoding="utf-8") as file:
            document = documents.parse(file.read(documents.MOST + 1))
    except FileNotFoundError as error:
        raise ParameterError(f"{path} does not exist. {where_to_run()}") from error
    except ValueError as error:
        raise ParameterError(f"{path} is not valid YAML: {error}") from error
    return _mapping(document, str(path))


def where_to_run() -> str:
    """Return in words the folder in which commands are typed, by its path where it is above the current one."""
    above = next((str(folder) for folder in Path.cwd().parents if (folder / CORPORA).is_dir()), "")
    return f"Run from the folder that holds configs/{above and f': cd {above}'}"


def build(values: Mapping[str, Any], kind: type[T], where: str | SectionOrigin) -> T:
    """Return a dataclass made of exactly these values, each of exactly its field's type; errors as in `read`."""
    hints = typing.get_type_hints(kind)
    told = where if isinstance(where, SectionOrigin) else SectionOrigin(where)
    refuse_unknown(values, list(_names(kind)), told.section)
    missing = [f.name for f in dataclasses.fields(kind) if f.name not in values and _required(f)]  # type: ignore[arg-type]
    if missing:
        raise ParameterError(f"{told.section}: missing {', '.join(missing)}. {_shown_by(told.section)}")
    checked = {name: _convert(value, hints[name], told.of(name)) for name, value in values.items()}
    try:
        return kind(**checked)
    except ValueError as error:
        raise ParameterError(f"{told.about(str(error))}: {error}") from error


def _shown_by(section: str) -> str:
    """Return which files of the repository show a key that a file lacks."""
    file = f"another file of {CORPORA}/" if section.startswith(f"{CORPORA}/") else str(PARAMS)
    return f"Write it there, as {file} of the repository does"


def refuse_unknown(values: Mapping[str, Any], known: list[str], where: str) -> None:
    """Raise ParameterError at a key that nobody reads, with the nearest one that somebody does."""
    for name in values:
        if name not in known:
            raise ParameterError(f"{where}: unknown key {name!r}{_suggest(str(name), known)}")


def overrides_of(corpus: Path) -> dict[str, dict[str, Any]]:
    """Return what a corpus file overrides, by section; an empty section overrides nothing."""
    stated = _mapping(load(corpus).get("overrides"), f"{corpus}: overrides")
    return {section: _mapping(values, f"{corpus}: overrides.{section}") for section, values in stated.items()}


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParameterError(f"{where}: expected `key: value` lines or {{}}, found {shown(value)}")
    return value


def _names(kind: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _suggest(name: str, known: list[str]) -> str:
    texts = sorted(map(str, known))
    close = difflib.get_close_matches(name, texts, n=1)
    return f". Did you mean {close[0]!r}?" if close else f". Known: {', '.join(texts)}"


def _convert(value: Any, hint: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(_mapping(value, where), hint, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise ParameterError(f"{where}: {shown(value)}{_suggest(str(value), [str(a) for a in arguments])}")
        return value
    if origin in (typing.Union, types.UnionType):
        return _convert_union(value, arguments, hint, where)
    if origin in (tuple, Sequence) and isinstance(value, list):
        return _convert_tuple(value, arguments if origin is tuple else (*arguments, ...), where)
    if origin in (dict, Mapping) and isinstance(value, dict):
        return {k: _convert(v, arguments[1], f"{where}.{k}") for k, v in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise ParameterError(f"{where}: expected {_describe(hint)}, found {shown(value)}{_remedy(value, hint)}")


def _convert_tuple(value: list[Any], arguments: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    hints = [arguments[0]] * len(value) if len(arguments) == 2 and arguments[1] is Ellipsis else list(arguments)
    if len(hints) != len(value):
        raise ParameterError(f"{where}: expected {len(hints)} values, found {len(value)}: {shown(value)}")
    return tuple(_convert(v, h, f"{where}[{i}]") for i, (v, h) in enumerate(zip(value, hints, strict=True)))


def _convert_union(value: Any, arguments: tuple[Any, ...], hint: Any, where: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    for argument in arguments:
        try:
            return _convert(value, argument, where)
        except ParameterError:
            continue
    raise ParameterError(f"{where}: expected {_describe(hint)}, found {shown(value)}{_remedy(value, hint)}")


def shown(value: Any) -> str:
    """Return a value as YAML has it where that differs most from Python, cut where nobody would read on."""
    return "null" if value is None else _cut(repr(value))


def _cut(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} ..."


def _describe(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", type(None): "null"}
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(_describe(argument) for argument in typing.get_args(hint))
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(hint)))
    if typing.get_origin(hint) in (tuple, Sequence):
        return f"a list, each {_describe(typing.get_args(hint)[0])}"
    if typing.get_origin(hint) in (dict, Mapping):
        return f"`key: value` lines, each value {_describe(typing.get_args(hint)[1])}"
    return names.get(hint, str(hint).replace("typing.", ""))


def _remedy(value: Any, hint: Any) -> str:
    """Return what to write instead, where YAML took a value for something else than was meant."""
    hints = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    is_text = isinstance(value, str)
    number = _number(value)
    if number is not None and number.is_integer() and int in hints:
        if is_text and "e" not in value.lower():
            return ". Remove the quotes"
        return f"{f'. YAML reads {value} as a text' if is_text else ''}; write {int(number)}"
    if number is not None and is_text and float in hints:
        return f". YAML reads {value} as a text; write {number!r}" if "e" in value.lower() else ". Remove the quotes"
    if str in hints and isinstance(value, bool):
        return ". YAML reads yes, no, on and off as true or false; put the word in quotes"
    return ""


def _number(value: Any) -> float | None:
    """Return the finite number that a value is or spells; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (str, float)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
