"""What is kept of a value that was deleted for good: digests and a sketch, with a secret salt, and never its text.

A text of at least four words that carry meaning has a sketch by MinHash (Broder 1997), of which only the lowest 8 bits of each
minimum are kept (b-bit MinHash, Li and König 2010). Two texts are nearly the same if they share four fifths of these
words, and have the same numbers and negations, see `contrast`.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from ...entry import Entry
from ...search.ranked.stop_words import ENGLISH
from ...text import fold
from ..contrast import contrasts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

HASHES = 64
"""Bytes of a sketch."""

ALIKE = 0.8
"""From this share of common words on, two texts are nearly the same."""

DIGEST = 16
"""Bytes of a digest."""

_LEAST_WORDS = 4


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What can be compared of a value.

    Attributes:
        exact: digest of the value, in hexadecimal digits; the order of fields, case, spaces and punctuation make no difference.
        under_key: digest of the value and its key.
        text: digest of the words of the main text; empty for a text of less than four words.
        sketch: of these words, `HASHES` bytes; empty for a text of less than four words that carry meaning.
        stated: digest of the numbers and negations in the text; empty without a sketch.
    """

    exact: str
    under_key: str
    text: str
    sketch: bytes
    stated: str


def fingerprint_of(entry: Entry, salt: bytes) -> Fingerprint:
    """Returns the fingerprint of the value of an entry.

    Args:
        entry: a readable one.
        salt: of the memory; without it, nobody can tell which text a fingerprint is of.
    """
    from ..doctor.examined import WORD, Record

    record = Record(entry)
    value = _in_order(_folded(entry.value(), WORD.findall))
    exact = _digest(salt, "value", value)
    under_key = _digest(salt, "key", json.dumps([entry.key, value]))
    words = WORD.findall(record.folded)
    if len(words) < _LEAST_WORDS:
        return Fingerprint(exact, under_key, "", b"", "")
    text = _digest(salt, "text", " ".join(words))
    contrasting = list(filter(contrasts, words))
    meaning = {word for word in words if word not in ENGLISH}.difference(contrasting)
    if len(meaning) < _LEAST_WORDS:
        return Fingerprint(exact, under_key, text, b"", "")
    stated = _digest(salt, "stated", " ".join(sorted(contrasting)))
    return Fingerprint(exact, under_key, text, _sketch(meaning, salt), stated)


def encoded(sketch: bytes) -> str:
    """Returns a sketch as text for a value in JSON."""
    return b64encode(sketch).decode()


def decoded(text: object) -> bytes:
    """Returns the sketch of such a text; an empty one for anything else."""
    try:
        sketch = b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        return b""
    return sketch if len(sketch) == HASHES else b""


def likeness(one: bytes, other: bytes) -> float:
    """Returns which share of words two sketches estimate that their texts have in common, from 0 to 1."""
    if not one or not other:
        return 0.0
    equal = sum(a == b for a, b in zip(one, other, strict=True)) / HASHES
    return max(0.0, (equal - 1 / 256) / (1 - 1 / 256))


def _folded(node: Any, words: Callable[[str], list[str]]) -> Any:
    """Returns a value with its texts without case, and with single spaces in place of what is between words."""
    if isinstance(node, dict):
        return {name: _folded(child, words) for name, child in node.items()}
    if isinstance(node, list):
        return [_folded(child, words) for child in node]
    if isinstance(node, str):
        folded = fold(node)
        return " ".join(words(folded)) or folded
    return node


_in_order = json.JSONEncoder(sort_keys=True).encode


def _digest(salt: bytes, what: str, text: str) -> str:
    raw = text.encode("utf-8", "surrogatepass")
    return blake2b(raw, digest_size=DIGEST, key=salt, person=what.encode()).hexdigest()


def _sketch(words: set[str], salt: bytes) -> bytes:
    import numpy as np

    digests = b"".join(_word_digest(word, salt) for word in words)
    hashed = np.frombuffer(digests, ">u8").astype(np.uint64)
    factors, terms = _multipliers(salt)
    # Multiply-shift hashing: the upper half of a product is spread evenly.
    table = (hashed[:, None] * factors + terms) >> np.uint64(32)
    return bytes((table.min(axis=0) & np.uint64(0xFF)).astype(np.uint8))


@lru_cache(maxsize=20_000)
def _word_digest(word: str, salt: bytes) -> bytes:
    return blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8, key=salt).digest()


@lru_cache(maxsize=64)
def _multipliers(salt: bytes) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Returns a factor and a term for each hash of a sketch."""
    import numpy as np

    raw = b"".join(
        blake2b(number.to_bytes(2, "big"), key=salt, person=b"multipliers").digest()
        for number in range(HASHES // 4)
    )
    numbers = np.frombuffer(raw, np.uint64)
    return numbers[:HASHES] | np.uint64(1), numbers[HASHES:]
