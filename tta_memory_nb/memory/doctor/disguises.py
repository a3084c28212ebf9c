"""Undoes what hides words from a reader or from a pattern: other alphabets, spaces, digits, encodings.

Each disguise is undone in a copy of the text. Where a place in a copy is in the original is kept, character by
character, for the disguises that change single characters; a decoded text stands for the whole of its code.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import unquote

from .ciphers import deciphered, separated, words_of
from .languages import without_accents

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
"""Characters that show nothing: joiners, marks of direction, tags, fillers, variation selectors."""

# Letters of other alphabets that look like Latin ones (from Unicode's confusables, those that whole words are written in).
_LOOKALIKES = str.maketrans(
    "аАеЕоОрРсСуУхХіІјЈѕЅԁԛԝһВКМНТвкмнтгΑΒΕΖΗΙΚΜΝΟΡΤΥΧαβγεικνορτυχωɑɡıｌ",
    "aAeEoOpPcCyYxXiIjJsSdqwhBKMHTbkmhtrABEZHIKMNOPTYXabyeiknoptuxwagil",
)
_LEET = str.maketrans("013457@$!|", "oieastasii")
# A word in which letters that look like Latin ones stand beside Latin ones, or a text with both.
_LATIN_BESIDE = re.compile(
    r"(?<!\w)(?=\w*[A-Za-z])(?=\w*[^\x00-\x7f])\w{2,60}|(?<!\w)[аАеЕоОрРсСуУхХіІјЈѕЅ]{1,12}(?!\w)"
)
_MIXED = re.compile(r"(?<![\w@$])(?=[\w@$!|]*[A-Za-z])(?=[\w@$!|]*[0134578@$!|])[\w@$!|]{3,40}")
_LEET_BESIDE = re.compile(r"[0134578@$!|][A-Za-z]")
_SPACED = re.compile(r"(?<!\w)[^\W_](?:[ ._*\-|/']{1,6}[^\W_](?!\w)){5,400}")
_ACCENTS = re.compile("[\u0300-\u036f]")
_GAP = re.compile(r"[\W_]+")
_TAG = re.compile(r"</?[A-Za-z!][^<>]{0,100}>")
_PLUS = re.compile(r"[\"']\s{0,3}[+&]\s{0,3}[\"']")
_WORD = re.compile(r"[^\W\d_]{5,30}")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{20,100000}={0,2}(?![A-Za-z0-9+/_=-])")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:(?:\\x|0x)?[0-9a-fA-F]{2}[ ,:]?){16,50000}(?![0-9A-Za-z])")
_BINARY = re.compile(r"(?<![01])(?:[01]{8}[ ,]?){8,5000}(?![01])")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2}[^%\s]{0,8}){4,20000}")
_ENTITIES = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-z]{2,8});")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}){4,20000}")
_MOST_DECODED = 20_000


class Reading(NamedTuple):
    """A text, or what it says once a disguise is undone.

    Attributes:
        text: what it says.
        disguise: how that was hidden, in words; empty if it was not.
        span: where the disguised place is in the original, if all of the reading comes from one place.
        places: where each character is in the original, if the reading has others; None for the same places.
    """

    text: str
    disguise: str = ""
    span: tuple[int, int] | None = None
    places: list[int] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Returns where a place of the reading is in the original text."""
        if self.span is not None:
            return self.span
        if self.places is None:
            return start, end
        return self.places[start], self.places[end - 1] + 1


def readings(text: str, words: frozenset[str], written: frozenset[str]) -> Iterator[Reading]:
    """Yields a text, and what else it may say.

    Args:
        text: any text.
        words: lower-case words that matter; a text in a cipher or with scrambled words is read only if it has them then.
        written: lower-case words of which a run of letters without spaces may consist.
    """
    plain = Reading(text) if text.isascii() else _plain_letters(text)
    yield plain
    shown = plain.text
    if _ODD.search(shown):
        yield from _encoded(text, plain, written)
    if _SPACED.search(shown):
        collapsed = _collapsed(plain)
        yield collapsed
        apart = separated(collapsed.text, written)
        if apart != collapsed.text:
            yield Reading(apart, collapsed.disguise, (0, len(text)))
    if not shown.isascii() and (bare := _ACCENTS.sub("", without_accents(shown))) != shown:
        is_same = len(bare) == len(shown)
        yield Reading(bare, "accents", None if is_same else (0, len(text)), plain.places)
    for each in deciphered(shown, words):
        yield Reading(each.text, each.cipher, (0, len(text)))
    ends, known = _ends_of(words), _by_letters(words)
    long = [word for word in words_of(shown) if len(word) >= 5 and word[0] + word[-1] in ends]
    if any(known.get(_letters_of(word), word) != word for word in long):
        yield Reading(_unscrambled(shown, known), "scrambled words", None, plain.places)


# Nearly every text has nothing of this.
_ODD = re.compile(r"[0-9%&\\<+@$|]|![A-Za-z]|\S{16}")


