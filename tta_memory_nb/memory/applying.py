"""Many writes as one: what `apply` takes, checked, before a store carries it out in one step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from ..entry import Entry, new_entry
from ..errors import InvalidArgument, NotStorable, brief
from ..keys import check_key, checked_keys, is_table
from ..stores.expecting import Expected
from ..times import Duration, duration

MOST_APPLIED = 50_000
"""So many records one `apply` may name: a server answers nobody else while it carries one out."""


Puts: TypeAlias = (
    Mapping[str, dict[str, Any]]
    | Iterable[
        tuple[str, dict[str, Any]]
        | tuple[str, dict[str, Any], Duration | None]
        | tuple[str, dict[str, Any], Duration | None, bool]
    ]
)
"""Values by key, or tuples of a key, a value and, if the record shall expire, its time to live, and whether that slides."""


class Applied(NamedTuple):
    """What a store carries out in one step.

    Attributes:
        entries: what is written, each key once.
        deletes: keys of what is deleted, each once; none of them is written.
        expect: what must hold, or else nothing is done.
    """

    entries: tuple[Entry, ...]
    deletes: tuple[str, ...]
    expect: dict[str, str | None]


def entries_of(
    items: Any, now: float, ttl: float | None, name: str, longest: int
) -> Iterator[Entry]:
    """Yields the entries of what a caller wants written, checked one by one.

    Args:
        items: values by key, or an iterable of tuples.
        now: Unix seconds.
        ttl: seconds until those expire that bring no time of their own; None for never.
        name: what errors call the items.
        longest: how long a tuple may be: 2 for a key and a value, 4 if it may bring a time to live and whether that slides.

    Raises:
        InvalidArgument: an item that is no such tuple, a key, a time to live.
        NotStorable: a value; the path starts with its key.
    """
    what = (
        "(key, value) pair"
        if longest == 2
        else "(key, value), (key, value, ttl) or (key, value, ttl, sliding) tuple"
    )
    if is_table(items):
        raise InvalidArgument(f"{name}: this is a table; its rows are imported by import_(table)")
    if not isinstance(items, Iterable):
        raise InvalidArgument.about(name, items, f"give values by key, or an iterable of {what}s")
    for number, item in enumerate(items.items() if isinstance(items, Mapping) else items):
        if not isinstance(item, (tuple, list)) or not 2 <= len(item) <= longest:
            raise InvalidArgument(f"{name}[{number}]: <{type(item).__name__}> is no {what}")
        key, value, *own = item
        seconds = ttl
        if own:
            seconds = None if own[0] is None else duration(own[0])
        try:
            yield new_entry(key, value, now, seconds, sliding=len(own) > 1 and bool(own[1]))
        except NotStorable as error:  # its path is made longer only now: it takes a while
            path = f"{name}[{brief(key)}]{error.path.removeprefix('value')}"
            raise NotStorable(path, error.reason) from None


def applied(puts: Puts, deletes: Iterable[str], expect: Expected | None, now: float) -> Applied:
    """Returns what `apply` was asked for, checked.

    Raises:
        InvalidArgument: a key, a time to live, a version that is none, a key that is to be written and deleted,
            more records than can be written in one step.
        NotStorable: a value.
    """
    # Of a key that comes twice, the last value counts, as in a dict.
    entries = {entry.key: entry for entry in entries_of(puts, now, None, "puts", 4)}
    gone = dict.fromkeys(checked_keys(deletes, "deletes"))
    for key in gone:
        if key in entries:
            raise InvalidArgument(
                f"deletes: {brief(key)} is in puts as well; give each key to one of them"
            )
    wanted = dict(_checked(expect or {}))
    size = len(entries) + len(gone) + len(wanted)
    if size > MOST_APPLIED:
        raise InvalidArgument(
            f"apply: {size:,} records are more than the {MOST_APPLIED:,} that can be written in one step; "
            "apply fewer at a time"
        )
    return Applied(tuple(entries.values()), tuple(gone), wanted)


def _checked(expect: Expected) -> Iterator[tuple[str, str | None]]:
    if not isinstance(expect, Mapping):
        raise InvalidArgument.about(
            "expect", expect, "give a dict: {key: record.version}, or {key: None} for no record"
        )
    for key, version in expect.items():
        if version is not None and not isinstance(version, str):
            raise InvalidArgument(
                f"expect[{brief(key)}]={brief(version)}: give the version of a record, record.version, or "
                "None for no record"
            )
        yield check_key(key), version
