"""The tombstones that this process knows, arranged for comparisons: digests by id, and sketches."""

from __future__ import annotations

from collections.abc import Sequence

from ...entry import Entry, write_seq
from .fingerprint import Fingerprint
from .sketches import Sketches
from .tombstone import PREFIX, sketch_in


class Listed:
    """The tombstones of one memory."""

    def __init__(self) -> None:
        # By id: the digest of the text, or an empty text; the number of the sketch, or -1; the number of the write.
        self._ids: dict[str, tuple[str, int, int]] = {}
        self._texts: dict[str, str] = {}
        self._sketches: Sketches | None = None
        # By number of the sketch: the id, and the digest of numbers and negations.
        self._numbered: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self._ids)

    def replace(self, entries: Sequence[Entry]) -> None:
        """Takes in all that the companion store has: adds tombstones that are new, and drops those that were lifted."""
        there = {entry.key.removeprefix(PREFIX) for entry in entries}
        for lifted in self._ids.keys() - there:
            self._drop(lifted)
        self.add(entries)

    def add(self, entries: Sequence[Entry]) -> int:
        """Adds tombstones; returns how many of them were unknown or have changed."""
        sketches, count = [], 0
        for entry in entries:
            id_, number = entry.key.removeprefix(PREFIX), write_seq(entry)
            known = self._ids.get(id_)
            if known is not None:
                if known[2] == number:
                    continue
                self._drop(id_)  # it was made again, perhaps as one of another kind
            count += 1
            value = entry.value()
            text, sketch = str(value.get("text", "")), sketch_in(value)
            self._ids[id_] = text, len(self._numbered) if sketch else -1, number
            if text:
                self._texts[text] = id_
            if sketch:
                sketches.append(sketch)
                self._numbered.append((id_, str(value.get("stated", ""))))
        if sketches:
            if self._sketches is None:
                self._sketches = Sketches()
            self._sketches.extend(sketches)
        return count

    def _drop(self, id_: str) -> None:
        text, *_ = self._ids.pop(id_)
        if self._texts.get(text) == id_:
            del self._texts[text]

    def like(self, print_: Fingerprint) -> list[str]:
        """Returns the ids of the tombstones that refuse a value, the surest first."""
        found = [each for each in (print_.exact, print_.under_key) if each in self._ids]
        if print_.text and (same := self._texts.get(print_.text)) is not None:
            found.append(same)
        if print_.sketch and self._sketches is not None:
            for number in self._sketches.like(print_.sketch):
                id_, stated = self._numbered[number]
                if stated == print_.stated and self._ids.get(id_, ("", -1, 0))[1] == number:
                    found.append(id_)
        return list(dict.fromkeys(found))
