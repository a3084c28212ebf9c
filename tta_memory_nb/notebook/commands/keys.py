"""Keys as operands of a command: which ones are meant, and what to say when one has no record.

On a server, listing all keys of a large namespace takes a thousand times as long as reading one record.
So commands ask for the keys they are given, and list others only to suggest a similar one. No listing
is of the whole namespace: it has a limit, or a prefix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from ...errors import InvalidArgument, brief
from ...memory.faces import SyncMemory
from ..arguments import Words, did_you_mean
from .base import Notebook, shown

_MOST_COMPARED = 1000  # keys that a mistyped one is compared with; takes about 20 ms
_SPECIFIC = 3  # characters; a shorter prefix selects too large a part of a large memory


def keys_of(words: Words, name: str = "KEYS") -> list[str]:
    """The keys that the operands name, each once, in their order.

    Args:
        words: keys, or objects of variables: a list or index of keys, or a table of records.
        name: of the operands, or the flag, for errors.

    Raises:
        InvalidArgument: something else than keys, or no key at all.
    """
    keys: list[Any] = []
    for word in words:
        keys.extend([word] if isinstance(word, str) else _keys_in(word, name))
    for key in keys:
        if not isinstance(key, str) or not key:
            raise InvalidArgument(f"{name}: {brief(key)} is not a key; a key is non-empty text")
    if not keys:
        raise InvalidArgument(f"{name}: the list of keys is empty")
    return list(dict.fromkeys(keys))


def check_all_exist(nb: Notebook, keys: list[str]) -> None:
    """Refuses a list of keys before anything is done with the records of some of them.

    A single key needs no check, which would double the work: if it has no record, nothing is done.

    Raises:
        InvalidArgument: a key has no record.
    """
    if len(keys) > 1:
        present = {entry.key for entry in nb.memory.sync.peek(keys)}
        for key in keys:
            if key not in present:
                raise no_record(nb, key)


def no_record(nb: Notebook, key: str) -> InvalidArgument:
    """The error for a key that has no record; it suggests a similar key of the same user."""
    owner = key[: key.rfind(":") + 1]
    similar = ""
    for prefix in dict.fromkeys((owner, "")):
        similar = similar or did_you_mean(
            key, newest_keys(nb.memory.sync, _MOST_COMPARED, prefix=prefix)
        )
    return InvalidArgument(f"no record under '{shown(key)}'{similar}")


def newest_keys(memory: SyncMemory, limit: int, *, prefix: str = "") -> list[str]:
    """The keys of the newest records, newest first, from one listing.

    Args:
        memory: the memory to ask.
        limit: how many keys at most.
        prefix: what the keys begin with. Many keys of a large memory may share its first characters, so a
            prefix of less than three is looked for only in the newest 1,000 records.
    """
    found: Iterator[str]
    if len(prefix) < _SPECIFIC:
        newest = memory.entries(limit=_MOST_COMPARED)
        found = (entry.key for entry in newest if entry.key.startswith(prefix))
    else:
        found = reversed(memory.keys(prefix=prefix))
    return list(islice(found, limit))


def _keys_in(held: Any, name: str) -> Iterable[Any]:
    """The keys in the object of a variable."""
    if hasattr(held, "columns") and hasattr(held, "index"):
        if held.index.name != "key":
            raise InvalidArgument(f"{name}: the index of this DataFrame is not called 'key'")
        return list(held.index)
    if isinstance(held, Iterable) and not isinstance(held, (bytes, Mapping)):
        return held
    if name.startswith("--"):
        raise InvalidArgument(f"{name} {brief(held)}: give keys")
    raise InvalidArgument(f"{name}: expected keys, found <{type(held).__name__}>")
