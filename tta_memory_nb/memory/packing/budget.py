"""Tokens: how many a text has, and which records fit into a budget.

A tokenizer is a black box here. Two lines may have more tokens than the sum of both, and a longer text fewer than a
shorter one. So whole texts are counted, and what is returned has been counted itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Sized
from typing import Any, TypeAlias, TypeVar

from ...errors import InvalidArgument, brief
from ...search.request import whole_number

T = TypeVar("T")

Tokens: TypeAlias = Callable[[str], Any]
"""A function of a text that returns how many tokens there are, or the tokens themselves, as ``encode`` of tokenizers does."""

# Once the first record does not fit, so many more that are further down are tried.
_TRIED = 12

_PIECES = re.compile(r"[A-Za-z]+|\d|[^\sA-Za-z\d]")
# So many letters of a word are one token, on average, for tokenizers of 30,000 tokens or more.
_LETTERS = 5


def estimated_tokens(text: str) -> int:
    """Returns about how many tokens a text has, rather too many than too few.

    Every digit and every sign counts as one token, as does every character beyond ASCII, and every five letters of a word or
    a part of them.
    """
    return sum(-(-len(piece) // _LETTERS) for piece in _PIECES.findall(text))


def check_budget(budget: int) -> int:
    """Returns the budget as a plain int.

    Raises:
        InvalidArgument: the budget is not an int of at least 1.
    """
    number = whole_number(budget)
    if number is not None and number >= 1:
        return number
    raise InvalidArgument.about("budget", budget, "give an int of at least 1 (tokens)")


def counter(tokens: Tokens | None) -> Callable[[str], int]:
    """Returns a function that counts tokens, and checks what the given one says.

    Raises:
        InvalidArgument: what is given cannot be called.
    """
    if tokens is None:
        return estimated_tokens
    if not callable(tokens):
        raise InvalidArgument.about(
            "tokens",
            tokens,
            "give a function from a text to its number of tokens, or to its tokens",
        )

    def count(text: str) -> int:
        try:
            found = tokens(text)
        except Exception as error:
            raise InvalidArgument.about(
                "tokens",
                tokens,
                f"it raised {type(error).__name__} for a text of {len(text):,} characters ({brief(str(error))}); it "
                "must count the tokens of any text",
            ) from error
        if isinstance(found, Sized) and not isinstance(found, (str, bytes)):
            return len(found)
        number = whole_number(found)
        if number is not None and number >= 0:
            return number
        raise InvalidArgument.about(
            "tokens",
            tokens,
            f"it returned {brief(found)}; it must return how many tokens a text has, or the tokens in a list",
        )

    return count


def fitting(items: Sequence[T], fits: Callable[[list[T]], bool]) -> list[T]:
    """Returns the items that fit together, those in front first.

    As many as possible are taken from the front; then some of those behind, which may be shorter, are tried one by one.

    Args:
        items: the most important first.
        fits: says whether some of them fit. The result has passed it, unless it is empty.
    """
    chosen = list(items[: _longest(items, fits)])
    failed = 0
    for item in items[len(chosen) :]:
        if fits([*chosen, item]):
            chosen.append(item)
        else:
            failed += 1
            if failed == _TRIED:
                break
    return chosen


def _longest(items: Sequence[T], fits: Callable[[list[T]], bool]) -> int:
    """Returns how many items from the front fit, found by doubling and halving: a count of tokens may be slow."""
    good, step = 0, 1
    while good < len(items) and fits(list(items[: min(len(items), good + step)])):
        good = min(len(items), good + step)
        step *= 2
    bad = min(len(items) + 1, good + step)
    while bad - good > 1:
        middle = (good + bad) // 2
        if fits(list(items[:middle])):
            good = middle
        else:
            bad = middle
    return good
