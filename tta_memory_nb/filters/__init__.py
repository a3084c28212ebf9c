"""Filters: the part of a query that says which records may match at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import and_
from typing import Any, TypeAlias, TypedDict

from ..codec import Snapshot
from ..errors import InvalidArgument, NotStorable, brief
from ..keys import parse_memory_key
from ..times import Instant, earliest, latest, microseconds, span
from .fields import ABSENT, columns_of, reader_of
from .operands import Amount, Moment, has_order, operand

Where: TypeAlias = Mapping[str, Any]
"""``{field: value}`` or ``{field: {"$gt": value, ...}}``; a record must fulfil all conditions."""

_NUMBERS = frozenset((int, float))
_SCALARS = _NUMBERS | {str, bool}

# Floats from here on are written with an exponent.
_LONG = 10**15


class FilterArgs(TypedDict, total=False):
    """The keyword arguments by which every query filters; see `Filters.build`."""

    user: str | None
    session: str | None
    prefix: str | None
    since: Instant | None
    until: Instant | None
    where: Where | None


def fixed(filters: FilterArgs, now: float) -> FilterArgs:
    """Returns the filters with their instants as Unix seconds, so that they mean the same each time.

    Args:
        filters: the arguments of a search.
        now: Unix seconds from which relative instants count back.

    Raises:
        InvalidArgument: ``since`` or ``until`` is no instant, or ``since`` is later than ``until``.
    """
    same = filters.copy()
    since, until = _limits(now, filters.get("since"), filters.get("until"))
    if since is not None:
        same["since"] = since
    if until is not None:
        same["until"] = until
    return same


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on one field.

    Attributes:
        field: name of the field, or the dotted path to it.
        operator: such as ``"$gt"``.
        operand: what the field is compared with, as ``operands.operand`` returns it.
    """

    field: str
    operator: str
    operand: Any

    def holds(self, value: dict[str, Any]) -> bool:
        """Whether a plain JSON object fulfils the condition."""
        return _OPERATORS[self.operator](_lookup(value, self.field), self.operand)


