"""Filters of LangGraph: what of them the memory finds by itself, and what is compared here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ...errors import InvalidArgument
from ...filters import Filters


class Compared(NamedTuple):
    """A condition that ``where`` has no word for.

    Attributes:
        path: names of nested fields.
        condition: on the field; None: it must be an object.
    """

    path: tuple[str, ...]
    condition: Filters | None

    def holds(self, value: Any) -> bool:
        """Returns whether a value fulfils the condition."""
        for name in self.path:
            if not isinstance(value, dict) or name not in value:
                return self.condition is not None and self.condition.holds({})
            value = value[name]
        if self.condition is None:
            return isinstance(value, dict)
        return self.condition.holds({"field": value})


class Wanted(NamedTuple):
    """A filter, taken apart.

    Attributes:
        where: conditions that the memory finds by itself; None for none.
        compared: the others.
    """

    where: dict[str, Any] | None
    compared: list[Compared]

    def accepts(self, value: dict[str, Any]) -> bool:
        """Returns whether a value fulfils the conditions that the memory does not know."""
        return all(each.holds(value) for each in self.compared)


def wanted(filter: Mapping[str, Any] | None) -> Wanted:
    """Returns what a filter asks for.

    An object without operators holds for every object that has its fields, as ``{"meta": {"kind": "note"}}``. So does a path
    with dots, ``{"meta.kind": "note"}``, as in ``where``.

    Raises:
        InvalidArgument: a filter that is no dict, or has an operator that there is not.
    """
    if filter is None:
        return Wanted(None, [])
    if not isinstance(filter, Mapping):
        raise InvalidArgument.about(
            "filter", filter, "give a dict such as {'kind': 'note'} or {'turn': {'$gt': 3}}"
        )
    where: dict[str, Any] = {}
    compared: list[Compared] = []
    for path, operand in _leaves(filter, ()):
        [first, *more] = path
        # `where` would take the dots in names of nested fields for more nesting.
        if more or operand is None or not first or first.startswith("$"):
            condition = None
            if operand is not None:
                condition = Filters.build(0, where={"field": operand.given})
            compared.append(Compared(path, condition))
        else:
            where[first] = operand.given
    return Wanted(where or None, compared)


class _Operand(NamedTuple):
    given: Any


def _leaves(
    filter: Mapping[str, Any], outer: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], _Operand | None]]:
    """Yields conditions on fields; None in place of an operand for any object."""
    for name, operand in filter.items():
        if not isinstance(name, str):
            raise InvalidArgument.about("filter", filter, f"{name!r} is not a field name")
        path = (*outer, name)
        if not isinstance(operand, Mapping) or any(str(each).startswith("$") for each in operand):
            yield path, _Operand(operand)
        elif operand:
            yield from _leaves(operand, path)
        else:
            yield path, None
