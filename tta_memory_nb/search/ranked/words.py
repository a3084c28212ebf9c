"""The terms of a text, in every script.

A term is what the index counts. Words of Latin letters are reduced to their stems, words of other
alphabets give the word and its beginning, and texts without spaces between words (Chinese, Japanese,
Korean, Thai, Lao, Khmer, Burmese) give pairs of characters. Case and accents make no difference.

Sources: Snowball (M. F. Porter, "Snowball: A language for stemming algorithms", 2001); pairs of
characters for Chinese: J.-Y. Nie and F. Ren, "Chinese information retrieval: using characters or
words?", Information Processing & Management 35 (1999).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple
from unicodedata import category, decimal, normalize

from ...errors import InvalidArgument
from .stop_words import ENGLISH

# Scripts that put no space between words, and Hangul, whose words have many endings.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
# Accents and points, which are dropped, and the colours of skin of emoji. Marks of other scripts are vowels and belong to their words.
_ACCENTS = (
    "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f"
    "\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200d"
    "\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\U0001f3fb-\U0001f3ff"
)
# Emoji, each a word. Those that are joined to one picture, and the two letters of a flag, are shown as one.
_EMOJI = (
    "\u231a-\u231b\u23e9-\u23fa\u2600-\u27bf\u2b05-\u2b07\u2b1b-\u2b1c\u2b50\u2b55"
    "\U0001f000-\U0001f1e5\U0001f200-\U0001faff"
)
_FLAG = "\U0001f1e6-\U0001f1ff"
PICTURES = _EMOJI + _FLAG
"""The characters of emoji, for a class in a pattern."""

_PREFIX = 5
# Letters that Unicode does not decompose, with those that people type instead; Arabic ones of other keyboards; apostrophes, of
# which some count as letters; and digits.
_REPLACED = str.maketrans(
    {
        **dict(zip("øØłŁđĐħĦŧŦıðÐɨʉ", "oOlLdDhHtTidDiu", strict=True)),
        **dict(zip("یىک", "ييك", strict=True)),
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        **dict.fromkeys("’‘ʼʻ′", "'"),
        **{
            chr(code): str(digit)
            for code in range(0x80, 0x20000)
            if (digit := decimal(chr(code), -1)) >= 0
        },
    }
)
_TWO_CAPITALS = {"Æ": "AE", "Œ": "OE", "Þ": "TH"}

# Characters that join the parts of an identifier, a path, a version or an address.
_JOINTS = r"'._/\\@:#+&-"
# What ends a name such as C++, C# or B+.
_SIGN = r"(?:(?:\+\+?|#)(?![\w+#]))"
# A longer run of letters is no word that anybody looks for, and gets no stem.
_LONGEST = 64


def _classes() -> tuple[re.Pattern[str], ...]:
    """Returns patterns for accents, runs of unspaced scripts, chunks, chunks with accents, and their pieces."""
    marks = "".join(
        chr(code)
        for code in (*range(0x900, 0x1100), *range(0x1700, 0x1800), 0x3099, 0x309A)
        if category(chr(code))[0] == "M"
    )
    unspaced = re.compile(f"[{_UNSPACED}]+")
    letter = rf"(?:(?![{_UNSPACED}])[\w{marks}])"
    written = rf"(?:{letter}[{_ACCENTS}]*)"
    joint = rf"[{_JOINTS}’‘ʼʻ′]"
    emoji = rf"[{_EMOJI}][{_ACCENTS}]*"
    return (
        re.compile(f"[{_ACCENTS}]+"),
        unspaced,
        re.compile(
            rf"[{_UNSPACED}]+|{letter}+(?:[{_JOINTS}]+{letter}+)*{_SIGN}?|[{_FLAG}]{{2}}|[{_EMOJI}]"
        ),
        re.compile(
            rf"[{_UNSPACED}{_ACCENTS}]+|{written}+(?:{joint}+{written}+)*{_SIGN}?|[{_FLAG}]{{2}}"
            rf"|{emoji}(?:(?<=\u200d){emoji})*"
        ),
        re.compile(rf"(?<![^\W_])[^\W\d_](?:\+\+|#|\+$)|(?:[^\W_]|[{marks}])+"),
    )


_ACCENT, _RUN, _CHUNK, _CHUNK_AS_WRITTEN, _PIECE = _classes()
_CAPITAL = re.compile(f"[{''.join(_TWO_CAPITALS)}]")
_PICTURE = re.compile(f"[{PICTURES}]")
_ASCII_CHUNK = re.compile(rf"[A-Za-z0-9_]+(?:[{_JOINTS}]+[A-Za-z0-9_]+)*{_SIGN}?")
# A name with a number, as in python3. Of shorter ones, such as v2, the letters say nothing.
_NUMBERED = re.compile(r"([^\W\d_]{3,})\d+")
# Where camelCase is split: before a capital after a small letter, and before the last of capitals.
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_IDENTIFIER = re.compile(r"[_/\\@:#+]|\d|[a-z][A-Z]|\w\.\w")


def folded(text: str) -> str:
    """Returns a text without accents, in composed form; its case stays."""
    if text.isascii():
        return text
    spelt = normalize("NFC", _ACCENT.sub("", normalize("NFKD", text)))
    return _CAPITAL.sub(_spelt_out, spelt).translate(_REPLACED)


def _spelt_out(capital: re.Match[str]) -> str:
    """Returns a capital as two letters, of which the second one is small if others are."""
    letters, end = _TWO_CAPITALS[capital[0]], capital.end()
    return letters.title() if capital.string[end : end + 1].islower() else letters


class Word(NamedTuple):
    """A word of a text.

    Attributes:
        text: the word in small letters, without accents.
        terms: what the index counts for it.
        whole: whether it is an identifier as a whole, whose parts are words of their own.
    """

    text: str
    terms: tuple[str, ...]
    whole: bool = False


class Words:
    """Finds the words of texts, and their terms. Safe to share between threads.

    Args:
        language: how words of Latin letters are reduced to their stems: a language that Snowball
            knows, such as ``"english"``; ``"none"`` leaves them as they are.

    Raises:
        InvalidArgument: no such language.
    """

    def __init__(self, language: str = "english") -> None:
        self.language = language
        self._stem = stemmer_of(language)
        self.stop_words = ENGLISH if language == "english" else frozenset[str]()
        # Other languages have more endings, and some join words.
        self._has_few_endings = language in ("english", "none")
        # Words, and chunks of texts that are one word each, with their term or terms. A memory has few different ones.
        self._known: dict[str, str | tuple[str, ...]] = {}
        # Chunks of several words, with the number of words and their terms.
        self._of_more_words: dict[str, tuple[int, tuple[str, ...]]] = {}
        # Terms and their shortest words, made when they are asked for, from so many of the known ones.
        self._forms: dict[str, str] = {}
        self._formed = 0
        self._shortened: list[str] = []
        # The same of words that were not counted, such as those of queries.
        self._asked: dict[str, tuple[str, ...]] = {}
        self._asked_forms: dict[str, str] = {}

    def of(self, text: str) -> list[Word]:
        """Returns the words of a text in their order; an identifier before its parts."""
        return [word for chunk in self._chunks(text) for word in self._in_chunk(chunk, self.terms)]

    def _in_chunk(self, chunk: str, terms: Callable[[str], tuple[str, ...]]) -> list[Word]:
        """Returns the words of a chunk, with what gives the terms of a word."""
        if _RUN.match(chunk):
            return [Word(pair, (pair,)) for pair in pairs(chunk)]
        if _PICTURE.match(chunk):
            return [Word(chunk, (chunk,))]
        parts, whole = parts_of(chunk), chunk.casefold()
        found = [Word(part, terms(part)) for part in parts]
        is_more = len(parts) > 1 or (chunk[-1] in "+#" and parts != [whole])
        if is_more and _IDENTIFIER.search(chunk):
            found.insert(0, Word(whole, (whole,), whole=True))
        return found

    def spans(self, text: str) -> Iterator[tuple[int, int, set[str]]]:
        """Yields the places of words in a text: start, end, and the terms of what stands there."""
        # A long text has few different words.
        known: dict[str, set[str]] = {}
        for chunk in _CHUNK_AS_WRITTEN.finditer(text):
            written = chunk[0]
            terms = known.get(written)
            if terms is not None:
                if terms:
                    yield *chunk.span(), terms
                continue
            start, end = chunk.span()
            spelt = folded(written)
            if _RUN.fullmatch(spelt) and len(spelt) == end - start > 1:
                for at in range(start, end - 1):
                    yield at, at + 2, {spelt[at - start : at - start + 2]}
                continue
            terms = {term for word in self.of(written) for term in word.terms}
            if len(known) < _MOST_IN_A_TEXT:
                known[written] = terms
            if terms:
                yield start, end, terms

    def count(self, text: str, counts: dict[str, int]) -> int:
        """Adds the terms of a text to counts, and returns how many words it has."""
        words = 0
        known, get = self._known.get, counts.get
        for chunk in self._chunks(text):
            # Nearly all chunks were seen before, and have one term.
            terms = known(chunk)
            if type(terms) is str:
                words += 1
                counts[terms] = get(terms, 0) + 1
                continue
            if terms is None:
                number, terms = self._of_more_words.get(chunk) or self._count_chunk(chunk)
                words += number
            else:
                words += 1
            for term in terms:
                counts[term] = get(term, 0) + 1
        return words

    def _count_chunk(self, chunk: str) -> tuple[int, tuple[str, ...]]:
        """Returns how many words a chunk has, and their terms."""
        found = self._in_chunk(chunk, self._counted_terms)
        is_word = chunk.replace("'", "").isalpha()  # other chunks are seldom seen again
        is_kept = is_word and len(chunk) <= _LONGEST_KNOWN and not _RUN.match(chunk)
        if len(found) == 1 and not found[0].whole:
            if is_kept:
                self._know(chunk, found[0].terms)
            return 1, found[0].terms
        terms = tuple(term for word in found for term in word.terms)
        counted = sum(not word.whole for word in found), terms
        if is_kept:
            if len(self._of_more_words) > _MOST_CACHED:
                self._of_more_words.clear()
            self._of_more_words[chunk] = counted
        return counted

    def _know(self, word: str, terms: tuple[str, ...]) -> None:
        if len(self._known) > _MOST_CACHED:
            self._known.clear()
            self._forms.clear()
            self._formed = 0
        # A text takes a third of what a tuple takes with it.
        self._known.setdefault(word, terms[0] if len(terms) == 1 else terms)

    def _counted_terms(self, word: str) -> tuple[str, ...]:
        """Returns the terms of a word that is counted, which may become their form."""
        known = self._known.get(word)
        if known is not None:
            return (known,) if isinstance(known, str) else known
        terms = self._asked.get(word) or self._new_terms(word)
        if len(word) <= _LONGEST:
            self._know(word, terms)
        return terms

    def terms(self, word: str) -> tuple[str, ...]:
        """Returns the terms of one word in small letters without accents."""
        known = self._known.get(word) or self._asked.get(word)
        if known is not None:
            return (known,) if isinstance(known, str) else known
        terms = self._new_terms(word)
        if len(word) <= _LONGEST:
            if len(self._asked) > _MOST_ASKED:
                self._asked.clear()
                self._asked_forms.clear()
            self._asked[word] = terms
            for term in terms:
                self._asked_forms.setdefault(term, word)
        return terms

    def _new_terms(self, word: str) -> tuple[str, ...]:
        is_word = len(word) <= _LONGEST and not word.isdigit()
        stem = self._stem(word) if is_word else word
        # Of equal texts, one is kept.
        same = word if stem == word else self._known.get(stem)
        if type(same) is str and same == stem:
            stem = same
        numbered = _NUMBERED.fullmatch(word)
        if numbered is not None:
            return stem, self._stem(numbered[1])
        is_latin = word.isascii() or word[0] < "\u0250" or "\u1e00" <= word[0] < "\u1f00"
        if not is_word or (is_latin and self._has_few_endings):
            return (stem,)
        return stem, f"~{word[:_PREFIX]}"

    def _chunks(self, text: str) -> list[str]:
        if text.isascii():
            return _ASCII_CHUNK.findall(text)
        return _CHUNK.findall(folded(text))

    @property
    def shortened(self) -> Sequence[str]:
        """Terms whose form has become another one, a shorter one, in the order in which that happened."""
        self._form()
        return self._shortened

    def form_of(self, term: str) -> str:
        """Returns the shortest word in small letters that had a term in what was counted, or else one that was asked for."""
        self._form()
        return self._forms.get(term) or self._asked_forms.get(term, term)

    def _form(self) -> None:
        """Finds the forms of the words that have become known."""
        if self._formed == len(self._known):
            return
        # A copy, since another thread may add words meanwhile.
        new = list(self._known.items())[self._formed :]
        self._formed += len(new)
        for word, terms in new:
            # Others are chunks as they are written, and stand for words that are known as well.
            if word != word.casefold() or "'" in word:
                continue
            for term in (terms,) if type(terms) is str else terms:
                form = self._forms.setdefault(term, word)
                # Not the first one, which depends on the order in which records are read.
                if (len(word), word) < (len(form), form):
                    self._forms[term] = word
                    self._shortened.append(term)


_LONGEST_KNOWN = 24
# So many words are kept with their stems at most.
_MOST_CACHED = 200_000
_MOST_ASKED = 20_000
# So many of one text while it is looked through; each of those further on is worked out where it stands.
_MOST_IN_A_TEXT = 10_000


def parts_of(chunk: str) -> list[str]:
    """Returns the words that a chunk consists of, in small letters."""
    if chunk.isalpha() and (chunk.islower() or chunk[1:].islower() or chunk.isupper()):
        return [chunk.casefold()]
    parts = [
        part.casefold()
        for piece in _PIECE.findall(chunk)
        for part in (_HUMP.split(piece) if not piece.islower() else (piece,))
    ]
    if "'" in chunk:
        # "Caroline's" is a form of the name.
        parts = [part for number, part in enumerate(parts) if part != "s" or not number]
    return parts


def is_unspaced(word: str) -> bool:
    """Returns whether a word is of a script without spaces: a pair of characters, or a single one."""
    return _RUN.fullmatch(word) is not None


def pairs(run: str) -> list[str]:
    """Returns the pairs of neighbouring characters of a run; the character itself if there is one."""
    if len(run) == 1:
        return [run]
    return [run[at : at + 2] for at in range(len(run) - 1)]


def check_language(language: str) -> str:
    """Returns the language itself.

    Raises:
        InvalidArgument: it is neither ``"none"`` nor a language that Snowball knows.
    """
    if not isinstance(language, str):
        raise InvalidArgument.about("language", language, "give the name of a language, or 'none'")
    stemmer_of(language)
    return language


@cache
def stemmer_of(language: str) -> Callable[[str], str]:
    """Returns what reduces a word of a language to its stem.

    Raises:
        InvalidArgument: Snowball knows no such language.
    """
    if language == "none":
        return str
    import snowballstemmer  # imported here: only memories that are searched in this way need it

    try:
        stem: Callable[[str], str] = snowballstemmer.stemmer(language).stemWord
    except (KeyError, TypeError, AttributeError):
        known = ", ".join(sorted(snowballstemmer.algorithms()))
        raise InvalidArgument.about("language", language, f"give 'none', {known}") from None
    return stem
