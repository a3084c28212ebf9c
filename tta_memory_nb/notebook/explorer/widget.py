"""The explorer: a widget that shows a memory as a table, to search it and to repair its records.

The front end and the kernel exchange messages. A trait may be set by code or by the front end, and
both see it. What may take long is done by threads of the explorer: one lists records and looks for
changes, so that a running cell can be watched, and each view has one of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from traitlets.utils.bunch import Bunch

from ...errors import InvalidArgument, brief
from ...memory.faces import MemoryPrimitive
from ...record import MemoryRecord
from ...stores.base import Clock
from ...text import fold, matching_paths
from ..undo import UndoStack
from .actions import Actions
from .cells import sendable
from .delivery import LOADER, Delivery
from .findings import Examination
from .judgements import Judgements
from .lister import Lister
from .messages import MessageHandler
from .resolving import compare
from .state import RESOLVE, ExplorerState, State, Window, status_of
from .static import StaticOutput, StaticPage
from .traits import Derived, ExplorerTraits
from .views import FIRST_WINDOW, Message, Views
from .worker import Worker

if TYPE_CHECKING:
    import pandas as pd

    from ...memory.doctor.finding import Diagnosis

logger = logging.getLogger("tta_memory_nb")

# Seconds between two signs of life, by which a front end knows that its kernel is still there.
_BEAT = 2.0

# For so many pauses of so many seconds, the first rows are sent to views that have not been heard yet.
_OFFERS, _OFFER_PAUSE = 40, 0.5


class MemoryExplorer(ExplorerTraits, anywidget.AnyWidget):
    """A table over a memory: to search, sort, filter, look at and repair its records.

    ``query``, ``mode``, ``filters``, ``sort_by``, ``descending``, ``columns``, ``selected``, ``view``, ``finding``,
    ``live`` and ``read_only`` are traits that code and widget both set and see. ``records`` (the
    records on the page in view) and ``selection`` (the selected records as a DataFrame) follow from
    them and can be observed as well.

    Args:
        memory: the memory to show; None for a new one in this process.
        memories: further memories that the widget offers, by the names it shows for them.
        changes: where changes are kept until they are undone; the magic shares it with
            ``%memory undo``.
        clock: gives Unix seconds; None for the clock of the memory.
        diagnosis: what `SyncMemory.diagnose` has found in the memory, to be listed beside the table.
        cases: records to begin with, to be compared side by side; see `compare`.
        **traits: initial values of the traits.

    Raises:
        InvalidArgument: ``memory`` is not a memory, or a filter or a key is not valid.

    Example:
        >>> explorer = MemoryExplorer(memory, query="rain")
        >>> explorer.selection
    """

    _esm = LOADER

    records = Derived(lambda self: self._records_in_view(), "the records on the page in view")
    selection = Derived(lambda self: self._selection(), "the selected records as a DataFrame")

    def __init__(
        self,
        memory: MemoryPrimitive | None = None,
        *,
        memories: Mapping[str, MemoryPrimitive] | None = None,
        changes: UndoStack | None = None,
        clock: Clock | None = None,
        diagnosis: Diagnosis | None = None,
        cases: Any = None,
        **traits: Any,
    ) -> None:
        # Made first: if anything below fails, the widget is closed, which stops the worker.
        self._worker = Worker(self._look_around, self._beat, _BEAT)
        self._views = Views(self._look, self._tell)
        self._delivery = Delivery(self._tell)
        memory = MemoryPrimitive() if memory is None else _checked(memory)
        self._clock = clock or (lambda: self.memory.sync.clock())  # noqa: PLW0108  of the memory shown then
        self._undo_stack = UndoStack() if changes is None else changes
        self._memories = dict(memories or {})
        if memory not in self._memories.values():
            self._memories = {memory.namespace: memory, **self._memories}
        self._lister = Lister(
            memory, self, self._views, lambda: self._notify("records"), self._clock
        )
        self._messages = MessageHandler(
            self,
            self._lister,
            self._views,
            Actions(self, self._lister, self._undo_stack, self._clock),
            Judgements(self, self._clock),
            self._worker,
            self._choose_memory,
            self.compare,
        )
        if diagnosis is not None:
            self._lister.take_examination(Examination(diagnosis), memory)
        self._static = StaticOutput()
        self._offers = 0
        super().__init__(**traits)
        self.on_msg(self._received)
        self.observe(
            self._request_changed, ["query", "mode", "filters", "sort_by", "descending", "finding"]
        )
        self.observe(self._shown_changed, ["columns", "selected", "view", "live", "read_only"])
        if cases is not None:
            self.compare(cases)

    def __repr__(self) -> str:
        parts = [f"namespace={self.memory.namespace!r}"]
        parts += [
            f"{name}={getattr(self, name)!r}"
            for name in ("query", "filters", "sort_by")
            if getattr(self, name) != self.traits()[name].default()
        ]
        return f"MemoryExplorer({', '.join(parts)})"

    @property
    def memory(self) -> MemoryPrimitive:
        """The memory that is shown. Setting it shows another memory."""
        return self._lister.memory

    @memory.setter
    def memory(self, memory: MemoryPrimitive) -> None:
        _checked(memory)
        if memory not in self._memories.values():
            self._memories[memory.namespace] = memory
        self._lister.choose(memory)
        self.selected = ()
        self.finding = ""
        if not self._messages.is_setting_traits:
            self._lister.refresh()

    def _choose_memory(self, name: str) -> None:
        """Shows the memory that the front end knows by this name."""
        for known, memory in self._memories.items():
            if sendable(known) == name:
                self.memory = memory
                return
        raise InvalidArgument(f"namespace={brief(name)}: the explorer was given no such memory")

    def open(self) -> None:
        """Opens the channel to the front end."""
        super().open()
        self._forget_reply_route()

    def close(self) -> None:
        """Closes the explorer and ends its threads."""
        self._worker.stop()
        self._views.close()
        super().close()

    def refresh(self) -> None:
        """Lists the records of the memory again, now."""
        self._lister.refresh()

    def compare(self, records: Any = None) -> None:
        """Shows records side by side in the view "resolve", to keep one of them, keep all, or merge them.

        Args:
            records: keys of the records, at least two; or what `SyncMemory.resolve` takes: groups of keys, findings, or cases.
                None for the records that are selected.

        Raises:
            InvalidArgument: fewer than two of the records exist, or more than 200 keys.
        """
        compare(self._lister, self.selected if records is None else records)
        self.view = RESOLVE
        if not self._messages.is_setting_traits:
            self._views.publish()

    # ---- traits

    def _request_changed(self, change: Bunch) -> None:
        self._lister.is_cancelled = False
        if change.name == "finding":
            self._lister.cases.stop_comparing()
        if not self._messages.is_setting_traits:
            self._lister.refresh()

    def _shown_changed(self, change: Bunch) -> None:
        if change.name == "selected":
            self._notify("selection")
        if not self._messages.is_setting_traits:
            self._views.publish()
            if change.name == "columns" and self._views.opened():
                self._worker.wake()

    def _notify(self, name: str) -> None:
        """Notifies the observers of a derived trait, which is worked out only if there are any."""
        if self._trait_notifiers.get(name) or self._trait_notifiers.get(traitlets.All):
            now = getattr(self, name)
            self.notify_change(Bunch(name=name, old=None, new=now, owner=self, type="change"))

    def _records_in_view(self) -> list[MemoryRecord]:
        start, stop = self._views.window()
        needle = fold(self.query)
        namespace = self.memory.namespace
        listing = self._lister.listing()
        records = []
        for entry in listing.entries[start:stop]:
            hit = None if listing.ranking is None else listing.ranking.hit(entry.key)
            record = entry.record(namespace) if hit is None else hit.record(namespace)
            if needle and hit is None:
                matches = matching_paths(record.value, needle)
                record = replace(record, score=1.0, matches=matches)
            records.append(record)
        return records

    def _selection(self) -> pd.DataFrame:
        from ...frames import records_frame

        memory = self.memory
        entries = memory.sync.peek(self.selected)
        return records_frame(entry.record(memory.namespace) for entry in entries)

    # ---- the front end

    def state(self, window: Window = FIRST_WINDOW) -> State:
        """Returns all that the front end shows, as it is sent: a function of the memory and the traits.

        Args:
            window: the number of the first row of the page, and the number after its last row.
        """
        return self._look().describe(window)

    def _look(self) -> ExplorerState:
        found = self._lister.found
        names = [(sendable(name), memory) for name, memory in self._memories.items()]
        shown = (name for name, memory in names if memory is found.memory)
        return ExplorerState(
            found=found,
            query=self.query,
            mode=self.mode,
            filters=self.filters,
            sort_by=self.sort_by,
            descending=self.descending,
            columns=self.columns,
            selected=self.selected,
            view=self.view,
            finding=self.finding,
            live=self.live,
            read_only=self.read_only,
            status=status_of(found.memory),
            namespace=next(shown, sendable(found.memory.namespace)),
            namespaces=[name for name, _ in names],
            undoable=next(self._undo_stack.verbs(), None),
            now=self._clock(),
        )

    def _look_around(self) -> float:
        if not self._views.opened():
            return self._offer_rows()
        pause = self._lister.look_around()
        window = self._views.window()
        self._static.update(self._static_page, self._lister.found.listing, window)
        return pause

    def _offer_rows(self) -> float:
        """Sends the first rows to a view that cannot ask for them yet, since a cell runs.

        A trait would bring them as well, and into the notebook that is saved.
        """
        if not self._offers:
            return inf
        with suppress(Exception):  # without a connection there is no view
            self._delivery.offer(_OFFERS - self._offers)
            self._send_first_rows()
        self._offers -= 1
        return _OFFER_PAUSE

    def _send_first_rows(self) -> None:
        self.send({"kind": "opening", "state": {**self.state(), "now": self._clock()}})

    def _list_and_send_first_rows(self) -> None:
        with suppress(Exception):  # shown in the view, which will ask for these rows as well
            self._lister.list_first()
            if self._lister.found.listing is not None:
                self._send_first_rows()

    def _beat(self) -> None:
        self._views.beat()

    def _tell(self, message: Message) -> None:
        self.send(message)

    def _received(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if self._delivery.answer(content):
            # Rows that follow the code are painted as soon as it has been imported.
            self._worker.do(self._list_and_send_first_rows)
        else:
            self._messages.receive(content)

    def _send(self, msg: dict[str, Any], buffers: Any = None) -> None:
        super()._send(msg, buffers)
        self._forget_reply_route()

    def _forget_reply_route(self) -> None:
        # From version 7.4 on, ipykernel handles a message from the front end on the thread that has last
        # sent to it. That is mostly the thread of a cell, and the message would wait for the cell to
        # end. Without this note the message goes where it was addressed: to a subshell, if there is one.
        getattr(self.comm, "__dict__", {}).pop("_reply_subshell_id", None)

    # ---- display

    def _ipython_display_(self, **_options: Any) -> None:
        """Displays the widget, and beside it a plain table for places without a kernel."""
        from IPython.display import display

        bundle = self._repr_mimebundle_()
        data = dict(bundle[0] if isinstance(bundle, tuple) else bundle or {})
        data["text/plain"] = repr(self)
        try:
            self._lister.list_first(whole_if_needed=True)
            self._offers = _OFFERS
        except Exception as error:  # shown by the widget; raised here, it would be displayed twice
            logger.debug("an explorer has no first rows", exc_info=error)
        display(data, raw=True)  # type: ignore[no-untyped-call]
        self._worker.wake()
        self._static.display(self._static_page)

    def _static_page(self) -> StaticPage | None:
        listing = self._lister.found.listing
        if listing is None:
            return None
        start, stop = self._views.window()
        namespace = listing.request.memory.namespace
        records = (entry.record(namespace) for entry in listing.entries[start:stop])
        return StaticPage(records, start, listing.total, self.query, namespace)


def _checked(memory: object) -> MemoryPrimitive:
    if not isinstance(memory, MemoryPrimitive):
        raise InvalidArgument(f"memory=<{type(memory).__name__}>: give a MemoryPrimitive")
    return memory
