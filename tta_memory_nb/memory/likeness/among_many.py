"""Pairs of texts that say nearly the same, among very many.

Candidates come from MinHash with bands (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets,
chapter 3), by the package rensa. A word is in the hashed set several times, more often the rarer it is, so that the
sketch estimates a similarity by information: that of two texts about the same, and not of two that
both begin with "do you like". Each candidate is then compared exactly.

A pair counts if chance does not explain it: the words that both texts have must carry more bits than the memory has pairs
of texts. How many bits a word carries is estimated from the words before it, in what other users say (trigrams,
interpolated): so a phrase that everybody uses carries few, however long it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from math import log2
from operator import ne
from typing import Any, NamedTuple, TypeAlias

import msgspec

from ...search.ranked.stop_words import ENGLISH
from ..doctor.needed import needed

Ratio: TypeAlias = Callable[..., float]
"""Says how similar two texts are, from 0 to 100."""

_HASHES, _ROWS = 128, 4
"""Pairs that share 6 of 10 bits become candidates with a probability of 0.99, those that share 2 with 0.05."""

_BITS_A_COPY = 3.0
_LEAST_TEXTS = 1000
"""A small memory does not say how rare a word is; it counts as one of so many texts."""

_BITS_OF_COMMON = 3.0
_LEAST_RATIO = 75.0
_LARGEST_BUCKET = 100
_SPELLING, _ALIKE, _LEAST_LETTERS = 80.0, 0.9, 4
_MOST_ALIKE, _MOST_ALONE = 0.3, 16
_REPLACED = 0.5  # so much counts a word in the place of another
_ERROR = 0.08  # two standard deviations of an estimate from 128 hashes
_PAIRS = 16_384
_MIXERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5)
"""Odd factors that mix the numbers of a band into one."""

_TRIGRAM, _BIGRAM = 1.0, 10.0
_PAUSE = 256


class Near(NamedTuple):
    """Two texts that say nearly the same.

    Attributes:
        one: position of the first text.
        other: position of the second text.
        score: share of the information of both texts that both have, from 0 to 1.
        differing: words that only one of them has, in order.
    """

    one: int
    other: int
    score: float
    differing: tuple[str, ...]


class Text(msgspec.Struct, eq=False, gc=False):
    """A distinct text. The garbage collector need not visit it: there may be very many.

    Attributes:
        words: its words, in order.
        users: numbers of the users who say it.
        bits: what its distinct words carry together.
        distinct: its distinct words, in any order.
        ordered: its words in alphabetical order, as one text, once it is needed.
    """

    words: tuple[str, ...]
    users: frozenset[int]
    bits: float = 0.0
    distinct: tuple[str, ...] = ()
    ordered: str = ""


def near_texts(texts: Sequence[Text], least: float) -> Iterator[Near | None]:
    """Yields pairs of texts that say nearly the same, and None now and then."""
    total = max(len(texts), _LEAST_TEXTS)
    for text in texts:
        text.distinct = tuple(set(text.words))
    counts = Counter(chain.from_iterable([text.distinct for text in texts]))
    bits = {
        word: min(log2(total / count), _BITS_OF_COMMON) if word in ENGLISH else log2(total / count)
        for word, count in counts.items()
    }
    # With so many bits, chance alone would explain half a pair among all pairs of the memory.
    least_bits = 2 * log2(total)
    chosen: list[int] = []
    for number, text in enumerate(texts):
        text.bits = sum(map(bits.__getitem__, text.distinct))
        if text.bits >= least_bits * 0.6 and len(text.words) >= 4 and _has_words(text.words):
            chosen.append(number)
    likely: list[tuple[int, int]] = []
    for batch in _candidates([texts[number] for number in chosen], bits, least):
        if batch is None:
            yield None
        else:
            likely.extend((chosen[one], chosen[other]) for one, other in batch)
    ratio: Ratio = needed("rapidfuzz.fuzz", "near-duplicates").ratio
    checked: list[Near] = []
    for number, (one, other) in enumerate(likely):
        if number % _PAUSE == 0:
            yield None
        near = _compared(ratio, one, other, texts[one], texts[other], bits, least)
        if near is not None:
            checked.append(near)
    yield from _unlikely(checked, texts, counts, total, least_bits)


def _has_words(words: Sequence[str]) -> bool:
    """Whether a text has words, and not only letters with spaces between them."""
    return sum(len(word) > 1 for word in words) >= len(words) / 2


def _candidates(
    texts: Sequence[Text], bits: dict[str, float], least: float
) -> Iterator[list[tuple[int, int]] | None]:
    """Yields pairs of positions of texts that are probably near, each pair once, and None now and then."""
    import numpy as np

    minhash = needed("rensa", "near-duplicates").RMinHash
    sketches = np.empty((len(texts), _HASHES), np.uint32)
    copies = {
        word: [f"{word} {copy}" for copy in range(max(1, round(each / _BITS_A_COPY)))]
        for word, each in bits.items()
    }
    for number, text in enumerate(texts):
        if number % _PAUSE == 0:
            yield None
        sketch = minhash(_HASHES, 1)
        sketch.update(list(chain.from_iterable(map(copies.__getitem__, text.distinct))))
        sketches[number] = sketch.digest()
    codes = []
    mixers = np.array(_MIXERS, np.uint64)
    for first in range(0, _HASHES, _ROWS):
        # Numbers are sorted faster than bytes. Bands that differ have the same number only by a rare chance, and are compared below.
        keys = sketches[:, first : first + _ROWS].astype(np.uint64) @ mixers
        order = np.argsort(keys)
        yield None
        same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
        codes.append(_pairs_of_runs(same, order, len(texts)))
    yield None
    if not codes:
        return
    unique = np.unique(np.concatenate(codes))
    for start in range(0, len(unique), _PAIRS):
        part = unique[start : start + _PAIRS]
        one, other = part // len(texts), part % len(texts)
        # The share of equal hashes estimates the similarity; most candidates are far from near.
        is_likely = (sketches[one] == sketches[other]).mean(axis=1) >= least - _MOST_ALIKE - _ERROR
        yield list(zip(one[is_likely].tolist(), other[is_likely].tolist(), strict=True))


def _pairs_of_runs(same: Any, order: Any, count: int) -> Any:
    """Returns the pairs within each run of equal keys as numbers ``one * count + other``.

    Args:
        same: places in ``order`` whose key is that of the next place.
        order: positions of texts, sorted by their key.
        count: number of texts.
    """
    import numpy as np

    is_first = np.diff(same, prepend=-2) != 1
    is_single = is_first & np.append(is_first[1:], True)
    # Nearly all runs are two texts, of which numpy makes pairs at once.
    two = same[is_single]
    found = [_coded(order[two], order[two + 1], count)]
    rest = same[~is_single]
    breaks = np.flatnonzero(np.diff(rest) != 1) + 1
    for run in np.split(rest, breaks) if len(rest) else ():
        members = order[run[0] : run[-1] + 2][:_LARGEST_BUCKET]
        one, other = np.triu_indices(len(members), 1)
        found.append(_coded(members[one], members[other], count))
    return np.concatenate(found)


def _coded(one: Any, other: Any, count: int) -> Any:
    import numpy as np

    return np.minimum(one, other).astype(np.int64) * count + np.maximum(one, other)


def _compared(
    ratio: Ratio,
    one: int,
    other: int,
    text: Text,
    second: Text,
    bits: dict[str, float],
    least: float,
) -> Near | None:
    """Returns how near two texts are, or None if they are not near enough."""
    a, b = {*text.distinct}, {*second.distinct}
    shared = sum(map(bits.__getitem__, a & b))
    # Most candidates are far from near. Words that are spelt alike make up for so much at most.
    if shared < (least - _MOST_ALIKE) * (text.bits + second.bits - shared):
        return None
    only_a, only_b = a - b, b - a
    if only_a and only_b and len(only_a) + len(only_b) <= _MOST_ALONE:
        for word in sorted(only_a):
            near = _spelt_like(word, sorted(only_b), ratio)
            if near is not None:
                shared += _ALIKE * min(bits[word], bits[near])
                only_a, only_b = only_a - {word}, only_b - {near}
    alone = sum([bits[word] for word in only_a | only_b])
    if len(only_a) == len(only_b) == 1 and _differ_in_one_place(text.words, second.words):
        alone *= _REPLACED  # as where a name was changed
    score = shared / (shared + alone) if shared else 0.0
    if score < least:
        return None
    if ratio(_ordered(text), _ordered(second), score_cutoff=_LEAST_RATIO) < _LEAST_RATIO:
        return None
    differing = [word for word in (*text.words, *second.words) if word in only_a or word in only_b]
    return Near(one, other, round(score, 3), tuple(dict.fromkeys(differing)))


def _differ_in_one_place(words: Sequence[str], others: Sequence[str]) -> bool:
    """Returns whether two texts are the same but for one word that takes the place of another."""
    return len(words) == len(others) and sum(map(ne, words, others)) == 1


def _spelt_like(word: str, others: Sequence[str], ratio: Ratio) -> str | None:
    """Returns the first of some words that is probably a word in another spelling."""
    if len(word) < _LEAST_LETTERS or not word.isalpha():
        return None
    return next(
        (
            each
            for each in others
            if len(each) >= _LEAST_LETTERS and each.isalpha() and ratio(word, each) >= _SPELLING
        ),
        None,
    )


def _ordered(text: Text) -> str:
    if not text.ordered:
        text.ordered = " ".join(sorted(text.words))
    return text.ordered


# ---- what chance explains


def _unlikely(
    pairs: Sequence[Near],
    texts: Sequence[Text],
    words: Counter[str],
    total: int,
    least_bits: float,
) -> Iterator[Near | None]:
    """Yields those pairs that share more than chance and common phrases explain, and None now and then."""
    wanted = {number for pair in pairs for number in (pair.one, pair.other)}
    users: dict[tuple[str, ...], set[int]] = {
        gram: set()
        for number in wanted
        for three in _threes(texts[number].words)
        for gram in (three, three[1:])
    }
    for number, text in enumerate(texts):
        if number % _PAUSE == 0:
            yield None
        for first, middle, word in _threes(text.words):
            said = users.get((middle, word))
            if said is not None:  # without these two there are no such three
                said |= text.users
                said = users.get((first, middle, word))
                if said is not None:
                    said |= text.users
    for number, pair in enumerate(pairs):
        if number % _PAUSE == 0:
            yield None
        text, second = texts[pair.one], texts[pair.other]
        own = text.users | second.users
        shared = {*text.words} & {*second.words}
        carried = min(
            sum(
                bits
                for word, bits in _surprise(each.words, users, own, words, total)
                if word in shared
            )
            for each in (text, second)
        )
        if carried >= least_bits:
            yield pair


_START = ""


def _threes(words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yields each word of a text behind the two before it; there are two places before its first word."""
    padded = [_START, _START, *words]
    return zip(padded, padded[1:], words, strict=False)


def _surprise(
    words: Sequence[str],
    users: dict[tuple[str, ...], set[int]],
    own: frozenset[int],
    counts: Counter[str],
    total: int,
) -> Iterator[tuple[str, float]]:
    """Yields the words of a text with the bits they carry, each once, by what users other than its own say."""

    def others(*gram: str) -> int:
        said = users.get(gram)
        # A phrase may have very many users; these texts have few of their own.
        return 0 if said is None else len(said) - len(said & own)

    seen: set[str] = set()
    for first, second, word in _threes(words):
        if word in seen:
            continue
        seen.add(word)
        # A text of eight words is as likely to have a word as eight places are.
        alone = max(counts[word] - 2, 0.3) / total / 8
        before = total if second == _START else max(counts[second] - 2, 0)
        by_one = (others(second, word) + _BIGRAM * alone) / (before + _BIGRAM)
        by_two = (others(first, second, word) + _TRIGRAM * by_one) / (
            (total if second == _START else others(first, second)) + _TRIGRAM
        )
        yield word, -log2(min(1.0, by_two))
