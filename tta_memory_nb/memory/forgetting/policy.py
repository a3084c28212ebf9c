"""What may be forgotten."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from ...errors import InvalidArgument, brief
from ...keys import checked_keys
from ...search.request import whole_number
from ...times import Duration, duration
from ..packing.budget import Tokens, counter

PINNED = "pinned"
"""A record in which this field is true is never forgotten by a policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetPolicy:
    """Says which records may be forgotten: those that break any of its rules. None means that there is no such rule.

    Pinned records stay, whatever the rules say: those with the field ``pinned: true``, and those of ``keep``. They count for the
    limits, so that the others have to go first.

    Args:
        older_than: records that were last written longer ago than this.
        unused_for: records that were neither written nor read for this long, as far as the order of use tells.
        keep_per_session: so many of the newest records of each session stay; the others go. Records that belong to no session
            count as one.
        max_records: so many records may stay; the least recently used go.
        max_bytes: so many bytes of values may stay; the least recently used go.
        max_tokens: so many tokens may stay, of the records as lines of a prompt; the least recently used go.
        tokens: counts tokens, see `MemoryPrimitive.pack`; None for an estimate.
        max_age_of: how old a record of a type may get, by the value of its type field; None for any age:
            ``{"chatter": "7d", "fact": None}``. Other types are under the other rules alone.
        type_field: name of the field that says of which type a record is.
        keep: keys of records that stay.

    Raises:
        InvalidArgument: a rule that cannot be; or no rule at all.
    """

    older_than: Duration | None = None
    unused_for: Duration | None = None
    keep_per_session: int | None = None
    max_records: int | None = None
    max_bytes: int | None = None
    max_tokens: int | None = None
    tokens: Tokens | None = None
    max_age_of: Mapping[str, Duration | None] = field(default_factory=dict)
    type_field: str = "type"
    keep: Collection[str] = ()

    def __post_init__(self) -> None:
        for name in ("older_than", "unused_for"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _span(getattr(self, name), name))
        for name in ("keep_per_session", "max_records", "max_bytes", "max_tokens"):
            value = getattr(self, name)
            number = whole_number(value)
            if value is not None and (number is None or number < 0):
                raise InvalidArgument.about(name, value, "give an int of at least 0, or None")
        if not isinstance(self.max_age_of, Mapping):
            raise InvalidArgument.about(
                "max_age_of",
                self.max_age_of,
                "give a dict, such as {'chatter': '7d', 'fact': None}",
            )
        ages = {
            kind: None if age is None else _span(age, f"max_age_of[{brief(kind)}]")
            for kind, age in self.max_age_of.items()
        }
        object.__setattr__(self, "max_age_of", ages)
        if not isinstance(self.type_field, str):
            raise InvalidArgument.about("type_field", self.type_field, "give the name of a field")
        object.__setattr__(self, "keep", frozenset(checked_keys(self.keep, "keep")))
        counter(self.tokens)
        if not self.rules:
            names = ", ".join(each.name for each in fields(self) if each.name not in _NO_RULES)
            raise InvalidArgument(
                f"policy: it has no rule, so nothing would be forgotten; give one of {names}"
            )

    @property
    def rules(self) -> list[str]:
        """The names of its rules."""
        given = (each.name for each in fields(self) if each.name not in _NO_RULES)
        return [name for name in given if getattr(self, name) not in (None, {})]

    def is_pinned(self, key: str, value: Mapping[str, Any]) -> bool:
        """Returns whether a record stays, whatever the rules say."""
        return value.get(PINNED) is True or key in self.keep


_NO_RULES = ("tokens", "type_field", "keep")


def _span(given: Duration, name: str) -> Duration:
    """Returns a duration, checked, so that no text has to be parsed again for each record."""
    seconds = duration(given, name)
    try:
        return timedelta(seconds=seconds)
    except OverflowError:  # some million years
        return seconds
