"""The key's fields in words: what two folders of shards were made with, and in which of it they differ."""

from __future__ import annotations

from collections.abc import Mapping

from cache.shards.manifest import KEY_FIELDS, Manifest

Fields = Mapping[str, object]
# What manifests stated of an encoder before they stated the key's fields, by the names of those.
EARLIER = {"encoder_digest": "digest", "image_size": "image_size"}
FROM_THE_VIDEO = "the frames it was made from"


def stated(held: Manifest) -> Fields:
    """Return the fields that the keys of all shards have in common, as far as a manifest states them."""
    fields = held.run.get(KEY_FIELDS)
    if isinstance(fields, dict):
        return fields
    encoder, precision = held.run.get("encoder"), held.run.get("precision")
    told = encoder if isinstance(encoder, dict) else {}
    known = {name: told[earlier] for name, earlier in EARLIER.items() if earlier in told}
    return known | ({"precision": precision} if precision is not None else {})


def differing(first: Fields, second: Fields) -> dict[str, tuple[object, object]]:
    """Return the fields that both state and that differ, with both values."""
    return {
        name: (first[name], second[name]) for name in sorted(set(first) & set(second)) if first[name] != second[name]
    }


def unknown(first: Fields, second: Fields) -> list[str]:
    """Return the fields that only one of the two states."""
    return sorted(set(first) ^ set(second))
