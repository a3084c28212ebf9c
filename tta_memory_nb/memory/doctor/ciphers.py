"""Undoes simple ciphers: other orders of letters, alphabets that are shifted or upside down, Morse code, words without spaces.

A text is deciphered only if words that matter can be seen in the cipher, so that nearly every text costs one look at its words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from .code_names import has_syntax, is_camel_name

_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_WORDS = re.compile(r"[^\W\d_]+")
_LEAST_LETTERS = 4
"""The fewest letters of a word that is looked for: too many ciphers turn a shorter one into another word."""

_BACKWARDS = -1
_SEEN = 2
"""A cipher is undone if so many different words that matter can be seen in it."""

_COMMON = frozenset(
    [
        "about",
        "above",
        "after",
        "again",
        "answer",
        "before",
        "delete",
        "every",
        "everything",
        "from",
        "have",
        "into",
        "instead",
        "know",
        "memories",
        "memory",
        "message",
        "mode",
        "never",
        "only",
        "other",
        "rules",
        "send",
        "tell",
        "that",
        "their",
        "them",
        "then",
        "these",
        "they",
        "this",
        "those",
        "under",
        "user",
        "users",
        "what",
        "when",
        "whenever",
        "with",
        "without",
        "word",
        "would",
        "your",
    ]
)
"""Words that nearly every instruction has some of, besides those that matter."""

_UPSIDE_DOWN = str.maketrans("ɐqɔpǝɟƃɓɥᴉıɾʞןlɯuodbɹsʇnʌʍxʎz", "abcdefgghiijkllmnopqrstuvwxyz")
_UPSIDE_DOWN_LETTERS = frozenset("ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎ")
_MORSE = {
    code: letter
    for letter, code in zip(
        _ALPHABET,
        [
            ".-",
            "-...",
            "-.-.",
            "-..",
            ".",
            "..-.",
            "--.",
            "....",
            "..",
            ".---",
            "-.-",
            ".-..",
            "--",
            "-.",
            "---",
            ".--.",
            "--.-",
            ".-.",
            "...",
            "-",
            "..-",
            "...-",
            ".--",
            "-..-",
            "-.--",
            "--..",
        ],
        strict=True,
    )
}
_MORSE_TEXT = re.compile(r"[.\-·–]{1,5}(?:[ /|]{1,3}[.\-·–]{1,5}){11,4000}")


class Deciphered(NamedTuple):
    """What a text says if it was written in a cipher.

    Attributes:
        text: what it says.
        cipher: the name of the cipher.
    """

    text: str
    cipher: str


@lru_cache(4)  # several readers ask for those of the same text
def words_of(text: str) -> frozenset[str]:
    """Returns the words of a text in lower case, as far as they consist of letters."""
    return frozenset(_WORDS.findall(text.lower()))


def deciphered(text: str, words: frozenset[str]) -> Iterator[Deciphered]:
    """Yields what a text says in each cipher in which words can be seen that matter.

    Args:
        text: any text.
        words: lower-case words that matter.
    """
    seen = _ciphers_of(words)
    counts = Counter(cipher for word in seen.keys() & words_of(text) for cipher in seen[word])
    for cipher, count in counts.items():
        if count < _SEEN:
            continue
        if cipher == _BACKWARDS:
            yield Deciphered(text[::-1], "backwards")
            yield Deciphered(re.sub(r"\S+", lambda word: word[0][::-1], text), "words backwards")
        else:
            by = "ROT13" if cipher == 13 else "a shifted alphabet"
            yield Deciphered(text.translate(_shift(cipher)), by)
    if not text.isascii() and len(_UPSIDE_DOWN_LETTERS.intersection(text)) >= 4:
        upright = text.lower().translate(_UPSIDE_DOWN)
        yield Deciphered(upright, "letters upside down")
        yield Deciphered(upright[::-1], "letters upside down")
    for match in _MORSE_TEXT.finditer(text):
        code = re.sub("[·]", ".", match[0]).replace("–", "-")
        parts = [
            "".join(_MORSE.get(letter, "?") for letter in word.split())
            for word in re.split(r"\s*[/|]\s*|\s{2,}", code)
        ]
        yield Deciphered(" ".join(parts), "Morse code")


@cache
def _shift(by: int) -> dict[int, int]:
    """Returns the table that moves each letter so many places back in the alphabet."""
    moved = _ALPHABET[-by:] + _ALPHABET[:-by]
    return str.maketrans(_ALPHABET + _ALPHABET.upper(), moved + moved.upper())


@lru_cache(8)
def _ciphers_of(words: frozenset[str]) -> dict[str, tuple[int, ...]]:
    """Returns, for each word that matters as a cipher writes it, which ciphers these are: a shift, or `_BACKWARDS`."""
    plain = {word for word in words | _COMMON if len(word) >= _LEAST_LETTERS}
    found: dict[str, set[int]] = {}
    for word in plain:
        for by in range(1, 26):
            # Written with a shift of `by`, and therefore read with a shift back.
            found.setdefault(word.translate(_shift(26 - by)), set()).add(by)
        found.setdefault(word[::-1], set()).add(_BACKWARDS)
    return {word: tuple(ciphers) for word, ciphers in found.items() if word not in plain}


# ---- words without spaces

_LONG = re.compile(r"\S{16}")
_RUN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{18,600}(?![A-Za-z0-9])")
_CAMEL = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]?[a-z']+(?:[A-Z][a-z']*){3,80}(?![A-Za-z0-9])")
_JOINED = re.compile(
    r"(?<![\w/.-])[A-Za-z']+(?:([_.+~-])[A-Za-z']+)(?:\1[A-Za-z']+){3,200}(?![\w/])"
)
_HUMP = re.compile(r"(?<=[a-z'])(?=[A-Z])")
_LONGEST_WORD = 16


def separated(text: str, words: frozenset[str]) -> str:
    """Returns a text with spaces between words that were written as one.

    Args:
        text: any text.
        words: lower-case words that may be among them.
    """
    if _LONG.search(text) is None:
        return text
    is_program = has_syntax(text)

    def of_humps(run: re.Match[str]) -> str:
        is_name = is_program and is_camel_name(run[0])
        return run[0] if is_name else _HUMP.sub(" ", run[0])

    def of_letters(run: re.Match[str]) -> str:
        is_name = is_program and not run[0].islower() and is_camel_name(run[0])
        return run[0] if is_name else split_into(run[0].lower(), words) or run[0]

    spaced = _CAMEL.sub(of_humps, text)
    spaced = _JOINED.sub(lambda run: run[0].replace(run[1], " "), spaced)
    return _RUN.sub(of_letters, spaced)


def split_into(run: str, words: frozenset[str]) -> str | None:
    """Returns a run of letters with spaces between its words; None if a third of it or more is in none of the words.

    Args:
        run: lower-case letters.
        words: lower-case words that may be among them.
    """
    # For each length of a beginning, the fewest letters outside of words, then the fewest words, and where the last one begins.
    best: list[tuple[int, int, int]] = [(0, 0, 0)]
    for end in range(1, len(run) + 1):
        outside, count, _ = best[end - 1]
        choice = (outside + 1, count, end - 1)
        for start in range(max(0, end - _LONGEST_WORD), end):
            if run[start:end] in words:
                before, many, _ = best[start]
                choice = min(choice, (before, many + 1, start))
        best.append(choice)
    if best[-1][0] * 3 >= len(run):
        return None
    pieces: list[str] = []
    end, was_outside = len(run), False
    while end:
        start = best[end][2]
        is_outside = best[start][0] < best[end][0]
        if is_outside and was_outside:  # letters outside of words are one piece
            pieces[-1] = run[start] + pieces[-1]
        else:
            pieces.append(run[start:end])
        end, was_outside = start, is_outside
    return " ".join(reversed(pieces))
