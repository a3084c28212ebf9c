"""What the records before and after add to the score of a record that a server has found.

The server knows no neighbours. So the sessions of the best candidates are read whole, as far as they are not too long, and
their words are counted as `search.ranked.scoring` counts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ....entry import Unreadable
from ....search.options import SearchWeights
from ....search.query import Query
from ....search.ranked.parts import owner_of
from ....search.ranked.reach import WORDS_BETWEEN
from ....search.request import Search
from ...plan import Plan
from ..commands import Commands
from ..operations import pages
from .asking import Fields, of_session, read_found, read_joined, tells_by_parts, with_words
from .index import ServerIndex
from .questions import Asking
from .scoring import Scored, Share
from .shadows import length_and_order

# The sessions of so many of the best candidates are looked at, if they have no more records than this.
_BEST, _LONGEST = 10, 200

_OFFSETS = (-3, -2, -1, 1, 2, 3)


class _Turn(NamedTuple):
    """A record of a session. Most have no word of the question and none near, so their scores are not worked out.

    Attributes:
        length: how many words it has.
        order: when it was created, in Unix seconds, and the number of its last write.
        key: of the record.
        shadow: what the server has said of it.
        shares: of the words of the question that it has, by these words.
    """

    length: int
    order: tuple[float, int]
    key: str
    shadow: Fields
    shares: dict[str, Share]


class Around:
    """Adds what the records around say to scores, as plans.

    Args:
        commands: what asks the server.
        index: of the namespace.
    """

    def __init__(self, commands: Commands, index: ServerIndex) -> None:
        self._commands = commands
        self._index = index

    def add(self, asking: Asking, search: Search, scored: dict[str, Scored]) -> Plan[None]:
        """Adds to the scores of candidates what the records around them say, and adds these records.

        Args:
            asking: what is asked.
            search: the same, as it was asked.
            scored: key of each candidate, and its score so far.
        """
        weights = search.options.weights
        if not (weights.next or weights.second or weights.third):
            return
        best = sorted(scored, key=lambda key: -scored[key].score)[:_BEST]
        # A record without a user and a session stands alone.
        sessions = list(dict.fromkeys(owner for key in best if (owner := owner_of(key))[0]))
        if not sessions:
            return
        terms = {each.term for term in asking.question.terms for each in term.variants}
        if not terms:
            return
        index, narrow = self._index, asking.narrow
        of_sessions = [f"{of_session(*owner)} {narrow}" for owner in sessions]
        # Most records of a session have no word of the question: of these, as little as possible is sent.
        replies = yield from index.replies(
            [index.joined(query, _LONGEST + 1) for query in of_sessions]
            + [
                index.asked(f"{query} {with_words(terms)}", 0, _LONGEST, ("w",))
                for query in of_sessions
            ]
        )
        halves = replies[: len(sessions)], replies[len(sessions) :]
        for owner, listed, having in zip(sessions, *halves, strict=True):
            there = read_joined(listed)
            if len(there) > _LONGEST:
                continue
            words = {name: shadow[b"w"] for name, shadow in read_found(having).shadows}
            turns = []
            for name, returned in there:
                key = index.key_of(name)
                if owner_of(key) == owner:
                    shadow = {b"w": words.get(name, b""), b"r": returned}
                    own = asking.scores.of(shadow, None).shares if name in words else ()
                    shares = {share.asked: share for share in own}
                    turns.append(_Turn(*length_and_order(returned), key, shadow, shares))
            if not tells_by_parts(search.filters):
                passing = yield from self._passing(search, [turn.key for turn in turns])
                turns = [turn for turn in turns if turn.key in passing]
            turns.sort(key=lambda turn: turn.order)
            for turn, shares_around in _spread(turns, weights):
                known = scored.get(turn.key) or asking.scores.of(turn.shadow, None)
                scored[turn.key] = known._replace(around=tuple(shares_around))

    def _passing(self, search: Search, keys: Sequence[str]) -> Plan[set[str]]:
        """Returns the keys of the records that pass filters of which the server cannot tell.

        What does not pass is no context: neither for its words nor as one that stands between two others.
        """
        accepts, passing = Query(search).accepts, set[str]()
        for page in pages(keys):
            for entry in (yield from self._commands.peek(page)):
                if not isinstance(entry, Unreadable) and (accepts is None or accepts(entry)):
                    passing.add(entry.key)
        return passing


def _spread(turns: Sequence[_Turn], weights: SearchWeights) -> Iterator[tuple[_Turn, list[Share]]]:
    """Yields for each record of a session, in the order of creation, what the others add to it."""
    words = [0]
    for turn in turns:
        words.append(words[-1] + turn.length)

    def reach(place: int, other: int) -> float:
        low, distance = min(place, other), abs(place - other)
        between = words[low + distance] - words[low + 1]
        return min(1.0, WORDS_BETWEEN * (distance - 1) / max(1, between))

    having = [place for place, turn in enumerate(turns) if turn.shares]
    reached = {place + offset for place in having for offset in _OFFSETS}
    for place in sorted(reached.intersection(range(len(turns)))):
        turn = turns[place]
        near = [
            (distance, other)
            for distance in (1, 2, 3)
            for other in (place - distance, place + distance)
            if 0 <= other < len(turns) and turns[other].shares
        ]
        asked = dict.fromkeys(each for _, other in near for each in turns[other].shares)
        found: list[Share] = []
        for each in asked:
            own = turn.shares[each].amount if each in turn.shares else 0.0
            total, parts = own, []
            for distance, other in near:
                share = turns[other].shares.get(each)
                if share is None:
                    continue
                key = turns[other].key
                if distance == 1:
                    parts.append(share._replace(amount=weights.next * share.amount, neighbour=key))
                    total += parts[-1].amount
                    continue
                weight = weights.second if distance == 2 else weights.third
                amount = weight * reach(place, other) * share.amount
                if amount > total:
                    # The best of the farther records counts in place of the nearer ones.
                    total = amount
                    parts = [share._replace(amount=amount - own, neighbour=key)]
            found += parts
        if found:
            yield turn, found
