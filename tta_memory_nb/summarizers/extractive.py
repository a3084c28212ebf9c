"""A summary of sentences that were said, chosen so that few of them have many of the words.

The choice is maximum coverage under a budget by a greedy algorithm (S. Khuller, A. Moss and J. Naor, "The budgeted maximum
coverage problem", 1999; for summaries: H. Takamura and M. Okumura, "Text summarization model based on maximum coverage
problem", 2009), with gains that are worked out again only when they may be the best (M. Minoux, "Accelerated
greedy algorithms", 1978). docs/how-to/summarize-and-forget.md says how it compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush

from ..entry import entry_of
from ..errors import InvalidArgument
from ..identifiers import is_identifier
from ..memory.contrast import statement_of
from ..memory.packing.lines import line_of, one_line
from ..memory.summarizing.summary import is_summary
from ..record import MemoryRecord

# So many words a sentence costs beside its own, so that a short one does not win by its brevity: "Hey Ben!"
_EXTRA = 2
# A sentence has to bring so many words that no other has brought: "Wow!" and "See you." bring one at most.
_LEAST = 2

# The names of fields that tell records apart, such as "id", "user_id", "userId" and "hash".
_LABEL = re.compile(r"(?i:(?:^|[\W_])(?:ids?|uuid|hash)$)|[a-z]I[Dd]s?$")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])")


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence.

    Attributes:
        when: its date; empty where it is unknown.
        who: who said it; empty for nobody.
        text: the sentence.
        terms: the terms of its words that say something.
        cost: how many words it has.
        statement: the terms, with those of the speaker, but not its numbers and negations.
        contrast: its numbers and negations.
    """

    when: str
    who: str
    text: str
    terms: frozenset[str]
    cost: int
    statement: frozenset[str]
    contrast: frozenset[str]


class Extractive:
    """A `Summarizer` without a model: sentences as they were said, in order, with their dates and speakers.

    Args:
        share: of the words that are kept, above 0 and at most 1.
        most_words: how many words a summary has at most, however much it summarizes.
        least_words: so many words are always kept, if there are that many.
        language: of the words; see `MemoryPrimitive`.

    Raises:
        InvalidArgument: the share, the number of words, or the language.
    """

    def __init__(
        self,
        share: float = 0.2,
        most_words: int = 1000,
        least_words: int = 40,
        language: str = "english",
    ) -> None:
        from ..search.ranked.words import Words

        if not 0 < share <= 1:
            raise InvalidArgument.about("share", share, "give a number above 0, at most 1")
        if most_words < 1:
            raise InvalidArgument.about("most_words", most_words, "give an int of at least 1")
        self._share = share
        self._most, self._least = most_words, least_words
        self._words = Words(language)

    def __repr__(self) -> str:
        return f"Extractive(share={self._share}, most_words={self._most})"

    def __call__(self, records: Sequence[MemoryRecord]) -> str:
        """Returns the summary of records; what an earlier summary says counts as it is."""
        sentences: list[_Sentence] = []
        room = 0.0
        for record in records:
            found = list(self._sentences(record))
            words = sum(each.cost for each in found)
            room += words if is_summary(record.value) else self._share * words
            sentences += found
        names = {term for each in sentences for term in self._terms(each.who)}
        sentences = [replace(each, terms=each.terms - names) for each in sentences]
        # One sentence at least, however short they are.
        shortest = min((sentences[number].cost for number in _latest(sentences)), default=1)
        budget = max(shortest, min(self._most, max(self._least, round(room))))
        return _text_of([sentences[number] for number in sorted(_chosen(sentences, budget))])

    def _sentences(self, record: MemoryRecord) -> Iterator[_Sentence]:
        """Yields the sentences of a record."""
        if is_summary(record.value):
            yield from self._lines(str(record.value.get("text", "")))
            return
        from ..search.ranked.parts import leaves_of

        line = line_of(entry_of(record))
        texts = [line.said] if line.said else []
        for leaf in leaves_of(record.value):
            text = one_line(leaf.text)
            if leaf.kind == "text" and text != line.said and not _is_label(leaf.name, text):
                texts.append(f"{leaf.name}: {text}")
        for text in texts or [line.rest]:
            for sentence in _SENTENCE.split(text):
                if sentence.strip():
                    yield self._sentence(line.when, line.who, sentence.strip())

    def _lines(self, summary: str) -> Iterator[_Sentence]:
        """Yields the lines of an earlier summary, which may be another summarizer's."""
        when = ""
        for line in summary.splitlines():
            if line.endswith(":") and line.strip(" :"):
                when = line.removesuffix(":")
            elif line.strip():
                yield self._sentence(when, "", line.strip())

    def _sentence(self, when: str, who: str, text: str) -> _Sentence:
        words = sum(not word.whole for word in self._words.of(text))
        said, contrast = statement_of(text)
        # "He likes tea" and "he does not like tea" are about the same, though only "like" is a stop word.
        statement = self._terms(f"{who} {said}") - self._words.stop_words
        return _Sentence(when, who, text, self._terms(text), max(1, words), statement, contrast)

    def _terms(self, text: str) -> frozenset[str]:
        """Returns the terms of the words that say something."""
        words, stop = self._words.of(text), self._words.stop_words
        return frozenset(term for word in words if word.text not in stop for term in word.terms)


