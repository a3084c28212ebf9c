"""Filters that a user sets by clicks in the header of the table, and takes away by clicking again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Slot: TypeAlias = tuple[str, ...]
"""A place for one filter: its name, and for a condition of `where` the name of the field as well."""

_NOTHING = object()
"""In the place of a filter that is not set. None is a condition of `where`: the field is null."""


@dataclass(frozen=True, slots=True)
class Pick:
    """What was chosen in one column.

    Attributes:
        chosen: the filters of the bar that was clicked.
        text: what the bar stands for.
        before: the filters in the same places before the click.
        after: the filters there since.
    """

    chosen: dict[str, Any]
    text: str
    before: dict[Slot, Any]
    after: dict[Slot, Any]

    def stands_in(self, filters: Mapping[str, Any]) -> bool:
        """Whether the filters are still those that the click has set."""
        slots = _slots(filters)
        return all(slots.get(slot, _NOTHING) == value for slot, value in self.after.items())


class Picks:
    """The picks of an explorer, one for each column at most.

    A pick ends when its filter is changed in another way.
    """

    def __init__(self) -> None:
        self._picks: dict[str, Pick] = {}

    def pick(
        self, column: str, chosen: dict[str, Any], text: str, filters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Chooses a bar of a column, in place of another one of that column.

        Conditions that code has set on the same field stay: the records of the bar fulfil them.

        Args:
            column: the name of the column.
            chosen: filters that only the records of the bar pass.
            text: what the bar stands for.
            filters: the present filters.

        Returns:
            The new filters.
        """
        slots = _slots(self.without(column, filters))
        wanted = _slots(chosen)
        before = {slot: slots.get(slot, _NOTHING) for slot in wanted}
        after = {slot: _both(before[slot], value) for slot, value in wanted.items()}
        self._picks[column] = Pick(chosen, text, before, after)
        return _filters({**slots, **after})

    def release(self, column: str, filters: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the filters without the pick of a column, which ends."""
        released = self.without(column, filters)
        self._picks.pop(column, None)
        return released

    def of(self, column: str, filters: Mapping[str, Any]) -> Pick | None:
        """The pick of a column; None if there is none, or if its filter was changed since."""
        pick = self._picks.get(column)
        return pick if pick is not None and pick.stands_in(filters) else None

    def without(self, column: str, filters: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the filters as they were before the pick of a column, and with all others."""
        pick = self.of(column, filters)
        return dict(filters) if pick is None else _filters({**_slots(filters), **pick.before})


def _both(before: Any, chosen: Any) -> Any:
    """Returns a condition that implies two; the chosen one is the narrower of the two."""
    if isinstance(before, Mapping) and isinstance(chosen, dict):
        return {**before, **chosen}
    return chosen


def _slots(filters: Mapping[str, Any]) -> dict[Slot, Any]:
    slots: dict[Slot, Any] = {}
    for name, value in filters.items():
        if name == "where" and isinstance(value, Mapping):
            slots |= {(name, field): condition for field, condition in value.items()}
        else:
            slots[name,] = value
    return slots


def _filters(slots: Mapping[Slot, Any]) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    for (name, *field), value in slots.items():
        if value is _NOTHING:
            continue
        if field:
            filters.setdefault(name, {})[field[0]] = value
        else:
            filters[name] = value
    return filters
