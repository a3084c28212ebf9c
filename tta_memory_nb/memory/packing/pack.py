"""What to put into a prompt: the records of a memory that answer a question, within a budget of tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from ...errors import InvalidArgument
from ...filters import FilterArgs
from ...record import MemoryRecord
from ...search.request import Found, Hit, Reading, SearchMode
from ...stores.plan import Call, Plan
from ..likeness.among_few import SaidBefore, said_by
from .budget import Tokens, check_budget, counter, fitting
from .lines import Cite, Line, citations, in_order, line_of, text_of

if TYPE_CHECKING:
    import pandas as pd

    from ..verbs.listing import ListingVerbs

Outcome: TypeAlias = Literal["packed", "near-duplicate", "weak", "over budget", "irrelevant"]
"""What became of a record that a search has found.

``"packed"``: it is in the text. ``"near-duplicate"``: a better one that is in the text says nearly the same. ``"weak"``: it answers
much less well than the best one. ``"over budget"``: there was no room left for it. ``"irrelevant"``: not even the best
record answers the question.
"""

Fill: TypeAlias = Literal["enough", "budget"]
"""When a text is full. ``"enough"``: when further records would cost more tokens than they are worth, so the further down
a record is, the better it has to be. ``"budget"``: when the budget is used up.
"""

WEAK = 0.5
"""A record whose score is a smaller share of the best one's is left out."""

RISE = 0.27
"""If the text need not be full, the record at rank n is left out if its share is smaller than this number times the square root
of n. So the second needs half of the best score, the seventh 71 % and the tenth 85 %."""

BESIDE = 1.3
"""Then a record right before or after a better one in the text counts so many times as much: question and answer belong
together, and share a heading."""

# So many tokens a record has at the least, with its key; no more records are looked for than fit into the budget.
_LEAST_TOKENS = 12
_LEAST_LOOKED_AT = 50
# So many records the ledger of a question without an answer lists.
_NEAREST = 10


@dataclass(frozen=True, slots=True)
class Considered:
    """A record that a search has found, and what became of it.

    Attributes:
        key: key of the record.
        score: how well it answers.
        tokens: how many its line has by itself.
        outcome: what became of it.
        why: the reason, as a sentence; empty for a record in the text.
        cited: what stands for the key in the text; empty for a record that is not in it.
    """

    key: str
    score: float
    tokens: int
    outcome: Outcome
    why: str
    cited: str


