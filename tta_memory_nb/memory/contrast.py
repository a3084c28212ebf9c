"""What makes one statement another: numbers and negations, and words that have changed places.

"The rent is 900" does not say what "the rent is 950" says, nor "he eats no nuts" what "he eats nuts" says, nor "Ann owes
Bob money" what "Bob owes Ann money" says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

_NEGATIONS = frozenset(
    (
        *("no", "not", "never", "none", "nobody", "nothing", "without", "cannot", "neither", "nor"),
        *("nicht", "nie", "kein", "keine", "keinen", "ohne", "pas", "jamais", "nunca", "non"),
    )
)

DENIAL = re.compile(r"(?i)\b(?:not|never|no longer|cannot)\b|n['’]t\b")
"""What denies a whole sentence in English. "No" is not among it: "there is no salt" says something of its own."""

# With what goes along with a negation, but says nothing by itself: "does not smoke any more".
_CONTRASTS = re.compile(
    rf"(?i)\b(?:{'|'.join(sorted(_NEGATIONS))})\b|n['’]t\b|\bany ?(?:more|longer)\b|\b\w*\d[\w.,:/-]*"
)


def contrasts(word: str) -> bool:
    """Returns whether a word, in lower case, is a number or a negation."""
    if word.isalpha():  # by far the most
        return word in _NEGATIONS
    return (
        word in _NEGATIONS
        or word.endswith(("n't", "n’t"))
        or any(letter.isdigit() for letter in word)
    )


def statement_of(text: str) -> tuple[str, frozenset[str]]:
    """Returns a text without its numbers and negations, and these, in lower case."""
    found = _CONTRASTS.findall(text)
    return _CONTRASTS.sub(" ", text), frozenset(each.lower().rstrip(".,:") for each in found)


# Of what they join, either may come first.
_JOINING = frozenset(("and", "or", "und", "oder", "et", "ou", "y", "o", "e", "as", "well"))
# What says which part a word plays, wherever it is: "on 3 May we met at 5" and "at 5 we met on 3 May".
_PREPOSITIONS = frozenset(
    (
        *("at", "by", "for", "from", "in", "of", "on", "since", "to", "until", "with"),
        *(
            "am",
            "an",
            "aus",
            "bei",
            "bis",
            "mit",
            "nach",
            "um",
            "von",
            "zu",
            "à",
            "de",
            "con",
            "en",
        ),
    )
)
_LONGEST_EXCHANGED = 4


def exchanged(words: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """Returns the words that have changed places between two texts with the same words, so that they say something else.

    Words have changed places if others that stay where they are lie between them: "from 200 to 800" and "from 800 to
    200". A part that was moved as a whole says the same elsewhere: "yesterday we met" and "we met yesterday". So do
    the parts of an enumeration: "bread and tea" and "tea and bread". Numbers and negations belong to their neighbours: "it
    ended 3 1" and "it ended 1 3".

    Args:
        words: the words of the first text, in order and in lower case.
        others: those of the second text.

    Returns:
        The words, in the order of the first text; none if the texts have different words, or say the same.
    """
    if words == others or Counter(words) != Counter(others):
        return ()
    moved = _crossed(words, others) or _blocks(words, others) or _elsewhere(words, others)
    return tuple(dict.fromkeys(moved))


def _crossed(words: Sequence[str], others: Sequence[str]) -> list[str]:
    """Returns words in other places than before, unless they have only changed places with their neighbours."""
    differing = [
        at for at, (one, other) in enumerate(zip(words, others, strict=True)) if one != other
    ]
    if 2 * len(differing) > len(words) + 1:  # all is elsewhere: a part was moved as a whole
        return []
    moved: list[int] = []
    for run in _runs(differing):
        if Counter(words[at] for at in run) != Counter(others[at] for at in run):
            moved += run
    if not moved:
        return []
    staying = set(range(moved[0], moved[-1])).difference(moved)
    if all(words[at] in _JOINING for at in staying):
        return []
    return [words[at] for at in moved]


def _runs(places: Sequence[int]) -> Iterator[list[int]]:
    """Yields the runs of places without a gap."""
    run: list[int] = []
    for at in places:
        if run and at != run[-1] + 1:
            yield run
            run = []
        run.append(at)
    if run:
        yield run


def _blocks(words: Sequence[str], others: Sequence[str]) -> list[str]:
    """Returns two short parts that have changed places around a part that stays; none if there are none."""
    begin = 0
    while words[begin] == others[begin]:
        begin += 1
    end = len(words)
    while words[end - 1] == others[end - 1]:
        end -= 1
    before, after = list(words[begin:end]), list(others[begin:end])
    for first in range(1, _LONGEST_EXCHANGED + 1):
        for last in range(1, _LONGEST_EXCHANGED + 1):
            middle = before[first:-last]
            if not middle or all(word in _JOINING for word in middle):
                continue
            if first > 1 and last > 1 and {before[0], before[-last]} <= _PREPOSITIONS:
                continue
            if after == before[-last:] + middle + before[:first]:
                return before[:first] + before[-last:]
    return []


def _elsewhere(words: Sequence[str], others: Sequence[str]) -> list[str]:
    """Returns the numbers that have other neighbours on both sides, and what negations deny that they did not."""
    was, is_ = Counter(pairwise(["", *words, ""])), Counter(pairwise(["", *others, ""]))
    gone = was - is_
    alone = {two[1] for two in gone} & {two[0] for two in gone}
    numbers = [word for word in words if word in alone and any(letter.isdigit() for letter in word)]
    if len(set(numbers)) > 1:
        return numbers
    denied = [two for two in gone if two[0] in _NEGATIONS and two[1]]
    return [word for two in denied for word in two]
