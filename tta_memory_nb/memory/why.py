"""Why a search did not find a record, or not sooner, and the smallest change that finds it.

Everything here is worked out by searching again, so it holds for each backend and each mode; a remedy
has been tried before it is proposed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..entry import Entry
from ..errors import InvalidArgument, brief
from ..filters import FilterArgs, Filters
from ..search.request import Contribution, Hit, SearchMode, Signal
from ..stores.plan import Plan
from .absence import Absence, AbsenceKind, absence_of

if TYPE_CHECKING:
    from ..stores.base import Store
    from .verbs.listing import ListingVerbs

CauseKind: TypeAlias = AbsenceKind | Literal["filter", "demand", "words", "candidates", "limit"]
"""What keeps a record out of an answer.

``"missing"``: no such record is known, nor what has become of it; ``"deleted"``, ``"expired"``, ``"evicted"`` and
``"tombstone"`` (it was deleted for good, and to add the same again is refused) say what has. ``"filter"`` and ``"demand"``: a filter, or a condition in the query, refuses it.
``"words"``: it has no word of the query, or a meaning that is not similar. ``"candidates"``: its score would be enough, but a
hybrid search with a limit compares only some of the records, the best by their words, and not this one. ``"limit"``: others are
better.
"""

_NO_WORDS: dict[SearchMode, str] = {
    "keyword": "no field of it contains this text",
    "ranked": "neither it nor a record around it has a word of the query",
    "semantic": "neither its meaning nor that of a record around it is similar to that of the query",
    "hybrid": "neither it nor a record around it has a word of the query, or one of a similar meaning",
}

# So many words of a record are tried at most.
_WORDS_TRIED = 8

# Of so many names that may be those of fields, which the record lacks, it is found out whether they are.
_NAMES_TRIED = 16
_PIECE = re.compile(r"""-?(?:[^\W\d][\w.]*:)?(?:"[^"]+"|“[^”]+”)|\S+""")
_DEMAND = re.compile(r"""-[^\W_]|-?["“]|-?[^\W\d][\w.]*:[^\s/]""")


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that keeps a record out.

    Attributes:
        kind: what it is.
        name: the filter (``"since"``, or ``"where[mood]"``), or the part of the query; empty for other kinds.
        text: a sentence that says so.
    """

    kind: CauseKind
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of a search that was tried and finds the record.

    Attributes:
        text: what to change, in words.
        arguments: of `SyncMemory.search_records`; with these it finds the record.
    """

    text: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SignalCompared:
    """What one signal adds to the score of the record, and to that of the best one."""

    signal: Signal
    record: float
    best: float


