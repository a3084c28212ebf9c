"""Records that nobody uses, that outlive their time, that are too large, or that belong to nobody."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from ...keys import MEMORY_KEY
from ...times import shown_instant
from .examined import MOST_EVIDENCE, Examined, Record
from .finding import Evidence, Finding, Repair, Severity

_REFERENCES = frozenset(
    [
        "parent",
        "parentkey",
        "parentid",
        "replyto",
        "inreplyto",
        "ref",
        "refs",
        "reference",
        "references",
        "source",
        "sources",
        "sourcekey",
        "sourcekeys",
        "summaryof",
        "summarizes",
        "derivedfrom",
        "basedon",
        "related",
        "relatedto",
        "previous",
        "next",
    ]
)
_PROFILES = frozenset(
    ("profile", "user", "account", "settings", "preferences", "prefs", "about", "info", "me")
)
_OWNERS = frozenset(("user", "userid", "username", "owner", "ownerid", "playerid"))
_MOST = 0.8


def never_read(examined: Examined, *, unread: float) -> Iterator[Finding | None]:
    """Finds records that were never read by their key since they were written, and are older than ``unread``.

    A trace also knows which records a search has found since it is on: these count as read.
    """
    reads = examined.reads
    old: list[Record] = []
    for record in examined.each():
        if record is None:
            yield None
        elif not record.was_read and examined.now - record.at > unread:
            found = () if reads is None else reads.by_key.get(record.key, ())
            if not any(each.at >= record.at for each in found):
                old.append(record)
    if old:
        searched = "" if reads is None else f", nor found since {shown_instant(int(reads.since))}"
        yield _together(
            "never-read",
            "low",
            old,
            f"not read by key since {_written(old)}{searched}",
            "forget what no search needs",
        )


def stale(examined: Examined, *, stale: float) -> Iterator[Finding | None]:
    """Finds records that were last written longer ago than ``stale``."""
    old: list[Record] = []
    for record in examined.each():
        if record is None:
            yield None
        elif examined.now - record.at > stale:
            old.append(record)
    if old:
        yield _together(
            "stale",
            "low",
            old,
            f"not written again since {_written(old)}",
            "check whether they still hold",
        )


def expiring_copies(examined: Examined) -> Iterator[Finding | None]:
    """Finds texts that expire in one record and stay in another one, which outlives the time they were given."""
    groups: dict[str, list[Record]] = {}
    for record in examined.each():
        if record is None:
            yield None
        elif record.entry.expires_at is not None and record.folded:
            groups[record.folded] = []
    if not groups:
        return
    for record in examined.each():
        if record is None:
            yield None
        elif record.folded in groups:
            groups[record.folded].append(record)
    for group in groups.values():
        expiring = [record for record in group if record.entry.expires_at is not None]
        if len(expiring) == len(group):
            continue
        first = min(expiring, key=lambda record: (record.entry.expires_at, record.key))
        staying = [record for record in group if record.entry.expires_at is None]
        yield Finding(
            "expiring-copies",
            "medium",
            tuple(record.key for record in (first, *staying)),
            f"expires at {shown_instant(int(first.entry.expires_at or 0))} in one record, and never in {len(staying):,} others",
            tuple(record.shown() for record in (first, *staying)[:MOST_EVIDENCE]),
            Repair(
                "edit", tuple(record.key for record in staying), "let the copies expire as well"
            ),
            staying[0].key,
        )


def oversized(examined: Examined, *, largest: int) -> Iterator[Finding | None]:
    """Finds records whose value has more bytes of JSON than ``largest``."""
    for record in examined.each():
        if record is None:
            yield None
        elif (size := record.entry.size) > largest:
            yield Finding(
                "oversized",
                "medium",
                (record.key,),
                f"{size:,} bytes, more than {largest:,}",
                (record.shown(),),
                Repair("edit", (record.key,), "summarize it, or keep it elsewhere and note where"),
                score=None,
            )


def orphans(examined: Examined) -> Iterator[Finding | None]:
    """Finds records that belong to a session or a user that is not there.

    These are keys without a user among keys that name one, records that name another user than their key, sessions of users
    without a profile where most users have one, and records that name another record which does not exist.
    """
    keys: set[str] = set()
    users: dict[str, list[Record]] = defaultdict(list)
    strangers: list[Record] = []
    for record in examined.each():
        if record is None:
            yield None
            continue
        keys.add(record.key)
        if record.user and record.session:
            users[record.user].append(record)
        else:
            strangers.append(record)
    owned = len(examined.records) - len(strangers)
    # A key of one word may be that of a user, whose sessions have keys of their own.
    strangers = [record for record in strangers if record.key not in users]
    if strangers and owned >= _MOST * len(examined.records):
        yield _together(
            "orphans",
            "low",
            strangers,
            "the key names no user and session, as most keys do",
            "give them a user and a session",
        )
    yield from _without_profile(users, keys)
    yield from _misplaced(examined, users, keys)


def _without_profile(users: dict[str, list[Record]], keys: set[str]) -> Iterator[Finding]:
    having = {
        user
        for user, records in users.items()
        if user in keys or any(r.session.lower() in _PROFILES for r in records)
    }
    if len(having) >= 2 and len(having) >= _MOST * len(users):
        for user, records in users.items():
            if user not in having:
                yield _together(
                    "orphans",
                    "medium",
                    records,
                    "sessions of a user who has no profile, as other users have",
                    "restore the user, or delete the sessions",
                )


def _misplaced(
    examined: Examined, users: dict[str, list[Record]], keys: set[str]
) -> Iterator[Finding | None]:
    for record in examined.each():
        if record is None:
            yield None
            continue
        for path, leaf in record.leaves:
            if type(leaf) is not str or not path:
                continue
            name = path[-1].lower().replace("_", "").replace("-", "")
            if (
                name in _OWNERS
                and len(path) == 1
                and record.user
                and leaf != record.user
                and leaf not in users
            ):
                if leaf.casefold() != record.user.casefold() and record.session:
                    yield _alone(
                        record,
                        record.evidence(path, leaf),
                        "names a user of whom there is no record",
                    )
            elif name in _REFERENCES and leaf not in keys and _is_key(leaf, users):
                yield _alone(
                    record, record.evidence(path, leaf), "names a record that does not exist"
                )


def _is_key(text: str, users: dict[str, list[Record]]) -> bool:
    found = MEMORY_KEY.fullmatch(text)
    return found is not None and found[1] in users


def _alone(record: Record, evidence: Evidence, text: str) -> Finding:
    return Finding(
        "orphans",
        "medium",
        (record.key,),
        text,
        (evidence,),
        Repair("review", (record.key,), "correct the name, or delete the record"),
    )


def _written(records: Sequence[Record]) -> str:
    newest = max(record.at for record in records)
    return f"it was written, at the latest {shown_instant(int(newest))}"


def _together(
    check: str, severity: Severity, records: Sequence[Record], text: str, advice: str
) -> Finding:
    """Returns one finding for all records: there may be very many of them."""
    ordered = sorted(records, key=lambda record: (record.at, record.key))
    keys = tuple(record.key for record in ordered)
    sessions = Counter((record.user, record.session) for record in ordered)
    count = "1 record" if len(keys) == 1 else f"{len(keys):,} records"
    many = f" of {len(sessions):,} sessions" if len(sessions) > 1 else ""
    return Finding(
        check,
        severity,
        keys,
        f"{count}{many}: {text}",
        tuple(record.shown() for record in ordered[:MOST_EVIDENCE]),
        Repair("review", keys, advice),
    )
