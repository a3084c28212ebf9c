"""Compare-and-set: a write that is carried out only if records are as its caller has seen them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from ..entry import Entry
from ..errors import Conflict, brief

Expected: TypeAlias = Mapping[str, str | None]
"""The version that the record of each key must have; None where there must be no record."""

# So many keys a message names.
_NAMED = 5


def check_expected(
    expect: Expected, find: Callable[[str], Entry | None], version: Callable[[Entry], str]
) -> None:
    """Makes sure that records are as a caller expects.

    Args:
        expect: what must hold.
        find: gives the entry of a key, or None.
        version: gives the version of an entry.

    Raises:
        Conflict: some are not.
    """
    there: dict[str, bool] = {}
    for key, wanted in expect.items():
        entry = find(key)
        if (None if entry is None else version(entry)) != wanted:
            there[key] = entry is not None
    if there:
        raise conflict(there, expect)


def conflict(there: Mapping[str, bool], expect: Expected) -> Conflict:
    """Returns the error that names records which are not as expected.

    Its words are for a person who decided about records, and may never have heard of the argument ``expect``.

    Args:
        there: by key of each such record, whether there is one.
        expect: what had to hold.
    """
    reasons = []
    for key, is_there in list(there.items())[:_NAMED]:
        if not is_there:
            reason = "does not exist any more"
        elif expect.get(key) is None:
            reason = "exists already"
        else:
            reason = "has been changed meanwhile"
        reasons.append(f"{brief(key)} {reason}")
    if len(there) > _NAMED:
        reasons.append(f"and {len(there) - _NAMED:,} more have changed")
    return Conflict(
        f"{', '.join(reasons)}; nothing was written: read the records again and decide anew",
        tuple(there),
    )