@dataclass(frozen=True, slots=True)
class Why:
    """Where a record stands in the answer to a query, and why.

    Attributes:
        query: the query.
        key: key of the record.
        mode: how was searched.
        limit: how many records were wanted; None for all.
        rank: the place of the record among all that answer, from 1; None if it does not answer.
        answers: how many records answer.
        score: of the record, as it would be without what keeps it out; None if nothing scores it.
        best: key of the best record that answers, or None.
        best_score: its score.
        signals: the scores of both, signal by signal.
        explanation: where the score of the record comes from.
        causes: what keeps the record out; none if it is found.
        remedy: the smallest change that finds it; None if it is found, or if there is none.
    """

    query: str
    key: str
    mode: SearchMode
    limit: int | None
    rank: int | None = None
    answers: int = 0
    score: float | None = None
    best: str | None = None
    best_score: float | None = None
    signals: tuple[SignalCompared, ...] = ()
    explanation: tuple[Contribution, ...] = field(default=(), repr=False)
    causes: tuple[Cause, ...] = ()
    remedy: Remedy | None = None

    @property
    def is_found(self) -> bool:
        """Whether the search finds the record within its limit."""
        return not self.causes

    def __str__(self) -> str:
        """Returns the same as text for people."""
        place = (
            "does not answer" if self.rank is None else f"is number {self.rank} of {self.answers}"
        )
        lines = [f"{self.key!r} {place} for {brief(self.query)} in the mode {self.mode}"]
        lines += [f"- {cause.text}" for cause in self.causes]
        if self.remedy is not None:
            lines.append(f"- to find it: {self.remedy.text}")
        lines += [
            f"  {each.signal:<10} {each.record:>6.3f}  best: {each.best:>6.3f}"
            for each in self.signals
        ]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A search, as arguments."""

    query: str
    limit: int | None
    mode: SearchMode
    filters: dict[str, Any]

    def arguments(self) -> dict[str, Any]:
        return {"query": self.query, "limit": self.limit, "mode": self.mode, **self.filters}


def why(
    verbs: ListingVerbs,
    store: Store,
    query: str,
    key: str,
    limit: int | None,
    mode: SearchMode,
    filters: FilterArgs,
) -> Plan[Why]:
    """Returns where a record stands in the answer to a query; see `Verbs.why`."""
    given = {name: value for name, value in filters.items() if value is not None}
    asked = _Asked(query, limit, mode, given)
    there = yield from verbs.peek([key])
    hits = yield from _hits(verbs, asked)
    rank = _rank(hits, key)
    found = Why(query, key, mode, limit, rank, len(hits))
    if hits:
        found = replace(found, best=hits[0].entry.key, best_score=hits[0].score)
    if not there:
        absences = yield from absence_of(store, verbs.guard, key)
        causes = tuple(Cause(each.kind, "", each.text) for each in absences)
        return replace(
            found, causes=causes, remedy=(yield from _earlier(verbs, asked, key, absences))
        )
    if rank is not None:
        found = _compared(found, hits[rank - 1], hits[0])
        cause, wider = yield from _limited(verbs, asked, hits, rank)
        if cause is None:
            return found
        return replace(found, causes=(cause,), remedy=_remedy(asked, wider))
    return (yield from _absent(verbs, asked, there[0], found, hits))


def _earlier(
    verbs: ListingVerbs, asked: _Asked, key: str, absences: Iterable[Absence]
) -> Plan[Remedy | None]:
    """Returns a search of the past that finds a record which does not exist any more; None if no such search is known."""
    for last_seen in (each.last_seen for each in absences if each.last_seen is not None):
        earlier = replace(asked, filters={**asked.filters, "as_of": last_seen})
        for wider in (earlier, replace(earlier, limit=None)):
            hits: Sequence[Hit] = ()
            with suppress(InvalidArgument):  # what was there then is kept no more
                hits = yield from verbs.hits(wider.query, wider.limit, wider.mode, **wider.filters)
            if _rank(hits, key) is not None:
                return _remedy(asked, wider)
    return None


def _absent(
    verbs: ListingVerbs, asked: _Asked, entry: Entry, found: Why, hits: Sequence[Hit]
) -> Plan[Why]:
    """Returns why a record that exists does not answer at all."""
    causes: list[Cause] = []
    wider = asked
    refusing = list(_refusing(asked.filters, entry, verbs.clock()))
    if refusing:
        causes += [
            Cause(
                "filter",
                name,
                f"the filter {name}={brief(value)} refuses it{_form_of_keys(name, value, entry.key)}",
            )
            for name, value in ((each, _filter(asked.filters, each)) for each in refusing)
        ]
        wider = replace(wider, filters=_without(asked.filters, refusing))
    if asked.mode != "keyword":
        kept, failing = yield from _demands(verbs, wider, entry)
        if failing:
            causes += [
                Cause("demand", piece, f"it does not fulfil {piece} in the query")
                for piece in failing
            ]
            wider = replace(wider, query=kept)
    seen = yield from _hits(verbs, wider)
    if _rank(seen, entry.key) is None:
        causes.append(Cause("words", "", _NO_WORDS[asked.mode]))
        wider, seen = yield from _with_a_word(verbs, wider, entry)
    rank = _rank(seen, entry.key)
    if rank is None:
        return replace(found, causes=tuple(causes))
    found = _compared(found, seen[rank - 1], hits[0] if hits else seen[0])
    cause, wider = yield from _limited(verbs, wider, seen, rank, " then")
    if cause is not None:
        causes.append(cause)
    return replace(found, causes=tuple(causes), remedy=_remedy(asked, wider))


def _limited(
    verbs: ListingVerbs, asked: _Asked, hits: Sequence[Hit], rank: int, when: str = ""
) -> Plan[tuple[Cause | None, _Asked]]:
    """Returns whether its limit keeps a record out of an answer, and a search with one that does not.

    Args:
        verbs: of the memory.
        asked: the search.
        hits: all that answer.
        rank: the rank of the record among them.
        when: a word for the cause that says on what condition others are better.
    """
    limit, key = asked.limit, hits[rank - 1].entry.key
    if limit is None:
        return None, asked
    cause = Cause("limit", "", f"{_before(hits, rank)}{when}, and the limit is {limit}")
    if rank <= limit:
        found = yield from verbs.hits(asked.query, limit, asked.mode, **asked.filters)
        if _rank(found, key) is not None:
            return None, asked
        text = "its score would be enough, but others are better by their words, and only these were compared by meaning"
        cause = Cause("candidates", "", text)
    if asked.mode != "hybrid":
        return cause, replace(asked, limit=rank)
    # With a greater limit, more records are compared.
    wider = replace(asked, limit=max(rank, limit + 1))
    while wider.limit is not None:
        found = yield from verbs.hits(wider.query, wider.limit, wider.mode, **wider.filters)
        if _rank(found, key) is not None:
            break
        wider = replace(wider, limit=None if len(found) < wider.limit else 2 * wider.limit)
    return cause, wider


def _before(hits: Sequence[Hit], rank: int) -> str:
    """Returns how many records come before one: better ones, and those that are as good and newer."""
    score = hits[rank - 1].score
    better = sum(hit.score > score for hit in hits[: rank - 1])
    as_good = rank - 1 - better
    parts = []
    if better:
        parts.append(f"{better:,} {'record is' if better == 1 else 'records are'} better")
    if as_good:
        what = "" if better else " record" if as_good == 1 else " records"
        parts.append(f"{as_good:,}{what} {'is' if as_good == 1 else 'are'} as good and newer")
    return " and ".join(parts)


def _remedy(asked: _Asked, wider: _Asked) -> Remedy:
    return Remedy("; ".join(_differences(asked, wider)), wider.arguments())


def _hits(verbs: ListingVerbs, asked: _Asked) -> Plan[list[Hit]]:
    """Returns all records that answer, the best first."""
    return verbs.hits(asked.query, None, asked.mode, **asked.filters)


def _rank(hits: Iterable[Hit], key: str) -> int | None:
    return next((rank for rank, hit in enumerate(hits, 1) if hit.entry.key == key), None)


def _compared(found: Why, hit: Hit, best: Hit) -> Why:
    """Adds the score of the record, signal by signal beside that of the best."""
    parts = hit.explanation
    own, others = _by_signal(parts), _by_signal(best.explanation)
    signals = tuple(
        SignalCompared(signal, own[signal], others[signal])
        for signal in dict.fromkeys((*own, *others))
    )
    return replace(found, score=hit.score, explanation=parts, signals=signals)


def _by_signal(parts: Iterable[Contribution]) -> Counter[Signal]:
    sums = Counter[Signal]()
    for part in parts:
        sums[part.signal] += part.amount  # type: ignore[assignment]
    return sums


# ---- what keeps a record out


def _refusing(filters: dict[str, Any], entry: Entry, now: float) -> Iterator[str]:
    """Yields the names of the filters that refuse a record, of ``where`` each field."""
    for name, value in filters.items():
        parts = (
            {f"where[{field}]": {"where": {field: wanted}} for field, wanted in value.items()}
            if name == "where"
            else {name: {name: value}}
        )
        for shown, single in parts.items():
            compiled = Filters.build(now, **single)
            if not compiled.accept(entry.key, entry.updated_at, entry.value):
                yield shown


def _form_of_keys(name: str, value: Any, key: str) -> str:
    """Returns a clause for a key that names the user or the session of a filter and is of another form than the filter takes."""
    parts = dict(zip(("user", "session"), key.split(":"), strict=False))
    if name not in parts or parts[name] != value:
        return ""
    return f": it takes keys of the form user:session or user:session:hash alone; prefix={brief(parts['user'] + ':')} takes this one"


def _filter(filters: dict[str, Any], name: str) -> Any:
    return filters["where"][name[6:-1]] if name.startswith("where[") else filters[name]


def _without(filters: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    left = {name: value for name, value in filters.items() if name not in names}
    if "where" in left:
        where = {
            field: each for field, each in left["where"].items() if f"where[{field}]" not in names
        }
        left = (
            {**left, "where": where} if where else {n: v for n, v in left.items() if n != "where"}
        )
    return left


def _demands(verbs: ListingVerbs, asked: _Asked, entry: Entry) -> Plan[tuple[str, list[str]]]:
    """Returns the query without the conditions that a record does not fulfil, and these.

    The record itself says whether it fulfils a condition. Only whether a name before a colon is a field at all, when
    the record has none of this name, takes a search, so few of these names are tried; the conditions
    on the others are taken for what keeps the record out.
    """
    from ..search.ranked.demands import Fulfilling  # imported here: loads numpy

    pieces = _PIECE.findall(asked.query)
    failing: list[str] = []
    fulfilling = Fulfilling(entry, verbs.options.language)
    unknown: dict[str, list[str]] = {}
    for piece in dict.fromkeys(filter(_DEMAND.match, pieces)):
        holds = fulfilling.holds(piece)
        if holds is None:
            unknown.setdefault(piece.partition(":")[0], []).append(piece)
        elif not holds:
            failing.append(piece)
    for number, of_name in enumerate(unknown.values()):
        if number < _NAMES_TRIED:
            alone = yield from _hits(verbs, replace(asked, query=of_name[0]))
            if _rank(alone, entry.key) is not None:
                continue
        failing += of_name
    failing.sort(key={piece: place for place, piece in enumerate(pieces)}.__getitem__)
    left_out = set(failing)
    return " ".join(piece for piece in pieces if piece not in left_out), failing


def _with_a_word(
    verbs: ListingVerbs, asked: _Asked, entry: Entry
) -> Plan[tuple[_Asked, list[Hit]]]:
    """Returns a search that finds a record by one of its own words, and what it finds.

    Of the words that are tried, the longest ones of the record, it is the first that brings the record within
    the limit, or else the one that brings it nearest.
    """
    nearest: tuple[int, _Asked, list[Hit]] | None = None
    for word in _words_of(entry):
        query = word if asked.mode == "keyword" else _with(asked.query, word)
        tried = replace(asked, query=query)
        hits = yield from _hits(verbs, tried)
        rank = _rank(hits, entry.key)
        if rank is not None and (nearest is None or rank < nearest[0]):
            nearest = rank, tried, hits
        if rank is not None and (asked.limit is None or rank <= asked.limit):
            break
    return (asked, []) if nearest is None else nearest[1:]


def _with(query: str, word: str) -> str:
    """Returns a question with one more word: at its end, or else at its beginning if the end is not read."""
    from ..search.ranked.question import MOST_CHARACTERS  # imported here: compiles patterns

    is_read = len(query) + 1 + len(word) <= MOST_CHARACTERS
    return (f"{query} {word}" if is_read else f"{word} {query}").strip()


def _words_of(entry: Entry) -> list[str]:
    """Returns the longest words of the texts of a record."""
    words: dict[str, None] = {}
    stack: list[Any] = [entry.value()]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            words.update(dict.fromkeys(re.findall(r"[^\W_]+", node[:10_000])))
        elif isinstance(node, dict):
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, int) and not isinstance(node, bool):
            words[str(node)] = None
    return sorted(words, key=lambda word: (-len(word), word))[:_WORDS_TRIED]


def _differences(asked: _Asked, wider: _Asked) -> Iterator[str]:
    """Yields in words what differs between two searches."""
    if "as_of" in wider.filters:
        yield f"as_of={wider.filters['as_of']!r}"
    for name in asked.filters:
        if name not in wider.filters:
            yield f"leave out {name}"
        elif asked.filters[name] != wider.filters[name]:
            gone = [field for field in asked.filters[name] if field not in wider.filters[name]]
            yield f"leave out {', '.join(f'where[{field}]' for field in gone)}"
    if asked.query != wider.query:
        yield f"search for {brief(wider.query)}"
    if asked.limit != wider.limit:
        yield f"limit={wider.limit}"
