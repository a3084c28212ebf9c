"""When a session is summarized by itself, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate
from typing import Any, TypeAlias, get_args

from ...errors import InvalidArgument, brief
from ...search.request import whole_number
from ...summarizers.base import SummarizerLike, check_summarizer
from ...times import Duration, duration
from .summary import Originals

MOST_RECORDS = 20_000
"""A session of more records is summarized at the latest, so that they fit into one step."""

KEEP_LAST = 10
"""So many of the newest records of a session are left alone, unless the policy says another number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryPolicy:
    """Says when the records of a session become a part of its summary after a write, and how.

    A session is due when it has more records than ``records``, or more bytes than ``bytes``; those that its summary covers already and
    summaries themselves do not count. Then all but the newest ones are summarized, as by `MemoryPrimitive.summarize` with the
    user and the session.

    Args:
        records: how many records without a summary a session may have; from 1 to 20,000. None for 20,000.
        bytes: how many bytes of JSON their values may have together. None for no such limit.
        keep_last: how many of the newest records are left alone. None for 10, or fewer if these are more than half of ``records`` or have
            more than half of ``bytes``.
        older_than: records that were written within this time are left alone as well; None for no such limit.
        originals: what becomes of the summarized records: ``"keep"``, ``"expire"`` or ``"delete"``.
        expire_in: when they expire, with ``originals="expire"``.
        summarizer: makes the text; None for that of the memory.
        timeout: how long the summarizer may take, and therefore the write that it follows.

    Raises:
        InvalidArgument: neither ``records`` nor ``bytes`` is given, or a value cannot be.
    """

    records: int | None = None
    bytes: int | None = None
    keep_last: int | None = None
    older_than: Duration | None = None
    originals: Originals = "keep"
    expire_in: Duration = "7d"
    summarizer: SummarizerLike | None = None
    timeout: Duration = 60.0

    def __post_init__(self) -> None:
        if self.records is None and self.bytes is None:
            raise InvalidArgument(
                "summarize_when: it does not say when; give records=, bytes= or both"
            )
        for name, least, most in (
            ("records", 1, MOST_RECORDS),
            ("bytes", 1, None),
            ("keep_last", 0, None),
        ):
            value = getattr(self, name)
            number = whole_number(value)
            if value is None:
                continue
            if number is None or number < least or (most is not None and number > most):
                upto = "" if most is None else f", at most {most:,}"
                raise InvalidArgument.about(name, value, f"give an int of at least {least}{upto}")
        if self.keep_last is not None and self.keep_last >= self.most_records:
            raise InvalidArgument.about(
                "keep_last",
                self.keep_last,
                f"give fewer than records={self.most_records:,}, or nothing would be left to summarize",
            )
        if self.originals not in get_args(Originals):
            raise InvalidArgument.about(
                "originals", self.originals, "give 'keep', 'expire' or 'delete'"
            )
        for name in ("older_than", "expire_in", "timeout"):
            if getattr(self, name) is not None:
                duration(getattr(self, name), name)
        if self.summarizer is not None:
            check_summarizer(self.summarizer)

    @property
    def most_records(self) -> int:
        """How many records without a summary a session may have."""
        return MOST_RECORDS if self.records is None else self.records

    def left_alone(self, sizes: Sequence[int]) -> int:
        """Returns how many of the newest records of a session are left alone.

        Args:
            sizes: bytes of the values of its records, the oldest first.
        """
        if self.keep_last is not None:
            return self.keep_last
        most = min(KEEP_LAST, self.most_records // 2)
        if self.bytes is None:
            return most
        newest = accumulate(reversed(sizes[-most:] if most else ()))
        return sum(size <= self.bytes // 2 for size in newest)

    def is_due(self, records: int, size: int) -> bool:
        """Returns whether a session is due that has so many records, with so many bytes of values."""
        return records > self.most_records or (self.bytes is not None and size > self.bytes)

    @property
    def about(self) -> str:
        """Tells in a few words when a session is summarized."""
        limits = []
        if self.records is not None:
            limits.append(f"{self.records:,} record{'s' * (self.records != 1)}")
        if self.bytes is not None:
            limits.append(f"{self.bytes:,} bytes")
        return f"sessions of more than {' or '.join(limits)}"


SummarizeWhen: TypeAlias = SummaryPolicy | Mapping[str, Any]
"""A `SummaryPolicy`, or its arguments as a dict, such as ``{"records": 50}``."""


def check_summarize_when(given: SummarizeWhen | None) -> SummaryPolicy | None:
    """Returns the policy that was given.

    Raises:
        InvalidArgument: it is neither a policy nor a dict of its arguments.
    """
    if given is None or isinstance(given, SummaryPolicy):
        return given
    if not isinstance(given, Mapping):
        raise InvalidArgument.about(
            "summarize_when", given, "give a SummaryPolicy, or a dict such as {'records': 50}"
        )
    names = [each.name for each in fields(SummaryPolicy)]
    unknown = [name for name in given if name not in names]
    if unknown:
        raise InvalidArgument(
            f"summarize_when: {brief(unknown[0])} is no argument of a SummaryPolicy; it takes {', '.join(names)}"
        )
    return SummaryPolicy(**given)
