"""The views of the records that pass filters, kept for the next search with the same ones.

A first search with filters looks at as few records as the index allows: its columns and lists exclude most of them where a
user, a session, a span of time or a text is named. Later ones look at what was written since.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from functools import reduce
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...entry import Entry
from ...filters import EVERYTHING, Filters
from ..query import Entries, Query
from .lists import Ints, Lists
from .parts import name_of
from .views import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

# So many filtered views are kept, those that were used last.
_KEPT_VIEWS = 4
# A view that is behind by more changes than that is made anew.
_MOST_CHANGES = 1024

# In place of an entry that is gone; no instant is later or earlier than its own.
_GONE = Entry("", b"{}", None, float("nan"), None)


class _Kept(NamedTuple):
    """A view of the past.

    Attributes:
        view: the records that passed the filters.
        new: slots that were added since.
        gone: slots that are dead since.
    """

    view: View
    new: list[int]
    gone: set[int]


class FilteredViews:
    """The views of filters that were searched with last. Callers hold the store's lock."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, _Kept] = {}

    def note(self, new: Iterable[int], gone: Iterable[int]) -> None:
        """Notes that slots were added, and that others are dead."""
        for filters, kept in list(self._kept.items()):
            kept.new.extend(new)
            kept.gone.update(gone)
            if len(kept.new) + len(kept.gone) > _MOST_CHANGES:
                del self._kept[filters]

    def of(self, entries: Entries, query: Query, lists: Lists, whole: View) -> View:
        """Returns the view of the records that pass the filters of a query.

        Args:
            entries: all entries.
            query: what is asked; it has filters.
            lists: what is known of the entries.
            whole: the view of all of them.
        """
        filters, accepts = query.filters, query.accepts
        assert accepts is not None
        try:
            kept = self._kept.pop(filters, None)
        except TypeError:  # a condition that is compared with a list
            return _view_of(entries, query, lists, whole)
        if kept is None:
            view = _view_of(entries, query, lists, whole)
        else:
            view, gone = kept.view, kept.gone
            slots = [slot for slot in kept.new if slot not in gone]
            found = [entries.get(lists.keys[slot], _GONE) for slot in slots]
            if kept.new or gone:
                # Also if none of them passes: a view has a place, or none, for every slot.
                view = view.changed(_accepted(slots, found, query), gone)
        self._kept[filters] = _Kept(view, [], set())
        if len(self._kept) > _KEPT_VIEWS:
            del self._kept[next(iter(self._kept))]
        return view


def _accepted(numbers: Sequence[int], entries: Sequence[Entry], query: Query) -> list[int]:
    """Returns those of some numbers whose entries pass."""
    there = zip(numbers, entries, query.passes(entries), strict=True)
    return [number for number, entry, passes in there if passes and entry is not _GONE]


def _view_of(entries: Entries, query: Query, lists: Lists, whole: View) -> View:
    """Returns a view of the records that pass the filters of a query, by a look at all that may."""
    filters, accepts = query.filters, query.accepts
    assert accepts is not None
    if query.named is not None:
        slots = lists.slots.get_many([entry.key for entry in query.named if accepts(entry)])
        return View(lists, whole.slots[np.sort(whole.places[slots])])
    places = np.flatnonzero(_may_pass(filters, lists, whole))
    keys = [lists.keys[slot] for slot in whole.slots[places].tolist()]
    if filters.prefix is not None:
        begins = [key.startswith(filters.prefix) for key in keys]
        keys = [key for key, does in zip(keys, begins, strict=True) if does]
        places = places[np.array(begins, np.bool_)]
    if replace(filters, prefix=None) != EVERYTHING:
        found = list(map(entries.get, keys, repeat(_GONE)))
        if filters.since is not None or filters.until is not None:
            within = _within(filters, found)
            places, found = places[within], [found[number] for number in within.tolist()]
        if replace(filters, prefix=None, since=None, until=None) != EVERYTHING:
            places = np.array(_accepted(places.tolist(), found, query), np.int32)
    return View(lists, whole.slots[places])


def _within(filters: Filters, entries: Sequence[Entry]) -> NDArray[np.intp]:
    """Returns the indexes of the entries that were written in the span of time of filters."""
    instants = np.fromiter(map(attrgetter("updated_at"), entries), np.float64, len(entries))
    first = -np.inf if filters.since is None else filters.since
    last = np.inf if filters.until is None else filters.until
    return np.flatnonzero((instants >= first) & (instants <= last))


def _may_pass(filters: Filters, lists: Lists, whole: View) -> NDArray[np.bool_]:
    """Returns by place in the view of all records whether a record may pass filters, as far as the index knows."""
    may = np.ones(len(whole), np.bool_)
    if filters.user is not None or filters.session is not None:
        may &= lists.are_of(filters.user, filters.session, whole.slots)
    for text in filters.implied_texts():
        slots = _with_leaf(text, lists)
        if slots is not None:
            places = whole.places[slots]
            has_it = np.zeros(len(whole), np.bool_)
            has_it[places[places >= 0]] = True
            may &= has_it
    return may


def _with_leaf(text: str, lists: Lists) -> Ints | None:
    """Returns the slots of the records that may have a text as a leaf; None if that may be any."""
    counts: dict[str, int] = {}
    lists.words.count(text, counts)
    # It depends on the field, and on how long the text is, whether it is a name or a text like others.
    name = name_of(text, lists.words)
    if not counts or not name:
        return None
    having = [lists.terms.read(term)[0] for term in counts]
    as_text = reduce(lambda one, other: np.intersect1d(one, other, assume_unique=True), having)
    return np.union1d(as_text, lists.people.read(name)[0])
