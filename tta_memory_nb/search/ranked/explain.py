"""Where a record answers a question, and where its score comes from; worked out when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np

from ...text import MOST_PATHS, path_of
from ..request import Contribution, Reading, Span
from .parts import Leaf, leaves_of, name_of
from .scoring import Ranking, Row, asked_of, rarity
from .similarity import parts_around
from .words import Words


@dataclass(frozen=True, slots=True)
class RankedMatch:
    """The `Matcher` of one hit of a ranking.

    Attributes:
        ranking: the answer that the hit is a part of.
        number: its index in the answer's ``places``.
        words: finds the terms of texts.
    """

    ranking: Ranking
    number: int
    words: Words

    @property
    def reading(self) -> Reading:
        """How the query was understood."""
        return self.ranking.question.reading

    def paths(self, value: dict[str, Any]) -> tuple[str, ...]:
        """Returns the paths of the fields that match, each once; the first `MOST_PATHS`."""
        paths: dict[str, None] = {}
        for places in self._places(value):
            paths |= dict.fromkeys(span.path for span in islice(places, 1))
            if len(paths) == MOST_PATHS:
                break
        return tuple(paths)

    def spans(self, value: dict[str, Any]) -> tuple[Span, ...]:
        """Returns every place that has a word of the question, or the name of a person it names."""
        return tuple(chain.from_iterable(self._places(value)))

    def _places(self, value: dict[str, Any]) -> Iterator[Iterator[Span]]:
        """Yields for each leaf the places in it."""
        wanted = {variant.term for term in self.ranking.question.terms for variant in term.variants}
        return (self._places_in(leaf, wanted) for leaf in _in_order(value))

    def _places_in(self, leaf: Leaf, wanted: set[str]) -> Iterator[Span]:
        path = path_of(leaf.place)
        if leaf.kind == "who":
            if name_of(leaf.text, self.words) in self.ranking.question.who:
                yield Span(path, 0, len(leaf.text))
            return
        if not wanted:
            return
        last: Span | None = None
        for start, end, terms in self.words.spans(leaf.text):
            if wanted.isdisjoint(terms):
                continue
            if last is not None and start < last.end:  # pairs of characters overlap
                last = Span(path, last.start, end)
            else:
                if last is not None:
                    yield last
                last = Span(path, start, end)
        if last is not None:
            yield last

    def asked(self) -> float:
        """Returns the score of a record that has every word of the question, without what other signals add."""
        question, size = self.ranking.question, len(self.ranking.view)
        return asked_of(question, (rarity(len(row.places), size) for row in self.ranking.rows))

    def explain(self, value: dict[str, Any], score: float) -> tuple[Contribution, ...]:  # noqa: ARG002
        """Returns the parts of the score, which sum to it; those of words first."""
        parts = [*self._words(value), *self._who(value), *self._meaning(value)]
        for signal, amounts in self.ranking.signals.items():
            amount = float(amounts[self.number])
            if amount and signal not in ("words", "who", "meaning"):
                span = first_instant(value) if signal == "when" else None
                path = None if span is None else span.path
                parts.append(Contribution(signal, amount, path, span))
        return tuple(parts)

    def _words(self, value: dict[str, Any]) -> Iterator[Contribution]:
        """Yields what the terms add, each of this record and of the records around it."""
        ranking = self.ranking
        place = int(ranking.places[self.number])
        for term, row in zip(ranking.question.terms, ranking.rows, strict=True):
            own = _value(row, place)
            left = _spread(ranking, row, place)
            if own:
                variant = term.variants[_variant(row, place)]
                span, matched = self._where(value, variant.term)
                path = None if span is None else span.path
                yield Contribution(variant.signal, own, path, span, term.asked, matched)
            for neighbour, amount in left:
                variant = term.variants[_variant(row, neighbour)]
                yield Contribution(
                    "around",
                    amount,
                    asked=term.asked,
                    matched=self.words.form_of(variant.term),
                    neighbour=ranking.view.key(neighbour),
                )

    def _meaning(self, value: dict[str, Any]) -> Iterator[Contribution]:
        """Yields what similarity adds: that of the record's own text, and of the texts around it."""
        ranking, near = self.ranking, self.ranking.nearness
        if near is None:
            return
        place = ranking.places[self.number : self.number + 1]
        for offset, factors in parts_around(ranking.view, place):
            if not factors[0]:
                continue
            amount = near.weight * float(factors[0] * near.cosine(place + offset)[0])
            if not amount:
                continue
            if offset:
                neighbour = ranking.view.key(int(place[0]) + offset)
                yield Contribution("meaning", amount, neighbour=neighbour)
            else:
                texts = (leaf for leaf in _in_order(value) if leaf.kind == "text")
                leaf = next(texts, None)
                path = None if leaf is None else path_of(leaf.place)
                yield Contribution("meaning", amount, path)

    def _where(self, value: dict[str, Any], term: str) -> tuple[Span | None, str | None]:
        """Returns the first place that has a term, and the word as it stands there."""
        for leaf in _in_order(value):
            for start, end, terms in self.words.spans(leaf.text) if leaf.kind != "who" else ():
                if term in terms:
                    return Span(path_of(leaf.place), start, end), leaf.text[start:end]
        return None, None

    def _who(self, value: dict[str, Any]) -> Iterator[Contribution]:
        amount = float(self.ranking.signals["who"][self.number])
        if not amount:
            return
        who = self.ranking.question.who
        for leaf in _in_order(value):
            if leaf.kind == "who" and (name := name_of(leaf.text, self.words)) in who:
                path = path_of(leaf.place)
                span = Span(path, 0, len(leaf.text))
                yield Contribution("who", amount, path, span, name, leaf.text)
                return
        yield Contribution("who", amount)  # the key names the person


def _spread(ranking: Ranking, row: Row, place: int) -> list[tuple[int, float]]:
    """Returns what one term of the records around adds to a score: their places and amounts."""
    weights, reaches = ranking.weights, ranking.view.reach
    shares = (weights.next, weights.second, weights.third)
    size = len(ranking.view)
    own = _value(row, place)
    total, parts = own, []
    for distance in (1, 2, 3):
        reach, share = reaches[distance - 1], shares[distance - 1]
        for other in (place - distance, place + distance):
            if not 0 <= other < size:
                continue
            amount = share * float(reach[min(other, place)]) * _value(row, other)
            if distance == 1 and amount:
                parts.append((other, amount))
                total += amount
            elif amount > total:
                # The best of the farther records counts in place of the nearer ones.
                parts, total = [(other, amount - own)], amount
    return parts


def _value(row: Row, place: int) -> float:
    at = np.flatnonzero(row.places == place)
    return float(row.values[at[0]]) if len(at) else 0.0


def _variant(row: Row, place: int) -> int:
    """Returns the number of the variant of a term that a record has."""
    if row.variants is None:
        return 0
    return int(row.variants[np.flatnonzero(row.places == place)[0]])


def _in_order(value: dict[str, Any]) -> list[Leaf]:
    """Returns the leaves in the order of their fields, as far as objects are not nested."""
    return list(leaves_of(value))


def first_instant(value: dict[str, Any]) -> Span | None:
    """Returns the place of the first instant of a value that is a text; None if it has none."""
    for leaf in _in_order(value):
        if leaf.kind == "when":
            return Span(path_of(leaf.place), 0, len(leaf.text))
    return None
