"""A query, read: which words it looks for, whom and when it names, and what it demands.

The syntax: ``"some words"`` must stand in the record like this, ``-word`` must not be in it,
``field:word`` must be in that field, and ``user:name`` must be who the record is of. Everything else
is a question in plain words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..request import Reading, SearchMode, Signal
from .dates import Asked, asks_when, dates_in
from .spelling import mistakes_between
from .words import PICTURES, Word, Words, is_unspaced

MOST_TERMS = 64
"""So many terms of a query count at most, the rarest."""

MOST_CHARACTERS = 20_000
"""So many characters of a query are read, since that is done while the memory is locked."""

_MOST_CORRECTED = 8
_MOST_DATES = 8
_SHORT_STEM = 4
_MOST_PAIRS = 100
_PART_OF_PAIR = 0.5
_LONGEST_NAME = 3

_PART = re.compile(
    rf"""(?<!\S)(?P<minus>-(?=[^\W_]|["“{PICTURES}]))?(?:(?P<field>[^\W\d][\w.]*):(?=[^\s/]))?"""
    r"""(?P<body>"[^"]+"|“[^”]+”|\S+)"""
)

RecordsOf = Callable[[str], int]
"""Returns how many of the records that pass the filters have a term."""


class Vocabulary(Protocol):
    """What reading a query takes of a memory; `lists.Lists` has it."""

    @property
    def words(self) -> Words:
        """Finds the terms of texts."""
        ...

    @property
    def fields(self) -> Container[str]:
        """The names of fields, in small letters."""
        ...

    @property
    def people(self) -> Container[str]:
        """The names of people, as their words joined by spaces."""
        ...

    def names_with(self, part: str) -> list[str]:
        """Returns the names of several words that have a word."""
        ...

    def pairs_with(self, character: str) -> list[str]:
        """Returns the pairs of characters of unspaced scripts that have a character."""
        ...

    def spelt_like(self, term: str, records_of: RecordsOf) -> str | None:
        """Returns the known term that an unknown one was probably meant to be."""
        ...


class Variant(NamedTuple):
    """One way in which a record can have a term of a query.

    Attributes:
        term: as the index has it.
        factor: how much it counts.
        signal: what it counts as.
    """

    term: str
    factor: float = 1.0
    signal: Signal = "words"


class Term(NamedTuple):
    """A term of a query.

    Attributes:
        asked: the word of the query.
        variants: ways to have it, of which the best one counts; the first is the term itself.
    """

    asked: str
    variants: tuple[Variant, ...]


class Demand(NamedTuple):
    """A condition of a query.

    Attributes:
        words: the words that must, or must not, be there one after the other.
        exact: whether the words themselves are meant, and not their terms.
        field: the field where; None for anywhere.
        excluded: whether they must not be there.
    """

    words: tuple[Word, ...]
    exact: bool
    field: str | None
    excluded: bool


@dataclass(slots=True)
class Question:
    """A query, read.

    Attributes:
        terms: what is looked for.
        who: names of people, as `Lists.people` has them.
        dates: dates that the query names.
        asks_when: whether it asks for an instant.
        demands: its conditions.
        reading: how it was understood, for people.
        said: the text without its syntax and what it excludes.
    """

    terms: list[Term] = field(default_factory=list)
    who: list[str] = field(default_factory=list)
    dates: list[Asked] = field(default_factory=list)
    asks_when: bool = False
    demands: list[Demand] = field(default_factory=list)
    reading: Reading = field(default_factory=lambda: Reading(mode="ranked"))
    said: str = ""


def read(
    text: str,
    lists: Vocabulary,
    records_of: RecordsOf,
    people_of: RecordsOf,
    size: int,
    mode: SearchMode,
) -> Question:
    """Reads a query.

    Args:
        text: the query as its user wrote it.
        lists: the terms, people and fields of the memory.
        records_of: returns how many records have a term.
        people_of: returns how many records are of a person.
        size: how many records pass the filters.
        mode: the mode that is carried out.
    """
    unread = max(0, len(text) - MOST_CHARACTERS)
    text = text[:MOST_CHARACTERS]
    words: list[Word] = []
    demands: list[Demand] = []
    plain: list[str] = []
    wanted: list[str] = []
    for piece, demanded in _pieces(text, lists.fields):
        found = lists.words.of(piece)
        if demanded is None:
            plain.append(piece)
            words += found
            continue
        demand = _demand(found, *demanded)
        if demand is not None:
            demands.append(demand)
            if not demand.excluded and demand.field != "user":
                words += found
                wanted.append(piece)
    said = " ".join(plain)
    dates = list(dict.fromkeys(dates_in(said)))[:_MOST_DATES]
    # A condition that is written twice is one condition.
    demands = list(dict.fromkeys(demands))
    question = Question(demands=demands, dates=dates, asks_when=asks_when(said))
    question.said = " ".join((*plain, *wanted))
    words = _take_people(words, lists, people_of, records_of, question.who)
    dropped = [word.text for word in words if word.text in lists.words.stop_words]
    left = [word for word in words if word.text not in lists.words.stop_words]
    if not left and not question.who:
        left, dropped = words, []
    corrected, unknown = _take_terms(left, lists, records_of, question.terms)
    question.reading = Reading(
        mode=mode,
        words=tuple(dict.fromkeys(term.asked for term in question.terms)),
        who=tuple(question.who),
        dropped=tuple(dict.fromkeys(dropped)),
        corrected=tuple(corrected),
        unknown=tuple(unknown),
        unread=unread,
        records=size,
    )
    return question


def words_of(text: str, lists: Vocabulary) -> list[Word]:
    """Returns the words of a query, in their order, with those of its demands."""
    return [word for piece, _ in _pieces(text, lists.fields) for word in lists.words.of(piece)]


def demands_in(text: str, fields: Container[str], words: Words) -> Iterator[Demand]:
    """Yields the conditions of a query.

    Args:
        text: the query as its user wrote it.
        fields: the names of the fields that there are, in small letters.
        words: finds the words of texts.
    """
    for piece, demanded in _pieces(text[:MOST_CHARACTERS], fields):
        if demanded is not None and (demand := _demand(words.of(piece), *demanded)):
            yield demand


def _demand(found: Sequence[Word], exact: bool, name: str | None, excluded: bool) -> Demand | None:
    """Returns the condition that words are somewhere, or are not; None without a word."""
    spelt = tuple(word for word in found if not word.whole)
    return Demand(spelt, exact, name, excluded) if spelt else None


def _pieces(
    text: str, fields: Container[str]
) -> Iterator[tuple[str, tuple[bool, str | None, bool] | None]]:
    """Yields the pieces of a query, each with what it demands: exact, field, excluded; or None."""
    for part in _PART.finditer(text):
        body, name, minus = part["body"], part["field"], bool(part["minus"])
        is_field = name is not None and (
            name.lower() == "user" or name.lower().rpartition(".")[2] in fields
        )
        quoted = len(body) > 2 and body[0] + body[-1] in ('""', "“”")
        inside = body[1:-1] if quoted else body
        if is_field or quoted or (minus and name is None):
            before = f"{name}:" if name is not None and not is_field else ""
            wanted = name.lower() if is_field and name is not None else None
            yield before + inside, (quoted, wanted, minus)
        else:
            yield part[0], None


def _take_people(
    words: list[Word],
    lists: Vocabulary,
    people_of: RecordsOf,
    records_of: RecordsOf,
    who: list[str],
) -> list[Word]:
    """Moves the names of people from the words to ``who``; returns the words that are left."""
    left: list[Word] = []
    at = 0
    while at < len(words):
        # Most words are in no name of several words.
        longest = _LONGEST_NAME if lists.names_with(words[at].text) else 1
        for length in range(min(longest, len(words) - at), 0, -1):
            name = " ".join(word.text for word in words[at : at + length])
            if name in lists.people and people_of(name):
                names = [name]
            elif length == 1 and (names := lists.names_with(name)):
                # A part of a name, such as the first name alone, unless it is a word as well.
                is_word = any(map(records_of, words[at].terms))
                names = [] if is_word else [full for full in names if people_of(full)]
            else:
                continue
            if names:
                who += [each for each in names if each not in who]
                at += length
                break
        else:
            left.append(words[at])
            at += 1
    return left


def _take_terms(
    words: list[Word], lists: Vocabulary, records_of: RecordsOf, terms: list[Term]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Adds the terms of words; returns which words were corrected to what, and which are unknown."""
    asked: dict[str, str] = {}
    corrected: dict[str, str] = {}
    unknown: dict[str, None] = {}
    for word in dict.fromkeys(words):
        known = False
        for term in word.terms:
            if term in asked:
                known = True
            elif records_of(term) or _of_characters(term, lists, records_of):
                asked[term] = word.text
                known = True
        if known or word.whole or word.text in unknown:
            continue
        near = None
        if len(unknown) < _MOST_CORRECTED:
            near = lists.spelt_like(word.terms[0], _spelt_alike(word, lists, records_of))
        if near is None:
            unknown[word.text] = None
        else:
            corrected[word.text] = lists.words.form_of(near)
            asked.setdefault(near, word.text)
    rarest = list(asked.items())
    if len(rarest) > MOST_TERMS:
        rarest.sort(key=lambda item: records_of(item[0]))
    terms += [
        Term(word, (Variant(term), *_of_characters(term, lists, records_of)))
        for term, word in rarest[:MOST_TERMS]
    ]
    return list(corrected.items()), list(unknown)


def _spelt_alike(word: Word, lists: Vocabulary, records_of: RecordsOf) -> RecordsOf:
    """Returns how many records have a term that an unknown word may have been meant to be.

    The stem of a short word says little: those of "called" and "all" differ by one letter. So of a short
    one the words as they are written must be alike as well.
    """
    if len(word.terms[0]) > _SHORT_STEM:
        return records_of

    def records(term: str) -> int:
        is_alike = mistakes_between(word.text, lists.words.form_of(term), 1) <= 1
        return records_of(term) if is_alike else 0

    return records


def _of_characters(term: str, lists: Vocabulary, records_of: RecordsOf) -> list[Variant]:
    """Returns what else may have the characters of a term of an unspaced script.

    One character alone is looked for in all pairs that have it, and a pair in records where one of its
    characters stands alone.
    """
    if len(term) > 2 or term.isascii() or not is_unspaced(term):
        return []
    if len(term) == 2:
        return [Variant(each, _PART_OF_PAIR) for each in dict.fromkeys(term) if records_of(each)]
    having = [(records_of(pair), pair) for pair in lists.pairs_with(term)]
    most_frequent = sorted(having, reverse=True)[:_MOST_PAIRS]
    return [Variant(pair) for count, pair in most_frequent if count]
