"""What the panel beside the table shows of one record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice, zip_longest
from typing import Any

from ...codec import from_json, to_json
from ...conversation import said
from ...entry import Entry
from ...errors import StoreUnavailable
from ...keys import MESSAGE_KEY, parse_memory_key
from ...main_field import main_field
from ...memory.as_of import keeps_changes
from ...memory.faces import SyncMemory
from ...memory.summarizing.summary import sources_of
from ...memory.versions import RecordLog
from ...memory.word_diff import diffs_of, field_diffs
from ...table import flatten, is_utf8, portable
from ...text import fold, leaf_text, matching_paths
from .cells import created_at, sendable
from .diffs import sent_fields
from .ranking import Ranking
from .repair import token
from .versions import Version, Versions

MOST_CHARACTERS = 200_000
"""How much of a value is shown until the user asks for the whole."""

_MOST_MATCHES = 100
_NEIGHBOURS = 4
_NEIGHBOUR_CHARACTERS = 120
_MESSAGES_BESIDE = 20
_MESSAGE_CHARACTERS = 600
_MOST_SOURCES = 50
_SHOWN_VERSIONS = 10
_MOST_KEPT = 100


def pretty(text: bytes | str) -> str:
    """Indented JSON, without any character that UTF-8 cannot carry."""
    shown = json.dumps(from_json(text), ensure_ascii=False, indent=2)
    return shown if is_utf8(shown) else json.dumps(from_json(text), indent=2)


def describe(
    memory: SyncMemory,
    entry: Entry,
    query: str,
    versions: Versions,
    *,
    whole: bool,
    ranking: Ranking | None = None,
    judged: bool | None = None,
) -> dict[str, Any]:
    """What the panel shows of a record, as JSON.

    Args:
        memory: the memory that holds the record.
        entry: the record.
        query: the text that was searched for; empty for none.
        versions: earlier values of the memory's records.
        whole: send all of the value, however long it is.
        ranking: the scores of the records, if the search ranks them.
        judged: whether a person has called the record right or wrong for the query; None for neither.
    """
    owner = parse_memory_key(entry.key)
    text = pretty(entry.text)
    cut = len(text) > MOST_CHARACTERS and not whole
    if ranking is not None:
        paths = ranking.paths(entry.key, entry.value())
    else:
        paths = matching_paths(entry.value(), fold(query)) if query else ()
    return {
        "key": portable(entry.key),
        "text": text[:MOST_CHARACTERS] if cut else text,
        "cut": cut,
        "length": len(text),
        "base": token(entry),
        "user": owner and sendable(owner.user),
        "session": owner and sendable(owner.session),
        "created": created_at(entry),
        "updated": entry.updated_at,
        "expires": entry.expires_at,
        "bytes": entry.size,
        "matches": [sendable(path) for path in paths[:_MOST_MATCHES]],
        "ranked": None if ranking is None else ranking.describe(entry.key),
        "judged": judged,
        "neighbours": _neighbours(memory, entry),
        "conversation": _conversation(memory, entry),
        "sources": [_listed(each, entry) for each in _sources(memory, entry)],
        "summaries": [_listed(each, entry) for each in _summaries(memory, entry)],
        **_history(memory, entry, versions),
    }


def _history(memory: SyncMemory, entry: Entry, versions: Versions) -> dict[str, Any]:
    """The versions of a record: those that the memory keeps, or else those that the explorer has seen."""
    with suppress(
        StoreUnavailable
    ):  # in an outage, the versions are out of reach, and the record is not
        if keeps_changes(memory):
            log = memory.log(entry.key)
            return {"history": list(islice(_kept(log), _MOST_KEPT)), "kept_since": log.since}
    shown = versions.of(entry.key)[:_SHOWN_VERSIONS]
    seen = [
        {
            "at": version.at,
            "text": pretty(version.text)[:MOST_CHARACTERS],
            # An older version may have had the present value as well.
            "what": version.what if number or version.text != entry.text else "now",
            "by": "",
            "fields": _changed(before, version),
        }
        for number, (version, before) in enumerate(zip_longest(shown, shown[1:]))
    ]
    return {"history": seen, "kept_since": None}


def _changed(before: Version | None, version: Version) -> list[dict[str, Any]]:
    """What differs from the version before; nothing of the first one that the explorer has seen."""
    if before is None:
        return []
    return sent_fields(field_diffs(from_json(before.text), from_json(version.text)))


def _kept(log: RecordLog) -> Iterator[dict[str, Any]]:
    """What the panel shows of each version, the newest first; where the record ended, its last value."""
    values = [None if version.record is None else version.record.value for version in log]
    for number, version in enumerate(log):
        value = next((each for each in values[number:] if each is not None), {})
        yield {
            "at": version.at,
            "text": pretty(to_json(value))[:MOST_CHARACTERS],
            "what": version.what,
            "by": sendable(str(version.author)),
            "fields": sent_fields(diffs_of(version.fields)),
        }


def _neighbours(memory: SyncMemory, entry: Entry) -> list[dict[str, Any]]:
    """The records of the same session that were written just before and after this one; none of a message."""
    owner = parse_memory_key(entry.key)
    if owner is None or MESSAGE_KEY.fullmatch(entry.key):
        return []
    session = memory.entries(None, user=owner.user, session=owner.session)
    # Entries come newest first. The sort is stable, so that records of the same instant stay in the
    # order of recency.
    session.reverse()
    session.sort(key=lambda each: each.updated_at)
    keys = [each.key for each in session]
    at = keys.index(entry.key) if entry.key in keys else 0
    return [
        _listed(each, entry) for each in session[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS + 1]
    ]


def _conversation(memory: SyncMemory, entry: Entry) -> list[dict[str, Any]]:
    """The messages just before and after a message, with it, in their order: who says what. None of another record."""
    owner = parse_memory_key(entry.key)
    if owner is None or not MESSAGE_KEY.fullmatch(entry.key):
        return []
    session = memory.entries(None, user=owner.user, session=owner.session)
    messages = sorted(
        (each for each in session if MESSAGE_KEY.fullmatch(each.key)), key=lambda each: each.key
    )
    keys = [each.key for each in messages]
    at = keys.index(entry.key) if entry.key in keys else 0
    shown = messages[max(0, at - _MESSAGES_BESIDE) : at + _MESSAGES_BESIDE + 1]
    return [_message(each, entry) for each in shown]


def _message(each: Entry, entry: Entry) -> dict[str, Any]:
    role, text = said(each.value())
    cut = len(text) > _MESSAGE_CHARACTERS
    return {
        **_listed(each, entry),
        "t": sendable(text[:_MESSAGE_CHARACTERS] + "…" * cut),
        "role": sendable(role[:_NEIGHBOUR_CHARACTERS]),
    }


def _listed(each: Entry, entry: Entry) -> dict[str, Any]:
    """A record in a list beside another one."""
    return {
        "key": portable(each.key),
        "t": _gist(each),
        "updated": each.updated_at,
        "current": each.key == entry.key,
    }


def _sources(memory: SyncMemory, entry: Entry) -> list[Entry]:
    """The records that a summary comes from, as far as they still exist, the newest of many."""
    return memory.peek((sources_of(entry) or ())[-_MOST_SOURCES:])


def _summaries(memory: SyncMemory, entry: Entry) -> list[Entry]:
    """The summaries that come from a record, which contain its key."""
    found = memory.entries(entry.key, _MOST_SOURCES, "keyword")
    return [each for each in found if entry.key in (sources_of(each) or ())]


def _gist(entry: Entry) -> str:
    """What was said in a record; its first fields if it has no text."""
    flat = flatten(entry.value())
    path = main_field({path: (leaf,) for path, leaf in flat.items()})
    if path is not None:
        return sendable(flat[path][:_NEIGHBOUR_CHARACTERS])
    leaves = list(entry.value().items())[:4]
    shown = (leaf_text(leaf) if not isinstance(leaf, (list, dict)) else "…" for _, leaf in leaves)
    fields = ", ".join(f"{name}: {text}" for (name, _), text in zip(leaves, shown, strict=True))
    return sendable(fields[:_NEIGHBOUR_CHARACTERS])
