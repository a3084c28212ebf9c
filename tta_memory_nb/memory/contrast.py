"""Words that make one statement another: numbers and negations.

"The rent is 900" does not say what "the rent is 950" says, nor "he eats no nuts" what "he eats nuts" says.
"""

from __future__ import annotations

import re

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
