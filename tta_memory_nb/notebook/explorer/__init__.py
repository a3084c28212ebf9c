"""The explorer: a widget that shows a memory as a table, to look through and to repair.

The front end (`frontend/`) and the kernel send one another messages; a trait is set by either side,
and the other one sees it. What takes long is done by a thread of the explorer's own, which also looks
whether anything has changed, so that a running cell can be watched.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.resources import files
from threading import RLock, local
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from traitlets.utils.bunch import Bunch

from ...distributions import session_spans, sessions_of, sizes, time_to_live, timeline, users
from ...errors import InvalidArgument, TTAMemoryError, brief
from ...filters import FilterArgs, Filters
from ...primitive import MemoryPrimitive
from ...record import MemoryRecord
from ...stores.base import Clock
from ...table import portable, unportable
from ...text import fold, matching_paths
from ..changes import Changes
from . import detail
from .cells import ABOUT, KEY, MATCHES, Column, Fields, Rows, column_called, sendable
from .esm import join
from .history import History
from .listing import RECENCY, Listing, Superseded, Wanted, first_rows, whole
from .static import StaticPage
from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

logger = logging.getLogger("tta_memory_nb")

VIEWS = ("table", "timeline", "distributions")
MODES = ("keyword",)

# Every view numbers its messages from a multiple of this, which is how it is known from others.
_IDS_OF_A_VIEW = 1_000_000
_FIRST_WINDOW = (0, 60)
_WIDEST_WINDOW = 500
_NOTHING_TO_DO = {"kind": "progress", "what": "", "done": 1, "total": 1}
_MOST_EXPORTED = 50_000_000  # bytes that are sent to a browser

# Seconds between two signs of life, by which a front end knows that its kernel is still there.
_BEAT = 2.0

# Seconds between two looks: a server is asked less often, and nobody more often than it can answer.
_PAUSE, _PAUSE_ON_A_SERVER, _PATIENCE = 0.4, 1.0, 4
_STATIC_PAUSE = 5.0
_TOLD_PAUSE = 0.15

_NEW = 200
"""So many of the newest records are looked at for the history."""


class _Derived(traitlets.TraitType[Any, Any]):
    """A trait that follows from others and is worked out when it is read.

    Args:
        work_out: gives its value.
    """

    def __init__(self, work_out: Callable[[MemoryExplorer], Any], about: str) -> None:
        super().__init__(help=about, read_only=True)
        self._work_out = work_out

    def get(self, obj: Any, cls: Any = None) -> Any:  # noqa: ARG002  the signature of traitlets
        return self._work_out(obj)


class MemoryExplorer(anywidget.AnyWidget):
    """A table over a memory: to search, sort, filter, look at and repair its records.

    ``query``, ``mode``, ``filters``, ``sort_by``, ``descending``, ``columns``, ``selected``, ``view``,
    ``live`` and ``read_only`` are traits that code and widget both set and see; ``records`` (the
    records on the page in view) and ``selection`` (the selected records as a DataFrame) follow from
    them and can be observed as well.

    Args:
        memory: what to look at; None for a new one in this process.
        memories: further ones that the widget offers, by the name it shows for them.
        changes: where what can be undone is kept; shared with ``%memory undo`` by the magic.
        clock: gives Unix seconds.
        **traits: values to begin with.

    Raises:
        InvalidArgument: a memory that is none, a filter or sort that means nothing.

    Example:
        >>> explorer = MemoryExplorer(memory, query="rain")
        >>> explorer.selection
    """

    _esm = join(files(__package__) / "frontend", "widget.js")
    _css = (files(__package__) / "frontend" / "widget.css").read_text("utf-8")

    query = traitlets.Unicode("", help="text to search for; empty for all records")
    mode = traitlets.Enum(MODES, "keyword", help="how to search")
    filters = traitlets.Dict(help="user, session, prefix, since, until, where, as in a search")
    sort_by = traitlets.Unicode(RECENCY, help="'recency', or the name of a column")
    descending = traitlets.Bool(default_value=True, help="newest or largest first")
    columns = traitlets.List(
        traitlets.Unicode(),
        None,
        allow_none=True,
        help="names in order, or None for those that are found by themselves",
    )
    selected = traitlets.Tuple(help="keys of the selected records")
    view = traitlets.Enum(VIEWS, "table", help="what is in sight")
    live = traitlets.Bool(default_value=True, help="whether what others write is shown at once")
    read_only = traitlets.Bool(default_value=False, help="whether nothing can be changed here")
    records = _Derived(lambda self: self._records_in_view(), "the records on the page in view")
    selection = _Derived(lambda self: self._selection(), "the selected records as a DataFrame")
    # What the first view shows before it has been heard; gone when it has, and so from what is saved.
    _opening = traitlets.Any(None).tag(sync=True)

    def __init__(
        self,
        memory: MemoryPrimitive | None = None,
        *,
        memories: Mapping[str, MemoryPrimitive] | None = None,
        changes: Changes | None = None,
        clock: Clock = time.time,
        **traits: Any,
    ) -> None:
        # First: whatever fails, it is closed in the end.
        self._worker = Worker(self._look_around, self._beat, _BEAT)
        if memory is None:
            memory = MemoryPrimitive()
        if not isinstance(memory, MemoryPrimitive):
            raise InvalidArgument(f"memory=<{type(memory).__name__}>: give a MemoryPrimitive")
        self._clock = clock
        self._changes = Changes() if changes is None else changes
        self._memories = dict(memories or {})
        if memory not in self._memories.values():
            self._memories = {memory.namespace: memory, **self._memories}
        self._memory = memory
        # What is read and set together; held for moments only.
        self._state = RLock()
        # Held while the listing is worked out, which may take a while.
        self._looking = RLock()
        self._sending = RLock()
        self._here = local()
        self._listing: Listing | None = None
        self._cancelled = False
        self._fields = Fields((), 0)
        self._history = History()
        self._facets: dict[str, Any] | None = None
        self._charts: dict[str, Any] | None = None
        self._windows: dict[int, tuple[int, int]] = {}
        self._greeted: dict[int, int] = {}
        self._anchors: dict[int, str] = {}
        self._sent: dict[int, dict[str, Any]] = {}
        self._is_loading = False
        self._told_at = 0.0
        self._page: Any = None
        self._page_shown: tuple[float, str] = (0.0, "")
        self._failure = ""
        super().__init__(**traits)
        self.on_msg(self._received)
        self.observe(self._wanted_changed, ["query", "mode", "filters", "sort_by", "descending"])
        self.observe(self._shown_changed, ["columns", "selected", "view", "live", "read_only"])

    def __repr__(self) -> str:
        parts = [f"namespace={self._memory.namespace!r}"]
        parts += [
            f"{name}={getattr(self, name)!r}"
            for name in ("query", "filters", "sort_by")
            if getattr(self, name) != self.traits()[name].default()
        ]
        return f"MemoryExplorer({', '.join(parts)})"

    @property
    def memory(self) -> MemoryPrimitive:
        """The memory that is looked at; setting it looks at another one."""
        return self._memory

    @memory.setter
    def memory(self, memory: MemoryPrimitive) -> None:
        if not isinstance(memory, MemoryPrimitive):
            raise InvalidArgument(f"memory=<{type(memory).__name__}>: give a MemoryPrimitive")
        with self._state:
            self._memory = memory
            if memory not in self._memories.values():
                self._memories[memory.namespace] = memory
            self._listing = self._facets = self._charts = None
            self._history = History()
            self._cancelled = False
        self.selected = ()
        if not self._is_set_by_the_front_end():
            self._refresh()

    def open(self) -> None:
        """Opens the line to the front end."""
        super().open()
        self._be_heard_anywhere()

    def close(self) -> None:
        """Ends the explorer, and the thread that works for it."""
        self._worker.stop()
        super().close()

    def refresh(self) -> None:
        """Looks at the memory now."""
        self._refresh()

    # ---- traits

    @traitlets.validate("filters")
    def _check_filters(self, proposal: Bunch) -> dict[str, Any]:
        filters = {name: value for name, value in proposal["value"].items() if value is not None}
        unknown = [name for name in filters if name not in FilterArgs.__annotations__]
        if unknown:
            known = ", ".join(FilterArgs.__annotations__)
            raise InvalidArgument(f"filters: {brief(unknown[0])} is no filter; there are {known}")
        Filters.build(self._clock(), **filters)
        return filters

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Bunch) -> tuple[str, ...]:
        for key in proposal["value"]:
            if not isinstance(key, str):
                raise InvalidArgument(f"selected: {brief(key)} is no key")
        return tuple(dict.fromkeys(proposal["value"]))

    def _wanted_changed(self, _change: Bunch) -> None:
        self._cancelled = False
        if not self._is_set_by_the_front_end():
            self._refresh()

    def _shown_changed(self, change: Bunch) -> None:
        if change.name == "selected":
            self._notify("selection")
        if not self._is_set_by_the_front_end():
            self._publish()

    def _notify(self, name: str) -> None:
        """Tells those who observe a trait that follows from others; it costs only them."""
        if self._trait_notifiers.get(name) or self._trait_notifiers.get(traitlets.All):
            now = getattr(self, name)
            self.notify_change(Bunch(name=name, old=None, new=now, owner=self, type="change"))

    @contextmanager
    def _by_the_front_end(self) -> Iterator[None]:
        """What is set here is worked out later: whoever has sent it does not wait."""
        self._here.is_front_end = True
        try:
            yield
        finally:
            self._here.is_front_end = False

    def _is_set_by_the_front_end(self) -> bool:
        return getattr(self._here, "is_front_end", False)

    def _wanted(self) -> Wanted:
        filters = dict(self.filters)
        return Wanted(self._memory, self.query, self.mode, filters, self.sort_by, self.descending)

    # ---- looking

    def _refresh(self) -> None:
        """Works the listing out and shows it; the caller waits."""
        with self._looking:
            self._look(lambda *_: None)
        self._publish()
        self._notify("records")

    def _look(self, told: Callable[[str, int, int | None], None], *, hurry: bool = False) -> bool:
        """Brings the listing up to date; whether anything has changed.

        Args:
            told: as for `listing.whole`.
            hurry: show what can be shown before the whole is known.
        """
        wanted, before = self._wanted(), self._listing
        memory = wanted.memory.sync
        if before and before.is_whole and before.wanted == wanted and memory.mark() == before.mark:
            return False
        if hurry and (before is None or before.wanted != wanted):
            count = max([stop for _, stop in self._windows.values()], default=_FIRST_WINDOW[1])
            first = first_rows(wanted, count)
            if first is not None:
                self._take(first)
                if first.is_whole:
                    return True
                self._is_loading = True
                self._publish()
        self._take(whole(wanted, told))
        return True

    def _take(self, listing: Listing) -> None:
        memory = listing.wanted.memory
        newest = memory.sync.entries(None, _NEW)
        fields = Fields.of([*newest, *listing.entries[:_NEW]], memory.namespace)
        with self._state:
            # Another one may have been chosen meanwhile.
            if self._memory is memory:
                self._history.note(reversed(newest))
                self._listing, self._fields = listing, fields

    def _look_around(self) -> float:
        """What the worker does in between; gives how long to wait for the next time."""
        started = time.monotonic()
        pause = _PAUSE_ON_A_SERVER if self._memory.is_using_redis() else _PAUSE
        listing, wanted = self._listing, self._wanted()
        is_resting = self._cancelled or not self.live
        if is_resting and listing is not None and listing.wanted == wanted:
            return pause
        try:
            with self._looking:
                has_changed = self._look(self._progress(wanted), hurry=True)
            if has_changed:
                if self.view != "table":
                    self._work_out_charts()
                self._done(wanted)
                self._notify("records")
            else:
                self._publish()  # the status, which has a life of its own
            self._failure = ""
        except Superseded:
            return 0.0 if not self._cancelled else pause
        except Exception as error:  # the widget says so; the thread goes on looking
            self._fail(error)
        self._show_page()
        return max(pause, _PATIENCE * (time.monotonic() - started))

    def _progress(self, wanted: Wanted) -> Callable[[str, int, int | None], None]:
        """Tells the front end how far it has come, and stops what nobody waits for any more."""

        def told(what: str, done: int, total: int | None) -> None:
            if self._cancelled or self._wanted() != wanted:
                raise Superseded
            now = time.monotonic()
            if now - self._told_at > _TOLD_PAUSE:
                self._told_at = now
                self._tell({"kind": "progress", "what": what, "done": done, "total": total})

        return told

    def _done(self, wanted: Wanted) -> None:
        self._is_loading = False
        self._tell(_NOTHING_TO_DO)
        if self._wanted() == wanted:
            self._publish()

    def _cancel(self) -> None:
        """Goes back to what is in sight, or stays with what is known of it."""
        self._cancelled = True
        listing = self._listing
        if listing is not None and listing.wanted != self._wanted():
            self._set_wanted(listing.wanted)
            self._cancelled = not listing.is_whole
        self._is_loading = False
        self._tell(_NOTHING_TO_DO)
        self._publish()

    def _set_wanted(self, wanted: Wanted) -> None:
        with self._by_the_front_end():
            self.query, self.mode, self.filters = wanted.query, wanted.mode, wanted.filters
            self.sort_by, self.descending = wanted.sort_by, wanted.descending

    # ---- what follows from it

    def _looked(self) -> Listing:
        """What is listed now; worked out if nobody has asked before."""
        with self._looking:
            while True:
                self._look(lambda *_: None)
                listing = self._listing
                if listing is not None:  # or another memory has been chosen meanwhile
                    return listing

    def _records_in_view(self) -> list[MemoryRecord]:
        start, stop = next(iter(self._windows.values()), _FIRST_WINDOW)
        needle = fold(self.query)
        records = []
        for entry in self._looked().entries[start:stop]:
            record = entry.record(self._memory.namespace)
            if needle:
                record = _found_by(record, needle)
            records.append(record)
        return records

    def _selection(self) -> pd.DataFrame:
        from ...frames import records_frame

        namespace = self._memory.namespace
        return records_frame(
            entry.record(namespace) for entry in self._memory.sync.peek(self.selected)
        )

    # ---- to the front end

    def state(self, window: tuple[int, int] = _FIRST_WINDOW) -> dict[str, Any]:
        """All that the front end shows, as it is sent; a function of the memory and the traits.

        Args:
            window: the first row of the page, and the one after its last.
        """
        with self._state:
            listing, fields = self._listing, self._fields
            columns = self._columns_shown(fields)
            start, stop = window
            chosen = set(self.selected)
            entries = [] if listing is None else listing.entries[start:stop]
            rows = Rows([column for column, shown in columns if shown], self.query)
            return {
                "query": self.query,
                "mode": self.mode,
                "modes": list(MODES),
                "filters": {name: self.filters.get(name) for name in FilterArgs.__annotations__}
                | _instants_of(self._clock(), self.filters),
                "sort": {"by": self.sort_by, "descending": self.descending},
                "view": self.view,
                "live": self.live,
                "read_only": self.read_only,
                "namespace": self._name_of(self._memory),
                "namespaces": [sendable(name) for name in self._memories],
                "columns": [
                    {
                        "name": portable(column.name),
                        "title": sendable(column.name),
                        "kind": column.kind,
                        "sortable": column is not MATCHES,
                        "shown": shown,
                    }
                    for column, shown in [(KEY, True), *columns]
                ],
                "more_fields": fields.more,
                "automatic": self.columns is None,
                "total": 0 if listing is None else listing.total,
                "loading": listing is None or self._is_loading,
                "start": start,
                "rows": [rows.row(entry, selected=entry.key in chosen) for entry in entries],
                "selected": len(self.selected),
                "status": self._status(),
                "facets": self._facets,
                "charts": self._charts if self.view != "table" else None,
                "undoable": next(self._changes.verbs(), None),
            }

    def _name_of(self, memory: MemoryPrimitive) -> str:
        names = (name for name, each in self._memories.items() if each is memory)
        return sendable(next(names, memory.namespace))

    def _columns_shown(self, fields: Fields) -> list[tuple[Column, bool]]:
        """All columns but the key's, those that are shown first, in their order."""
        shown = fields.shown(self.columns, searching=bool(self.query))
        known = (*([MATCHES] if self.query else []), *fields.columns, *ABOUT)
        inside = [column_called(name, known) for name in shown]
        return [
            *((column, True) for column in inside),
            *((column, False) for column in known if column.name not in shown),
        ]

    def _status(self) -> dict[str, Any]:
        about = self._memory.get_backend_info()
        outage = self._memory.outage()
        return {
            "backend": about["backend"],
            "server": about.get("redis_url"),
            "namespace": sendable(about["namespace"]),
            "size": about["size"],
            "capacity": about["max_size"],
            "evictions": about["evictions"],
            "degraded": outage
            and {
                "since": outage["degraded_since"],
                "because": outage["degraded_because"],
                "waiting": outage["writes_waiting"],
            },
        }

    def _publish(self, answer: int | None = None, *, whole_state: bool = False) -> None:
        """Sends every view what is new for it.

        Args:
            answer: the number of the message that this answers.
            whole_state: leave nothing out for the view that has asked.
        """
        if self._listing is None and answer is None:
            return
        asking = None if answer is None else answer // _IDS_OF_A_VIEW
        with self._sending:
            for view, window in list(self._windows.items()):
                state = self.state(window)
                sent = {} if whole_state and view == asking else self._sent.get(view, {})
                news = {
                    name: value for name, value in state.items() if sent.get(name, sent) != value
                }
                self._sent[view] = state
                anchor = self._anchors.pop(view, None)
                if anchor is not None and self._listing is not None:
                    place = self._listing.place_of(anchor)
                    news["anchor"] = (
                        None if place is None else {"key": portable(anchor), "index": place}
                    )
                if news or view == asking:
                    if "rows" in news or "start" in news:
                        news |= {"rows": state["rows"], "start": state["start"]}
                    news["now"] = self._clock()
                    number = answer if view == asking else None
                    self._tell({"kind": "state", "for": number, "view": view, "state": news})

    def _tell(self, content: dict[str, Any]) -> None:
        with self._sending:
            self.send(content)

    def _send(self, msg: dict[str, Any], buffers: Any = None) -> None:
        super()._send(msg, buffers)
        self._be_heard_anywhere()

    def _be_heard_anywhere(self) -> None:
        # From ipykernel 7.4 on, what a front end says goes to where it was last spoken to from: mostly
        # a cell, for whose end whoever types would wait. Without that note it goes where it is sent,
        # which is a subshell where there are some.
        getattr(self.comm, "__dict__", {}).pop("_reply_subshell_id", None)

    def _beat(self) -> None:
        if self._windows:
            with suppress(Exception):  # without a connection there is nobody to tell
                self._tell({"kind": "alive"})

    def _fail(self, error: Exception, answer: int | None = None) -> None:
        message = str(error) if isinstance(error, TTAMemoryError) else _unexpected(error)
        if not isinstance(error, TTAMemoryError):
            logger.debug("an explorer has failed", exc_info=error)
        if answer is None and message == self._failure:
            return  # it is said already, and will be tried again
        if answer is None:
            self._failure = message
        self._is_loading = False
        with suppress(Exception):  # without a connection there is nobody to tell
            self._tell({"kind": "error", "for": answer, "message": sendable(message)})

    # ---- from the front end

    def _received(self, _widget: Any, content: Any, _buffers: Any) -> None:
        number = content.get("id") if isinstance(content, dict) else None
        if not isinstance(number, int):
            return
        # A front end sends again what it has said before it was heard: where a cell runs, the one way
        # to the kernel may be much longer than the other. What comes so late has had its time.
        if number < self._greeted.get(number // _IDS_OF_A_VIEW, 0):
            return
        try:
            self._verb(str(content.get("do")))(self, number, content)
        except Exception as error:  # shown where it was asked for, and never swallowed
            self._fail(error, number)

    def _verb(self, name: str) -> _Verb:
        if name not in _VERBS:
            raise InvalidArgument(f"the explorer cannot {brief(name)}")
        if self.read_only and name in _WRITING:
            raise InvalidArgument("this explorer is read-only")
        return _VERBS[name]

    def _soon(self, number: int, job: Callable[[], None]) -> None:
        """Has the worker do what may take a while."""

        def safely() -> None:
            try:
                job()
            except Exception as error:
                self._fail(error, number)

        self._worker.do(safely)

    def _hello(self, number: int, _content: dict[str, Any]) -> None:
        view = number // _IDS_OF_A_VIEW
        self._windows.setdefault(view, _FIRST_WINDOW)
        self._greeted[view] = number
        self._opening = None

        def answer() -> None:
            with suppress(Superseded):
                self._list_first()
            self._publish(number, whole_state=True)

        self._soon(number, answer)
        self._worker.wake()

    def _bye(self, number: int, _content: dict[str, Any]) -> None:
        view = number // _IDS_OF_A_VIEW
        self._greeted[view] = number
        self._windows.pop(view, None)
        self._sent.pop(view, None)
        if not self._windows:
            self._worker.stop()

    def _set(self, number: int, content: dict[str, Any]) -> None:
        view = number // _IDS_OF_A_VIEW
        if "window" in content:
            start, stop = (max(0, int(edge)) for edge in content["window"])
            self._windows[view] = (start, min(stop, start + _WIDEST_WINDOW))
        anchor = content.get("anchor")
        if isinstance(anchor, str):
            self._anchors[view] = unportable(anchor)
        with self._by_the_front_end():
            self._set_traits(content)
        if "namespace" in content:
            self._choose(content["namespace"])
            self._publish(number)  # at once: rows of the other one must not be taken for these
        listing = self._listing
        if listing is None or listing.wanted != self._wanted():
            self._facets = None
            self._soon(number, lambda: self._answer_listed(number))
        elif "view" in content and self.view != "table":
            self._soon(number, lambda: self._answer_charts(number))
        else:
            self._publish(number)

    def _set_traits(self, content: dict[str, Any]) -> None:
        for name in ("query", "mode", "view", "live"):
            if name in content:
                setattr(self, name, content[name])
        if "filters" in content:
            self.filters = content["filters"]
        if "columns" in content:
            names = content["columns"]
            shown = None if names is None else [unportable(name) for name in names]
            self.set_trait("columns", shown)
        if "sort" in content:
            self.sort_by = unportable(content["sort"]["by"])
            self.descending = content["sort"]["descending"]

    def _choose(self, name: str) -> None:
        for known, memory in self._memories.items():
            if sendable(known) == name:
                with self._by_the_front_end():
                    self.memory = memory
                return
        raise InvalidArgument(f"namespace={brief(name)}: the explorer was given no such memory")

    def _answer_listed(self, number: int) -> None:
        wanted = self._wanted()
        try:
            with self._looking:
                self._look(self._progress(wanted), hurry=True)
        except Superseded:
            self._tell({"kind": "dropped", "for": number})
            return
        if self.view != "table":
            self._work_out_charts()
        self._is_loading = False
        self._tell(_NOTHING_TO_DO)
        self._publish(number)
        self._notify("records")
        self._worker.wake()

    def _answer_charts(self, number: int) -> None:
        self._work_out_charts()
        self._publish(number)

    def _work_out_charts(self) -> None:
        wanted = self._wanted()
        # All times, or nobody could see how far the chosen range might be moved.
        timeless = {
            name: value for name, value in wanted.filters.items() if name not in ("since", "until")
        }
        entries = replace(wanted, filters=timeless).entries()
        spans, more = session_spans(entries)
        lives, never = time_to_live(entries, self._clock())
        over_time, in_bytes = timeline(entries), sizes(entries)
        self._charts = {
            "timeline": {"edges": over_time.edges, "counts": over_time.counts},
            "sessions": [
                {
                    "user": sendable(span.user),
                    "session": sendable(span.session),
                    "first": span.first,
                    "last": span.last,
                    "count": span.count,
                }
                for span in spans
            ],
            "more_sessions": more,
            "sizes": {"edges": in_bytes.edges, "counts": in_bytes.counts},
            "ttl": {
                # JSON knows no infinity.
                "edges": [edge if edge < _ENDLESS else None for edge in lives.edges],
                "counts": lives.counts,
                "never": never,
            },
        }

    def _find_facets(self, number: int, _content: dict[str, Any]) -> None:
        def work_out() -> None:
            entries = self._memory.sync.entries()
            by_user, more_users = users(entries, 100)
            by_session, more_sessions = sessions_of(entries, self.filters.get("user"), 100)
            times = [entry.updated_at for entry in entries]
            self._facets = {
                "users": [[sendable(name), count] for name, count in by_user],
                "sessions": [[sendable(name), count] for name, count in by_session],
                "more_users": more_users,
                "more_sessions": more_sessions,
                "first": min(times, default=None),
                "last": max(times, default=None),
            }
            self._publish(number)

        self._soon(number, work_out)

    def _select(self, number: int, content: dict[str, Any]) -> None:
        chosen = dict.fromkeys(self.selected)
        if content.get("none"):
            chosen = {}
        elif content.get("all"):
            chosen = dict.fromkeys(entry.key for entry in self._looked().entries)
        else:
            keys = {unportable(key): None for key in content.get("keys", ())}
            if "range" in content:
                start, stop = content["range"]
                keys = dict.fromkeys(entry.key for entry in self._looked().entries[start:stop])
            if content.get("on", True):
                chosen |= keys
            else:
                chosen = {key: None for key in chosen if key not in keys}
        with self._by_the_front_end():
            self.selected = tuple(chosen)
        self._publish(number)

    def _show(self, number: int, content: dict[str, Any]) -> None:
        key = unportable(content["key"])
        entry = detail.found(self._memory.sync, key)
        if entry is None:
            told: dict[str, Any] = {"key": content["key"], "gone": True}
        else:
            self._history.note([entry])
            told = detail.told(
                self._memory.sync,
                entry,
                self.query,
                self._history,
                whole=bool(content.get("whole")),
            )
        self._tell({"kind": "record", "for": number, **told})

    # ---- repairing

    def _repair(
        self, number: int, content: dict[str, Any], verb: str, said: str, repair: Any
    ) -> None:
        """Carries a repair out, and says what has become of it."""
        key = unportable(content["key"])
        reply: dict[str, Any]
        try:
            change = repair(detail.Repair(self._memory.sync, key, content.get("base", "")))
        except detail.Conflict as conflict:
            entry = conflict.entry
            text = None if entry is None else detail.pretty(entry.text)
            reply = {"ok": False, "conflict": {"text": text, "base": detail.token(entry)}}
        except TTAMemoryError as error:
            reply = {"ok": False, "problem": sendable(str(error))}
        else:
            self._changes.add(self._memory, verb, change)
            self._history.note(change.written, "edited")
            reply = {"ok": True, "key": content["key"]}
        self._tell({"kind": "edited", "for": number, **reply})
        if reply["ok"]:
            self._after_a_change(f"{said} {key}", number)

    def _edit(self, number: int, content: dict[str, Any]) -> None:
        text = content["text"]
        self._repair(
            number, content, "edit", "Saved", lambda repair: repair.edit(detail.parsed(text))
        )

    def _expire(self, number: int, content: dict[str, Any]) -> None:
        ttl, now = content.get("ttl"), self._clock()
        self._repair(
            number, content, "expire", "New expiry of", lambda repair: repair.expire(ttl, now)
        )

    def _duplicate(self, number: int, content: dict[str, Any]) -> None:
        memory, new = self._memory.sync, unportable(content["as"])
        entry = detail.found(memory, unportable(content["key"]))
        reply: dict[str, Any] = {"ok": True, "key": content["as"]}
        if entry is None:
            reply = {"ok": False, "problem": "the record is gone"}
        elif detail.found(memory, new) is not None:
            reply = {"ok": False, "problem": "there is a record of this key already"}
        else:
            try:
                copy = MemoryRecord(new, entry.value(), expires_at=entry.expires_at)
                change = memory.import_([copy]).change
            except TTAMemoryError as error:
                reply = {"ok": False, "problem": sendable(str(error))}
            else:
                self._changes.add(self._memory, "duplicate", change)
        self._tell({"kind": "edited", "for": number, **reply})
        if reply["ok"]:
            self._after_a_change(f"Copied to {new}", number)

    def _delete(self, number: int, content: dict[str, Any]) -> None:
        change = self._memory.sync.remove(self._meant(content))
        self._changes.add(self._memory, "delete", change)
        gone = {entry.key for entry in change.removed}
        with self._by_the_front_end():
            self.selected = tuple(key for key in self.selected if key not in gone)
        what = next(iter(gone)) if len(gone) == 1 else _records(len(gone))
        self._after_a_change(f"Deleted {what}", number)

    def _meant(self, content: dict[str, Any]) -> Iterable[str]:
        """The keys that a message is about."""
        if content.get("selected"):
            chosen: tuple[str, ...] = self.selected
            return chosen
        return [unportable(key) for key in content["keys"]]

    def _undo(self, number: int, _content: dict[str, Any]) -> None:
        undone = self._changes.undo()
        back = undone.back.written
        what = back[0].key if len(back) == 1 else _records(len(back))
        said = f"Undone: {what} as before" if back else f"Undone: {undone.verb}"
        self._after_a_change(said, number, undo=False)

    def _after_a_change(self, said: str, number: int, *, undo: bool = True) -> None:
        with suppress(Superseded), self._looking:
            self._look(lambda *_: None)
        self._publish(number)
        self._tell({"kind": "said", "text": sendable(said)[:300], "undo": undo})
        self._notify("records")

    def _export(self, number: int, content: dict[str, Any]) -> None:
        def write() -> None:
            memory = self._memory.sync
            entries = memory.peek(self._meant(content))
            if sum(len(entry.text) for entry in entries) > _MOST_EXPORTED:
                raise InvalidArgument(
                    f"{_records(len(entries))} are too much for a browser; write them to a file "
                    "with %memory export or memory.sync.export"
                )
            text = detail.lines_of(entries, memory.namespace)
            self._tell({"kind": "file", "for": number, "name": "records.jsonl", "text": text})

        self._soon(number, write)

    def _stop(self, _number: int, _content: dict[str, Any]) -> None:
        self._cancel()

    def _reconnect(self, number: int, _content: dict[str, Any]) -> None:
        def reconnect() -> None:
            is_back = self._memory.sync.reconnect()
            self._publish(number)
            said = "The server is back" if is_back else "The server still does not answer"
            self._tell({"kind": "said", "text": said, "undo": False})

        self._soon(number, reconnect)

    # ---- beside the widget

    def _ipython_display_(self, **_options: Any) -> None:
        """Shows the widget, and beside it what is left where no kernel answers."""
        from IPython.display import display

        bundle = self._repr_mimebundle_()
        data = dict(bundle[0] if isinstance(bundle, tuple) else bundle or {})
        data["text/plain"] = repr(self)
        try:
            self._list_first(whole_if_needed=True)
            if not self._windows:
                self._opening = {**self.state(), "now": self._clock()}
        except Exception as error:  # shown by the widget; raised here, it would be displayed twice
            logger.debug("an explorer has nothing to begin with", exc_info=error)
        display(data, raw=True)  # type: ignore[no-untyped-call]
        if self._listing is None:
            return
        page = self._static_page()
        self._page_shown = (time.monotonic(), page.html)
        self._page = display(page, display_id=True)  # type: ignore[no-untyped-call]

    def _list_first(self, *, whole_if_needed: bool = False) -> None:
        """Lists what can be shown at once, where nothing is listed yet."""
        with self._looking:
            if self._listing is not None:
                return
            wanted = self._wanted()
            listing = first_rows(wanted, _FIRST_WINDOW[1])
            if listing is None and whole_if_needed:
                listing = whole(wanted, lambda *_: None)
            if listing is not None:
                self._is_loading = not listing.is_whole
                self._take(listing)

    def _static_page(self) -> StaticPage:
        listing = self._listing
        assert listing is not None
        start, stop = next(iter(self._windows.values()), _FIRST_WINDOW)
        namespace = self._memory.namespace
        records = (entry.record(namespace) for entry in listing.entries[start:stop])
        return StaticPage(records, start, listing.total, self.query, namespace)

    def _show_page(self) -> None:
        """Brings the page beside the widget up to date, but not all the time: it is saved."""
        at, shown = self._page_shown
        now = time.monotonic()
        if self._page is None or self._listing is None or now - at < _STATIC_PAUSE:
            return
        page = self._static_page()
        self._page_shown = (now, page.html)
        if page.html != shown:
            with suppress(Exception):  # a notebook that is no more has no page
                self._page.update(page)


_Verb = Callable[[MemoryExplorer, int, dict[str, Any]], None]

_VERBS: dict[str, _Verb] = {
    "hello": MemoryExplorer._hello,  # noqa: SLF001  all of them are of this module
    "bye": MemoryExplorer._bye,  # noqa: SLF001
    "set": MemoryExplorer._set,  # noqa: SLF001
    "select": MemoryExplorer._select,  # noqa: SLF001
    "record": MemoryExplorer._show,  # noqa: SLF001
    "edit": MemoryExplorer._edit,  # noqa: SLF001
    "expire": MemoryExplorer._expire,  # noqa: SLF001
    "duplicate": MemoryExplorer._duplicate,  # noqa: SLF001
    "delete": MemoryExplorer._delete,  # noqa: SLF001
    "undo": MemoryExplorer._undo,  # noqa: SLF001
    "export": MemoryExplorer._export,  # noqa: SLF001
    "facets": MemoryExplorer._find_facets,  # noqa: SLF001
    "cancel": MemoryExplorer._stop,  # noqa: SLF001
    "reconnect": MemoryExplorer._reconnect,  # noqa: SLF001
}

_WRITING = {"edit", "expire", "duplicate", "delete", "undo"}

_ENDLESS = 1e300


def _instants_of(now: float, filters: Mapping[str, Any]) -> dict[str, float]:
    """``since`` and ``until`` in Unix seconds, however they were written."""
    given = {name: filters[name] for name in ("since", "until") if name in filters}
    built = Filters.build(now, **given)
    return {name: getattr(built, name) for name in given}


def _found_by(record: MemoryRecord, needle: str) -> MemoryRecord:
    return replace(record, score=1.0, matches=matching_paths(record.value, needle))


def _records(count: int) -> str:
    return f"{count:,} record" if count == 1 else f"{count:,} records"


def _unexpected(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
