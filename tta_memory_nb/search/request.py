"""What is asked of a store, and what comes back."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec

from ..entry import Entry
from ..errors import InvalidArgument, brief
from ..filters import EVERYTHING, Filters
from ..record import MemoryRecord
from .meaning import Meaning
from .options import DEFAULT_OPTIONS, SearchOptions, SearchWeights

T = TypeVar("T")

SearchMode: TypeAlias = Literal["keyword", "ranked", "semantic", "hybrid"]
"""How a search finds records.

``"keyword"`` finds exact text and gives the newest first. ``"ranked"`` understands the query as a
question: it scores the words of a record, of the records around it, who said it and when, and gives
the best first. ``"semantic"`` compares meanings, and ``"hybrid"`` adds meaning to the ranking.
"""

Signal: TypeAlias = Literal["words", "soft words", "around", "who", "when", "session", "meaning"]
"""What contributes to a score.

``"words"`` are words of the query in the record, ``"soft words"`` words of a similar meaning,
``"around"`` words in the records before and after it, ``"who"`` people that the query names,
``"when"`` dates, ``"session"`` words of the whole session, and ``"meaning"`` is similarity of vectors.
"""

Order: TypeAlias = Literal["newest", "oldest", "used", "written", "key"]
"""In which order records come: as the mode gives them, which is the order of use for records that match equally well; the least
recently used, the most recently used or the most recently written first; or by key."""


class Search(msgspec.Struct, frozen=True):
    """One question to a store.

    Making one checks nothing: ``check_limit``, ``check_query`` and
    ``indexes.check_mode`` do so at the border.

    Attributes:
        text: what to look for, as its user wrote it; None for any record, and an empty text, which
            is no query, finds nothing.
        mode: how to look for it.
        options: what a mode that ranks is asked for.
        filters: which records may answer at all.
        limit: how many records at most; None for all.
        offset: how many of the first records to leave out.
        order: in which order; see ``paging``.
        meaning: the vectors that a search by meaning needs, from the verb that asks.
    """

    text: str | None = None
    mode: SearchMode = "keyword"
    filters: Filters = EVERYTHING
    limit: int | None = None
    offset: int = 0
    order: Order = "newest"
    options: SearchOptions = DEFAULT_OPTIONS
    meaning: Meaning | None = None

    def for_all(self) -> Search:
        """Returns the same search for all that answers, from the first on."""
        return msgspec.structs.replace(self, limit=None, offset=0)

    def in_order_of_mode(self) -> Search:
        """Returns the same search with its hits in the order that its mode gives."""
        return msgspec.structs.replace(self, order="newest")

    def weighing(self, weights: SearchWeights) -> Search:
        """Returns the same question with other weights of the signals."""
        return msgspec.structs.replace(self, options=self.options.weighing(weights))

    def by(self, mode: SearchMode, meaning: Meaning | None = None) -> Search:
        """Returns the same question in another mode, with what that mode needs."""
        return msgspec.structs.replace(self, mode=mode, meaning=meaning)


ALL = Search()
"""The search that every record answers, newest first."""


class Span(NamedTuple):
    """A place where a record matches.

    Attributes:
        path: of the field, as in ``agent.tags[0]``.
        start: index of the first character that matches.
        end: index behind the last one.
        of: whether the indexes count in the field's name or in its value. The value of a number,
            a boolean or null is its JSON text.
    """

    path: str
    start: int
    end: int
    of: Literal["name", "value"] = "value"


class Contribution(NamedTuple):
    """A part of a score, and where it comes from. The amounts of all parts sum to the score.

    Attributes:
        signal: what kind of evidence it is.
        amount: what it adds to the score.
        field: path of the field that it comes from, as in ``agent.tags[0]``; None for no one field.
        span: the first such place in the record; None where it is in no text of the record.
        asked: the word of the query.
        matched: the word of the record.
        neighbour: key of the record before or after this one that has the word.
    """

    signal: Signal
    amount: float
    field: str | None = None
    span: Span | None = None
    asked: str | None = None
    matched: str | None = None
    neighbour: str | None = None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How a mode that ranks has understood a query.

    Attributes:
        mode: the mode that was carried out.
        words: the words that were looked for.
        who: names of people in the query, which count as who speaks and not as words.
        dropped: words that say nothing about the subject, such as "what" and "the".
        corrected: pairs of a word that no record has, and the word that was looked for instead.
        unknown: words that no record has.
        unread: characters at the end of the query that were not read, because it is longer than 20,000.
        records: how many records passed the filters; the statistics are those of these records.
        note: why another mode was carried out than was asked for, or what was not searched.
    """

    mode: SearchMode
    words: tuple[str, ...] = ()
    who: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    corrected: tuple[tuple[str, str], ...] = ()
    unknown: tuple[str, ...] = ()
    unread: int = 0
    records: int = 0
    note: str | None = None

    def noting(self, note: str) -> Reading:
        """Returns the same reading with a note, behind one that is there already."""
        both = note if self.note is None else f"{self.note}; {note}"
        return msgspec.structs.replace(self, note=both)


