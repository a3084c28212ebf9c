"""Groups of records whose texts say nearly the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..likeness.among_many import Near, Text, near_texts
from .examined import PAUSE, WORD, Examined, Record

_MOST_WORDS = 2000


def near_groups(
    examined: Examined, least: float
) -> Iterator[list[tuple[list[list[Record]], Near]] | None]:
    """Yields None now and then, and at last groups of records whose texts say nearly the same.

    Each group is a list of lists: the records that have one text, then those that have another one. With it
    comes how near the second text is to the first.

    Args:
        examined: the records.
        least: the least share of information that two texts must have in common, from 0 to 1.

    Raises:
        MissingPackage: rensa or rapidfuzz is not installed.
    """
    kept = examined.kept.get(("near", least))
    if kept is not None:
        yield kept
        return
    same = yield from examined.by_text()
    records: list[list[Record]] = []
    texts: list[Text] = []
    numbers: dict[str, int] = {}
    for number, (folded, found) in enumerate(same.items()):
        if number % PAUSE == 0:
            yield None
        if not folded:
            continue
        alike = found if isinstance(found, list) else [found]
        users = {numbers.setdefault(each.user or each.key, len(numbers)) for each in alike}
        records.append(alike)
        texts.append(Text(tuple(WORD.findall(folded)[:_MOST_WORDS]), frozenset(users)))
    pairs: list[Near] = []
    for near in near_texts(texts, least):
        if near is None:
            yield None
        else:
            pairs.append(near)
    groups = [([records[number] for number in members], best) for members, best in _grouped(pairs)]
    examined.kept["near", least] = groups
    yield groups


def _grouped(pairs: Iterable[Near]) -> list[tuple[list[int], Near]]:
    """Returns groups in which every text is near to the first one, the nearest pairs first."""
    leaders: dict[int, list[int]] = {}
    best: dict[int, Near] = {}
    leader_of: dict[int, int] = {}
    for pair in sorted(pairs, key=lambda each: -each.score):
        one, other = pair.one, pair.other
        if one in leader_of and other in leader_of:
            continue
        if other in leader_of:
            one, other = other, one
        if one not in leader_of:
            leaders[one], best[one], leader_of[one] = [one], pair, one
        if leader_of[one] == one:
            leaders[one].append(other)
            leader_of[other] = one
        else:  # near to a text that is near to the first one: a group of its own
            leaders[other], best[other], leader_of[other] = [other, one], pair, other
    return [(members, best[leader]) for leader, members in leaders.items()]
