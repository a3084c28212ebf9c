"""The index of the modes that rank: which lists it keeps, and what it answers.

A write indexes nothing. The first search of such a mode indexes all records, and later ones what was
written since. The store's dict of entries is the one truth: a slot counts only while the entry under its
key is that of the same write. So that statistics count no record that is gone, a search first finds out
which slots are dead: the number of entries says whether there are any.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter

from ...entry import Entry
from ...filters import EVERYTHING
from ..options import DEFAULT_OPTIONS, SearchOptions
from ..query import Entries, Query, used_since
from ..request import Found, Hit, SearchMode
from .best import rank_best
from .by_meaning import ByMeaning
from .demands import allowed, fulfils, undecided
from .explain import RankedMatch
from .filtered import FilteredViews
from .lists import Lists
from .question import Question, read
from .scoring import Ranking, Statistics, rank
from .views import View, sorted_view
from .words import Words

# After so many records a build looks at the clock.
_BETWEEN_LOOKS = 64


class RankedIndex:
    """An `Index` for ranked search. Callers hold the store's lock.

    Args:
        capacity: how many entries the store may hold.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._options = DEFAULT_OPTIONS
        self._words: Words | None = None
        self.clear()

    def clear(self) -> None:
        """Starts over."""
        self._lists: Lists | None = None
        self._by_meaning = ByMeaning()
        self._last: tuple[tuple[str, SearchMode], Statistics, Question] | None = None
        self._view: View | None = None
        self._new: list[int] = []
        self._gone: list[int] = []
        self._back: list[str] = []
        # Entries that have to be looked at, the oldest last. Some may be gone by now.
        self._queue: list[Entry] = []
        self._views = FilteredViews()
        # Entries of a higher recency were written or read since the index was brought up to date, and since
        # the queue was filled.
        self._seen = self._seen_then = 0

    @property
    def is_built(self) -> bool:
        """Whether searches have made it index anything yet."""
        return self._lists is not None

    def restored(self, entries: Iterable[Entry]) -> None:
        """Takes in entries that come back with a recency they had before."""
        if self._lists is not None:
            self._back += [entry.key for entry in entries]

    # ---- answers

    def find(self, entries: Entries, query: Query, limit: int | None) -> list[Hit]:
        """Returns the best hits, the best first; all of them when the limit is None."""
        ranking, lists = self.ranking(entries, query, limit)
        demands = undecided(ranking.question.demands)
        found: list[Hit] = []
        for number in ranking.best(None if demands else limit).tolist():
            key = ranking.view.key(int(ranking.places[number]))
            entry, slot = entries.get(key), lists.slots.get(key)
            if entry is None or slot is None or entry._write_seq != lists.writes[slot]:
                continue  # a signal handler has written meanwhile
            if demands and not fulfils(key, entry.value(), demands, lists.words):
                continue
            match = RankedMatch(ranking, number, lists.words)
            found.append(Hit(entry, float(ranking.scores[number]), match))
            if len(found) == limit:
                break
        return Found(found, ranking.question.reading)

    def count(self, entries: Entries, query: Query) -> int:
        """Returns how many entries match."""
        ranking, _ = self.ranking(entries, query, None)
        if ranking.question.demands:
            return len(self.find(entries, query, None))
        return len(ranking.places)

    def candidates(self, entries: Entries, query: Query) -> list[Entry]:
        """Returns all entries that match, the best first."""
        return [hit.entry for hit in self.find(entries, query, None)]

    def ranking(self, entries: Entries, query: Query, limit: int | None) -> tuple[Ranking, Lists]:
        """Returns the records that answer a query, with their scores, and the lists they are from.

        Args:
            entries: all entries.
            query: what is asked.
            limit: how many of the best are wanted; others may be left out.
        """
        lists = self._current(entries, query.options)
        view = self._view_of(entries, query, lists)
        statistics, question = self._read(query, lists, view)
        may_answer = allowed(statistics, question.demands)
        weights, meaning = query.options.weights, query.search.meaning
        if meaning is None:
            best = None
            if limit is not None and not question.demands:
                best = rank_best(statistics, question, weights, limit)
            return best or rank(statistics, question, weights, may_answer), lists
        ranking = self._by_meaning.rank(
            query.search.mode,
            statistics,
            question,
            weights,
            may_answer,
            entries,
            meaning,
            limit,
        )
        return ranking, lists

    def _read(self, query: Query, lists: Lists, view: View) -> tuple[Statistics, Question]:
        """Returns the statistics of a view, and what a query asks of it.

        A search by meaning is asked again when the vectors that it lacks have been made, which is
        why the last one is kept.
        """
        text = query.text or ""
        mode: SearchMode = "ranked" if query.search.meaning is None else query.search.mode
        last = self._last
        if last is not None and last[0] == (text, mode) and last[1].view is view:
            return last[1:]
        statistics = Statistics(view, lists)
        records_of, people_of = statistics.records_of, statistics.people_of
        question = read(text, lists, records_of, people_of, len(view), mode)
        self._last = (text, mode), statistics, question
        return statistics, question

    # ---- views

    def _current(self, entries: Entries, options: SearchOptions) -> Lists:
        """Returns the lists, brought up to date."""
        self.update(entries, options, None)
        assert self._lists is not None
        if self._view is None or self._new or self._gone:
            self._refresh(self._lists)
        return self._lists

    def _refresh(self, lists: Lists) -> None:
        """Makes the view of all records anew, after some were added or are gone."""
        if lists.needs_compaction:
            self._by_meaning.compact(lists.compact())
            self._view, self._views = None, FilteredViews()
        lists.settle()
        if self._view is None:
            self._view = sorted_view(lists, lists.slots.all())
        else:
            gone = set(self._gone)
            new = [slot for slot in self._new if slot not in gone]
            self._view = self._view.changed(new, gone)
            self._views.note(new, gone)
        self._new, self._gone = [], []

    def _view_of(self, entries: Entries, query: Query, lists: Lists) -> View:
        """Returns the view of the records that pass the filters of a query."""
        whole = self._view
        assert whole is not None
        if query.filters is EVERYTHING:
            return whole
        return self._views.of(entries, query, lists, whole)

    # ---- keeping up

    def update(self, entries: Entries, options: SearchOptions, seconds: float | None) -> int:
        """Takes in what was written, read and deleted since the last time.

        Args:
            entries: all entries.
            options: of the search; a search in another language starts over.
            seconds: when to stop at the latest, give or take some milliseconds; None: when done.

        Returns:
            How many entries are still unindexed.
        """
        if options.language != self._options.language or self._words is None:
            words = Words(options.language)
            self.clear()
            self._options, self._words = options, words
        back = [entry for key in self._back if (entry := entries.get(key)) is not None]
        if self._lists is None:
            self._lists = Lists(self._words)
        try:
            left = self._take_in(entries, seconds)
            if not left:
                for entry in back:
                    self._take(entry)
                self._back = []
                self._find_dead(entries)
        except BaseException:  # Ctrl-C as well: half of a change would be worse than no index
            self.clear()
            raise
        return left

    def build(self, entries: Entries, seconds: float | None) -> int:
        """Does the work that searches have put off, if there was a search of this mode.

        Args:
            entries: all entries.
            seconds: when to stop at the latest, give or take some milliseconds; None: when done;
                0: at once.

        Returns:
            How many entries are still unindexed.
        """
        if self._lists is None:
            return 0
        if seconds == 0:
            return len(self._queue) or len(used_since(entries, self._seen))
        return self.update(entries, self._options, seconds)

    def _take_in(self, entries: Entries, seconds: float | None) -> int:
        """Takes in the entries that wait, and returns how many wait still."""
        started, lists = perf_counter(), self._lists
        assert lists is not None
        while True:
            queue = self._queue
            if not queue:
                # Not earlier: an entry that is read while it waits gets a higher recency than others have.
                self._seen = self._seen_then
                queue = self._queue = used_since(entries, self._seen)
                queue.reverse()
                if not queue:
                    return 0
                if not len(lists):
                    lists.reserve(len(queue))
                self._seen_then = queue[0]._recency
            for _ in range(min(_BETWEEN_LOOKS, len(queue))):
                entry = queue.pop()
                if entries.get(entry.key) is entry:
                    self._take(entry)
            if seconds is not None and queue and perf_counter() - started >= seconds:
                return len(queue)

    def _take(self, entry: Entry) -> None:
        """Takes in one entry that was written or read."""
        lists = self._lists
        assert lists is not None
        slot = lists.slots.get(entry.key)
        if slot is not None:
            if lists.writes[slot] == entry._write_seq:
                lists.use(slot, entry._recency)
                return
            self._gone.append(slot)
        slot = lists.add(entry)
        if self._view is not None:  # the first view takes all slots
            self._new.append(slot)

    def _find_dead(self, entries: Entries) -> None:
        """Finds the slots of entries that are gone."""
        lists = self._lists
        assert lists is not None
        if len(lists.slots) == len(entries):
            return
        # Evicted entries were used less recently than all others.
        oldest = next(iter(entries.values()))._recency if entries else self._seen + 1
        before = lists.used_before(oldest)
        self._gone += lists.kill(key for key in before if key not in entries)
        if len(lists.slots) != len(entries):
            keys = (lists.keys[slot] for slot in lists.slots.all().tolist())
            self._gone += lists.kill(key for key in keys if key not in entries)
