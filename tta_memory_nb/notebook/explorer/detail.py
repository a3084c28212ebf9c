"""One record, whole: what the explorer's panel shows, and what can be done to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from ...codec import from_json
from ...entry import Entry
from ...errors import InvalidArgument
from ...keys import parse_memory_key
from ...memory.faces import SyncMemory
from ...record import MemoryRecord
from ...stores.base import Change
from ...table import is_utf8, portable
from ...text import fold, leaf_text, matching_paths, to_utf8
from ...times import Duration, duration
from ..json_text import unique_fields
from .cells import created_at, sendable
from .history import History

MOST_CHARACTERS = 200_000
"""So much of a value is shown before somebody asks for the whole."""

_NEIGHBOURS = 4
_NEIGHBOUR_CHARACTERS = 120
_SHOWN_VERSIONS = 10

# Fields that hold what was said, by the names that chats and notes give them.
_SAYING = ("text", "content", "message")


class Conflict(Exception):
    """The record is no longer what its editor has seen.

    Attributes:
        entry: what it is now; None when it is gone.
    """

    def __init__(self, entry: Entry | None) -> None:
        super().__init__("the record has changed meanwhile")
        self.entry = entry


def token(entry: Entry | None) -> str:
    """What tells one state of a record from any other; empty for none."""
    if entry is None:
        return ""
    text = entry.text if isinstance(entry.text, bytes) else to_utf8(entry.text)
    return blake2b(text + repr(entry.expires_at).encode(), digest_size=12).hexdigest()


def pretty(text: bytes | str) -> str:
    """JSON made to be read, in which everything can be sent."""
    shown = json.dumps(from_json(text), ensure_ascii=False, indent=2)
    return shown if is_utf8(shown) else json.dumps(from_json(text), indent=2)


def found(memory: SyncMemory, key: str) -> Entry | None:
    """The entry under a key, which stays where it is in the order of recency."""
    there = memory.peek([key])
    return there[0] if there else None


def told(
    memory: SyncMemory, entry: Entry, query: str, history: History, *, whole: bool
) -> dict[str, Any]:
    """What the panel shows of a record.

    Args:
        memory: where it is.
        entry: the record.
        query: what was searched for, or nothing.
        history: what is known of earlier values.
        whole: leave nothing out of the value, however long.
    """
    parts = parse_memory_key(entry.key)
    text = pretty(entry.text)
    cut = len(text) > MOST_CHARACTERS and not whole
    paths = matching_paths(entry.value(), fold(query)) if query else ()
    return {
        "key": portable(entry.key),
        "text": text[:MOST_CHARACTERS] if cut else text,
        "cut": cut,
        "length": len(text),
        "base": token(entry),
        "user": parts and sendable(parts.user),
        "session": parts and sendable(parts.session),
        "created": created_at(entry),
        "updated": entry.updated_at,
        "expires": entry.expires_at,
        "bytes": entry.size,
        "matches": [sendable(path) for path in paths[:100]],
        "neighbours": _neighbours(memory, entry),
        "history": [
            {
                "at": version.at,
                "text": pretty(version.text)[:MOST_CHARACTERS],
                # An older one may have had the same value.
                "what": version.what if number or version.text != entry.text else "now",
            }
            for number, version in enumerate(history.of(entry.key)[:_SHOWN_VERSIONS])
        ],
    }


def _neighbours(memory: SyncMemory, entry: Entry) -> list[dict[str, Any]]:
    """What was written in the same session just before and after."""
    parts = parse_memory_key(entry.key)
    if parts is None:
        return []
    session = memory.entries(None, user=parts.user, session=parts.session)
    session.reverse()  # the oldest first, also of those that were written at one instant
    session.sort(key=lambda each: each.updated_at)
    keys = [each.key for each in session]
    at = keys.index(entry.key) if entry.key in keys else 0
    return [
        {
            "key": portable(each.key),
            "t": _gist(each),
            "updated": each.updated_at,
            "current": each.key == entry.key,
        }
        for each in session[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS + 1]
    ]


def _gist(entry: Entry) -> str:
    """What was said, as far as that can be told; of a value without texts, its first fields."""
    value = entry.value()
    texts = {name: leaf for name, leaf in value.items() if isinstance(leaf, str)}
    for name in _SAYING:
        if name in texts:
            return sendable(texts[name][:_NEIGHBOUR_CHARACTERS])
    if texts:
        return sendable(max(texts.values(), key=len)[:_NEIGHBOUR_CHARACTERS])
    leaves = list(value.items())[:4]
    shown = (leaf_text(leaf) if not isinstance(leaf, (list, dict)) else "…" for _, leaf in leaves)
    told = ", ".join(f"{name}: {text}" for (name, _), text in zip(leaves, shown, strict=True))
    return sendable(told[:_NEIGHBOUR_CHARACTERS])


# ---- repairing


def parsed(text: str) -> dict[str, Any]:
    """The value that an editor holds.

    Raises:
        InvalidArgument: it is no JSON object; the message has the place.
    """
    try:
        value = json.loads(text, object_pairs_hook=unique_fields)
    except json.JSONDecodeError as error:
        raise InvalidArgument(
            f"this is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise InvalidArgument("this is nested too deeply to be read") from None
    except InvalidArgument:
        raise
    except ValueError as error:  # an integer longer than Python reads
        raise InvalidArgument(f"this cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise InvalidArgument("a value is a JSON object: write {...} around it")
    return value


@dataclass(frozen=True, slots=True)
class Repair:
    """A change to one record, that happens only if the record is still what was seen.

    Args:
        memory: where it is.
        key: of the record.
        base: the `token` of what was seen.
    """

    memory: SyncMemory
    key: str
    base: str

    def edit(self, value: dict[str, Any]) -> Change:
        """Gives the record another value; when it expires stays.

        Raises:
            Conflict: it is not what was seen.
            NotStorable: the value.
        """
        # Without instants of its own it is written now, and keeps when it was first written.
        return self._replace(MemoryRecord(self.key, value, expires_at=self._seen().expires_at))

    def expire(self, ttl: Duration | None, now: float) -> Change:
        """Sets when the record expires; None for never.

        Raises:
            Conflict: it is not what was seen.
            InvalidArgument: the ttl.
        """
        expires_at = None if ttl is None else now + duration(ttl)
        seen = self._seen()
        record = seen.record(self.memory.namespace)
        return self._replace(replace(record, expires_at=expires_at))

    def _seen(self) -> Entry:
        there = found(self.memory, self.key)
        if there is None or token(there) != self.base:
            raise Conflict(there)
        return there

    def _replace(self, record: MemoryRecord) -> Change:
        change = self.memory.import_([record]).change
        replaced = [entry for entry in change.removed if entry.key == self.key]
        # Somebody may have written it in between: then that comes back, and nothing is lost.
        if not replaced or token(replaced[0]) != self.base:
            self.memory.undo(change)
            raise Conflict(found(self.memory, self.key))
        return change


def lines_of(entries: Sequence[Entry], namespace: str) -> str:
    """Records as JSON Lines, as `export` writes them."""
    from io import BytesIO

    from ...transfer.jsonl import write_jsonl

    file = BytesIO()
    write_jsonl(file, (entry.record(namespace) for entry in entries))
    return file.getvalue().decode()
