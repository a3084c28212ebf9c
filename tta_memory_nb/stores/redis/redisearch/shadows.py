"""Shadows: what the index of a server sees of the records, a hash each.

A shadow has the terms of a record as this package finds them in every script, and not its text. Terms and
names are spelled in small letters and digits of ASCII, one word each, and parts of keys are numbers. So nothing
in a shadow or in a query is anything else to the syntax of RediSearch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

from ....entry import Entry
from ....search.ranked.parts import Reader, created_at
from ....text import to_utf8

VERSION = 3
"""Number of the layout of shadows. Whatever changes shadows, or the words in them, raises it."""

SCHEMA = (
    *("w", "TEXT", "NOSTEM"),
    *("p", "TAG", "CASESENSITIVE"),
    *("q", "TAG", "CASESENSITIVE"),
    *("o", "NUMERIC"),
    *("s", "NUMERIC"),
    *("t", "NUMERIC"),
    *("x", "NUMERIC"),
)
"""Fields of a shadow that are indexed: its terms; people; the session; the first and the second part of the key; when the record was
updated last and when it expires, in Unix seconds. No TAG for parts of keys: RediSearch adds tags to scores.

The field ``r`` is only returned: the number of words, when the record was created, the number of its last write, its day, whether
its text tells when something happens, and people."""

# The longest texts that are spelled out. Their words differ if the texts do.
_PLAIN = re.compile(r"[a-z0-9]{1,40}")
_MOST_BYTES = 40

_MOST_TIMES = 255


class Shadow(NamedTuple):
    """The shadow of a record.

    Attributes:
        length: how many words the record has.
        fields: names and values in turn.
    """

    length: int
    fields: list[str]


class Returned(NamedTuple):
    """What a search returns of a shadow besides its words.

    Attributes:
        length: how many words the record has.
        order: when it was created, in Unix seconds, and the number of its last write.
        day: days since 1970, see `search.ranked.parts.Parts`.
        temporal: whether its text tells when something happens.
        people: tags of the people it is of.
    """

    length: int
    order: tuple[float, int]
    day: int
    temporal: bool
    people: list[bytes]

    @classmethod
    def read(cls, packed: bytes) -> Returned:
        """Reads the field ``r`` of a shadow."""
        length, created, seq, day, temporal, people = packed.split(b" ", 5)
        order = float(created), int(seq)
        return cls(int(length), order, int(day), temporal == b"1", people.split(b","))


def length_and_order(packed: bytes) -> tuple[int, tuple[float, int]]:
    """Returns the first two parts of what `Returned.read` reads, for records of which no more is needed."""
    length, created, write, _ = packed.split(b" ", 3)
    return int(length), (float(created), int(write))


NOTHING = Returned(0, (0.0, 0), 0, temporal=False, people=[])
"""Of a record of which nothing is known."""


def word_of(text: str) -> str:
    """Returns the word that stands for a term or a name, in shadows and queries."""
    if _PLAIN.fullmatch(text):
        return f"t{text}"
    utf8 = to_utf8(text)
    if len(utf8) <= _MOST_BYTES:
        return f"h{utf8.hex()}"
    return f"d{blake2b(utf8, digest_size=16).hexdigest()}"


def text_of(word: str) -> str | None:
    """Returns the text that a word stands for; None if it is too long to be spelled out."""
    if word.startswith("t"):
        return word[1:]
    return (
        bytes.fromhex(word[1:]).decode("utf-8", "surrogatepass") if word.startswith("h") else None
    )


def number_of(text: str) -> int:
    """Returns the number that stands for a part of a key; texts that differ rarely share one."""
    # A double holds all integers of so many bits.
    return int.from_bytes(blake2b(to_utf8(text), digest_size=8).digest(), "big") >> 11


def session_of(user: str, session: str) -> str:
    """Returns the tag of the records of a session; few others have it."""
    return f"q{number_of(f'{user}:{session}')}"


def shadow_of(entry: Entry, reader: Reader) -> Shadow:
    """Returns the shadow of a record, whose words are those that `lists.Lists` counts."""
    parts = reader.read(entry)
    user, session = parts.owner
    tags = ",".join(tag for name in parts.people for tag in _tags_of(name))
    # One field, since each one that a search returns takes time to read.
    written = f"{created_at(entry)!r} {entry._write_seq}"
    returned = f"{parts.length} {written} {parts.day} {int(parts.temporal)} {tags}"
    words = " ".join(_repeated(parts.counts))
    fields = ["w", words, "r", returned, "t", repr(entry.updated_at)]
    first, colon, rest = entry.key.partition(":")
    if colon:
        fields += ["o", str(number_of(first)), "s", str(number_of(rest.partition(":")[0]))]
    if user:
        fields += ["q", session_of(user, session)]
    if tags:
        fields += ["p", tags]
    if entry.expires_at is not None:
        fields += ["x", repr(entry.expires_at)]
    return Shadow(parts.length, fields)


def part_of(word: str) -> str:
    """Returns the tag of a record of a person whose name has a word and others."""
    return f"n{word_of(word)}"


def _tags_of(name: str) -> Iterator[str]:
    yield word_of(name)
    if " " in name:
        yield from map(part_of, dict.fromkeys(name.split()))


def _repeated(counts: dict[str, int]) -> Iterator[str]:
    for term, count in counts.items():
        yield from (word_of(term),) * min(count, _MOST_TIMES)