@dataclass(frozen=True, slots=True)
class Filters:
    """Compiled filters. An attribute that is None (or an empty tuple) accepts every record.

    Attributes:
        user: first part of the key.
        session: second part of the key.
        prefix: beginning of the key.
        since: earliest ``updated_at``, in Unix seconds, inclusive.
        until: latest ``updated_at``, in Unix seconds, inclusive.
        where: conditions on fields, all of which must hold.
    """

    user: str | None = None
    session: str | None = None
    prefix: str | None = None
    since: float | None = None
    until: float | None = None
    where: tuple[Condition, ...] = ()

    @classmethod
    def build(
        cls,
        now: float,
        *,
        user: str | None = None,
        session: str | None = None,
        prefix: str | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        where: Where | None = None,
    ) -> Filters:
        """Checks and compiles filters.

        Args:
            now: Unix seconds from which relative instants count back.
            user: first part of a key made by `create_memory_key`.
            session: second part of such a key.
            prefix: beginning of the key.
            since: earliest instant of the last write. Both ends are inclusive at the precision at which
                they are given, see ``times.span``.
            until: latest instant of the last write; not before ``since``.
            where: conditions on fields. A nested field is written with dots:
                ``"agent.name"``. Operators: ``$eq $ne $gt $gte $lt $lte $in $nin $exists
                $contains``. Numbers compare with numbers and text with text, Decimals and instants as
                ``operands`` describes. If a field is missing or has another type, every condition on it
                fails except ``$ne``, ``$nin`` and ``$exists: False``.

        Raises:
            InvalidArgument: a filter that has no meaning; ``parameter`` names the filter.
        """
        for name, text in (("user", user), ("session", session), ("prefix", prefix)):
            if text is not None and not isinstance(text, str):
                raise InvalidArgument.about(name, text, "give text")
        first, last = _limits(now, since, until)
        return cls(
            user=user,
            session=session,
            prefix=prefix,
            since=None if first is None else earliest(first),
            until=None if last is None else latest(last),
            where=() if where is None else _conditions(where),
        )

    def accept(self, key: str, updated_at: float, value: Callable[[], dict[str, Any]]) -> bool:
        """Whether the filters accept a record.

        Args:
            key: the record's key.
            updated_at: when the record was last written, in Unix seconds.
            value: returns the record's value; called only if there is a condition on fields.
        """
        if self.prefix is not None and not key.startswith(self.prefix):
            return False
        if self.since is not None and updated_at < self.since:
            return False
        if self.until is not None and updated_at > self.until:
            return False
        if not self._owned(key):
            return False
        return not self.where or self.holds(value())

    def holds(self, value: dict[str, Any]) -> bool:
        """Whether a plain JSON object fulfils the conditions on fields."""
        # A loop takes less time than a generator for `all`.
        for condition in self.where:  # noqa: SIM110
            if not condition.holds(value):
                return False
        return True

    def held_by(self, texts: Sequence[Snapshot]) -> list[bool]:
        """Whether each of many values fulfils the conditions on fields; quicker than `holds` for each.

        Args:
            texts: the values as JSON.
        """
        names = self.fields()
        if any("." in condition.field for condition in self.where):  # it may be inside of another
            return [self.holds(value) for value in map(reader_of(names), texts)]
        columns = dict(zip(names, columns_of(names, texts), strict=True))
        held = [True] * len(texts)
        for condition in self.where:
            compare, operand = _OPERATORS[condition.operator], condition.operand
            fulfilled = [compare(found, operand) for found in columns[condition.field]]
            held = list(map(and_, held, fulfilled))
        return held

    def fields(self) -> tuple[str, ...]:
        """Names of all fields that the conditions look at, without those inside of others."""
        return tuple(dict.fromkeys(chain.from_iterable(_heads(each.field) for each in self.where)))

    def implied_texts(self) -> tuple[str, ...]:
        """Texts that every accepted record contains as a leaf."""
        return tuple(
            condition.operand
            for condition in self.where
            if condition.operator == "$eq" and isinstance(condition.operand, str)
        )

    def implied_beginnings(self) -> tuple[str, ...]:
        """Texts with which a leaf of every accepted record begins; numbers as ``leaf_text`` writes them."""
        numbers = (
            str(condition.operand)
            for condition in self.where
            if condition.operator == "$eq" and _is_written_alike(condition.operand)
        )
        return tuple(filter(None, chain(self.implied_texts(), numbers)))

    def implied_parts(self) -> tuple[str, ...]:
        """Texts that every accepted record contains in the name of a field or in a leaf."""
        parts: dict[str, None] = {}
        for condition in self.where:
            if condition.operator in ("$ne", "$nin"):
                continue
            if condition.operator == "$exists" and not condition.operand:
                continue
            # A dot in a name may separate a field from one inside of it, or belong to the name.
            parts |= dict.fromkeys(filter(None, condition.field.split(".")))
            operand = condition.operand
            if condition.operator == "$eq" and _is_written_alike(operand):
                parts[str(operand)] = None
        return tuple(parts)

    def _owned(self, key: str) -> bool:
        user, session = self.user, self.session
        if user is None and session is None:
            return True
        # Most keys fail this check, which costs a fifth of splitting the key.
        if not key.startswith(user or "") or (session or "") not in key:
            return False
        parts = parse_memory_key(key)
        return (
            parts is not None
            and (user is None or parts.user == user)
            and (session is None or parts.session == session)
        )


def _limits(
    now: float, since: Instant | None, until: Instant | None
) -> tuple[float | None, float | None]:
    """Returns both ends of the time in which records were last written, in Unix seconds; None for no end.

    Args:
        now: Unix seconds from which relative instants count back.
        since: the first instant, as the caller wrote it.
        until: the last instant, as the caller wrote it.

    Raises:
        InvalidArgument: one is no instant, or no time is between them.
    """
    first = None if since is None else span(since, now, "since")[0]
    last = None if until is None else span(until, now, "until")[1]
    if first is not None and last is not None and microseconds(first) > microseconds(last):
        error = InvalidArgument(
            f"since={brief(since)} is later than until={brief(until)}, so that no record can be between them; "
            "exchange the two, or leave one out"
        )
        error.parameter, error.other_parameter = "since", "until"
        raise error
    return first, last


def _conditions(where: Where) -> tuple[Condition, ...]:
    try:
        return tuple(_each_condition(where))
    except NotStorable as error:  # an operand that JSON cannot hold; the message has its path
        error.parameter = "where"
        raise


