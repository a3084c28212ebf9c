"""Reads questions as `search.ranked.question` does, with what a server says of words and names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from time import monotonic
from typing import NamedTuple

from ....search.ranked.question import Question, RecordsOf, read, words_of
from ....search.ranked.spelling import mistakes_between, most_mistakes, nearest_of
from ....search.ranked.words import Word, Words, is_unspaced
from ....search.request import Search
from ...plan import Plan
from ..commands import Commands
from ..wire import Command
from .asking import (
    narrowed,
    read_found,
    read_spellings,
    spelt_nearly,
    with_name_part,
    with_people,
    with_words,
)
from .index import ServerIndex
from .looking import Looking
from .scoring import Scores
from .shadows import text_of, word_of

# So many words of a query are looked up at most, and so many may begin a name of up to three words.
_MOST_WORDS, _MOST_NAMES = 128, 16

# So many records are many enough to know their count for some seconds, and of so many queries at most.
_MANY, _KEPT, _MOST_KEPT = 1000, 60.0, 10_000

# So many records tell which fields there are, or whose names have a word.
_SAMPLE = 64


@dataclass(slots=True)
class Known:
    """What reading a query takes of the memory, as far as the server can say; see `question.Vocabulary`.

    Attributes:
        words: finds the terms of texts.
        fields: the names of fields, in small letters.
        people: the names of people.
        spelt_nearly: term -> terms of the memory that are spelt nearly like it.
        misspelt: unknown terms of which that was not asked yet, and would be.
    """

    words: Words
    fields: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    spelt_nearly: dict[str, list[str]] = field(default_factory=dict)
    misspelt: dict[str, None] = field(default_factory=dict)

    def names_with(self, part: str) -> list[str]:
        """Returns the names of several words that have a word."""
        return sorted(name for name in self.people if " " in name and part in name.split())

    def pairs_with(self, character: str) -> list[str]:  # noqa: ARG002
        """Returns nothing: the server finds whole terms only."""
        return []

    def spelt_like(self, term: str, records_of: RecordsOf) -> str | None:
        """Returns the known term that an unknown one was probably meant to be; notes one that has to be asked for."""
        if term in self.spelt_nearly:
            return nearest_of(term, self.spelt_nearly[term], records_of)
        if most_mistakes(term) and word_of(term) == f"t{term}":
            self.misspelt[term] = None
        return None


@dataclass(frozen=True, slots=True)
class Asking:
    """A question as the server gets it.

    Attributes:
        question: what is asked.
        scores: scores what answers.
        counts: term -> how many records have it.
        size: how many records pass the filters.
        narrow: the query for what passes the filters, as far as the server can tell.
        query: the query for what answers; empty if nothing can.
    """

    question: Question
    scores: Scores
    counts: dict[str, int]
    size: int
    narrow: str
    query: str


class _Counted(NamedTuple):
    """What a server has counted for a query.

    Attributes:
        terms: term -> how many records have it.
        names: name -> how many records are of that person.
        size: how many records pass the filters.
        mean: how many words a record has on average.
        narrow: the query for what passes the filters, without records that have expired.
        note: what to tell the user; empty for nothing.
    """

    terms: dict[str, int]
    names: dict[str, int]
    size: int
    mean: float
    narrow: str
    note: str


class Counts:
    """How many records have a frequent word, or are of a frequent person: known for a minute.

    The server looks at each of them to count them. One more or less changes no score that anybody sees.
    """

    def __init__(self) -> None:
        self._generation = b""
        self._known: dict[str, tuple[int, float]] = {}

    def of(self, queries: Iterable[str], generation: bytes) -> dict[str, int]:
        """Returns the counts of queries; those that are missing have to be asked for."""
        now, known = monotonic(), self._known if generation == self._generation else {}
        found = ((query, known.get(query, (0, 0.0))) for query in queries)
        return {query: count for query, (count, until) in found if now < until}

    def keep(self, counts: Mapping[str, int], generation: bytes) -> None:
        """Keeps the counts of queries that many records answer."""
        if generation != self._generation or len(self._known) > _MOST_KEPT:
            self._generation, self._known = generation, {}
        until = monotonic() + _KEPT
        self._known |= {query: (count, until) for query, count in counts.items() if count >= _MANY}


class Questions:
    """Reads the questions of one memory, as plans.

    Args:
        commands: what asks the server.
        index: of the namespace.
        looking: looks at records.
    """

    def __init__(self, commands: Commands, index: ServerIndex, looking: Looking) -> None:
        self._commands = commands
        self._index = index
        self._looking = looking
        self._counts = Counts()

    def read(self, search: Search) -> Plan[Asking]:
        """Returns a question as the server gets it; the index is up to date then."""
        index, text, filters = self._index, search.text or "", search.filters
        words = index.words
        known = Known(words)
        if ":" in text:
            known.fields = yield from self._looking.fields(_SAMPLE)
        found = words_of(text, known)
        content = [word for word in found if word.text not in words.stop_words]
        terms, names = _terms_of(content or found), _names_of(found)
        counted = yield from self._counted(terms, names, narrowed(filters))
        counts, people, narrow = counted.terms, counted.names, counted.narrow
        parts = [
            word.text
            for word in found[:_MOST_NAMES]
            if not people.get(word.text) and not any(map(counts.get, word.terms))
        ]
        people |= yield from self._names_with(parts, narrow)
        known.people = {name for name, count in people.items() if count}

        def read_it() -> Question:
            return read(
                text,
                known,
                lambda term: counts.get(term, 0),
                lambda name: people.get(name, 0),
                counted.size,
                search.mode,
            )

        question = read_it()
        if known.misspelt:
            counts |= yield from self._spell(known, narrow)
            question = read_it()
        if counted.note:
            question.reading = question.reading.noting(counted.note)
        query = _query(question, narrow)
        is_semantic = search.mode == "semantic"
        if is_semantic:
            question.terms = []
        scores = Scores(
            question,
            search.options.weights,
            counts,
            counted.size,
            counted.mean,
            is_semantic=is_semantic,
        )
        return Asking(question, scores, counts, counted.size, narrow, query)

    def _counted(self, terms: Sequence[str], names: Sequence[str], narrow: str) -> Plan[_Counted]:
        """Has the server count the records that have terms, and those of people; brings the index up to date before.

        Args:
            terms: what a query may look for.
            names: what may be the name of a person in it.
            narrow: the query for what passes the filters; empty for all.
        """
        index, keys, now = self._index, self._commands.keys, self._commands.clock()
        is_narrowed, note = bool(narrow), ""
        while True:
            generation = index.generation
            having = {each: f"{with_words((each,))} {narrow}" for each in terms}
            known = self._counts.of(having.values(), generation)
            unknown = [each for each in having.values() if each not in known]
            # Most questions name nobody, so one query for all names comes first.
            anybody = [f"{with_people(names)} {narrow}"] if names else []

            def questions(
                narrow: str = narrow, queries: Sequence[str] = (*unknown, *anybody)
            ) -> list[Command]:
                return [
                    index.asked(narrow) if is_narrowed else ("ZCARD", keys[1]),
                    ("ZCOUNT", keys[2], "-inf", repr(now)),
                    ("HMGET", keys[3], "index_words", "index_counted"),
                    *map(index.asked, queries),
                ]

            replies, told = yield from index.ask(questions)
            note = note or told
            size, expired, total, *rest = replies
            # Most often no record has expired that is there yet, and to leave such out takes the server long.
            if generation != index.generation:  # what was kept is of another one
                continue
            if not expired or "@x:" in narrow:
                break
            narrow = f"{narrow} -@x:[-inf {now!r}]".strip()
        new = dict(
            zip((*unknown, *anybody), (read_found(each).total for each in rest), strict=True)
        )
        people = dict.fromkeys(names, 0)
        if anybody and new.pop(anybody[0]):
            people = yield from self._counted_people(names, narrow)
        self._counts.keep(new, index.generation)
        known |= new
        words, records = (int(each or 0) for each in total)
        return _Counted(
            {each: known[query] for each, query in having.items()},
            people,
            read_found(size).total if is_narrowed else size - expired,
            words / max(1, records),
            narrow,
            note,
        )

    def _counted_people(self, names: Sequence[str], narrow: str) -> Plan[dict[str, int]]:
        """Returns of each name how many records are of that person."""
        index = self._index
        being = {each: f"{with_people((each,))} {narrow}" for each in names}
        known = self._counts.of(being.values(), index.generation)
        unknown = [each for each in being.values() if each not in known]
        if unknown:
            replies = yield from index.replies([index.asked(each) for each in unknown])
            new = dict(zip(unknown, (read_found(each).total for each in replies), strict=True))
            self._counts.keep(new, index.generation)
            known |= new
        return {each: known[query] for each, query in being.items()}

    def _spell(self, known: Known, narrow: str) -> Plan[dict[str, int]]:
        """Asks for terms that are spelt nearly like unknown ones; returns of each how many records have it."""
        index = self._index
        asked = list(known.misspelt)
        replies = yield from index.replies([spelt_nearly(index.name, term) for term in asked])
        for term, reply in zip(asked, replies, strict=True):
            known.spelt_nearly[term] = [
                near
                for word in read_spellings(reply)
                if (near := text_of(word))
                and mistakes_between(term, near, most_mistakes(term)) <= most_mistakes(term)
            ]
        terms = list(dict.fromkeys(chain.from_iterable(known.spelt_nearly.values())))
        if not terms:
            return {}
        queries = [index.asked(f"{with_words((term,))} {narrow}") for term in terms]
        found = yield from index.replies(queries)
        return {term: read_found(each).total for term, each in zip(terms, found, strict=True)}

    def _names_with(self, parts: Sequence[str], narrow: str) -> Plan[dict[str, int]]:
        """Returns names of several words that have a word which no text has: of each, that there are records."""
        if not parts:
            return {}
        index = self._index
        commands = [
            index.asked(f"{with_name_part(part)} {narrow}", 0, _SAMPLE, ("p",)) for part in parts
        ]
        names: dict[str, int] = {}
        for reply in (yield from index.replies(commands)):
            for _, shadow in read_found(reply).shadows:
                tags = shadow.get(b"p", b"").decode().split(",")
                names |= {name: 1 for tag in tags if (name := text_of(tag)) and " " in name}
        return names


def _query(question: Question, narrow: str) -> str:
    """Returns the query for all that may answer a question; empty if nothing can."""
    parts = []
    terms = [each.term for term in question.terms for each in term.variants]
    if terms:
        parts.append(with_words(terms))
    elif question.who:
        parts.append(with_people(question.who))
    elif not question.demands:
        return ""
    for demand in question.demands:
        if demand.field is not None:
            continue
        if not demand.excluded:
            parts += [with_words((term,)) for word in demand.words for term in word.terms]
        elif len(demand.words) == 1 and not demand.exact:
            parts.append(f"-{with_words(demand.words[0].terms)}")
    # A query must not have exclusions alone.
    return " ".join((*parts, narrow)).strip() or "*"


def _terms_of(words: Sequence[Word]) -> list[str]:
    """Returns the terms that reading a query may ask for; of unspaced scripts also the single characters."""
    terms: dict[str, None] = {}
    for word in words[:_MOST_WORDS]:
        for term in word.terms:
            terms[term] = None
            if len(term) == 2 and not term.isascii() and is_unspaced(term):
                terms.update(dict.fromkeys(term))
    return list(terms)


def _names_of(words: Sequence[Word]) -> list[str]:
    """Returns what may be the name of a person in a query: up to three words in a row."""
    texts = [word.text for word in words[:_MOST_NAMES]]
    names = {
        " ".join(texts[at : at + size]): None
        for size in (1, 2, 3)
        for at in range(len(texts) - size + 1)
    }
    return list(names)
