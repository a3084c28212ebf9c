"""Messages of a session: appended under numbers that the store gives, and read in their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..entry import Entry, new_entry
from ..errors import InvalidArgument
from ..filters import Filters
from ..keys import MESSAGE_KEY
from ..search.request import Search, whole_number
from ..stores.base import Store
from ..stores.plan import Plan
from .applying import MOST_APPLIED


def owner_of(user: str, session: str) -> str:
    """Returns what the keys of a session's messages begin with, ``user:session``.

    Raises:
        InvalidArgument: a name that is no text, is empty or contains ``:``, so that two sessions could share a key.
    """
    for name, text in (("user", user), ("session", session)):
        if not isinstance(text, str) or not text:
            raise InvalidArgument.about(name, text, f"a {name} is a non-empty str")
        if ":" in text:
            raise InvalidArgument.about(
                name, text, "':' separates the parts of a key; use another character in its place"
            )
    return f"{user}:{session}"


def messages_of(values: Iterable[dict[str, Any]], now: float, ttl: float | None) -> list[Entry]:
    """Returns entries of messages, whose keys the store will set.

    Args:
        values: JSON objects.
        now: Unix seconds.
        ttl: seconds, or None for no expiry.

    Raises:
        InvalidArgument: values that are no list, more of them than can be written in one step.
        NotStorable: a value; the path starts with its place.
    """
    if isinstance(values, (str, Mapping)) or not isinstance(values, Iterable):
        raise InvalidArgument.about("values", values, "give a list of JSON objects")
    entries = [
        new_entry("?", value, now, ttl, f"values[{number}]") for number, value in enumerate(values)
    ]
    if len(entries) > MOST_APPLIED:
        raise InvalidArgument(
            f"values: {len(entries):,} are more than the {MOST_APPLIED:,} that can be written in one step; "
            "append fewer at a time"
        )
    return entries


def history(store: Store, user: str, session: str, last: int | None) -> Plan[list[Entry]]:
    """Returns the messages of a session, in the order of their numbers.

    Args:
        store: where they are.
        user: first part of their keys.
        session: second part.
        last: how many of the last ones at most; None for all.

    Raises:
        InvalidArgument: a name that cannot be in a key; a number below 0.
    """
    owner_of(user, session)
    if last is not None:
        number = whole_number(last)
        if number is None or number < 0:
            raise InvalidArgument.about("last", last, "give an int of at least 0, or None for all")
        last = number
    found = yield from store.find(Search(filters=Filters(user=user, session=session)))
    messages = [hit.entry for hit in found if MESSAGE_KEY.fullmatch(hit.entry.key)]
    messages.sort(key=lambda entry: entry.key)
    return messages if last is None else messages[max(0, len(messages) - last) :]
