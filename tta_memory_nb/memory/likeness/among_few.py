"""Records that say nearly the same, among those that one search has found.

Two texts are nearly the same if they share most of their pairs of neighbouring words (A. Z. Broder, "On the resemblance and
containment of documents", 1997), and the words that only one of them has are no numbers, no names and
no negations: "at 5 pm" and "at 6 pm" tell different things, and so do "from 5 to 6" and "from 6 to 5".
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from ..contrast import contrasts
from ..packing.lines import Line

NEAR = 0.75
"""So many of the pairs of words that either text has must be in both."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
# A capital behind one of these begins a sentence, and need not be that of a name.
_ENDS = re.compile(r"(?:^|[.!?…:;\"“(\[-])\s*$")


@dataclass(frozen=True, slots=True)
class Said:
    """What a line says, for comparisons."""

    who: str
    pairs: frozenset[tuple[str, str]]
    words: frozenset[str]
    telling: tuple[str, ...]


def said_by(line: Line) -> Said:
    """Returns what a line says, without its key and its instant."""
    found: list[str] = []
    telling: list[str] = []
    text = f"{line.said} {line.rest}"
    for place in _WORD.finditer(text):
        word = place[0]
        small = word.casefold()
        if not word.isascii() and len(word) > 2:
            # Maybe several words without spaces in between.
            found += map("".join, pairwise(small))
        else:
            found.append(small)
        is_name = word[0].isupper() and not _ENDS.search(
            text, max(0, place.start() - 4), place.start()
        )
        if is_name or contrasts(small):
            telling.append(small)
    ends = ["", *found, ""]
    pairs = frozenset(pairwise(ends))
    return Said(line.who.casefold(), pairs, frozenset(found), tuple(dict.fromkeys(telling)))


@dataclass(slots=True)
class SaidBefore:
    """The lines that were chosen so far."""

    _lines: list[tuple[str, Said]] = field(default_factory=list)
    _having: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def add(self, line: Line, said: Said) -> None:
        """Notes a line that was chosen."""
        for pair in said.pairs:
            self._having.setdefault(pair, []).append(len(self._lines))
        self._lines.append((line.key, said))

    def twin_of(self, said: Said) -> str | None:
        """Returns the key of a chosen line that says nearly the same; None if there is none."""
        shared: Counter[int] = Counter()
        for pair in said.pairs:
            shared.update(self._having.get(pair, ()))
        for number, both in shared.most_common():
            key, other = self._lines[number]
            if both < NEAR * (len(said.pairs) + len(other.pairs) - both):
                continue
            if said.who == other.who and said.telling == other.telling:
                return key
        return None
