"""YAML documents, strictly: no key twice, and no larger than a person writes them, with every alias written out."""

from __future__ import annotations

import math
from typing import Any

import yaml

# Characters of a document, and of what it holds. The longest of our own has 10 000.
MOST = 200_000


def parse(text: str) -> Any:
    """Return what a YAML document holds; None for an empty one.

    Raises:
        ValueError: it is no YAML, holds a key twice, or is larger than `MOST`; says in which line.
    """
    if len(text) > MOST:
        raise ValueError(f"it has more than {MOST} characters")
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _measure(root, {})
        return loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ValueError(f"{f'line {mark.line + 1}: ' if mark else ''}{error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    finally:
        loader.dispose()


def _measure(node: yaml.Node, sizes: dict[yaml.Node, float]) -> float:
    """Return the characters of a node with every alias written out; raise at too many of them, or at a double key."""
    if node not in sizes:
        # What holds itself has no end.
        sizes[node] = math.inf
        if isinstance(node, yaml.MappingNode):
            _refuse_double_keys(node)
            children = [child for pair in node.value for child in pair]
        else:
            children = node.value if isinstance(node, yaml.SequenceNode) else []
        own = len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        sizes[node] = 1 + own + sum(_measure(child, sizes) for child in children)
    if sizes[node] > MOST:
        problem = f"what stands here has more than {MOST} characters when its aliases (*) are written out"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    return sizes[node]


def _refuse_double_keys(mapping: yaml.MappingNode) -> None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        spelled, mark = (key.tag, key.value), key.start_mark
        if spelled in lines:
            problem = f"{key.value!r} stands here again, after line {lines[spelled]}. Remove one of the two"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
        lines[spelled] = mark.line + 1
