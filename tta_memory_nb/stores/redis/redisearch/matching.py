"""Where a record matches that a server has found, and where its score comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ....search.ranked.explain import first_instant
from ....search.ranked.parts import leaves_of, name_of
from ....search.ranked.question import Question
from ....search.ranked.words import Words
from ....search.request import Contribution, Reading, Span
from ....text import path_of
from .scoring import Scored


@dataclass(frozen=True, slots=True)
class ServerMatch:
    """The `Matcher` of one hit that a server has found.

    Attributes:
        question: what was asked.
        words: finds the terms of texts.
        scored: what adds to its score.
        all_words: see `asked`.
    """

    question: Question
    words: Words
    scored: Scored
    all_words: float

    @property
    def reading(self) -> Reading:
        """How the query was understood."""
        return self.question.reading

    def paths(self, value: dict[str, Any]) -> tuple[str, ...]:
        """Returns the paths of the fields that match, each once."""
        return tuple(dict.fromkeys(span.path for span in self.spans(value)))

    def spans(self, value: dict[str, Any]) -> tuple[Span, ...]:
        """Returns every place that has a word of the question, or the name of a person it names."""
        return tuple(span for span, *_ in self._places(value))

    def asked(self) -> float:
        """Returns the score of a record that has every word of the question, without what other signals add."""
        return self.all_words

    def explain(self, value: dict[str, Any], score: float) -> tuple[Contribution, ...]:
        """Returns the parts of the score, which sum to it; those of words first."""
        places = list(self._places(value))
        found = []
        for share in self.scored.shares:
            span, matched = next(
                ((span, text) for span, text, terms in places if share.term in terms), (None, None)
            )
            path = None if span is None else span.path
            found.append(Contribution("words", share.amount, path, span, share.asked, matched))
        found += [
            Contribution(
                "around",
                share.amount,
                asked=share.asked,
                matched=self.words.form_of(share.term),
                neighbour=share.neighbour,
            )
            for share in self.scored.around
        ]
        if self.scored.who:
            span, matched = next(
                ((span, text) for span, text, terms in places if not terms), (None, None)
            )
            path = None if span is None else span.path
            found.append(Contribution("who", self.scored.who, path, span, matched=matched))
        if self.scored.when:
            span = first_instant(value)
            path = None if span is None else span.path
            found.append(Contribution("when", self.scored.when, path, span))
        if self.scored.meaning:
            texts = (path_of(leaf.place) for leaf in leaves_of(value) if leaf.kind == "text")
            found.append(Contribution("meaning", self.scored.meaning, next(texts, None)))
        rest = score - sum(each.amount for each in found)
        if found and rest:  # rounding
            found[0] = found[0]._replace(amount=found[0].amount + rest)
        return tuple(found)

    def _places(self, value: dict[str, Any]) -> Iterator[tuple[Span, str, set[str]]]:
        """Yields the places that match: span, text, and terms, which are none for a person."""
        wanted = {variant.term for term in self.question.terms for variant in term.variants}
        for leaf in leaves_of(value):
            path = path_of(leaf.place)
            if leaf.kind == "who":
                if name_of(leaf.text, self.words) in self.question.who:
                    yield Span(path, 0, len(leaf.text)), leaf.text, set()
                continue
            for start, end, terms in self.words.spans(leaf.text):
                if not wanted.isdisjoint(terms):
                    yield Span(path, start, end), leaf.text[start:end], terms
