"""Keys and namespaces: how they are made, read and refused."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any, NamedTuple

from .errors import AmbiguousKeyWarning, InvalidArgument, brief

MEMORY_KEY = re.compile(r"([^:]+):([^:]+)(?::([0-9a-f]{8}))?")
"""What a key matches in full when it has a user, a session and perhaps a hash: its groups."""


class MemoryKey(NamedTuple):
    """The parts of a key made by `create_memory_key`.

    ``context_hash`` is None for a key made without a context.
    """

    user: str
    session: str
    context_hash: str | None = None


def create_memory_key(user_id: str, session_id: str, context: dict[str, Any] | None = None) -> str:
    """A key that reads ``user:session``, or ``user:session:hash8`` with a context.

    ``hash8`` is the first 8 hex digits of the MD5 of the context's JSON with sorted keys, so
    the same context always gives the same key.

    Raises:
        InvalidArgument: a context whose JSON cannot be made.

    Warns:
        AmbiguousKeyWarning: an id contains ``:``; ``("a:b", "c")`` and ``("a", "b:c")`` would
            share a key, and `parse_memory_key` cannot take it apart again. Nor one of which an id
            is empty.
    """
    base = f"{user_id}:{session_id}"
    if base.count(":") != 1 or base[0] == ":" or base[-1] == ":":
        _warn_of(user_id, session_id)
    return f"{base}:{context_hash(context)}" if context else base


def _warn_of(user_id: str, session_id: str) -> None:
    for name, part in (("user_id", user_id), ("session_id", session_id)):
        text = f"{part}"  # as it stands in the key, whatever type it has
        if not text:
            warnings.warn(
                f"{name} is empty: everyone without a name shares this key, and filters by user or "
                f"session will not find it; give the {name[:-3]} a name",
                AmbiguousKeyWarning,
                stacklevel=3,
            )
        if ":" in text:
            warnings.warn(
                f"{name}={brief(text)} contains ':', which separates the parts of a key: other ids "
                "can give the same key, and filters by user or session will not find it",
                AmbiguousKeyWarning,
                stacklevel=3,
            )


# As `json.dumps` with these arguments, which makes an encoder each time.
_sorted_json = json.JSONEncoder(sort_keys=True, default=str).encode


def context_hash(context: dict[str, Any]) -> str:
    """The ``hash8`` of a key made with a context.

    Raises:
        InvalidArgument: its JSON cannot be made.
    """
    import hashlib  # 11 ms at first import, which no other part of the package needs

    try:
        text = _sorted_json(context)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(
            f"context={brief(context)}: its JSON cannot be made: {error}"
        ) from error
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8]


def parse_memory_key(key: str) -> MemoryKey | None:
    """The parts of a key, or None when it does not read ``user:session[:hash8]``."""
    if not isinstance(key, str):
        return None
    found = MEMORY_KEY.fullmatch(key)
    return found and MemoryKey(*found.groups())


def check_key(key: str) -> str:
    """The key itself.

    Raises:
        InvalidArgument: not a str, or empty.
    """
    return _non_empty(key, "key")


def check_namespace(namespace: str) -> str:
    """The namespace itself.

    Raises:
        InvalidArgument: not a str, or empty.
    """
    return _non_empty(namespace, "namespace")


def _non_empty(text: str, name: str) -> str:
    if type(text) is str and text:
        return text
    if isinstance(text, str) and text:
        return str.__str__(text)  # np.str_ of a table's index: no foreign code in a key
    raise InvalidArgument.about(name, text, f"a {name} is a non-empty str")
