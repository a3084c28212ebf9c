"""What is asked of RediSearch, and what its replies say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

from ....filters import Filters
from ....search.ranked.spelling import most_mistakes
from ..wire import Command
from .shadows import number_of, part_of, session_of, word_of

Fields = Mapping[bytes, bytes]
"""Fields of a shadow."""


_MOST_DISTANCE = 4


class Found(NamedTuple):
    """A part of an answer.

    Attributes:
        total: how many shadows answer.
        shadows: of some of them, the name of the key and fields, the best first.
    """

    total: int
    shadows: list[tuple[bytes, Fields]]


def asked(
    index: bytes,
    query: str,
    timeout: float,
    *,
    at: int = 0,
    count: int = 0,
    fields: tuple[str, ...] = (),
) -> Command:
    """Returns the command that asks for shadows, the best first.

    Args:
        index: its name.
        query: as RediSearch reads it.
        timeout: seconds that the server may take.
        at: how many of the best to leave out.
        count: how many to return; 0 for their number alone.
        fields: which of their fields to return.
    """
    head: Command = ("FT.SEARCH", index, query, "SCORER", "BM25STD", "RETURN", len(fields), *fields)
    tail: Command = ("LIMIT", at, count, "TIMEOUT", max(1, int(timeout * 1000)), "DIALECT", 2)
    return head + tail


def read_found(reply: Any) -> Found:
    """Returns what a reply to `asked` says, in either protocol."""
    if isinstance(reply, dict):  # RESP3
        rows = reply[b"results"]
        shadows = [(row[b"id"], row.get(b"extra_attributes") or {}) for row in rows]
        return Found(reply[b"total_results"], shadows)
    total, *rest = reply
    if not any(isinstance(each, list) for each in rest):  # no fields were asked for
        return Found(total, [(name, {}) for name in rest])
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return Found(total, [(name, facts(fields or [])) for name, fields in pairs])


def joined(index: bytes, query: str, timeout: float, count: int) -> Command:
    """Returns the command that asks for the names of shadows and their fields ``r``, in no order.

    Each shadow comes as one text, which takes a third of the time to read that it would take as a row of `asked`.

    Args:
        index: its name.
        query: as RediSearch reads it.
        timeout: seconds that the server may take.
        count: how many to return at most.
    """
    head: Command = ("FT.AGGREGATE", index, query, "LOAD", 2, "@__key", "@r")
    rows: Command = ("APPLY", 'format("%s %s", @r, @__key)', "AS", "row", "LIMIT", 0, count)
    group: Command = ("GROUPBY", 0, "REDUCE", "TOLIST", 1, "@row", "AS", "rows")
    return head + rows + group + ("TIMEOUT", max(1, int(timeout * 1000)), "DIALECT", 2)


def read_joined(reply: Any) -> list[tuple[bytes, bytes]]:
    """Returns the names and fields ``r`` that a reply to `joined` has, in either protocol."""
    if isinstance(reply, dict):  # RESP3
        groups = [row[b"extra_attributes"] for row in reply[b"results"]]
    else:
        groups = [facts(row) for row in reply[1:]]
    rows = [row for group in groups for row in group[b"rows"]]
    found = []
    for row in rows:
        # The field has six parts, see `shadows.Returned`, and no space in them.
        *parts, name = row.split(b" ", 6)
        found.append((name, b" ".join(parts)))
    return found


def spelt_nearly(index: bytes, term: str) -> Command:
    """Returns the command that asks for words of the index that are spelt nearly like a term.

    The server counts two mistakes for two letters that are exchanged, so it is asked for more than one.
    """
    distance = min(_MOST_DISTANCE, 1 + most_mistakes(term))
    return ("FT.SPELLCHECK", index, word_of(term), "DISTANCE", distance, "DIALECT", 2)


def read_spellings(reply: Any) -> list[str]:
    """Returns the words that a reply to `spelt_nearly` says, in either protocol."""
    if isinstance(reply, dict):  # RESP3
        found = chain.from_iterable(reply.get(b"results", {}).values())
        return [word.decode() for each in found for word in each]
    return [word.decode() for _, _, found in reply for _, word in found]


def facts(reply: Any) -> dict[bytes, Any]:
    """Returns a reply of names and values in turn as a dict, in either protocol."""
    if isinstance(reply, dict):
        return reply
    items = iter(reply)
    return dict(zip(items, items, strict=True))


def with_words(terms: Iterable[str]) -> str:
    """Returns the query for shadows that have one of some terms."""
    return f"@w:({'|'.join(map(word_of, terms))})"


def with_people(names: Iterable[str]) -> str:
    """Returns the query for shadows of records of some people."""
    return f"@p:{{{'|'.join(map(word_of, names))}}}"


def with_name_part(word: str) -> str:
    """Returns the query for shadows of records of people whose names have a word and others."""
    return f"@p:{{{part_of(word)}}}"


def of_session(user: str, session: str) -> str:
    """Returns the query for shadows of records of a session."""
    return f"@q:{{{session_of(user, session)}}}"


def narrowed(filters: Filters) -> str:
    """Returns the query for shadows that filters may accept; empty if the server cannot tell any.

    What filters do not accept although it answers has to be left out afterwards, unless they are `is_exact`.
    """
    parts = []
    prefix, colon, rest = (filters.prefix or "").partition(":")
    second, is_whole, _ = rest.partition(":")
    user, session = filters.user, filters.session
    first = user if user is not None else prefix if colon else None
    second_part = session if session is not None else second if is_whole else None
    for name, part in (("o", first), ("s", second_part)):
        if part is not None:
            parts.append(f"@{name}:[{number_of(part)} {number_of(part)}]")
    if filters.since is not None or filters.until is not None:
        since = "-inf" if filters.since is None else repr(filters.since)
        until = "+inf" if filters.until is None else repr(filters.until)
        parts.append(f"@t:[{since} {until}]")
    return " ".join(parts)


def tells_by_parts(filters: Filters) -> bool:
    """Returns whether `narrowed` asks for all that filters ask for, by parts of keys and by instants."""
    prefix = filters.prefix or ""
    return not filters.where and (not prefix or (prefix.endswith(":") and prefix.count(":") <= 2))


def is_exact(filters: Filters) -> bool:
    """Returns whether `narrowed` leaves nothing to be looked at afterwards."""
    named = (filters.user, filters.session, filters.prefix)
    return not filters.where and all(each is None for each in named)
