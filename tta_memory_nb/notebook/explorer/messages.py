"""Handles the messages of the front end: what each one asks for, and on which thread that is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import local
from typing import Any, TypeAlias

from ...authorship import acting
from ...errors import InvalidArgument, TTAMemoryError, brief
from ...table import unportable
from . import detail
from .actions import Actions, Outcome
from .cells import sendable
from .findings import Examination, Progressing
from .judgements import Judgements
from .lister import NOTHING_TO_DO, Lister
from .listing import Superseded
from .repair import peek
from .resolving import plan
from .state import CHARTS
from .traits import ExplorerTraits
from .views import View, Views
from .worker import Worker


class MessageHandler:
    """Does what the messages of the front end ask for.

    A message arrives on a thread of the kernel, which must not wait. On that thread, messages only
    set traits and windows. Records are listed by the explorer's worker. All other work is done on the
    thread of the view that has asked for it, so that it delays no other view.

    Args:
        traits: the traits that messages set.
        lister: lists the records.
        views: the views that messages come from.
        actions: what can be done to records.
        judgements: which records answer the search that is shown.
        worker: the thread on which records are listed.
        choose_memory: shows the memory that the front end knows by a name.
        compare: shows the selected records side by side.
    """

    def __init__(
        self,
        traits: ExplorerTraits,
        lister: Lister,
        views: Views,
        actions: Actions,
        judgements: Judgements,
        worker: Worker,
        choose_memory: Callable[[str], None],
        compare: Callable[[], None],
    ) -> None:
        self._traits = traits
        self._lister = lister
        self._views = views
        self._actions = actions
        self._judgements = judgements
        self._worker = worker
        self._choose_memory = choose_memory
        self._compare_selected = compare
        self._thread = local()
        self._examining: Progressing | None = None
        self._doctor = Worker()

    @property
    def is_setting_traits(self) -> bool:
        """Whether this thread sets traits for a message; what depends on them then follows later."""
        return getattr(self._thread, "is_setting_traits", False)

    @contextmanager
    def _setting_traits(self) -> Iterator[None]:
        self._thread.is_setting_traits = True
        try:
            yield
        finally:
            self._thread.is_setting_traits = False

    def receive(self, content: Any) -> None:
        """Handles a message. Anything that is not a message is ignored.

        While a cell runs, a message may be delayed until the cell ends. A front end therefore sends
        its first messages again once a greeting is answered. A message that is older than the last
        greeting has been sent again, and is ignored.

        An answer may be lost as well. A message that is sent again therefore names the number under which
        it was sent first, and changes nothing if the kernel has received it then.
        """
        number = content.get("id") if isinstance(content, dict) else None
        if not isinstance(number, int):
            return
        view = self._views.of(number)
        view.silence = 0
        if number < view.greeting or content.get("do") == "here":
            return
        first = content.get("again")
        is_new = view.hears_first(first if isinstance(first, int) else number)
        name = str(content.get("do"))
        try:
            if not is_new and name in _SETTING:
                self._views.publish(number)
                return
            if name in _USING and not content.keys() <= _SCROLLING:
                self._views.use(view)
            self._do(name, view, number, content)
        except Exception as error:  # shown in the widget, where it was asked for
            self._views.report(error, number)

    def _do(self, name: str, view: View, number: int, content: dict[str, Any]) -> None:
        if name in _STEERING:
            _STEERING[name](self, view, number, content)
        elif name in _REQUESTS:
            request = _REQUESTS[name]
            view.do(lambda: request(self, view, number, content), number)
        elif name in _ACTIONS:
            if self._traits.read_only and name in _WRITING:
                raise InvalidArgument("this explorer is read-only")
            action = _ACTIONS[name]
            view.do(lambda: self._act(action, view, number, content), number)
        else:
            raise InvalidArgument(f"the explorer cannot {brief(name)}")

    # ---- steering

    def _hello(self, view: View, number: int, content: dict[str, Any]) -> None:
        is_visible = content.get("visible", True) is True
        if is_visible and not view.is_in_sight:
            self._views.use(view)
        view.is_in_sight = is_visible
        view.greet(number)

        def answer() -> None:
            self._lister.list_first()
            if self._traits.view not in CHARTS:
                self._lister.prepare_view()
            self._views.publish(number, whole=True)

        view.do(answer, number)
        self._worker.wake()

    def _bye(self, view: View, number: int, _content: dict[str, Any]) -> None:
        view.leave(number)
        if not self._views.opened():
            self._worker.stop()

    def _see(self, view: View, number: int, content: dict[str, Any]) -> None:
        with self._noticing(view, number):
            if content.get("visible"):
                self._views.use(view)
            else:
                view.is_in_sight = False

    @contextmanager
    def _noticing(self, view: View, number: int) -> Iterator[None]:
        """Tells those who observe the records in view if these become those of other rows."""
        before = self._views.window()
        yield
        if self._views.window() != before:
            view.do(self._lister.on_records, number)

    def _set(self, view: View, number: int, content: dict[str, Any]) -> None:
        if "window" in content:
            with self._noticing(view, number):
                view.move_to(content["window"])
        if isinstance(content.get("anchor"), str):
            view.ask_for(unportable(content["anchor"]))
        finds_other_cases = "finding" in content and self._lister.cases.stop_comparing()
        with self._setting_traits():
            self._set_traits(content)
            if "namespace" in content:
                self._choose_memory(content["namespace"])
        if "namespace" in content:
            # At once: rows of one memory must not be taken for those of another.
            self._views.publish(number)
        if not self._lister.is_current():
            self._lister.forget_facets()
            self._list(number)
        elif "view" in content or finds_other_cases:
            view.do(lambda: self._show_view(number), number)
        else:
            self._views.publish(number)
        if "columns" in content:
            self._worker.wake()  # which has the header still to say something about them

    def _set_traits(self, content: dict[str, Any]) -> None:
        traits = self._traits
        for name in ("query", "mode", "view", "live", "finding"):
            if name in content:
                setattr(traits, name, content[name])
        if "filters" in content:
            # A view knows the filters only as texts to show. It names those that the user has changed.
            changed = {name: unportable(value) for name, value in content["filters"].items()}
            traits.filters = {**traits.filters, **changed}
        if "pick" in content:
            self._pick(**content["pick"])
        if "columns" in content:
            names = content["columns"]
            shown = None if names is None else [unportable(name) for name in names]
            traits.set_trait("columns", shown)
        if "sort" in content:
            traits.sort_by = unportable(content["sort"]["by"])
            traits.descending = content["sort"]["descending"]

    def _pick(self, column: str, filter: str | None, text: str) -> None:
        """Chooses a bar in the header, or none of a column."""
        picks, traits, column = self._lister.picks, self._traits, unportable(column)
        if filter is None:
            traits.filters = picks.release(column, traits.filters)
        else:
            traits.filters = picks.pick(column, json.loads(filter), text, traits.filters)

    def _cancel(self, _view: View, _number: int, _content: dict[str, Any]) -> None:
        """Stops a listing. The traits become those of the listing that is shown, if there is one."""
        lister, traits = self._lister, self._traits
        if self._examining is not None:
            self._examining.is_cancelled = True
            return
        lister.is_cancelled = True
        listing = lister.found.listing
        if listing is not None and not lister.is_current():
            request = listing.request
            with self._setting_traits():
                traits.query, traits.mode, traits.filters = (
                    request.query,
                    request.mode,
                    request.filters,
                )
                traits.sort_by, traits.descending = request.sort_by, request.descending
            lister.is_cancelled = not listing.is_whole
        lister.show_cancelled()

    def _list(self, number: int) -> None:
        self._worker.do(lambda: self._lister.answer(number))
        self._worker.wake()

    # ---- requests

    def _select(self, _view: View, number: int, content: dict[str, Any]) -> None:
        chosen = dict.fromkeys(self._traits.selected)
        if content.get("none"):
            chosen = {}
        elif content.get("all"):
            chosen = dict.fromkeys(entry.key for entry in self._lister.listing().entries)
        else:
            keys = {unportable(key): None for key in content.get("keys", ())}
            if "range" in content:
                start, stop = content["range"]
                entries = self._lister.listing().entries[start:stop]
                keys = dict.fromkeys(entry.key for entry in entries)
            if content.get("on", True):
                chosen |= keys
            else:
                chosen = {key: None for key in chosen if key not in keys}
        with self._setting_traits():
            self._traits.selected = tuple(chosen)
        self._views.publish(number)

    def _show_record(self, _view: View, number: int, content: dict[str, Any]) -> None:
        found = self._lister.found
        memory = found.memory.sync
        entry = peek(memory, unportable(content["key"]))
        about: dict[str, Any] = {"key": content["key"], "gone": True}
        if entry is not None:
            found.versions.add([entry])
            about = detail.describe(
                memory,
                entry,
                self._traits.query,
                found.versions,
                whole=bool(content.get("whole")),
                ranking=None if found.listing is None else found.listing.ranking,
                judged=self._judgements.of(entry.key),
            )
        self._views.answer(number, {"kind": "record", **about})

    def _judge(self, view: View, number: int, content: dict[str, Any]) -> None:
        """Calls a record right or wrong for the search that is shown, or takes that back."""
        entry = peek(self._lister.memory.sync, unportable(content["key"]))
        if entry is None:
            raise InvalidArgument("this record is gone, so it cannot be judged")
        self._judgements.judge(entry, right=content["right"])
        self._show_record(view, number, content)

    def _compare(self, _view: View, number: int, _content: dict[str, Any]) -> None:
        """Shows the selected records side by side, to decide whether they should be one."""
        with self._setting_traits():
            self._compare_selected()
        self._views.publish(number)

    def _count_facets(self, _view: View, number: int, _content: dict[str, Any]) -> None:
        self._lister.count_facets()
        self._views.publish(number)

    def _examine(self, _view: View, number: int, _content: dict[str, Any]) -> None:
        """Has the doctor look at the records again, on a thread of its own, since that may take long."""
        if self._examining is not None:
            return
        self._examining = progress = Progressing(self._views.broadcast)
        memory, filters = self._lister.memory, dict(self._traits.filters)

        def examine() -> None:
            try:
                found = memory.sync.diagnose(progress=progress, **filters)
                self._lister.take_examination(Examination(found), memory)
                self._lister.cases.stop_comparing()
                with self._setting_traits():
                    self._traits.finding = ""
                self._lister.prepare_view()
                self._lister.refresh(number)
            except Superseded:
                self._views.publish(number)
            except Exception as error:  # shown in the widget; the thread goes on
                self._views.report(error, number)
            finally:
                self._examining = None
                self._views.broadcast(NOTHING_TO_DO)

        self._doctor.do(examine)
        self._doctor.finish()

    def _show_view(self, number: int) -> None:
        self._lister.prepare_view()
        self._views.publish(number)

    def _plan(self, view: View, number: int, content: dict[str, Any]) -> None:
        """Plans what becomes of records that should perhaps be one, and writes nothing."""
        view.once(content.get("again", number), lambda: plan(self._lister, content))
        self._views.publish(number)

    def _reconnect(self, _view: View, number: int, _content: dict[str, Any]) -> None:
        is_back = self._lister.memory.sync.reconnect()
        self._views.publish(number)
        said = "The server is back" if is_back else "The server still does not answer"
        self._views.broadcast({"kind": "said", "text": said, "undo": False})

    def _act(self, action: Action, view: View, number: int, content: dict[str, Any]) -> None:
        """Carries an action out, once, and shows what has become of it."""

        def act() -> Outcome:
            with self._setting_traits(), acting("explorer"):
                return action(self._actions, content)

        try:
            outcome: Outcome = view.once(content.get("again", number), act)
        except TTAMemoryError:
            self._views.publish()  # what was in its way is shown as it is now
            raise
        if outcome.reply is not None:
            self._views.answer(number, outcome.reply)
        if outcome.said is not None:
            self._lister.refresh(number)
            text = sendable(outcome.said)[:_MOST_SAID]
            self._views.broadcast({"kind": "said", "text": text, "undo": outcome.can_undo})


_MOST_SAID = 300

Request: TypeAlias = Callable[[MessageHandler, View, int, dict[str, Any]], None]
Action: TypeAlias = Callable[[Actions, dict[str, Any]], Outcome]

# ruff: noqa: SLF001  the functions of these tables are of this module
_STEERING: dict[str, Request] = {
    "hello": MessageHandler._hello,
    "bye": MessageHandler._bye,
    "see": MessageHandler._see,
    "set": MessageHandler._set,
    "cancel": MessageHandler._cancel,
}

_REQUESTS: dict[str, Request] = {
    "select": MessageHandler._select,
    "record": MessageHandler._show_record,
    "judge": MessageHandler._judge,
    "compare": MessageHandler._compare,
    "facets": MessageHandler._count_facets,
    "examine": MessageHandler._examine,
    "plan": MessageHandler._plan,
    "reconnect": MessageHandler._reconnect,
}

_ACTIONS: dict[str, Action] = {
    "edit": Actions.edit,
    "expire": Actions.expire,
    "duplicate": Actions.duplicate,
    "delete": Actions.delete,
    "approve": Actions.approve,
    "reject": Actions.reject,
    "carry out": Actions.carry_out,
    "undo": Actions.undo,
    "export": Actions.export,
}

_WRITING = _ACTIONS.keys() - {"export"}

_SETTING = {"set", "select"}
"""What must not be done again after later messages: it would take back what they have set."""

_USING = {"set", "select", "record", "judge", "compare", "plan", *_ACTIONS}
"""What a view asks for when somebody uses it."""

_SCROLLING = {"id", "do", "again", "window", "anchor"}
"""A message of these fields alone may come from a view that was resized, or has got new rows."""
