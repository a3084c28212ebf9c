"""What a memory asks of the modes that rank: its language, and the weights of the signals."""

from __future__ import annotations

from math import isfinite

import msgspec

from ..errors import InvalidArgument, brief


class SearchWeights(msgspec.Struct, frozen=True, kw_only=True):
    """How much each signal counts in a ranking. The words of a query count 1 each at most.

    The defaults were set by hand and checked on several sets of conversations; weights that were
    fitted to one set did worse on others.

    Attributes:
        k1: how much a repeated word adds (BM25).
        b: how much long records are held back (BM25), from 0 to 1.
        next: share of the words of the records directly before and after.
        second: share of the words two records away.
        third: share of the words three records away.
        who: a record of a person that the query names.
        when: a record near a date that the query names, or with a temporal expression if it asks when.
        session: words of the whole session.
        soft: share of a word whose meaning is nearly that of a word of the query (``"hybrid"``).
        meaning: similarity of vectors (``"hybrid"``), beside the embedder's own weight.
        who_semantic: a record of a person that the query names, beside the similarity (``"semantic"``).
    """

    k1: float = 0.9
    b: float = 0.4
    next: float = 0.4
    second: float = 0.4
    third: float = 0.3
    who: float = 0.85
    when: float = 0.17
    session: float = 0.3
    soft: float = 0.7
    meaning: float = 1.0
    who_semantic: float = 0.2

    def changing(self, name: str, weight: float) -> SearchWeights:
        """Returns the same weights with another one of a name."""
        return msgspec.structs.replace(self, **{name: weight})


class SearchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a memory asks of the modes that rank.

    Attributes:
        language: of which language the stems are; see `MemoryPrimitive`.
        weights: how much each signal counts.
    """

    language: str = "english"
    weights: SearchWeights = SearchWeights()

    def weighing(self, weights: SearchWeights) -> SearchOptions:
        """Returns the same options with other weights."""
        return SearchOptions(language=self.language, weights=weights)


DEFAULT_OPTIONS = SearchOptions()
"""English, with the default weights."""


def check_weights(weights: SearchWeights) -> SearchWeights:
    """Returns the weights themselves.

    Raises:
        InvalidArgument: they are no `SearchWeights`, or one of them is no finite number of at least 0, or ``b`` is
            greater than 1.
    """
    if not isinstance(weights, SearchWeights):
        raise InvalidArgument.about("weights", weights, "give a SearchWeights, or None")
    for name, weight in msgspec.structs.asdict(weights).items():
        is_number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
        if not is_number or not isfinite(weight) or weight < 0 or (name == "b" and weight > 1):
            rule = "give a number from 0 to 1" if name == "b" else "give a number of at least 0"
            raise InvalidArgument(f"weights.{name}={brief(weight)}: {rule}")
    return weights
