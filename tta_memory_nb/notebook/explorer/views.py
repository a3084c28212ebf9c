"""The views of an explorer: the places in a browser where it is shown.

An explorer may be shown several times, in one notebook or in several browsers. Each view has a
window of its own and gets its state on a thread of its own, so that a view with a large window or a
slow connection delays no other view.

A message may be lost on its way to a browser: a Jupyter server discards messages while a cell prints
much. A state names only what has changed, so the messages to a view are numbered, and each sign of
life says how many there have been. A front end that misses one greets again and gets the whole state.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any, TypeAlias

from ...errors import TTAMemoryError
from ...table import portable
from .cells import sendable
from .state import ExplorerState, State, Window
from .worker import Worker

logger = logging.getLogger("tta_memory_nb")

FIRST_WINDOW: Window = (0, 60)

Message: TypeAlias = dict[str, Any]
Send: TypeAlias = Callable[[Message], None]

# A view numbers its messages upwards from a multiple of this, so that the number of a message says
# which view has sent it.
_IDS_OF_A_VIEW = 1_000_000
_WIDEST_WINDOW = 500
_MOST_SILENT = 20
"""A view that another view outdoes by so many answered signs of life is not looked at; its page may be gone."""
_GONE = 300
"""A view that another view outdoes by so many is closed. If its page is still there, it opens again when it speaks."""
_REMEMBERED = 1000
"""How many messages of a view the kernel remembers, so that it can tell one that was sent again."""


class View:
    """One view, and all that the kernel knows of it.

    Its jobs and its states are made and sent by a worker of its own, in order. While that worker is
    busy, further changes are not queued: the next state that is made holds all of them.

    Args:
        number: the view's number; its messages are numbered from a multiple of it.
        look: gives the present state of the explorer.
        send: sends a message to the front end.
        report: shows an error, given the number of the message that has caused it, if any.

    Attributes:
        window: the rows in sight.
        greeting: the number of the last greeting or farewell. Messages numbered below are outdated.
        is_open: whether states are sent to the view.
        is_in_sight: whether the view can be seen on the screen, as far as the kernel knows.
        used_at: the larger the number, the later the view was used.
        sent: how many messages were sent to this view.
        silence: how many signs of life the kernel has given since it last heard the view.
    """

    def __init__(
        self,
        number: int,
        look: Callable[[], ExplorerState],
        send: Send,
        report: Callable[[Exception, int | None], None],
    ) -> None:
        self.number = number
        self.window = FIRST_WINDOW
        self.greeting = 0
        self.is_open = False
        self.is_in_sight = False
        self.used_at = 0
        self.sent = 0
        self.silence = 0
        self._look = look
        self._send = send
        self._report = report
        self._worker = Worker()
        # Guards the fields below; it is held for moments only.
        self._lock = Lock()
        self._requests: dict[int, None] = {}
        self._anchor: str | None = None
        self._is_due = False
        self._starts_over = False
        # Held while a state is made and sent, so that each one builds on the one before.
        self._sending = Lock()
        self._sent: State = {}
        self._shown: tuple[ExplorerState, Window] | None = None
        # Held while a message is numbered and sent: the numbers go up in the order of the messages.
        self._telling = Lock()
        self._outcomes: dict[int, Any] = {}

    def greet(self, message: int) -> None:
        """Opens the view; the number of the greeting dates it."""
        self.greeting = message
        self.is_open = True

    def leave(self, message: int) -> None:
        """Closes the view, whose front end is gone; the number of the farewell dates it."""
        self.greeting = message
        self.close()

    def close(self) -> None:
        """Sends no more states to this view, and ends its thread once its jobs are done."""
        self.is_open = False
        self.is_in_sight = False
        self.window = FIRST_WINDOW
        with self._lock:
            self._requests = {}
            self._outcomes = {}
            self._anchor = None
            self._is_due = False
            self._starts_over = True
            self._sent = {}
        self._worker.finish()

    def move_to(self, window: Window) -> None:
        """Sets the rows in sight: at most 500 of them."""
        start, stop = (max(0, int(edge)) for edge in window)
        self.window = (start, min(stop, start + _WIDEST_WINDOW))
        self.is_open = True

    def ask_for(self, anchor: str) -> None:
        """Adds the row number of a key to the next state."""
        with self._lock:
            self._anchor = anchor

    def tell(self, message: Message) -> None:
        """Sends a numbered message to this view."""
        with self._telling:
            self._send({**message, "view": self.number, "number": self.sent + 1})
            self.sent += 1

    def hears_first(self, message: int) -> bool:
        """Remembers a message, and returns whether it had not been received before.

        Args:
            message: the number under which the message was sent first.
        """
        with self._lock:
            if message in self._outcomes:
                return False
            self._outcomes[message] = None
            while len(self._outcomes) > _REMEMBERED:
                del self._outcomes[next(iter(self._outcomes))]
            return True

    def once(self, message: int, act: Callable[[], Any]) -> Any:
        """Carries out an action, unless it was carried out when its message was first received.

        Args:
            message: the number under which the message was sent first.
            act: the action; called on the thread of this view.

        Returns:
            What the action has returned, now or then.

        Raises:
            Exception: what the action has raised, now or then.
        """
        outcome = self._outcomes.get(message)
        if outcome is None:
            try:
                outcome = act()
            except Exception as error:  # raised below, as often as the message is sent
                outcome = error
            with self._lock:
                self._outcomes[message] = outcome
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def do(self, job: Callable[[], None], request: int) -> None:
        """Runs a job on the view's thread, after the jobs before it.

        Args:
            job: what to run; an exception is reported.
            request: the number of the message that asks for it.
        """

        def safely() -> None:
            try:
                job()
            except Exception as error:  # shown in the widget; the thread goes on
                self._report(error, request)

        self._worker.do(safely)

    def show(self, request: int | None = None, *, whole: bool = False) -> None:
        """Has the view's thread send what is new since the state it was sent last.

        Args:
            request: the number of the message that the state answers, if any. It is answered even
                if nothing is new.
            whole: send the whole state.
        """
        if not self.is_open:
            return
        with self._lock:
            if request is not None:
                self._requests[request] = None
            self._starts_over |= whole
            if self._is_due:
                return
            self._is_due = True
        self._worker.do(self._show_now)

    def _show_now(self) -> None:
        with self._sending:
            with self._lock:
                requests: list[int | None] = [*self._requests]
                self._requests = {}
                anchor, self._anchor = self._anchor, None
                starts_over, self._starts_over = self._starts_over, False
                self._is_due = False
            if starts_over:
                self._sent = {}
            try:
                if self.is_open:
                    self._send_news(requests, anchor)
            except Exception as error:  # shown in the widget; the thread goes on
                for request in requests or [None]:
                    self._report(error, request)

    def _send_news(self, requests: list[int | None], anchor: str | None) -> None:
        explorer, window = self._look(), self.window
        if not requests and explorer.found.listing is None:
            return
        is_first = not self._sent
        if not (requests or is_first or anchor is not None) and self._shows(explorer, window):
            return
        state = explorer.describe(window)
        news = {
            name: value
            for name, value in state.items()
            if name not in self._sent or self._sent[name] != value
        }
        if anchor is not None and explorer.found.listing is not None:
            place = explorer.place_of(anchor)
            news["anchor"] = None if place is None else {"key": portable(anchor), "index": place}
        if "rows" in news or "start" in news:
            news |= {"rows": state["rows"], "start": state["start"]}
        if news or requests:
            for request in requests or [None]:
                content = {**news, "now": explorer.now}
                self.tell({"kind": "state", "for": request, "whole": is_first, "state": content})
                self._sent = state
                news, is_first = {}, False
        self._shown = explorer, window

    def _shows(self, explorer: ExplorerState, window: Window) -> bool:
        """Whether the last state was made from the same, so that there is nothing to work out."""
        if self._shown is None:
            return False
        shown, its_window = self._shown
        return its_window == window and explorer.is_as(shown)


class Views:
    """All views of an explorer.

    Args:
        look: gives the present state of the explorer.
        send: sends a message to the front end. Every view receives it.
    """

    def __init__(self, look: Callable[[], ExplorerState], send: Send) -> None:
        self._look = look
        self._send = send
        self._lock = Lock()
        self._views: dict[int, View] = {}
        self._uses = 0
        self._failure = ""

    def of(self, message: int) -> View:
        """The view that has sent a message of this number."""
        number = message // _IDS_OF_A_VIEW
        with self._lock:
            if number not in self._views:
                self._views[number] = View(number, self._look, self._send, self.report)
            return self._views[number]

    def opened(self) -> list[View]:
        """The views that are open, in the order of their first messages."""
        with self._lock:
            return [view for view in self._views.values() if view.is_open]

    def use(self, view: View) -> None:
        """Records that somebody uses a view, or has brought it into sight."""
        with self._lock:
            self._uses += 1
            view.used_at = self._uses
            view.is_in_sight = True

    def window(self) -> Window:
        """The rows in the view that a person looks at.

        Of several views in sight, this is the one that was used last. While none is in sight, it is the
        one that was last; without any view, it is the first rows. A view whose page has gone without a farewell
        gives way to any other. Silence is compared with that of other views, and not measured: while a cell runs,
        the kernel may hear none of them.
        """
        views = self.opened()
        if not views:
            return FIRST_WINDOW
        most = min(view.silence for view in views) + _MOST_SILENT
        present = (view for view in views if view.silence <= most)
        return max(present, key=lambda view: (view.is_in_sight, view.used_at)).window

    def rows_needed(self) -> int:
        """How many of the first rows must be listed for every view to be complete."""
        return max((view.window[1] for view in self.opened()), default=FIRST_WINDOW[1])

    def publish(self, request: int | None = None, *, whole: bool = False) -> None:
        """Has each view send what is new for it, each on its own thread.

        Args:
            request: the number of the message that this answers, if any.
            whole: send the whole state to the view that has sent this message.
        """
        asking = None if request is None else self.of(request)
        # The view that waits for an answer is served first.
        if asking is not None:
            asking.show(request, whole=whole)
        for view in self.opened():
            if view is not asking:
                view.show()

    def broadcast(self, message: Message) -> None:
        """Sends a message that every view shows."""
        self._send(message)

    def answer(self, request: int, message: Message) -> None:
        """Answers a message of a view.

        Args:
            request: the number of the message.
            message: the answer.
        """
        self.of(request).tell({**message, "for": request})

    def beat(self) -> None:
        """Sends a sign of life, by which a front end knows its kernel is there, and what it has missed."""
        if views := self.opened():
            least = min(view.silence for view in views)
            for view in views:
                view.silence += 1
                if view.silence > least + _GONE:
                    view.close()
            sent = {str(view.number): view.sent for view in views}
            with suppress(Exception):  # without a connection there is nothing to keep alive
                self._send({"kind": "alive", "sent": sent})

    def report(self, error: Exception, request: int | None = None) -> None:
        """Shows an error in the widget.

        An error that no message has caused is shown once, until `forget_failure`: its cause is
        tried again and again.

        Args:
            error: what went wrong.
            request: the number of the message that has caused it, if any.
        """
        if isinstance(error, TTAMemoryError):
            text = str(error)
        else:
            text = f"{type(error).__name__}: {error}"
            logger.debug("an explorer has failed", exc_info=error)
        if request is None:
            if text == self._failure:
                return
            self._failure = text
        message = {"kind": "error", "message": sendable(text)}
        with suppress(Exception):  # without a connection the error cannot be shown
            if request is None:
                self._send({**message, "for": None})
            else:
                self.answer(request, message)

    def forget_failure(self) -> None:
        """Shows the next error even if it is the same as the last."""
        self._failure = ""

    def close(self) -> None:
        """Sends no more states, and ends the threads of all views once their jobs are done."""
        with self._lock:
            views = list(self._views.values())
        for view in views:
            view.close()
