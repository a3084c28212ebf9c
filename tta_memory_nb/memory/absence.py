"""What has become of a record that does not exist, as far as the memory knows."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from ..errors import StoreUnavailable
from ..stores.plan import Plan
from ..times import shown_instant
from .as_of import history_of

if TYPE_CHECKING:
    from ..stores.base import Store
    from .tombstones.guard import Guard
    from .tombstones.tombstone import Kind
    from .versions import Became

AbsenceKind: TypeAlias = Literal["missing", "deleted", "expired", "evicted", "tombstone"]
"""Why there is no record: ``"missing"`` if that is unknown, or there never was one.

``"tombstone"``: it was deleted for good, and to add the same again is refused.
"""

_UNKNOWN = "no record has this key: it was never written, or was deleted, evicted or has expired"
_HISTORY = "with history= (%memory use --history 7d) the memory would know which, for later changes"
_MICROSECOND = 1e-6
_WHAT: dict[Became, tuple[AbsenceKind, str, str]] = {
    "deleted": ("deleted", "it was deleted", ""),
    "undone": ("deleted", "an undo took it out", ""),
    "expired": ("expired", "it expired", ""),
    "evicted": ("evicted", "it was evicted", ", since the memory was full (max_size)"),
}


_REFUSED: dict[Kind, str] = {
    "like": "to add the same or nearly the same again is refused",
    "value": "to add the same again is refused",
    "key": "to add the same under this key again is refused",
}


class Absence(NamedTuple):
    """Why a record does not exist.

    Attributes:
        kind: in a word.
        text: a sentence.
        last_seen: an instant at which it existed, as text that ``as_of=`` takes; None if none is known.
    """

    kind: AbsenceKind
    text: str
    last_seen: str | None = None


def absence_of(store: Store, guard: Guard, key: str) -> Plan[list[Absence]]:
    """Returns why no record has a key: the tombstones of it, and what has become of it; at least one reason.

    Args:
        store: of the records.
        guard: compares writes with what was deleted for good.
        key: which record.
    """
    found: list[Absence] = []
    away = away_since(store)
    unknown = f"{_UNKNOWN}; {_HISTORY}"
    if away is not None:
        unknown = f"{away}, and this process knows no record of this key: ask again when the server is back"
    # In an outage, what is kept on the server is out of reach.
    with suppress(StoreUnavailable):
        for stone in (yield from guard.all({key})):
            if stone.key == key:
                text = (
                    f"it was deleted for good at {shown_instant(stone.at)}, and {_REFUSED[stone.kind]}, "
                    "unless it is added with anyway=True (%memory add --anyway)"
                )
                found.append(Absence("tombstone", text))
        if (yield from history_of(store)) is not None:
            from .versions import record_log

            log = record_log(key, (yield from store.kept_changes(key)), "")
            unknown = (
                "no record has this key: it was never written, or was gone before "
                f"{shown_instant(log.since)}, since when changes are kept"
            )
            # Another process may have written it since it was looked for.
            if log.versions and log.versions[0].record is None:
                end, before = log.versions[0], log.versions[1:2]
                kind, what, reason = _WHAT[end.what]
                by = f" by {end.author}" if str(end.author) else ""
                last = None
                if before and before[0].record is not None:
                    # What was there before the first change that is kept is known from just before its end only.
                    last = max(before[0].at, end.at - _MICROSECOND)
                text = f"{what} at {shown_instant(end.at)}{by}{reason}"
                found.append(
                    Absence(kind, text, None if last is None else _to_the_microsecond(last))
                )
    return found or [Absence("missing", unknown)]


def away_since(store: Store) -> str | None:
    """Returns a clause which says that the server of a store is away, and since when; None if it is not."""
    outage = store.outage()
    if outage is None:
        return None
    return f"the server has been away since {shown_instant(outage['degraded_since'])}"


def _to_the_microsecond(seconds: float) -> str:
    # Not fromtimestamp(), which fails for early years on Windows.
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)
    return moment.isoformat()
