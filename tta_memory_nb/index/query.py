"""What is looked for, and what the index needs to know of the records that are looked at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeAlias, TypeVar

from ..codec import Snapshot
from ..text import Needle


class Indexed(Protocol):
    """What the index needs to know of a record.

    Attributes:
        key: its key in the store's dict.
        text: its value as JSON.
        stamp: its place in the order of recency, higher is newer.
        column: -1; from then on it belongs to the index.
        folded: what ``searchable`` has given, or None when it has not been asked.
    """

    key: str
    text: Snapshot
    stamp: int
    column: int
    folded: bytes | None

    def searchable(self) -> bytes:
        """The folded text, as UTF-8."""
        ...


R = TypeVar("R", bound=Indexed)

Entries: TypeAlias = OrderedDict[str, R]
"""All records by key, the newest last. Stamps rise in this order."""


class Query(Generic[R]):
    """What is looked for.

    Args:
        needle: the text, or None for any.
        accepts: a further condition, or None for none.
        implied: texts that every record has that ``accepts`` accepts.
        user: of every such record, where that is known.
        session: likewise.
    """

    # No dataclass: making a frozen one takes as long as comparing ten texts.
    __slots__ = ("accepts", "implied", "needle", "session", "user")

    def __init__(
        self,
        needle: Needle | None = None,
        accepts: Callable[[R], bool] | None = None,
        implied: tuple[Needle, ...] = (),
        user: str | None = None,
        session: str | None = None,
    ) -> None:
        self.needle = needle
        self.accepts = accepts
        self.implied = implied
        self.user = user
        self.session = session

    def test(self, once: bool = False) -> Callable[[R], bool]:
        """What tells whether a record matches.

        Args:
            once: the texts are so many that they are not worth folding for this query: most can
                be told at a glance not to contain the needle.
        """
        needle, accepts = self.needle, self.accepts
        if needle is None:
            return accepts or (lambda _: True)
        utf8 = needle.utf8
        may_be_in = needle.at_a_glance() if once else None

        def contains(record: R) -> bool:
            folded = record.folded
            if folded is None:
                if may_be_in and not may_be_in(record.text):
                    return False
                folded = record.searchable()
            return utf8 in folded

        if accepts is None:
            return contains
        return lambda record: contains(record) and accepts(record)

    def is_narrow(self) -> bool:
        """Whether the index can tell candidates from others."""
        return bool(self.needle or self.implied or self.user or self.session)


def newest(
    records: Iterable[R], matches: Callable[[R], bool], wanted: int | None, before: float
) -> list[R]:
    """The first matches below a stamp, of records that come newest first.

    Args:
        records: the newest first.
        matches: what tells whether a record matches.
        wanted: how many at most; None for all.
        before: higher stamps have been looked at already.
    """
    found: list[R] = []
    for record in records:
        if record.stamp < before and matches(record):
            found.append(record)
            if len(found) == wanted:
                break
    return found
