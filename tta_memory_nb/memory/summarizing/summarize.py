"""Which records are summarized, and the one step in which the summary is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from ...entry import Entry, Unreadable, new_entry, write_seq
from ...errors import InvalidArgument
from ...filters import FilterArgs
from ...keys import check_key, create_memory_key
from ...record import MemoryRecord
from ...search.request import whole_number
from ...stores.base import Change, Store
from ...stores.plan import Call, Plan
from ...summarizers.base import Summarizer
from ...summarizers.checking import Asked
from ...times import Duration, duration, shown_instant
from ..applying import MOST_APPLIED
from .summary import Looked, Originals, Summary, sources_of, value_of_summary

if TYPE_CHECKING:
    from ..verbs.listing import ListingVerbs


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of `summarize`; see `Verbs.summarize`. Making one checks nothing, `summarize` does."""

    summarizer: Summarizer
    keep_last: int
    older_than: Duration | None
    into: str | None
    originals: Originals
    expire_in: Duration
    dry_run: bool
    timeout: Duration


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The records that were looked at, the oldest first.

    Attributes:
        old: those to summarize.
        alone: those that are left alone, each with the reason.
        earlier: the summary that is continued; None if there is none.
    """

    old: Sequence[Entry]
    alone: dict[str, str]
    entries: Sequence[Entry]
    earlier: Entry | None


def summarize(
    verbs: ListingVerbs,
    store: Store,
    record: Callable[[Entry], MemoryRecord],
    wanted: Wanted,
    filters: FilterArgs,
) -> Plan[Summary]:
    """Makes old records one summary; see `Verbs.summarize`.

    Args:
        verbs: of the memory.
        store: of the memory.
        record: makes the record of an entry.
        wanted: what is asked.
        filters: which records are looked at.
    """
    keep_last = whole_number(wanted.keep_last)
    if keep_last is None or keep_last < 0:
        raise InvalidArgument.about(
            "keep_last", wanted.keep_last, "give an int of at least 0 (records)"
        )
    age = None if wanted.older_than is None else duration(wanted.older_than, "older_than")
    if wanted.originals not in get_args(Originals):
        raise InvalidArgument.about(
            "originals", wanted.originals, "give 'keep', 'expire' or 'delete'"
        )
    expire_in = duration(wanted.expire_in, "expire_in")
    timeout = duration(wanted.timeout, "timeout")
    into = _key_of(wanted.into, filters)
    chosen = yield from _choose(verbs, into, keep_last, age, filters)
    if not chosen.old:
        looked = _looked(chosen, "kept")
        return Summary("", "", (), looked, False, 0, 0, None, wanted.dry_run)
    given = ([] if chosen.earlier is None else [chosen.earlier]) + list(chosen.old)
    text: str = yield Call(Asked(wanted.summarizer, timeout).caller, list(map(record, given)))
    earlier = () if chosen.earlier is None else sources_of(chosen.earlier) or ()
    sources = list(dict.fromkeys((*earlier, *(entry.key for entry in chosen.old))))
    now = verbs.clock()
    first = shown_instant(written(chosen.old[0]))
    if chosen.earlier is not None:
        first = str(chosen.earlier.value().get("first", first))
    last = shown_instant(written(chosen.old[-1]))
    value = value_of_summary(text, sources, first, last, _name_of(wanted.summarizer))
    entry = new_entry(into, value, now, None)
    change = None
    if not wanted.dry_run:
        change = yield from _write(store, entry, chosen, wanted.originals, now + expire_in)
    outcome = {"keep": "kept", "expire": "expires", "delete": "deleted"}[wanted.originals]
    looked = _looked(chosen, outcome)
    before = 0 if chosen.earlier is None else chosen.earlier.size
    gone = sum(each.size for each in chosen.old) if wanted.originals != "keep" else 0
    return Summary(
        into,
        text,
        tuple(sources),
        looked,
        chosen.earlier is not None,
        before + gone - entry.size,
        _tokens_saved(chosen, entry),
        change,
        wanted.dry_run,
    )


def _key_of(into: str | None, filters: FilterArgs) -> str:
    """Returns the key of a summary: the given one, or one of the user and the session."""
    if into is not None:
        if not isinstance(into, str) or not into:
            raise InvalidArgument.about(
                "into", into, "give the key of the summary, a non-empty str"
            )
        return check_key(into)
    given = {name for name, value in filters.items() if value is not None}
    user, session = filters.get("user"), filters.get("session")
    if given - {"user", "session"}:
        raise InvalidArgument.about(
            "into",
            None,
            "give the key of the summary, since the filters name more than a user and a session",
        )
    if user is not None and session is not None:
        return create_memory_key(user, session, {"summary": True})
    return f"{user or 'summary'}:{session or 'summary'}"


def _choose(
    verbs: ListingVerbs, into: str, keep_last: int, age: float | None, filters: FilterArgs
) -> Plan[_Chosen]:
    """Returns which records are old, and which are left alone."""
    [*there] = yield from verbs.peek([into])
    earlier = there[0] if there else None
    summarized: set[str] = set()
    if earlier is not None:
        known = sources_of(earlier)
        if known is None:
            raise InvalidArgument.about(
                "into", into, "there is a record with this key that is no summary; give another key"
            )
        summarized.update(known)
    found = yield from verbs.entries(None, None, None, **filters)
    entries = sorted(
        (
            entry
            for entry in found
            if not isinstance(entry, Unreadable)
            and entry.key not in summarized
            and sources_of(entry) is None
        ),
        key=lambda entry: (written(entry), write_seq(entry), entry.key),
    )
    now = verbs.clock()
    alone: dict[str, str] = {}
    for place, entry in enumerate(entries):
        if place >= len(entries) - keep_last:
            alone[entry.key] = f"one of the last {keep_last:,}"
        elif age is not None and written(entry) > now - age:
            alone[entry.key] = "not old enough"
    old = [entry for entry in entries if entry.key not in alone]
    # With the summary itself, and what is expected of each.
    if 2 * len(old) + 2 > MOST_APPLIED:
        raise InvalidArgument(
            f"summarize: {len(old):,} records are too many for one step; narrow them by user=, session= or "
            "until="
        )
    return _Chosen(old, alone, entries, earlier)


def _write(
    store: Store, entry: Entry, chosen: _Chosen, originals: Originals, expires_at: float
) -> Plan[Change]:
    """Writes the summary, and what becomes of its records, if none of them has changed meanwhile."""
    expect: dict[str, str | None] = {each.key: store.version(each) for each in chosen.old}
    expect[entry.key] = None if chosen.earlier is None else store.version(chosen.earlier)
    puts, deletes = [entry], list[str]()
    if originals == "delete":
        deletes = [each.key for each in chosen.old]
    elif originals == "expire":
        for each in chosen.old:
            until = expires_at if each.expires_at is None else min(each.expires_at, expires_at)
            again = new_entry(each.key, each.value(), each.updated_at, None)
            again.created_at, again.expires_at = each.created_at, until
            puts.append(again)
    change: Change = yield from store.apply(puts, deletes, expect)
    return change


def _looked(chosen: _Chosen, outcome: str) -> tuple[Looked, ...]:
    """Returns what becomes of the records that were looked at."""
    from ..packing.budget import estimated_tokens
    from ..packing.lines import line_of

    rows = []
    for entry in chosen.entries:
        line = line_of(entry)
        why = chosen.alone.get(entry.key, "")
        rows.append(
            Looked(
                entry.key,
                "left alone" if why else outcome,
                why,
                entry.size,
                estimated_tokens(line.text(line.key)),
                line.content,
            )
        )
    return tuple(rows)


def _tokens_saved(chosen: _Chosen, summary: Entry) -> int:
    """Returns by how many tokens a prompt with the summary is shorter than one with what it takes the place of."""
    from ..packing.budget import estimated_tokens
    from ..packing.lines import line_of, text_of

    before = [*chosen.old, *([] if chosen.earlier is None else [chosen.earlier])]
    cited = {entry.key: entry.key for entry in (*before, summary)}
    then, now = (
        estimated_tokens(text_of(map(line_of, entries), cited)) for entries in (before, [summary])
    )
    return then - now


def written(entry: Entry) -> float:
    """Returns when a record was first written, in Unix seconds."""
    return entry.updated_at if entry.created_at is None else entry.created_at


def _name_of(summarizer: Summarizer) -> str:
    """Returns how a summary names what has made it, without anything that a repr might reveal."""
    name = getattr(summarizer, "name", None) or getattr(summarizer, "__name__", None)
    return name if isinstance(name, str) else type(summarizer).__name__
