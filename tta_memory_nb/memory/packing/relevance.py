"""From which relevance on a record answers a question at all: a threshold that each memory gives itself.

A memory is asked questions whose answers it cannot know: a few words that one of its records has, chosen at random, asked of all
other sessions, and of somebody whom the memory does not know, if it knows people. The best records for these
are found by chance alone. Nine of ten of them are below the threshold, unless it would refuse the records themselves that have these words as
well: where all records are alike, chance finds as good ones, and says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import TYPE_CHECKING, Any
from zlib import crc32

from ...entry import Entry, Unreadable
from ...filters import FilterArgs
from ...search.request import Found, Hit, SearchMode
from ...stores.plan import Call, Plan

if TYPE_CHECKING:
    from ..meaning import Meanings
    from ..verbs.listing import ListingVerbs

SHARE = 0.9
"""So many of the questions that a memory cannot answer are below the threshold."""

WITHOUT = 0.25
"""The threshold of a memory that is too small to be asked: a quarter of what a question asks."""

# So many questions are asked, or fewer if each takes an embedder long, of so many words each. Still fewer tell nothing.
_QUESTIONS, _OF_SLOW = 64, 16
_WORDS = 4
_LEAST = 16
# Words are taken from so many characters of a text, so that one record of megabytes does not hold everything up.
_MOST_READ = 20_000
# The best records of other sessions are looked for among so many.
_HITS = 50
# A threshold is kept until the memory has grown or shrunk by this share.
_CHANGE = 0.2
_MOST_KEPT = 32


@dataclass(slots=True)
class Thresholds:
    """The thresholds of a memory that were worked out, by what they hold for.

    Args:
        meanings: the embedder of the memory.
    """

    meanings: Meanings
    _kept: dict[tuple[Any, ...], tuple[int, float]] = field(default_factory=dict)

    def of(self, verbs: ListingVerbs, mode: SearchMode, filters: FilterArgs) -> Plan[float]:
        """Returns the threshold of the records of a user, a session or a prefix.

        Args:
            verbs: of the memory.
            mode: of the search.
            filters: only user, session and prefix are looked at.
        """
        scope: FilterArgs = {}
        for name in ("user", "session", "prefix"):
            if filters.get(name) is not None:
                scope[name] = filters[name]
        size = yield from verbs.count(**scope)
        place = (mode, verbs.options, *scope.items())
        size_then, threshold = self._kept.get(place, (-1, WITHOUT))
        if size_then < 0 or abs(size - size_then) > _CHANGE * size_then:
            is_slow = mode != "ranked" and self.meanings.is_slow
            enough = _OF_SLOW if is_slow else _QUESTIONS
            threshold = yield from _worked_out(verbs, mode, scope, enough)
            self._kept[place] = size, threshold
            if len(self._kept) > _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)), None)
        return threshold


def _worked_out(
    verbs: ListingVerbs, mode: SearchMode, scope: FilterArgs, enough: int
) -> Plan[float]:
    """Returns the threshold of some records, by asking them so many questions."""
    from ...search.ranked.parts import owner_of
    from ...search.ranked.relevance import relevance_of

    keys = yield from verbs.keys(**scope)
    chosen = nsmallest(4 * _QUESTIONS, keys, key=lambda key: (_random(key), key))
    entries = yield from verbs.peek(chosen)
    questions = list(_questions(entries, verbs.options.language))
    strangers = int(any(names for *_, names in questions))
    reached: list[float] = []
    own: list[float] = []
    for key, words, _ in questions:
        # A memory in this process answers at once: between two questions, others get their turn on a loop.
        yield Call(_pause)
        hits = yield from verbs.hits(" ".join(words), _HITS, mode, **scope)
        if isinstance(hits, Found) and hits.reading is not None and hits.reading.who:
            continue  # the name of somebody whom the memory knows
        session = owner_of(key)
        best = next((hit for hit in hits if _is_elsewhere(hit, key, session, owner_of)), None)
        reached.append(0.0 if best is None else relevance_of(best, strangers) or 0.0)
        own += (relevance_of(hit) or 0.0 for hit in hits if hit.entry.key == key)
        if len(reached) == enough:
            break
    if len(reached) < _LEAST:
        return WITHOUT
    reached.sort()
    threshold = max(WITHOUT, reached[int(SHARE * (len(reached) - 1))])
    # One of many equal records may not be among the best for its own words.
    own = sorted(own)
    refuses_own = not own or own[int((1 - SHARE) * len(own))] <= threshold
    return WITHOUT if refuses_own else threshold


def _pause() -> None:
    """Does nothing."""


def _is_elsewhere(hit: Hit, key: str, session: tuple[str, str], owner_of: Any) -> bool:
    found = hit.entry.key
    return found != key and (session == ("", "") or owner_of(found) != session)


def _questions(
    entries: list[Entry], language: str
) -> Iterator[tuple[str, list[str], frozenset[str]]]:
    """Yields the keys of records, words of them that are as good as random and always the same, and the people in their fields."""
    from ...search.ranked.parts import leaves_of
    from ...search.ranked.words import Words

    finder = Words(language)
    for entry in entries:
        if isinstance(entry, Unreadable):
            continue
        words: dict[str, str] = {}
        names: set[str] = set()
        for leaf in leaves_of(entry.value()):
            if leaf.kind == "who":
                names.add(leaf.text)
            elif leaf.kind == "text":
                for word in finder.of(leaf.text[:_MOST_READ]):
                    if not word.whole and word.text not in finder.stop_words:
                        words.setdefault(word.terms[0], word.text)
        if len(words) >= _WORDS - 1:
            chosen = nsmallest(
                _WORDS, words.values(), key=lambda word: (_random(entry.key + word), word)
            )
            yield entry.key, chosen, frozenset(names)


def _random(text: str) -> int:
    """Returns a number that is always the same for a text, and says nothing about it."""
    return crc32(text.encode("utf-8", "surrogatepass"))
