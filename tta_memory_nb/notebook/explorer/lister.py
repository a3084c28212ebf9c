"""Keeps an explorer's listing up to date with its memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from threading import RLock
from typing import Any

from ...memory.faces import MemoryPrimitive
from ...stores.base import Clock
from .cases import Cases
from .cells import Fields
from .charts import charts_of, facets_of
from .findings import Examination
from .headings import headings_of
from .listing import (
    Listing,
    ListingRequest,
    OnProgress,
    Superseded,
    change_token,
    first_rows,
    whole_listing,
)
from .picks import Picks
from .review import Review
from .state import CHARTS, PROPOSALS, RESOLVE, Found
from .traits import ExplorerTraits
from .versions import Versions
from .views import FIRST_WINDOW, Views
from .worker import PATIENCE, NowAndThen

# Seconds between two looks at a memory; a server is asked less often. The pause after a look is at
# least `PATIENCE` times as long as the look, so that looking never keeps a core or a server busy.
_PAUSE, _PAUSE_ON_A_SERVER = 0.4, 1.0
_PROGRESS_PAUSE = 0.15
_HEADINGS_PAUSE = 2.0
"""Seconds, at least, between two summaries of the columns while others write records."""

_PATIENCE_WITH_CASES = 50
"""As `PATIENCE`, for a look at cases: thousands of them take a second, and mostly nothing has changed."""

_SAMPLE = 200
"""How many of the newest records are looked at for their fields and their versions."""

NOTHING_TO_DO = {"kind": "progress", "what": "", "done": 1, "total": 1}
"""The message that ends the progress that a view shows."""


def _ignore(_what: str, _done: int, _total: int | None) -> None:
    """Ignores the progress of a listing that cannot be stopped, since its caller waits for it."""


class Lister:
    """Lists the records of a memory as the traits say, and lists them again when they change.

    Any thread may call it. Listing takes place on one thread at a time; what was found last can be
    read at any time, without waiting.

    Args:
        memory: the memory to list.
        traits: what to list, and in which order.
        views: where listings are shown.
        on_records: called when the records in sight may have changed.
        clock: gives Unix seconds.

    Attributes:
        is_cancelled: whether the user has stopped the listing that the traits ask for.
        picks: what is chosen in the header of the table.
        cases: records that should perhaps be one.
        on_records: called when the records in sight may have changed.
    """

    def __init__(
        self,
        memory: MemoryPrimitive,
        traits: ExplorerTraits,
        views: Views,
        on_records: Callable[[], None],
        clock: Clock,
    ) -> None:
        self.is_cancelled = False
        self.picks = Picks()
        self._traits = traits
        self._views = views
        self.on_records = on_records
        self._clock = clock
        # Guards what was found; it is held for moments only.
        self._lock = RLock()
        self._found = Found(memory, Versions())
        # Held while records are listed, which may take seconds.
        self._looking = RLock()
        self._progress_sent_at = 0.0
        self._next_headings = 0.0
        self.cases = Cases(self, traits)
        self._review = NowAndThen(self.find_proposals, views.publish)
        self._decided = NowAndThen(self.cases.find, views.publish, _PATIENCE_WITH_CASES)

    @property
    def found(self) -> Found:
        """What was found last."""
        return self._found

    @property
    def memory(self) -> MemoryPrimitive:
        """The memory that is listed."""
        return self._found.memory

    def choose(self, memory: MemoryPrimitive) -> None:
        """Lists another memory from now on."""
        with self._lock:
            self._found = Found(memory, Versions())
            self.is_cancelled = False
            self._review.hurry()

    def request(self) -> ListingRequest:
        """What the traits ask for."""
        traits = self._traits
        return ListingRequest(
            self.memory,
            traits.query,
            traits.mode,
            dict(traits.filters),
            traits.sort_by,
            traits.descending,
            self._keys(),
        )

    def _keys(self) -> tuple[str, ...] | None:
        """Returns the keys of the finding that is chosen; None for all records."""
        examination = self._found.examination
        return None if examination is None else examination.keys_of(self._traits.finding)

    def take_examination(self, examination: Examination, memory: MemoryPrimitive) -> None:
        """Shows what the doctor has found in a memory, unless another one is shown by now."""
        self.update(memory, examination=examination)

    def is_current(self) -> bool:
        """Whether the listing is the one that the traits ask for."""
        listing = self._found.listing
        return listing is not None and listing.request == self.request()

    # ---- listing

    def refresh(self, message: int | None = None) -> None:
        """Lists the records and shows them; the caller waits for the listing.

        Args:
            message: the number of the message that this answers, if any.
        """
        with self._looking:
            self._look(_ignore)
        self._views.publish(message)
        self.on_records()

    def listing(self) -> Listing:
        """An up-to-date listing of all records that the traits ask for."""
        with self._looking:
            while True:
                self._look(_ignore)
                listing = self._found.listing
                if listing is not None:  # it is None if another memory has just been chosen
                    return listing

    def list_first(self, *, whole_if_needed: bool = False) -> None:
        """Lists the first rows, unless records are listed already.

        Args:
            whole_if_needed: list all records if the first rows cannot be known otherwise.
        """
        if self._found.listing is not None:
            return
        with self._looking:
            if self._found.listing is not None:
                return
            request = self.request()
            listing = first_rows(request, FIRST_WINDOW[1])
            if listing is None and whole_if_needed:
                listing = whole_listing(request, _ignore)
            if listing is not None:
                self._take(listing)

    def answer(self, message: int) -> None:
        """Lists what a message has asked for and shows it.

        Args:
            message: the number of the message. It is answered with "dropped" if another listing is
                wanted before this one is done.
        """
        try:
            with self._looking:
                self._look(self._progress_of(self.request()), hurry=True)
            self.prepare_view(again=True)
            self._finish()
            self._views.publish(message)
            self.on_records()
        except Superseded:
            self._views.answer(message, {"kind": "dropped"})
        except Exception as error:  # shown in the widget; the thread goes on
            self._fail(error, message)

    def look_around(self) -> float:
        """Lists the records again if they have changed, and shows them.

        Returns:
            The number of seconds to wait before the next call.
        """
        started = time.monotonic()
        pause = _PAUSE_ON_A_SERVER if self.memory.is_using_redis() else _PAUSE
        request = self.request()
        try:
            if not self._is_resting():
                self._look_again(request)
                self._views.forget_failure()
            self._show_headings()
            if self._traits.live:
                self._review.look()
            if self._traits.live and self._traits.view == RESOLVE:
                self._decided.look()
        except Superseded:
            return pause if self.is_cancelled else 0.0
        except Exception as error:  # shown in the widget, and tried again
            self._fail(error)
        return max(pause, PATIENCE * (time.monotonic() - started))

    def _look_again(self, request: ListingRequest) -> None:
        with self._looking:
            has_changed = self._look(self._progress_of(request), hurry=True)
        if has_changed:
            self.prepare_view(again=True)
            self._finish()
            if self.request() == request:
                self._views.publish()
            self.on_records()
        else:
            self._views.publish()  # the status may have changed

    def _is_resting(self) -> bool:
        """Whether the listing stays as it is, though records may have changed."""
        listing = self._found.listing
        if listing is None or not self.is_current():
            return False
        return self.is_cancelled or (listing.is_whole and not self._traits.live)

    def show_cancelled(self) -> None:
        """Shows what is listed when the user has stopped a listing."""
        self._finish()
        self._views.publish()

    def _look(self, on_progress: OnProgress, *, hurry: bool = False) -> bool:
        """Brings the listing up to date.

        Args:
            on_progress: as for `listing.whole_listing`.
            hurry: show the first rows before all are listed.

        Returns:
            Whether anything has changed.
        """
        request, before = self.request(), self._found.listing
        is_answered = before is not None and before.request == request
        if (
            before is not None
            and is_answered
            and before.is_whole
            and change_token(request.memory) == before.token
            and request.memory.sync.clock() < before.changes_at
        ):
            return False
        if hurry and not is_answered:
            first = first_rows(request, self._views.rows_needed())
            if first is not None:
                self._take(first)
                if first.is_whole:
                    return True
                self._views.publish()
        self._take(whole_listing(request, on_progress))
        return True

    def _take(self, listing: Listing) -> None:
        memory = listing.request.memory
        newest = memory.sync.entries(None, _SAMPLE)
        # The words of a question are in any field, so the column of matches would be full of all of them.
        query = "" if listing.request.ranks else listing.request.query
        hits = listing.entries[:_SAMPLE]
        fields = Fields.of([*newest, *hits], memory.namespace, query, hits)
        found = self._found
        if found.memory is memory:
            found.versions.add(reversed(newest))
        self.update(memory, listing=listing, fields=fields, is_loading=not listing.is_whole)

    def update(self, memory: MemoryPrimitive, **changes: Any) -> None:
        """Changes what was found, unless another memory has been chosen since."""
        with self._lock:
            if self._found.memory is memory:
                self._found = replace(self._found, **changes)

    # ---- progress

    def _progress_of(self, request: ListingRequest) -> OnProgress:
        """Shows the progress of a listing, and stops the listing when it is no longer needed."""

        def on_progress(what: str, done: int, total: int | None) -> None:
            if self.is_cancelled or self.request() != request:
                raise Superseded
            now = time.monotonic()
            if now - self._progress_sent_at > _PROGRESS_PAUSE:
                self._progress_sent_at = now
                self._views.broadcast(
                    {"kind": "progress", "what": what, "done": done, "total": total}
                )

        return on_progress

    def _finish(self) -> None:
        self.update(self.memory, is_loading=False)
        self._views.broadcast(NOTHING_TO_DO)

    def _fail(self, error: Exception, message: int | None = None) -> None:
        self.update(self.memory, is_loading=False)
        self._views.report(error, message)

    # ---- the header

    def _show_headings(self) -> None:
        """Shows what the header says of the columns, if that is out of date.

        While others write records and the request stays, it is worked out now and then only.
        """
        listing, summarized = self._found.listing, self._found.summarized
        is_asked = (
            listing is not None and summarized is not None and listing.request == summarized.request
        )
        if is_asked and listing is not summarized and time.monotonic() < self._next_headings:
            return
        started = time.monotonic()
        if self.summarize():
            self._views.publish()
            ended = time.monotonic()
            self._next_headings = ended + max(_HEADINGS_PAUSE, PATIENCE * (ended - started))

    def summarize(self) -> bool:
        """Works out what the header says of the columns that are shown.

        Returns:
            Whether anything was out of date.

        Raises:
            Superseded: another listing is wanted.
        """
        found = self._found
        listing = found.listing
        if listing is None or not listing.is_whole:
            return False

        def check() -> None:
            if self.request() != listing.request:
                raise Superseded

        done = found.headings if found.summarized is listing else {}
        columns = [each for each in found.columns(self._traits.columns) if each.name not in done]
        if not columns:
            return False
        made = headings_of(listing, columns, found.fields.columns, self.picks, check)
        with self._lock:
            now = self._found
            if now.listing is not listing:
                raise Superseded
            done = now.headings if now.summarized is listing else {}
            self._found = replace(now, headings={**done, **made}, summarized=listing)
        return True

    # ---- proposals

    def find_proposals(self) -> bool:
        """Looks up what agents have proposed for the memory; returns whether that has changed."""
        memory, before = self.memory, self._found.review
        review = Review(memory.sync.proposals())
        if review == before:
            return False
        self.update(memory, review=review)
        return True

    # ---- charts and filter menus

    def prepare_view(self, *, again: bool = False) -> None:
        """Works out what the chosen view shows; again after a listing, but for proposals, which are looked up now and then."""
        if self._traits.view in CHARTS:
            self.work_out_charts()
        elif self._traits.view == PROPOSALS and not again:
            self.find_proposals()
        elif self._traits.view == RESOLVE:
            self.cases.find()

    def work_out_charts(self) -> None:
        """Works out the data of the charts for what the traits ask for."""
        request = self.request()
        self.update(request.memory, charts=charts_of(request, self._clock()))

    def count_facets(self) -> None:
        """Counts what the filter menus offer."""
        memory = self.memory
        self.update(memory, facets=facets_of(memory, self._traits.filters.get("user")))

    def forget_facets(self) -> None:
        """Has the filter menus counted again when they are next opened."""
        self.update(self.memory, facets=None)
