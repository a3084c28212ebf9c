"""Changes of records, as they are kept, and what follows from them.

A kept change has what was there *before* it, as an undo log has: the records of an earlier instant are the present ones, with each later
change taken back, the newest first. So an added record costs no copy of anything, and what is kept is only what the
memory itself does not have any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy as shallow
from typing import Literal, NamedTuple, TypeAlias

from ...authorship import Author
from ...entry import Entry
from ...errors import InvalidArgument
from ...times import shown_instant
from .bounds import History

Event: TypeAlias = Literal[
    "written", "touched", "deleted", "evicted", "expired", "undone", "restored"
]
"""What happened to a record.

``"written"``: it was added or has a new value. ``"touched"``: it expires at another instant. ``"undone"``: an undo has taken it out.
``"restored"``: an undo has brought it back.
"""


class KeptChange(NamedTuple):
    """One change of one record.

    Attributes:
        at: the instant, in Unix seconds; those of later changes are not smaller.
        event: what happened.
        key: of which record.
        before: the record before the change; None if there was none.
        author: who made the change.
    """

    at: float
    event: Event
    key: str
    before: Entry | None
    author: Author


class KeptChanges(NamedTuple):
    """The changes of one record that are kept, and the record.

    Attributes:
        changes: the oldest first.
        now: the record as it is; None if there is none.
        since: from which instant on all changes are kept, in Unix seconds.
    """

    changes: tuple[KeptChange, ...]
    now: Entry | None
    since: float


class Earlier(NamedTuple):
    """The records as of an instant.

    Attributes:
        entries: copies of the entries, least recently written first.
        since: by key what has happened last to each record that was changed since.
    """

    entries: list[Entry]
    since: dict[str, Event]


def check_kept(instant: float, since: float, history: History) -> None:
    """Makes sure that all changes after an instant are kept.

    Args:
        instant: Unix seconds.
        since: the instant from which on they are, in Unix seconds.
        history: which changes are kept.

    Raises:
        InvalidArgument: the instant is earlier.
    """
    if instant < since:
        earlier, known = shown_instant(instant), shown_instant(since)
        if earlier == known:  # within one second
            known = "a moment after that"
        raise InvalidArgument.about(
            "as_of",
            earlier,
            f"the memory knows its records since {known} ({history} are kept); give a later instant, and "
            "a larger history for the future",
        )


def records_as_of(
    present: Mapping[str, Entry],
    newest_first: Iterable[tuple[float, Event, str, Entry | None]],
    instant: float,
) -> Earlier:
    """Returns the records as of an instant.

    Args:
        present: all present entries by key.
        newest_first: instant, event, key and entry before it of each kept change.
        instant: Unix seconds.
    """
    state = dict(present)
    since: dict[str, Event] = {}
    for at, event, key, before in newest_first:
        if at <= instant:
            break
        since.setdefault(key, event)
        if before is None:
            state.pop(key, None)
        else:
            state[key] = before
    # Records that have expired are taken out later than they expire.
    alive = [e for e in state.values() if e.expires_at is None or e.expires_at > instant]
    alive.sort(key=lambda entry: entry._write_seq)
    return Earlier(list(map(copied, alive)), since)


def copied(entry: Entry) -> Entry:
    """Returns a copy of an entry for another store, in the order of writing."""
    copy = shallow(entry)
    copy._recency = copy._write_seq
    copy._column = -1
    return copy
