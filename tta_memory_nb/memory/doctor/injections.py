"""Finds instructions to the agent in a text that should only say something.

The patterns of `instructions` are tried only on texts that have one of their words. `languages` finds what is said in
another language than English, and `disguises` what is hidden.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...search.ranked.stop_words import ENGLISH
from .ciphers import words_of
from .code_names import is_code
from .disguises import readings
from .finding import Spot
from .instructions import RULES, Rule
from .languages import said_elsewhere
from .things import is_of_things

_MARKS = (
    "<|",
    "[inst",
    "<<sys",
    "</",
    "{{",
    "[/inst",
    "<start_of",
    "<system",
    "<admin",
    "<instr",
    "<prompt",
    "<sys",
    "<dev",
    "<important",
    "<secret",
)

WORDS: frozenset[str] = frozenset().union(*(rule.words for rule in RULES))
_BY_WORD: dict[str, tuple[Rule, ...]] = {
    word: tuple(rule for rule in RULES if word in rule.words) for word in WORDS
}
_MESSAGES = next(rule for rule in RULES if rule.what.startswith("plays"))
_TAKES_BACK = next(rule for rule in RULES if rule.what.startswith("takes back"))
# An instruction has some words; in scripts without spaces it is shorter.
_SHORTEST, _SHORTEST_WORD = 5, 24


def injections_in(text: str) -> list[Spot]:
    """Returns the places in a text that instruct the agent, in order; also those in a disguise."""
    if len(text) < _SHORTEST or (" " not in text and len(text) < _SHORTEST_WORD and text.isascii()):
        return []
    found: dict[str, Spot] = {}
    for reading in readings(text, DISGUISED, WRITTEN):
        for what, (start, end) in _instructions(reading.text):
            if what not in found:
                said = f"{what}, in {reading.disguise}" if reading.disguise else what
                found[what] = Spot(said, reading.original(start, end))
        if found and not reading.disguise:
            break  # what is said openly need not be decoded
    return sorted(found.values(), key=lambda spot: spot.span)


def _instructions(text: str) -> Iterable[tuple[str, tuple[int, int]]]:
    lower = text.lower()
    words = words_of(text)
    rules = {rule: None for word in WORDS & words for rule in _BY_WORD[word]}
    if any(mark in lower for mark in _MARKS):
        rules[_MESSAGES] = None
    for rule in rules:
        for match in rule.pattern.finditer(text):
            if is_code(text, *match.span()):
                continue
            if rule is not _TAKES_BACK or not is_of_things(text, *match.span()):
                yield rule.what, match.span()
                break
    if span := said_elsewhere(text, words):
        yield "says it in another language", span


DISGUISED: frozenset[str] = frozenset(
    [
        "ignore",
        "previous",
        "instructions",
        "instruction",
        "disregard",
        "override",
        "system",
        "prompt",
        "reveal",
        "bypass",
        "restrictions",
        "forget",
        "guidelines",
        "unrestricted",
        "developer",
        "execute",
        "password",
        "credentials",
        "safety",
        "exfiltrate",
        "administrator",
        "pretend",
        "following",
        "secrets",
        "earlier",
    ]
)
"""Words for which a text is read in ciphers and with its letters in order."""

WRITTEN: frozenset[str] = WORDS | DISGUISED | ENGLISH
"""Words of which a run of letters without spaces may consist."""
