"""A tombstone as its user sees it, and as the record of a companion store that keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

from ...entry import Entry, new_entry
from ...errors import InvalidArgument
from .fingerprint import DIGEST, Fingerprint, decoded, encoded, likeness

TombstonePolicy: TypeAlias = Literal["refuse", "quarantine"]
"""What becomes of a record that says again what was deleted for good."""

Kind: TypeAlias = Literal["like", "value", "key"]
"""What a tombstone refuses, which is values that say nearly the same, the same value under any key, or the same value under its key."""

PREFIX = "stone:"
"""What the keys of tombstones begin with in their companion store."""

ID_DIGITS = 2 * DIGEST
"""Hexadecimal digits of the id of a tombstone, which follow in these keys."""

SALT = "salt"
"""Key of the secret of a memory in that store."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a record that was deleted for good.

    Attributes:
        id: names the tombstone; a digest of what was deleted.
        key: key of the deleted record.
        at: when it was deleted, in Unix seconds.
        kind: what it refuses; see `Kind`.
    """

    id: str
    key: str
    at: float
    kind: Kind


def entry_of_tombstone(key: str, print_: Fingerprint, kind: Kind, now: float) -> Entry:
    """Returns the record that keeps a tombstone."""
    value: dict[str, Any] = {"key": key, "at": now, "kind": kind}
    if kind == "like":
        value |= {
            "text": print_.text,
            "sketch": encoded(print_.sketch),
            "stated": print_.stated,
        }
    return new_entry(PREFIX + id_of(print_, kind), value, now, None)


def id_of(print_: Fingerprint, kind: Kind) -> str:
    """Returns the id of a tombstone for a value."""
    return print_.under_key if kind == "key" else print_.exact


def check_policy(policy: object) -> TombstonePolicy:
    """Returns a policy.

    Raises:
        InvalidArgument: there is no such policy.
    """
    if policy not in get_args(TombstonePolicy):
        raise InvalidArgument.about("tombstones", policy, "give 'refuse' or 'quarantine'")
    return cast("TombstonePolicy", policy)


def tombstone_of(entry: Entry) -> Tombstone | None:
    """Returns the tombstone that a record keeps; None for a damaged record, and for one that another program has put there."""
    value = entry.value()
    key, at, kind = value.get("key"), value.get("at"), value.get("kind")
    if not isinstance(key, str) or not isinstance(at, (int, float)) or kind not in get_args(Kind):
        return None
    return Tombstone(entry.key.removeprefix(PREFIX), key, float(at), cast("Kind", kind))


def kind_beside(print_: Fingerprint, kept: Fingerprint | None) -> Kind:
    """Returns the kind of a tombstone that does not refuse what a merge has kept.

    Args:
        print_: of what is deleted.
        kept: of what stays in its place; None if nothing does.
    """
    if kept is None:
        return "like"
    if kept.exact == print_.exact:
        return "key"
    if (kept.text and kept.text == print_.text) or is_near(print_, kept):
        return "value"
    return "like"


def is_near(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether two texts say nearly the same, as far as their sketches tell."""
    from .fingerprint import ALIKE

    return one.stated == other.stated and likeness(one.sketch, other.sketch) >= ALIKE - 0.1


def sketch_in(value: dict[str, Any]) -> bytes:
    """Returns the sketch in the value of a tombstone's record; empty if there is none."""
    return decoded(value.get("sketch"))