class Found(list[T]):
    """A list of what a search has found that also says how the query was understood.

    Args:
        items: what was found, the best first.
        reading: how a mode that ranks has understood the query; None for other modes.
    """

    def __init__(self, items: Iterable[T] = (), reading: Reading | None = None) -> None:
        super().__init__(items)
        self.reading = reading


class Matcher(Protocol):
    """Says where a value matches a search, and why its score is what it is."""

    def paths(self, value: dict[str, Any]) -> tuple[str, ...]:
        """Returns the paths of the fields that match, each once, in field order."""
        ...

    def spans(self, value: dict[str, Any]) -> tuple[Span, ...]:
        """Returns every place that matches, in field order."""
        ...

    def explain(self, value: dict[str, Any], score: float) -> tuple[Contribution, ...]:
        """Returns the parts of a score, which sum to it."""
        ...


class Hit(msgspec.Struct, frozen=True, gc=False):
    """One record that answers a search.

    Attributes:
        entry: the record.
        score: how well it answers, higher is better; 1.0 where the mode does not rank.
        matcher: what can say where the record matches; None where there was nothing to match.
    """

    entry: Entry
    score: float = 1.0
    matcher: Matcher | None = None

    def record(self, namespace: str, version: str | None = None) -> MemoryRecord:
        """Returns the record; if there was text to look for, with its score and its matches.

        Args:
            namespace: the namespace of its store.
            version: what `Store.version` gives; None where nobody asks for it.
        """
        if self.matcher is None:
            return self.entry.record(namespace, version)
        return self.entry.record(namespace, version, self.score, self.matcher.paths)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Where the record matches. Worked out anew at each access, since it decodes the value."""
        return () if self.matcher is None else self.matcher.spans(self.entry.value())

    @property
    def explanation(self) -> tuple[Contribution, ...]:
        """Where the score comes from, worked out anew at each access; its amounts sum to the score."""
        if self.matcher is None:
            return ()
        return self.matcher.explain(self.entry.value(), self.score)


def check_limit(limit: int | None) -> int | None:
    """Returns the limit as a plain int.

    Raises:
        InvalidArgument: the limit is neither None nor an int of at least 1.
    """
    if limit is None or (type(limit) is int and limit >= 1):
        return limit
    number = whole_number(limit)
    if number is not None and number >= 1:
        return number
    raise InvalidArgument(f"limit={brief(limit)}: give an int of at least 1, or None for all")


def check_query(query: str) -> str:
    """Returns the query itself.

    Raises:
        InvalidArgument: the query is not a str.
    """
    if isinstance(query, str):
        return query
    raise InvalidArgument(f"query={brief(query)}: give text to search for")


def whole_number(value: object) -> int | None:
    """Returns the int that a value is, for Python or for NumPy; None when it is none."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None
