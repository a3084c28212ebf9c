"""A naive ranking: every score is worked out anew from every record, in loops, as the formula says.

It shares with the package how a text is split into terms and a record into parts, which have tests
of their own, and nothing that counts, keeps or sorts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tta_memory_nb.entry import Entry
from tta_memory_nb.search.ranked.dates import TEMPORAL, asks_when, dates_in, nearness
from tta_memory_nb.search.ranked.parts import leaves_of, owner_of
from tta_memory_nb.search.ranked.words import Words

WORDS = Words("english")
TEMPORAL_TERMS = {term for word in TEMPORAL for term in WORDS.terms(word)}


@dataclass
class Taken:
    """A record, taken apart."""

    entry: Entry
    session: object
    terms: Counter[str] = field(default_factory=Counter)
    length: int = 0
    people: set[str] = field(default_factory=set)
    day: int | None = None
    temporal: bool = False


def spelt(name: str) -> str:
    return " ".join(word.text for word in WORDS.of(name) if not word.whole)


def taken(entry: Entry) -> Taken:
    user, session = owner_of(entry.key)
    made = Taken(entry, (user, session) if user else object())
    if user:
        made.people.add(spelt(user))
    instants = []
    for leaf in leaves_of(entry.value()):
        words = WORDS.of(leaf.text)
        if leaf.kind == "who":
            made.people.add(spelt(leaf.text))
        elif leaf.kind == "when":
            made.day = leaf.day if made.day is None else made.day
            instants.append(words)
        else:
            made.terms.update(term for word in words for term in word.terms)
            if leaf.kind == "text":
                made.length += sum(not word.whole for word in words)
    made.temporal = not TEMPORAL_TERMS.isdisjoint(made.terms)
    for words in instants:
        made.terms.update(term for word in words for term in word.terms)
        made.length += sum(not word.whole for word in words)
    if made.day is None:
        made.day = int(entry.created_at // 86_400)
    return made


def in_order(entries: Iterable[Entry]) -> list[list[Taken]]:
    """Returns the sessions, each in the order of creation."""
    sessions: dict[object, list[Taken]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.created_at, entry._write_seq)):
        made = taken(entry)
        sessions.setdefault(made.session, []).append(made)
    return list(sessions.values())


def ranked(entries: Sequence[Entry], query: str) -> list[tuple[str, float]]:
    """Returns keys and scores, the best first, of equal ones the newest.

    The query is a question in plain words, each of which some record has.
    """
    sessions = in_order(entries)
    records = [made for session in sessions for made in session]
    size = len(records)
    if not size:
        return []
    people = {name for made in records for name in made.people}
    words, who = [], []
    for word in WORDS.of(query):
        (who if word.text in people else words).append(word)
    left = [word for word in words if word.text not in WORDS.stop_words]
    if not left and not who:
        left = words
    having = Counter(term for made in records for term in set(made.terms))
    terms = [term for term in dict.fromkeys(t for word in left for t in word.terms) if having[term]]
    longest = math.log(1 + (size - 0.5) / 1.5)
    mean = max(1.0, sum(made.length for made in records) / size)
    session_mean = max(1.0, sum(made.length for made in records) / len(sessions))
    dates, when = dates_in(query), asks_when(query)
    names = {word.text for word in who}

    def bm25(made: Taken, term: str) -> float:
        times = min(made.terms[term], 255)
        idf = math.log(1 + (size - having[term] + 0.5) / (having[term] + 0.5))
        return times * 1.9 / (times + 0.9 * (0.6 + 0.4 * made.length / mean)) * idf / longest

    scored: list[tuple[Taken, float]] = []
    for session in sessions:
        counts = Counter[str]()
        for made in session:
            counts.update({term: min(count, 255) for term, count in made.terms.items()})
        length = sum(made.length for made in session)
        of_session = 0.0
        for term in terms:
            df = sum(any(made.terms[term] for made in other) for other in sessions)
            idf = math.log(1 + (len(sessions) - df + 0.5) / (df + 0.5))
            times = counts[term]
            of_session += times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / session_mean)) * idf
        for at, made in enumerate(session):
            from_words = 0.0
            for term in terms:
                part = bm25(made, term)
                for other in (at - 1, at + 1):
                    if 0 <= other < len(session):
                        part += 0.4 * bm25(session[other], term)
                for distance, share in ((2, 0.4), (3, 0.3)):
                    for other in (at - distance, at + distance):
                        if 0 <= other < len(session):
                            first, last = min(at, other), max(at, other)
                            between = sum(each.length for each in session[first + 1 : last])
                            near = min(1.0, 20 * (distance - 1) / max(between, 1))
                            part = max(part, share * near * bm25(session[other], term))
                from_words += part
            is_asked = bool(made.people & names)
            if not (from_words if terms else is_asked):
                continue
            score = from_words + 0.85 * is_asked + 0.3 * of_session / longest
            score += 0.17 * max((nearness(made.day, date) for date in dates), default=0.0)
            score += 0.17 * (when and made.temporal)
            scored.append((made, score))
    scored.sort(key=lambda pair: (-pair[1], -pair[0].entry.created_at, -pair[0].entry._write_seq))
    return [(made.entry.key, score) for made, score in scored]
