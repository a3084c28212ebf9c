"""Facts in sentences, as a slot and a value: ``I live in Lyon`` fills the slot "lives in" of its user with "lyon".

The patterns are English. They take only what has one value at a time: somebody lives in one place, but likes many.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..contrast import DENIAL

_SENTENCE = re.compile(r"[^.!?;\n]+(?:\.\d[^.!?;\n]*)*")
_LONGEST = 240
_WHO = r"(?P<who>i|we|(?:the )?user|(?:the )?customer|[A-Z][a-zà-ÿ]{1,20}(?: [A-Z][a-zà-ÿ]{1,20})?)"
_VALUE = r"(?P<value>[^,()]{1,60}?)(?=\s*(?:,|\(|$| and | but | with | since | for | because | so | now\b| which | where | who | when | until | last | this | next | again| in \d))"
_OWNED = r"(?P<who>my|our|(?:the )?(?:user|customer)'?s|[A-Z][a-zà-ÿ]{1,20}'s)"

_RELATIONS: tuple[tuple[str, frozenset[str], re.Pattern[str]], ...] = tuple(
    (relation, frozenset(triggers.split()), re.compile(rf"\b{_WHO} {pattern}", re.IGNORECASE))
    for relation, triggers, pattern in (
        (
            "lives in",
            "live lives living moved reside resides based",
            rf"(?:now |currently |still )?(?:lives? in|(?:am|is|are) living in|(?:have |has )?(?:just |recently )?moved to|resides? in|(?:am|is|are) based in) {_VALUE}",
        ),
        (
            "works at",
            "work works employed",
            rf"(?:now |currently |still )?(?:works? (?:at|for)|(?:am|is) employed (?:at|by)) {_VALUE}",
        ),
        (
            "works as",
            "work works working",
            rf"(?:now |currently |still )?(?:works? as|(?:am|is) working as) (?:an? )?{_VALUE}",
        ),
        (
            "age",
            "am is are turned m",
            r"(?:am|is|are|turned|'m) (?:now )?(?P<value>\d{1,3})(?: years? old| yrs? old|$)",
        ),
        ("was born", "born", rf"(?:was|were) born (?:on |in )?{_VALUE}"),
        ("comes from", "from", rf"(?:am|is|are|'m|comes?) (?:originally )?from {_VALUE}"),
        (
            "is married",
            "married single divorced engaged widowed",
            r"(?:am|is|are|'m) (?:now )?(?P<value>married|single|divorced|engaged|widowed)\b",
        ),
        (
            "prefers",
            "prefer prefers",
            rf"(?:now )?prefers? {_VALUE}(?= (?:to|over|rather than|instead of) )",
        ),
    )
)
_NAMED = re.compile(
    rf"\b{_OWNED} (?P<what>(?:[\w-]{{1,20}} ){{0,3}}?[\w-]{{2,20}}) (?:is|are|was|has changed to|changed to|=) (?:now |called |named |at |on |in |set to )?(?:an? |the )?{_VALUE}",
    re.IGNORECASE,
)
_PLANNED = re.compile(
    r"\b(?:the|our|this|next) (?P<what>(?:[\w-]{1,20} ){0,2}?[\w-]{3,20}) (?:is|are|was|starts|begins|ends|opens|closes|costs|takes place|is due|was moved|moved|is scheduled|has) "
    r"(?:now |due |set |scheduled |moved )?(?:at |on |in |to |for |by )?(?P<value>[^,()]{1,40}?)(?=\s*(?:,|\(|$| and | but | with | because ))",
    re.IGNORECASE,
)
_NUMBER = r"\d[\d.,:/-]*(?:\s?(?:am|pm|%|€|\$|h|kg|km))?"
_DATES = (
    r"mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?|"
    r"january|february|march|april|june|july|august|september|october|november|december|noon|midnight"
)
_CERTAIN = re.compile(
    rf"(?i)^(?:{_NUMBER}|(?:{_DATES})\b.*|.*\b\d.*|yes|no|true|false|open|closed|cancell?ed|free|paid|unpaid|public|private|enabled|disabled|on|off)$"
)
_MASKED = re.compile(rf"(?i)[$€£]?{_NUMBER}|\b(?:{_DATES})\b")
_HELPERS = frozenset(
    ("do", "does", "did", "any", "longer", "a", "an", "the", "no", "really", "ca", "wo")
)
_EMPTY = frozenset(
    (
        "it",
        "this",
        "that",
        "there",
        "what",
        "here",
        "they",
        "he",
        "she",
        "so",
        "nothing",
        "everything",
    )
)
_TOKEN = re.compile(r"[^\W_]+")
_OWNERS = frozenset(("my", "our", "s"))
_VERBS = frozenset(("is", "are", "was", "changed"))
_CERTAINTIES = frozenset(
    [
        "yes",
        "no",
        "true",
        "false",
        "open",
        "closed",
        "cancelled",
        "canceled",
        "free",
        "paid",
        "unpaid",
        "public",
        "private",
        "enabled",
        "disabled",
        "on",
        "off",
    ]
)
_VAGUE = frozenset(
    (
        "the same",
        "here",
        "there",
        "it",
        "this",
        "that",
        "you",
        "me",
        "not",
        "a lot",
        "something",
        "good",
        "nice",
        "great",
        "better",
        "fine",
    )
)


_TRIGGERS = frozenset().union(*(triggers for _, triggers, _ in _RELATIONS))
_DIGIT = re.compile(r"\d")
_DAYS = frozenset(
    [
        "mon",
        "monday",
        "tue",
        "tues",
        "tuesday",
        "wed",
        "wednesday",
        "thu",
        "thurs",
        "thursday",
        "fri",
        "friday",
        "sat",
        "saturday",
        "sun",
        "sunday",
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "noon",
        "midnight",
    ]
)
"""Every word that `_DATES` matches."""


class Statement(NamedTuple):
    """A fact as a sentence states it.

    Attributes:
        slot: what the fact is about; statements with the same slot and another value contradict each other.
        what: the slot in words.
        value: the value, folded.
        span: where the sentence is in the text.
    """

    slot: tuple[str, ...]
    what: str
    value: str
    span: tuple[int, int]


def statements_in(text: str) -> Iterator[Statement]:
    """Yields the facts that a text states, each at most once a sentence and pattern."""
    for match in _SENTENCE.finditer(text):
        sentence = match[0].strip()
        if 8 <= len(sentence) <= _LONGEST:
            start = match.start() + match[0].index(sentence)
            yield from _stated(sentence, (start, start + len(sentence)))


def _stated(sentence: str, span: tuple[int, int]) -> Iterator[Statement]:
    negated = DENIAL.search(sentence) is not None
    told = DENIAL.sub(" ", sentence) if negated else sentence
    words = _TOKEN.findall(told.lower())
    present = frozenset(words)
    has_numbers = not _DAYS.isdisjoint(present) or _DIGIT.search(sentence) is not None
    masked = _MASKED.sub("#", sentence) if has_numbers else sentence
    if not negated:
        for relation, triggers, pattern in () if _TRIGGERS.isdisjoint(present) else _RELATIONS:
            if triggers & present and (found := pattern.search(sentence)):
                value = _folded(found["value"])
                if value and value not in _VAGUE:
                    who = _who(found["who"])
                    yield Statement((who, relation), f"{relation}", value, span)
        is_owned = _OWNERS & present and _VERBS & present
        if is_owned and (found := _NAMED.search(sentence)):
            value, what = _folded(found["value"]), _folded(found["what"])
            if value and value not in _VAGUE and len(value.split()) <= 6:
                yield Statement((_who(found["who"]), what), what, value, span)
        elif (masked != sentence or _CERTAINTIES & present) and (
            found := _PLANNED.search(sentence)
        ):
            value, what = _folded(found["value"]), _folded(found["what"])
            if _CERTAIN.match(value):
                yield Statement(("", what), what, value, span)
    kept = [word for word in words if word not in _HELPERS]
    if 3 <= len(kept) <= 14 and kept[0] not in _EMPTY:
        value = "no" if negated else "yes"
        yield Statement(("yes or no", *kept), " ".join(kept), value, span)
    if masked != sentence:
        others = [word.lower() for word in _TOKEN.findall(masked)]
        if len(others) >= 3:
            value = " ".join(found.lower() for found in _MASKED.findall(sentence))
            yield Statement(
                ("number", masked.lower()),
                "the same sentence with other numbers or dates",
                value,
                span,
            )


def _folded(value: str) -> str:
    return " ".join(value.lower().split()).strip(" .!?'\"")


def _who(who: str) -> str:
    who = who.lower().removeprefix("the ").removesuffix("'s")
    return (
        "user" if who in ("i", "my", "we", "our", "user", "users", "customer", "customers") else who
    )
