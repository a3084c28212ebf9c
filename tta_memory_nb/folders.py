"""Folders of keys: ``/users/alice`` of the key ``/users/alice/name``."""

from __future__ import annotations

import operator
from collections.abc import Iterable

from .errors import InvalidArgument


def folders_of(keys: Iterable[str], depth: int | None) -> set[str]:
    """Returns the folders of some keys.

    Args:
        keys: those without a folder do not count.
        depth: how many parts of each folder; None for all.
    """
    found = {key.rpartition("/")[0] for key in keys}
    found.discard("")
    return found if depth is None else {_cut(folder, depth) for folder in found}


def _cut(folder: str, depth: int) -> str:
    parts = folder.split("/", depth + 1)
    # What begins with a slash has an empty text before its first part.
    return "/".join(parts[: depth + (parts[0] == "")])


def check_folders(prefix: str, depth: int | None) -> tuple[str, int | None]:
    """Returns the arguments of `folders` as plain values.

    Raises:
        InvalidArgument: a prefix that is no text, a depth below 1.
    """
    if not isinstance(prefix, str):
        raise InvalidArgument.about("prefix", prefix, "give text")
    if depth is None:
        return str(prefix), None
    try:
        number = 0 if isinstance(depth, bool) else operator.index(depth)
    except TypeError:
        number = 0
    if number < 1:
        raise InvalidArgument.about("depth", depth, "give an int of at least 1, or None for all")
    return str(prefix), number