@dataclass(frozen=True, slots=True)
class Pack:
    """The answer of a memory to a question, as text for a prompt; ``str(pack)`` is this text.

    A pack is true if it holds a record, so ``if pack:`` asks whether the memory knows anything about the question.

    Attributes:
        query: the question.
        text: what goes into the prompt; empty if nothing is relevant.
        records: the records in the text, in its order.
        tokens: how many the text has.
        budget: how many it may have.
        considered: every record that was looked at, the best first.
        relevance: how much of the question the best record answers: 0 for nothing, 1 for all of it; None if the mode does
            not rank, or has found nothing.
        threshold: the relevance that was needed.
        reading: how the question was understood; None if the mode does not rank.
    """

    query: str
    text: str
    records: tuple[MemoryRecord, ...]
    tokens: int
    budget: int
    considered: tuple[Considered, ...]
    relevance: float | None
    threshold: float
    reading: Reading | None

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        return bool(self.records)

    def __repr__(self) -> str:
        """Returns the figures of the pack, and its text."""
        return f"Pack({self.query!r}, {self.about})" + f"\n{self.text}" * bool(self.text)

    @property
    def keys(self) -> list[str]:
        """The keys of the records in the text, in its order."""
        return [record.key for record in self.records]

    def key_of(self, citation: str) -> str:
        """Returns the key that a citation in the text stands for, such as ``"8f48"`` of ``[8f48]``.

        Raises:
            InvalidArgument: no record of the text has this citation.
        """
        wanted = citation.strip().removeprefix("[").removesuffix("]")
        for each in self.considered:
            if each.outcome == "packed" and wanted in (each.cited, each.key):
                return each.key
        cited = ", ".join(each.cited for each in self.considered if each.outcome == "packed")
        raise InvalidArgument.about(
            "citation", citation, f"the text cites {cited}" if cited else "the text is empty"
        )

    @property
    def about(self) -> str:
        """Tells in one line how much is in the pack, or why nothing is."""
        if self.records:
            count = f"{len(self.records):,} record{'s' * (len(self.records) != 1)}"
            left = len(self.considered) - len(self.records)
            return f"{count} in {self.tokens:,} of {self.budget:,} tokens, {left:,} left out"
        if not self.considered:
            return "nothing relevant: the search has found no record"
        if self.considered[0].outcome == "irrelevant":
            return (
                f"nothing relevant: the best record answers {self.relevance:.2f} of the question, and "
                f"the threshold is {self.threshold:.2f}"
            )
        return f"nothing fits: no record that was found has at most {self.budget:,} tokens"

    @property
    def ledger(self) -> pd.DataFrame:
        """A table with a row for each record that was looked at, and what became of it.

        The index is ``key``. The columns are ``outcome``, ``why``, ``cited`` (what stands for the key in the text),
        ``score`` and ``tokens``, which counts the line of the record by itself.
        """
        from ...frames import ledger_frame

        return ledger_frame(self.considered)

    def _repr_html_(self) -> str:
        """Returns the text and the ledger for a notebook; all of it is escaped."""
        from ...frames import pack_html

        return pack_html(self)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a pack; see `Verbs.pack`. Making one checks nothing, `pack` does.

    Attributes:
        query: the question.
        budget: how many tokens the text may have.
        tokens: counts them; None for an estimate.
        mode: how to search.
        threshold: the relevance that is needed; None to have the memory work it out.
        cite: how the text cites keys.
        fill: when the text is full.
        times: whether headings give the time of day.
        record: makes the record of a hit.
    """

    query: str
    budget: int
    tokens: Tokens | None
    mode: SearchMode
    threshold: float | None
    cite: Cite
    fill: Fill
    times: bool
    record: Callable[[Hit], MemoryRecord]


def pack(verbs: ListingVerbs, wanted: Wanted, filters: FilterArgs) -> Plan[Pack]:
    """Returns what to put into a prompt for a question; see `Verbs.pack`."""
    budget, count = check_budget(wanted.budget), counter(wanted.tokens)
    needed = _checked(wanted.threshold)
    if wanted.cite not in get_args(Cite):
        raise InvalidArgument.about("cite", wanted.cite, "give 'short' or 'key'")
    if wanted.fill not in get_args(Fill):
        raise InvalidArgument.about("fill", wanted.fill, "give 'enough' or 'budget'")
    limit = max(_LEAST_LOOKED_AT, budget // _LEAST_TOKENS)
    hits = yield from verbs.hits(wanted.query, limit, wanted.mode, **filters)
    reading = hits.reading if isinstance(hits, Found) else None
    relevance = None
    if hits and reading is not None:
        from ...search.ranked.relevance import relevance_of

        relevance = relevance_of(hits[0])
    if needed is None:
        needed = 0.0
        if relevance is not None and reading is not None:
            # Without an embedder, a hybrid search was carried out as a ranked one.
            needed = yield from verbs.thresholds.of(verbs, reading.mode, filters)
    nothing = Pack(wanted.query, "", (), 0, budget, (), relevance, needed, reading)
    # A tokenizer may be slow, and is then kept off the event loop.
    done: Pack = yield Call(_packed, nothing, wanted, count, hits)
    return done


def _checked(threshold: float | None) -> float | None:
    if threshold is None:
        return None
    if isinstance(threshold, (int, float)) and not isinstance(threshold, bool) and threshold >= 0:
        return float(threshold)
    raise InvalidArgument.about(
        "threshold",
        threshold,
        "give the relevance that is needed, 0 for any, 1 for all of the question; or None to have the memory "
        "work it out",
    )


def _packed(
    nothing: Pack, wanted: Wanted, count: Callable[[str], int], hits: Sequence[Hit]
) -> Pack:
    """Chooses among the hits, and writes the text.

    Args:
        nothing: the pack without any record.
        wanted: what is asked.
        count: counts the tokens of a text.
        hits: the records that a search has found.
    """
    budget = nothing.budget
    nothing = replace(nothing, tokens=count(""))
    if nothing.tokens > budget:
        raise InvalidArgument.about(
            "budget",
            budget,
            f"even an empty text has {nothing.tokens:,} tokens by this count; give more",
        )
    if nothing.relevance is not None and nothing.relevance < nothing.threshold:
        why = f"the best record answers {nothing.relevance:.2f} of the question; needed is {nothing.threshold:.2f}"
        lines = [line_of(hit.entry) for hit in hits[:_NEAREST]]
        outcomes: dict[str, tuple[Outcome, str]] = {line.key: ("irrelevant", why) for line in lines}
        return replace(nothing, considered=_ledger(count, hits, lines, outcomes, {}))
    lines = [line_of(hit.entry) for hit in hits]
    kept, outcomes = _worth_their_tokens(
        hits, lines, "budget" if nothing.reading is None else wanted.fill
    )
    cited = citations([line.key for line in kept], wanted.cite)

    def fits(some: list[Line]) -> bool:
        return count(written(some)) <= budget

    def written(some: list[Line]) -> str:
        return text_of(some, cited, times=wanted.times)

    chosen = in_order(fitting(kept, fits))
    text = written(chosen)
    tokens = count(text)
    if tokens > budget:  # the tokenizer counts the same text differently each time
        chosen, text, tokens = [], "", nothing.tokens
    packed = {line.key for line in chosen}
    for line in kept:
        outcomes[line.key] = (
            ("packed", "") if line.key in packed else ("over budget", "there was no room left")
        )
    by_key = {hit.entry.key: hit for hit in hits}
    return replace(
        nothing,
        text=text,
        tokens=tokens,
        records=tuple(wanted.record(by_key[line.key]) for line in chosen),
        considered=_ledger(count, hits, lines, outcomes, cited),
    )


def _worth_their_tokens(
    hits: Sequence[Hit], lines: Sequence[Line], fill: Fill
) -> tuple[list[Line], dict[str, tuple[Outcome, str]]]:
    """Returns the lines that say something new and answer well enough, and what becomes of the others."""
    from ...search.ranked.relevance import place_of

    kept: list[Line] = []
    outcomes: dict[str, tuple[Outcome, str]] = {}
    before = SaidBefore()
    taken: set[tuple[int, int]] = set()
    rank = 1
    for hit, line in zip(hits, lines, strict=True):
        share = hit.score / hits[0].score if hits[0].score else 1.0
        session, place = place_of(hit) or (-1, -1)
        needed, counts = WEAK, share
        if fill == "enough":
            needed = max(WEAK, RISE * sqrt(rank))
            if not taken.isdisjoint(((session, place - 1), (session, place + 1))):
                counts *= BESIDE
        if counts < WEAK:
            outcomes[line.key] = "weak", f"its score is {share:.0%} of that of the best record"
            continue
        said = said_by(line)
        twin = before.twin_of(said)
        if twin is not None:
            outcomes[line.key] = "near-duplicate", f"nearly the same as {twin}"
            continue
        rank += 1
        if counts < needed:
            why = f"its score is {share:.0%} of that of the best record; at rank {rank - 1}, {needed:.0%} is needed"
            outcomes[line.key] = "weak", why
            continue
        before.add(line, said)
        kept.append(line)
        if place >= 0:
            taken.add((session, place))
    return kept, outcomes


def _ledger(
    count: Callable[[str], int],
    hits: Sequence[Hit],
    lines: Sequence[Line],
    outcomes: Mapping[str, tuple[Outcome, str]],
    cited: Mapping[str, str],
) -> tuple[Considered, ...]:
    """Returns what became of each line; there may be fewer lines than hits."""
    rows = []
    for hit, line in zip(hits, lines, strict=False):
        citation = cited.get(line.key, line.key)
        tokens = count(line.text(citation))
        outcome, why = outcomes[line.key]
        shown = citation if outcome == "packed" else ""
        rows.append(Considered(line.key, hit.score, tokens, outcome, why, shown))
    return tuple(rows)