def _each_condition(where: Where) -> Iterator[Condition]:
    if not isinstance(where, Mapping):
        raise InvalidArgument.about(
            "where", where, "give a dict such as {'turn': 3} or {'turn': {'$gt': 3}}"
        )
    for field, wanted in where.items():
        if not isinstance(field, str):
            raise InvalidArgument.about(
                "where",
                where,
                f"{field!r} is not a field name, which is text; write {str(field)!r}",
            )
        if field.startswith("$"):
            raise InvalidArgument.about(
                "where",
                where,
                "an operator belongs inside a field: {'turn': {'$gt': 3}}; all conditions must "
                "hold, there is no $or",
            )
        compared = operand(wanted, field)
        if isinstance(compared, dict) and any(name.startswith("$") for name in compared):
            given = wanted if isinstance(wanted, Mapping) else compared
            for operator, right in compared.items():
                if (rule := _rule_broken_by(operator, right, given.get(operator))) is not None:
                    place = f"where[{field!r}][{operator!r}]={brief(right)}"
                    error = InvalidArgument(f"{place}: {rule}")
                    error.parameter = "where"
                    raise error
                yield Condition(field, operator, right)
        else:
            yield Condition(field, "$eq", compared)


def _rule_broken_by(operator: str, operand: Any, given: Any) -> str | None:
    """What is wrong with an operator and its operand, which the caller gave as ``given``; None if they are valid."""
    if operator not in _OPERATORS:
        return f"unknown operator; there are {' '.join(_OPERATORS)}"
    if operator in ("$in", "$nin") and not isinstance(operand, list):
        return "give a list of values"
    if operator == "$exists" and not isinstance(operand, bool):
        return "give True or False"
    if operator in ("$gt", "$gte", "$lt", "$lte"):
        if _kind(operand) not in ("number", "text") and not isinstance(operand, (Amount, Moment)):
            return "only numbers and text have an order"
        if not has_order(given):
            return "the text that it is stored as has another order; compare a number or text"
    return None


def _is_written_alike(operand: Any) -> bool:
    """Whether all numbers equal to an operand are written with its digits first, such as 31 and 31.0."""
    # Zero may also be written as -0.0.
    return type(operand) is int and 0 < abs(operand) < _LONG


def _lookup(value: dict[str, Any], field: str) -> Any:
    """The value of a field, found by its own name or else by the dotted path to it."""
    if field in value:
        return value[field]
    head, dot, rest = field.partition(".")
    while dot:
        inner = value.get(head)
        if isinstance(inner, dict):
            found = _lookup(inner, rest)
            if found is not ABSENT:
                return found
        # The name of a field may contain dots: {"a.b": {"c": 1}} is found as "a.b.c".
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return ABSENT


def _heads(field: str) -> Iterator[str]:
    """Yields the names under which a value may have a field, or the object around it."""
    end = field.find(".")
    while end >= 0:
        yield field[:end]
        end = field.find(".", end + 1)
    yield field


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else type(value).__name__


def _equal(left: Any, right: Any) -> bool:
    if type(left) is type(right) and type(left) in _SCALARS:
        return bool(left == right)
    # True and 1 are equal in Python, but not in JSON.
    if _kind(left) != _kind(right):
        pair = right.pair(left) if isinstance(right, (Amount, Moment)) else None
        return pair is not None and bool(pair[0] == pair[1])
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_equal(left[name], right[name]) for name in left)
    return bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(left: Any, right: Any) -> bool:
        # Most are of the same kind, and the operand is a number or text.
        if type(left) is type(right) or (type(left) in _NUMBERS and type(right) in _NUMBERS):
            return compare(left, right)
        if _kind(left) == _kind(right):
            return compare(left, right)
        pair = right.pair(left) if isinstance(right, (Amount, Moment)) else None
        return pair is not None and compare(*pair)

    return ordered


def _contains(left: Any, right: Any) -> bool:
    if isinstance(left, str):
        text = right.text if isinstance(right, (Amount, Moment)) else right
        return isinstance(text, str) and text in left
    return isinstance(left, list) and any(_equal(item, right) for item in left)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _equal,
    "$ne": lambda left, right: not _equal(left, right),
    "$gt": _ordered(lambda left, right: left > right),
    "$gte": _ordered(lambda left, right: left >= right),
    "$lt": _ordered(lambda left, right: left < right),
    "$lte": _ordered(lambda left, right: left <= right),
    "$in": lambda left, right: any(_equal(left, item) for item in right),
    "$nin": lambda left, right: not any(_equal(left, item) for item in right),
    "$exists": lambda left, right: (left is not ABSENT) == right,
    "$contains": _contains,
}

EVERYTHING = Filters()
"""The filters that accept every record."""