def _is_label(name: str, text: str) -> bool:
    """Returns whether a field identifies something, and tells nobody anything: an id, a hash."""
    return is_identifier(text) or _LABEL.search(name) is not None


def _latest(sentences: Sequence[_Sentence]) -> list[int]:
    """Returns for each sentence the number of the last one that says the same, but for numbers and negations."""
    last = {each.statement: number for number, each in enumerate(sentences)}
    return [
        number if len(each.statement) < _LEAST else last[each.statement]
        for number, each in enumerate(sentences)
    ]


def _chosen(sentences: Sequence[_Sentence], budget: int) -> set[int]:
    """Returns the numbers of the sentences that cover many words within a budget of words."""
    chosen = _covering(sentences, budget, _LEAST) or _covering(sentences, budget, 1)
    if not chosen and sentences:  # no word in any of them
        chosen.add(min(_latest(sentences), key=lambda number: sentences[number].cost))
    return chosen


def _covering(sentences: Sequence[_Sentence], budget: int, least: int) -> set[int]:
    """Returns the numbers of sentences, each of which brings at least so many words that those before lack."""
    covered: set[str] = set()
    chosen: set[int] = set()

    def worth(number: int) -> float:
        each = sentences[number]
        new = each.terms - covered
        # A number counts twice here: "the rent is 950" is worth saying beside "the rent is high".
        enough = len(new) + len(new & each.contrast) >= least
        return len(new) / (each.cost + _EXTRA) if enough else 0.0

    latest = _latest(sentences)
    queue = [(-worth(number), number) for number in range(len(sentences))]
    heapify(queue)
    while queue:
        _, number = heappop(queue)
        now = worth(number)
        if queue and -now > queue[0][0]:  # others have brought some of its words meanwhile
            if now:
                heappush(queue, (-now, number))
            continue
        # What was taken back later, "the rent is 900", is told only beside that: "the rent is 950".
        chooses = number if latest[number] in chosen else latest[number]
        each = sentences[chooses]
        if each.cost > budget or not worth(chooses):
            continue
        chosen.add(chooses)
        covered |= each.terms
        budget -= each.cost
        if chooses != number:
            heappush(queue, (-worth(number), number))
    return chosen


def _text_of(sentences: Sequence[_Sentence]) -> str:
    """Returns the text: a heading for each instant, and a line for what one has said without a break."""
    lines: list[str] = []
    when = who = None
    for each in sentences:
        if each.when != when:
            when, who = each.when, None
            if when:
                lines.append(f"{when}:")
        if each.who and each.who == who:
            lines[-1] += f" {each.text}"
        else:
            lines.append(f"{each.who}: {each.text}" if each.who else each.text)
        who = each.who
    return "\n".join(lines)