def _encoded(text: str, plain: Reading, written: frozenset[str]) -> Iterator[Reading]:
    """Yields what a text says that has digits, signs or long words; see `readings`."""
    shown = plain.text
    if "&" in shown and _ENTITIES.search(shown):
        yield Reading(html.unescape(shown), "HTML entities", (0, len(text)))
    if "%" in shown:
        yield from _decoded(text, _PERCENT, _percent, "percent-encoding")
    if "\\" in shown:
        yield from _decoded(text, _ESCAPES, _escapes, "escape sequences")
    yield from _decoded(text, _BASE64, _base64, "base64")
    yield from _decoded(text, _HEX, _hex, "hexadecimal")
    yield from _decoded(text, _BINARY, _binary, "binary")
    if (apart := separated(shown, written)) != shown:
        yield Reading(apart, "words without spaces", (0, len(text)))
    if "<" in shown and len(_TAG.findall(shown)) >= 2:
        yield Reading(_TAG.sub("", shown), "markup", (0, len(text)))
    if _PLUS.search(shown):
        yield Reading(_PLUS.sub("", shown), "pieces of text", (0, len(text)))
    if _LEET_BESIDE.search(shown):
        letters = _MIXED.sub(lambda word: word[0].translate(_LEET), shown)
        yield Reading(letters, "digits for letters", None, plain.places)


@cache
def _ends_of(words: frozenset[str]) -> set[str]:
    """Returns the first and the last letter of each word."""
    return {word[0] + word[-1] for word in words}


def _plain_letters(text: str) -> Reading:
    """Returns a text in Latin letters where others only look like them, without characters that show nothing."""
    letters: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        if letter.isascii():
            letters.append(letter)
            places.append(place)
        elif not INVISIBLE.match(letter):
            for each in normalize("NFKC", letter):
                letters.append(each)
                places.append(place)
        elif "\U000e0020" <= letter <= "\U000e007e":  # a tag stands for the ASCII character
            letters.append(chr(ord(letter) - 0xE0000))
            places.append(place)
    joined = "".join(letters)
    plain = _LATIN_BESIDE.sub(lambda word: word[0].translate(_LOOKALIKES), joined)
    is_same = plain == joined and len(places) == len(text)
    return Reading(plain, "" if is_same else "look-alike or invisible letters", None, places)


def _collapsed(plain: Reading) -> Reading:
    """Returns a text in which words with spaces between their letters are words again."""
    letters: list[str] = []
    places: list[int] = []
    at = 0

    def keep(place: int) -> None:
        letters.append(plain.text[place])
        places.append(place if plain.places is None else plain.places[place])

    for match in _SPACED.finditer(plain.text):
        for place in range(at, match.start()):
            keep(place)
        at = match.start()
        gaps = Counter(_GAP.findall(match[0]))
        # The gap between two letters is the most frequent one; any other one stands for the space between two words.
        between = gaps.most_common(1)[0][0]
        for place in range(match.start(), match.end()):
            if plain.text[place].isalnum():
                gap = plain.text[at:place]
                if at > match.start() and gap != between:
                    keep(place - 1)
                    letters[-1] = " "
                keep(place)
                at = place + 1
        at = match.end()
    for place in range(at, len(plain.text)):
        keep(place)
    return Reading("".join(letters), "spaced letters", None, places)


def _unscrambled(text: str, known: Mapping[str, str]) -> str:
    """Returns a text in which words that matter are spelt right if their inner letters were in another order."""

    def restored(match: re.Match[str]) -> str:
        word = match[0].lower()
        right = known.get(_letters_of(word))
        return match[0] if right is None or right == word else right

    return _WORD.sub(restored, text)


@cache
def _by_letters(words: frozenset[str]) -> dict[str, str]:
    return {_letters_of(word): word for word in sorted(words) if len(word) >= 5}


def _letters_of(word: str) -> str:
    return f"{word[0]}{''.join(sorted(word[1:-1]))}{word[-1]}"


def _decoded(
    text: str, pattern: re.Pattern[str], decode: Callable[[str], str], disguise: str
) -> Iterator[Reading]:
    for match in pattern.finditer(text):
        found = decode(match[0][:_MOST_DECODED])
        if found and found != match[0] and _is_prose(found):
            yield Reading(found, disguise, match.span())


def _is_prose(text: str) -> bool:
    printable = sum(letter.isprintable() or letter.isspace() for letter in text)
    letters = sum(letter.isalpha() or letter == " " for letter in text)
    return printable == len(text) and letters >= 0.7 * len(text) and " " in text


def _base64(code: str) -> str:
    code = code.replace("-", "+").replace("_", "/").rstrip("=")
    code = code[: len(code) - 1] if len(code) % 4 == 1 else code
    try:
        return base64.b64decode(code + "=" * (-len(code) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""


def _hex(code: str) -> str:
    digits = re.sub(r"0x|\\x|[ ,:]", "", code)
    try:
        return bytes.fromhex(digits).decode()
    except ValueError:
        return ""


def _binary(code: str) -> str:
    digits = re.sub(r"[ ,]", "", code)
    try:
        return int(digits, 2).to_bytes(len(digits) // 8, "big").decode()
    except ValueError:
        return ""


def _percent(code: str) -> str:
    return unquote(code)


def _escapes(code: str) -> str:
    return re.sub(
        r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})",
        lambda each: chr(int(each[1] or each[2], 16)),
        code,
    )
