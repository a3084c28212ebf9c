"""Filters, which restrict the records that a query considers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypedDict

from .codec import to_plain
from .errors import InvalidArgument, brief
from .keys import parse_memory_key
from .times import Instant, instant

Where: TypeAlias = Mapping[str, Any]
"""``{field: value}`` or ``{field: {"$gt": value, ...}}``; all conditions must hold."""

_ABSENT = object()


class FilterArgs(TypedDict, total=False):
    """The filters that every query takes as keywords; `Filters.build` explains each of them."""

    user: str | None
    session: str | None
    prefix: str | None
    since: Instant | None
    until: Instant | None
    where: Where | None


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on one field."""

    field: str
    operator: str
    operand: Any

    def holds(self, value: dict[str, Any]) -> bool:
        """Whether a plain JSON object passes."""
        return _OPERATORS[self.operator](_lookup(value, self.field), self.operand)


@dataclass(frozen=True, slots=True)
class Filters:
    """Compiled filters. An attribute that is None (or empty) accepts every record.

    ``since`` and ``until`` are Unix seconds, both inclusive, and apply to ``updated_at``.
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
        """Checks and compiles filters as their user wrote them.

        Args:
            now: Unix seconds that relative instants count from.
            user: first part of a key made by `create_memory_key`.
            session: second part of such a key.
            prefix: what the key starts with.
            since: not before this instant.
            until: not after this instant.
            where: conditions on fields. A nested field is written with dots:
                ``"agent.name"``. Operators: ``$eq $ne $gt $gte $lt $lte $in $nin $exists
                $contains``. Numbers compare with numbers and text with text; a field of another
                type, or none, fails every condition but ``$ne``, ``$nin``, ``$exists: False``.

        Raises:
            InvalidArgument: a filter that means nothing.
        """
        for name, text in (("user", user), ("session", session), ("prefix", prefix)):
            if text is not None and not isinstance(text, str):
                raise InvalidArgument(f"{name}={brief(text)}: give text")
        return cls(
            user=user,
            session=session,
            prefix=prefix,
            since=None if since is None else instant(since, now, "since"),
            until=None if until is None else instant(until, now, "until"),
            where=() if where is None else _conditions(where),
        )

    def accept(self, key: str, updated_at: float, value: Callable[[], dict[str, Any]]) -> bool:
        """Whether a record passes.

        Args:
            key: its key.
            updated_at: Unix seconds.
            value: gives its value; called only when a condition needs it.
        """
        if self.prefix is not None and not key.startswith(self.prefix):
            return False
        if self.since is not None and updated_at < self.since:
            return False
        if self.until is not None and updated_at > self.until:
            return False
        if not self._owned(key):
            return False
        if self.where:
            plain = value()
            return all(condition.holds(plain) for condition in self.where)
        return True

    def implied_texts(self) -> tuple[str, ...]:
        """Texts that are leaves of every record that passes."""
        return tuple(
            condition.operand
            for condition in self.where
            if condition.operator == "$eq" and isinstance(condition.operand, str)
        )

    def _owned(self, key: str) -> bool:
        user, session = self.user, self.session
        if user is None and session is None:
            return True
        # Most keys fail here, at a fifth of the cost of taking the key apart.
        if not key.startswith(user or "") or (session or "") not in key:
            return False
        parts = parse_memory_key(key)
        return (
            parts is not None
            and (user is None or parts.user == user)
            and (session is None or parts.session == session)
        )


def _conditions(where: Where) -> tuple[Condition, ...]:
    if not isinstance(where, Mapping):
        raise InvalidArgument(
            f"where={brief(where)}: give a dict such as {{'turn': 3}} or {{'turn': {{'$gt': 3}}}}"
        )
    conditions = []
    for field, wanted in where.items():
        if not isinstance(field, str) or not field:
            raise InvalidArgument(f"where={brief(where)}: {field!r} is not a field name")
        if field.startswith("$"):
            raise InvalidArgument(
                f"where={brief(where)}: an operator belongs inside a field: {{'turn': {{'$gt': 3}}}}; "
                "all conditions must hold, there is no $or"
            )
        # The operand goes through the codec, so that a date compares with a stored date.
        operand = to_plain({field: wanted}, "where")[field]
        if isinstance(operand, dict) and any(name.startswith("$") for name in operand):
            for operator, right in operand.items():
                conditions.append(Condition(field, operator, _operand(field, operator, right)))
        else:
            conditions.append(Condition(field, "$eq", operand))
    return tuple(conditions)


def _operand(field: str, operator: str, operand: Any) -> Any:
    place = f"where[{field!r}][{operator!r}]={brief(operand)}"
    if operator not in _OPERATORS:
        raise InvalidArgument(f"{place}: unknown operator; there are {' '.join(_OPERATORS)}")
    if operator in ("$in", "$nin") and not isinstance(operand, list):
        raise InvalidArgument(f"{place}: give a list of values")
    if operator == "$exists" and not isinstance(operand, bool):
        raise InvalidArgument(f"{place}: give True or False")
    if operator in ("$gt", "$gte", "$lt", "$lte") and _kind(operand) not in ("number", "text"):
        raise InvalidArgument(f"{place}: only numbers and text have an order")
    return operand


def _lookup(value: dict[str, Any], field: str) -> Any:
    """A field by its own name, else by the dotted path to it."""
    if field in value:
        return value[field]
    head, dot, rest = field.partition(".")
    while dot:
        inner = value.get(head)
        if isinstance(inner, dict):
            found = _lookup(inner, rest)
            if found is not _ABSENT:
                return found
        # A name may hold dots itself: {"a.b": {"c": 1}} is found as "a.b.c".
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return _ABSENT


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else type(value).__name__


def _equal(left: Any, right: Any) -> bool:
    # Python calls True and 1 equal, JSON does not.
    if _kind(left) != _kind(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_equal(left[name], right[name]) for name in left)
    return bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda left, right: _kind(left) == _kind(right) and compare(left, right)


def _contains(left: Any, right: Any) -> bool:
    if isinstance(left, str):
        return isinstance(right, str) and right in left
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
    "$exists": lambda left, right: (left is not _ABSENT) == right,
    "$contains": _contains,
}

EVERYTHING = Filters()
"""The filters that let every record pass."""
