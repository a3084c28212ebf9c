"""What a search by meaning brings along: the vectors that are known, and what it lacks.

An index looks at its entries under a lock, and an embedder may take seconds or never answer. So the index
asks nobody: it answers from the vectors that it is given, and notes what is missing. The plan of the
verb embeds that between two searches, without any lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .vectors import Floats, Vectors

# So many texts are noted at a time, since each takes memory until it is embedded.
_MOST_TEXTS = 2048


class Lacking(NamedTuple):
    """A text that has no vector yet.

    Attributes:
        text: the text.
        key: of the record that it belongs to; None for a single word.
    """

    text: str
    key: str | None = None


class Meaning:
    """The vectors for one search, and notes of those that are missing.

    Args:
        vectors: of texts and of single words; None until the embedder has given the first one.
        questions: vectors of questions by their text.
        weight: how much similar meaning counts in a hybrid search of a small memory.
        has_words: whether vectors of single words can be compared.
        is_quick: whether a text takes less than about 1 ms, so that few need to be kept.
        is_rehearsal: whether all records are to be looked at and none to be found.

    Attributes:
        lacks_questions: texts of questions that have no vector yet.
        lacks: texts of records, or single words, that have no vector yet, by their digest.
        waiting: how many of them there are in all; ``lacks`` has the first ones.
    """

    def __init__(
        self,
        vectors: Vectors | None,
        questions: Mapping[str, Floats],
        weight: float,
        *,
        has_words: bool,
        is_quick: bool,
        is_rehearsal: bool = False,
    ) -> None:
        self.vectors = vectors
        self.weight = weight
        self.has_words = has_words
        self.is_quick = is_quick
        self.is_rehearsal = is_rehearsal
        self._questions = questions
        self.lacks_questions: list[str] = []
        self.lacks: dict[int, Lacking] = {}
        self.waiting = 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing was missing."""
        return not self.lacks_questions and not self.lacks

    @property
    def is_full(self) -> bool:
        """Whether no more missing texts should be noted now."""
        return len(self.lacks) >= _MOST_TEXTS

    def question(self, text: str) -> Floats | None:
        """Returns the vector of a question; notes the text if there is none yet."""
        found = self._questions.get(text)
        if found is None:
            self.lacks_questions.append(text)
        return found
