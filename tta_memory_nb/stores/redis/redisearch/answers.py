"""Searches of a memory that has its server answer them: no copy of the records is in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from ....entry import Entry, Unreadable
from ....errors import ServerError
from ....search.meaning import Meaning
from ....search.paging import in_order, part_of
from ....search.query import Query
from ....search.ranked.demands import fulfils
from ....search.ranked.similarity import question_text
from ....search.request import Found as Hits
from ....search.request import Hit, Search
from ...plan import Plan
from ..commands import Commands
from ..keys import encode_key
from ..operations import BATCH, pages
from ..wire import Command
from .around import Around
from .asking import is_exact, read_found, with_people, with_words
from .embedding import Embedding, Near
from .index import ServerIndex, is_missing
from .looking import Looking
from .matching import ServerMatch
from .questions import Asking, Questions
from .scoring import FIELDS, Scored

T = TypeVar("T")

Ask: TypeAlias = Callable[[int, int], tuple[Command, int]]
"""Makes the command for candidates from a place on, and for so many of them; with the number of an answer behind which
there may be more."""

# In memories of more records, similar meaning counts less; see `search.ranked.by_meaning`.
_SIZE = 1000

# So many candidates the server gives at first, and at most at a time.
_FIRST, _MOST = 100, 4096

# A word that more of the records have does not choose candidates if rarer words do.
_FREQUENT = 0.25


class ServerSearch:
    """Answers searches on the server. It takes the place of `sync.Sync`.

    Args:
        commands: what asks the server.
        index: of the namespace.
        by_graph: find vectors by a graph (HNSW), which misses some of the nearest.
    """

    def __init__(self, commands: Commands, index: ServerIndex, *, by_graph: bool) -> None:
        self._commands = commands
        self._index = index
        self._embedding = Embedding(commands, index, by_graph=by_graph)
        self._looking = Looking(commands)
        self._around = Around(commands, index)
        self._questions = Questions(commands, index, self._looking)

    def find(self, search: Search) -> Plan[list[Hit]]:
        """Returns the hits of a search, see `Store.find`."""
        if search.order == "newest":
            return (yield from self._as_ranked(search))
        hits = yield from self._as_ranked(search.for_all().in_order_of_mode())
        if search.mode != "keyword" and search.order in ("used", "oldest"):
            yield from self._read_recency([hit.entry for hit in hits])
        end = None if search.limit is None else search.offset + search.limit
        return part_of(in_order(hits, search.order), search.offset, end)

    def _as_ranked(self, search: Search) -> Plan[list[Hit]]:
        """Returns the hits of a search in the order of its mode."""
        if search.mode == "keyword":
            return self._looking.find(search)
        return self._tried(lambda: self._find(search))

    def _read_recency(self, entries: Sequence[Entry]) -> Plan[None]:
        """Asks for the places of entries in the order of use."""
        for page in pages(entries):
            keys = [encode_key(entry.key) for entry in page]
            places = yield ("ZMSCORE", self._commands.keys[1], *keys)
            for entry, place in zip(page, places, strict=True):
                entry._recency = int(float(place or 0))

    def count(self, search: Search) -> Plan[int]:
        """Returns how many records match."""
        if search.mode == "keyword":
            return (yield from self._looking.count(search))
        return (yield from self._tried(lambda: self._count(search)))

    def _count(self, search: Search) -> Plan[int]:
        asking = yield from self._questions.read(search)
        if not asking.query:
            return 0
        if asking.question.demands or not is_exact(search.filters):
            return len((yield from self._find(search.for_all())))
        [found] = yield from self._index.replies([self._index.asked(asking.query)])
        # A search also gives records around others that have no word of the query themselves.
        first = next(self._rounds(asking, search, None))
        new, _ = yield from self._candidates(search, asking, None, first, 0, _FIRST, {})
        around = sum(not scored.shares for scored in new.values()) if asking.question.terms else 0
        return read_found(found).total + around

    def candidate_keys(self, search: Search) -> Plan[list[str]]:
        """Returns the keys of all records that may match, newest first."""
        return self._looking.candidate_keys(search)

    def load_all(self) -> Plan[None]:
        """Has the server index all records; nothing is loaded."""
        yield from self._index.catch_up()

    def _tried(self, search: Callable[[], Plan[T]]) -> Plan[T]:
        """Carries a search out, again if the index is another one before the search is over."""
        for is_last in (False, False, True):
            try:
                return (yield from search())
            except ServerError as error:
                if is_last or not is_missing(error):
                    raise
        raise AssertionError  # the last one has raised or returned

    # ---- ranked

    def _find(self, search: Search) -> Plan[list[Hit]]:
        """Returns the records that answer, by their score, the best first.

        The server gives candidates, some at a time. What filters and demands ask for besides is looked at here.
        """
        asking = yield from self._questions.read(search)
        near = None
        if search.meaning is not None:
            near = yield from self._near(search, search.meaning, asking)
            if near is None:
                return Hits((), asking.question.reading)
        wanted = None if search.limit is None else search.limit + search.offset
        hits: dict[str, Hit] = {}
        seen: dict[str, Scored] = {}
        for round_ in self._rounds(asking, search, near):
            at, count, more = 0, _FIRST, True
            while more and (wanted is None or len(hits) < wanted):
                new, more = yield from self._candidates(
                    search, asking, near, round_, at, count, seen
                )
                seen |= new
                yield from self._confirm(search, asking, new, wanted, hits)
                at, count = at + count, min(_MOST, 4 * count)
        best = sorted(hits.values(), key=lambda hit: (-hit.score, -hit.entry._write_seq))
        return Hits(best[search.offset : wanted], asking.question.reading)

    def _candidates(
        self,
        search: Search,
        asking: Asking,
        near: Near | None,
        round_: Sequence[Ask],
        at: int,
        count: int,
        seen: Mapping[str, Scored],
    ) -> Plan[tuple[dict[str, Scored], bool]]:
        """Returns some candidates that were not seen yet, and whether there may be more.

        Those that come first bring the records around the best of them.
        """
        new: dict[str, Scored] = {}
        more = False
        commands, sizes = zip(*(ask(at, count) for ask in round_), strict=True)
        replies = yield from self._index.replies(commands)
        for reply, size in zip(replies, sizes, strict=True):
            found = read_found(reply)
            more = more or len(found.shadows) >= size
            for name, shadow in found.shadows:
                key = self._index.key_of(name)
                if key not in seen and key not in new:
                    new[key] = asking.scores.of(shadow, near)
        if not seen and search.mode != "semantic":
            yield from self._around.add(asking, search, new)
        if near is not None:
            new = {key: scored for key, scored in new.items() if scored.score > 0}
        return new, more

    def _near(self, search: Search, meaning: Meaning, asking: Asking) -> Plan[Near | None]:
        """Returns what compares records with the question; None if vectors are missing."""
        question, weight = asking.question, 1.0
        if search.mode == "hybrid":
            share = min(1.0, (_SIZE / max(1, asking.size)) ** (1 / 3))
            weight = search.options.weights.meaning * meaning.weight * share
        text = question_text(question.said, question.who, self._index.words.of(question.said))
        return (yield from self._embedding.near(text, meaning, weight))

    def _confirm(
        self,
        search: Search,
        asking: Asking,
        scored: dict[str, Scored],
        wanted: int | None,
        hits: dict[str, Hit],
    ) -> Plan[None]:
        """Reads candidates, the best first, and keeps those that filters and demands accept.

        Args:
            search: what is asked.
            asking: the same, as it was read.
            scored: key of each candidate, and its score.
            wanted: how many hits are enough; None for all.
            hits: takes them.
        """
        accepts, words, question = Query(search).accepts, self._index.words, asking.question
        best = sorted(scored, key=lambda key: -scored[key].score)
        enough = BATCH if wanted is None else min(BATCH, 2 * wanted)
        for page in pages(best, enough):
            least = min((hit.score for hit in hits.values()), default=0.0)
            # Of equally good ones the newest comes first, so all of these are read.
            if wanted is not None and len(hits) >= wanted and scored[page[0]].score < least:
                return
            for entry in (yield from self._commands.peek(page)):
                if isinstance(entry, Unreadable) or (accepts is not None and not accepts(entry)):
                    continue
                if question.demands and not fulfils(
                    entry.key, entry.value(), question.demands, words
                ):
                    continue
                found = scored[entry.key]
                match = ServerMatch(question, words, found, asking.scores.asked)
                hits[entry.key] = Hit(entry, found.score, match)

    def _rounds(self, asking: Asking, search: Search, near: Near | None) -> Iterator[list[Ask]]:
        """Yields what to ask the server for, until enough is found: commands for ``at`` and ``count``."""
        fields = FIELDS if near is None else (*FIELDS, near.field)

        def by_words(query: str) -> Ask:
            return lambda at, count: (self._index.asked(query, at, count, fields), count)

        nearest: list[Ask] = []
        if near is not None:
            # Equally near ones come in another order each time, so the first ones are asked for again.
            nearest = [
                lambda at, count: (
                    near.asked(self._index, asking.narrow, at + count, fields),
                    at + count,
                )
            ]
        if search.mode == "semantic":
            yield nearest
            return
        rare = [
            each.term
            for term in asking.question.terms
            for each in term.variants
            if 0 < asking.counts.get(each.term, 0) <= _FREQUENT * asking.size
        ]
        if rare:
            query = f"{with_words(rare)} {asking.narrow}"
            people = asking.question.who
            of_people = [by_words(f"{with_people(people)} {query}")] if people else []
            yield [*of_people, by_words(query), *nearest]
        if asking.query or nearest:
            yield [*([by_words(asking.query)] if asking.query else ()), *nearest]
