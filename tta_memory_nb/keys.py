"""Keys and namespaces: making, parsing and validating them."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .errors import AmbiguousKeyWarning, InvalidArgument, brief

_NUMBER = r"[0-9]{16}(?:-[0-9a-f]{8})?"

MEMORY_KEY = re.compile(rf"([^:]+):([^:]+)(?::(?:([0-9a-f]{{8}})|{_NUMBER}))?")
"""Full match of a key that names a user, a session and optionally a hash, as its three groups.

The key of a message has a number in place of the hash, which is no group.
"""

MESSAGE_KEY = re.compile(rf"[^:]+:[^:]+:{_NUMBER}")
"""Full match of a key that `MemoryPrimitive.append` has given. Keys of one session sort in the order of their numbers."""


class MemoryKey(NamedTuple):
    """The parts of a key made by `create_memory_key`.

    ``context_hash`` is None for a key made without a context, and for that of a message.
    """

    user: str
    session: str
    context_hash: str | None = None


def create_memory_key(user_id: str, session_id: str, context: dict[str, Any] | None = None) -> str:
    """Makes a key that reads ``user:session``, or ``user:session:hash8`` with a context.

    ``hash8`` is the first 8 hex digits of the MD5 of the context's JSON with sorted keys, so
    the same context always gives the same key.

    Args:
        user_id: the user, non-empty and without ``:``.
        session_id: the session, non-empty and without ``:``.
        context: any JSON-like dict that tells keys of one session apart. What JSON lacks counts as
            its ``str``, a set as its elements in sorted order.

    Returns:
        The key.

    Raises:
        InvalidArgument: the context cannot be written as JSON, or holds an object whose text is
            another in each process.

    Warns:
        AmbiguousKeyWarning: an id is empty or contains ``:``. ``("a:b", "c")`` and
            ``("a", "b:c")`` share a key, and `parse_memory_key` cannot parse such a key.
    """
    base = f"{user_id}:{session_id}"
    if base.count(":") != 1 or base[0] == ":" or base[-1] == ":":
        _warn_if_ambiguous(user_id, session_id)
    return f"{base}:{context_hash(context)}" if context else base


def _warn_if_ambiguous(user_id: str, session_id: str) -> None:
    for name, part in (("user_id", user_id), ("session_id", session_id)):
        text = f"{part}"  # as the key contains it, whatever its type
        if not text:
            warnings.warn(
                f"{name} is empty: all {name[:-3]}s without a name share this key, and filters by user "
                f"or session do not find it; give the {name[:-3]} a name",
                AmbiguousKeyWarning,
                stacklevel=3,
            )
        if ":" in text:
            warnings.warn(
                f"{name}={brief(text)} contains ':', which separates the parts of a key: other ids "
                "can give the same key, and filters by user or session do not find it; use another "
                "character",
                AmbiguousKeyWarning,
                stacklevel=3,
            )


# The address of an object in memory, as `repr` shows it.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def _lasting_text(value: Any, write: Callable[[Any], str] = str) -> str:
    """Returns the text of an object that JSON lacks, which has to be the same in every process.

    Raises:
        TypeError: the text is another in each process.
    """
    if isinstance(value, (set, frozenset)) and value:
        # As Python writes a set, but sorted: its own order depends on the hashes of this process.
        are_numbers = all(isinstance(element, (int, float)) for element in value)
        texts = (
            map(repr, sorted(value))
            if are_numbers
            else sorted(_lasting_text(element, repr) for element in value)
        )
        elements = f"{{{', '.join(texts)}}}"
        return elements if type(value) is set else f"{type(value).__name__}({elements})"
    text = write(value)
    if _ADDRESS.search(text) or any(repr(each) in text for each in _sets_in(value)):
        raise TypeError(
            f"the text of <{type(value).__name__}> is another in each process; give text, numbers, "
            "lists and dicts, or a set of them"
        )
    return text


def _sets_in(value: Any) -> Iterator[Any]:
    """Yields the sets of several elements that an object consists of."""
    seen: set[int] = set()
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, (str, bytes, bytearray, int, float)) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, (set, frozenset)) and len(node) > 1:
            yield node
        if isinstance(node, Mapping):
            stack.extend((*node.keys(), *node.values()))
        elif isinstance(node, Collection):
            stack.extend(node)
        else:
            stack.extend(getattr(node, "__dict__", {}).values())
            stack.extend(getattr(node, name, None) for name in getattr(node, "__match_args__", ()))


# Equivalent to `json.dumps` with these arguments, without a new encoder for each call.
_sorted_json = json.JSONEncoder(sort_keys=True, default=_lasting_text).encode


def context_hash(context: dict[str, Any]) -> str:
    """Returns the ``hash8`` of a key made with a context.

    Raises:
        InvalidArgument: the context cannot be written as JSON, or not as the same in every process.
    """
    import hashlib  # imported here: takes 11 ms, and nothing else in the package needs it

    try:
        text = _sorted_json(context)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(
            f"context={brief(context)}: no key can be made of it: {error}"
        ) from error
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8]


def parse_memory_key(key: str) -> MemoryKey | None:
    """Returns the parts of a key, or None if it does not read ``user:session[:hash8]``.

    Keys of messages, which `MemoryPrimitive.append` makes, also name a user and a session.
    """
    if not isinstance(key, str):
        return None
    found = MEMORY_KEY.fullmatch(key)
    return found and MemoryKey(*found.groups())


def message_key(owner: str, number: int, suffix: str = "") -> str:
    """Returns the key of a message.

    Args:
        owner: user and session, ``user:session``.
        number: as the store has given it: microseconds since 1970, or later if that number was taken.
        suffix: what tells the numbers of an outage from those of other machines, such as ``"-0f3a77c1"``.
    """
    return f"{owner}:{number:016d}{suffix}"


def check_key(key: str) -> str:
    """Returns the key as a plain str.

    Raises:
        InvalidArgument: the key is not a str, or is empty.
    """
    return _non_empty(key, "key")


def is_table(given: object) -> bool:
    """Returns whether an argument is a DataFrame, which yields the names of its columns where one iterates over it."""
    return hasattr(given, "columns") and hasattr(given, "index")


def listed_keys(keys: Iterable[str], name: str = "keys") -> list[str]:
    """Returns keys as a list, for a caller that checks each of them. One text is refused: its letters would be taken for keys.

    Args:
        keys: of records.
        name: the argument's name, for the error.

    Raises:
        InvalidArgument: a text, or what holds no keys.
    """
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        one = f"; [{brief(keys)}] for one" if isinstance(keys, str) else ""
        raise InvalidArgument.about(name, keys, f"give a list of keys{one}")
    if is_table(keys):  # it would be read as the names of its columns
        raise InvalidArgument(
            f"{name}: a table is no list of keys; give its index, as in table.index"
        )
    return list(keys)


def checked_keys(keys: Iterable[str], name: str = "keys") -> list[str]:
    """Returns keys as a list of plain str.

    Args:
        keys: of records.
        name: the argument's name, for the error.

    Raises:
        InvalidArgument: they are no keys.
    """
    return [check_key(key) for key in listed_keys(keys, name)]


def key_text(value: Any) -> str:
    """Returns an id in a file or a table, which may be a number, as the text of a key.

    Raises:
        InvalidArgument: an integer of more digits than Python writes.
    """
    try:
        return value if isinstance(value, str) else str(value)
    except ValueError:
        raise InvalidArgument.about("key", value, "a number of so many digits is no key") from None


def companion_of(namespace: str, name: str) -> str:
    """Returns the namespace of a companion of a memory, such as that of its ``"tombstones"``."""
    return f"{namespace}:{name}"


def check_namespace(namespace: str) -> str:
    """Returns the namespace as a plain str.

    Raises:
        InvalidArgument: the namespace is not a str, or is empty.
    """
    return _non_empty(namespace, "namespace")


def _non_empty(text: str, name: str) -> str:
    if type(text) is str and text:
        return text
    if isinstance(text, str) and text:
        return str.__str__(text)  # np.str_ of a table's index: no foreign code in a key
    raise InvalidArgument.about(name, text, f"a {name} is a non-empty str")
