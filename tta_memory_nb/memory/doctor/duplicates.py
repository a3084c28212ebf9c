"""Records that say the same, nearly the same, or the same in other words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from ...text import fold
from ..contrast import exchanged
from ..likeness.among_many import Near
from .examined import MOST_EVIDENCE, WORD, Examined, Record
from .finding import Action, Evidence, Finding, Repair, Severity
from .masking import without_secrets
from .nearness import near_groups

_SHORT = 3  # words; "ok thanks" by two people is no fault
_MOST_WORDS = 6
_BLOCK = 1024


def exact_duplicates(examined: Examined) -> Iterator[Finding | None]:
    """Finds records with the same value, or with the same text whatever their other fields are.

    The order of fields makes no difference, nor do case, white space and punctuation of the text.
    """
    texts = yield from examined.by_text()
    groups = [group for text, group in texts.items() if text and isinstance(group, list)]
    groups += _of_one_value(texts.get("", []))
    for group in groups:
        values = {_value_of(record) for record in group}
        same_user = len({record.user for record in group}) == 1
        severity: Severity = "medium" if same_user and _words(group[0]) >= _SHORT else "low"
        what = "value" if len(values) == 1 else "text"
        ordered = to_keep_first(group)
        text = f"the same {what} in {len(group):,} records"
        if len(values) > 1 and len(values) < len(group):
            text += f", {len(values):,} different values among them"
        yield _duplicates("exact-duplicates", severity, ordered, text, 1.0)


def _of_one_value(records: Record | list[Record]) -> list[list[Record]]:
    """Returns the groups of records without text that have the same value."""
    groups: dict[str, list[Record]] = {}
    for record in records if isinstance(records, list) else [records]:
        groups.setdefault(_value_of(record), []).append(record)
    return [group for group in groups.values() if len(group) > 1]


def near_duplicates(examined: Examined, *, similar: float) -> Iterator[Finding | None]:
    """Finds texts that differ in some words, in their order, in a name or in spelling."""
    found: Sequence[tuple[list[list[Record]], Near]] = ()
    for groups in near_groups(examined, similar):
        if groups is None:
            yield None
        else:
            found = groups
    for texts, near in found:
        group = [record for alike in texts for record in alike]
        first, second = texts[0][0], texts[1][0]
        text = f"nearly the same text in {len(group):,} records"
        moved = next(filter(None, (_exchanged(first, each[0]) for each in texts[1:])), ())
        if moved:
            yield _to_decide("near-duplicates", "medium", group, text, near.score, moved)
            continue
        differing = _named(near.differing, (first, second))
        text += f"; only in one of them: {differing}" if differing else "; the same words"
        yield _duplicates("near-duplicates", "medium", to_keep_first(group), text, near.score)


def similar_meaning(examined: Examined, *, alike: float) -> Iterator[Finding | None]:
    """Finds texts of one user with nearly the same vector, which do not have nearly the same words."""
    import numpy as np

    vectors = examined.vectors
    if vectors is None:
        return
    records = examined.records
    chosen = [number for number, record in enumerate(records) if _words(record) >= _SHORT]
    first: dict[str, int] = {}
    chosen = [
        number for number in chosen if first.setdefault(records[number].folded, number) == number
    ]
    taken: set[int] = set()
    table = vectors[chosen]
    for start in range(0, len(chosen), _BLOCK):
        yield None
        scores = table[start : start + _BLOCK] @ table.T
        for row, column in zip(*np.nonzero(scores >= alike), strict=True):
            one, other = start + int(row), int(column)
            if one < other and not {one, other} & taken:
                pair = [records[chosen[one]], records[chosen[other]]]
                if pair[0].user != pair[1].user:
                    continue
                taken |= {one, other}
                score = round(float(scores[row, column]), 3)
                text = "texts of nearly the same meaning"
                if moved := _exchanged(*pair):  # which a vector may not show
                    yield _to_decide("similar-meaning", "low", pair, text, score, moved)
                else:
                    yield _duplicates("similar-meaning", "low", to_keep_first(pair), text, score)


def to_keep_first(group: Iterable[Record]) -> list[Record]:
    """Returns records, the one to keep first: one that does not expire, of these the newest."""
    return sorted(
        group, key=lambda record: (record.entry.expires_at is not None, -record.at, record.key)
    )


def _duplicates(
    check: str, severity: Severity, ordered: Sequence[Record], text: str, score: float
) -> Finding:
    keys = tuple(record.key for record in ordered)
    others = f"the other {len(keys) - 1:,}" if len(keys) > 2 else "the other one"
    action: Action = "delete" if check == "exact-duplicates" else "merge"
    return Finding(
        check,
        severity,
        keys,
        text,
        tuple(record.shown() for record in ordered[:MOST_EVIDENCE]),
        Repair(action, keys[1:], f"keep the first one, {action} {others}"),
        keys[1],
        score,
    )


def _exchanged(one: Record, other: Record) -> tuple[str, ...]:
    """Returns the words that have changed places between two texts, so that these may say different things."""
    return exchanged(WORD.findall(one.folded), WORD.findall(other.folded))


def _to_decide(
    check: str,
    severity: Severity,
    group: Sequence[Record],
    text: str,
    score: float,
    moved: Sequence[str],
) -> Finding:
    """Returns the finding of records of which a person has to say whether they say the same, with the moved words as evidence."""
    ordered = to_keep_first(group)
    keys = tuple(record.key for record in ordered)
    named = _named(moved, ordered)
    return Finding(
        check,
        severity,
        keys,
        f"{text}; the same words in another order, and perhaps with another meaning"
        + (f": {named}" if named else ""),
        tuple(_marked(record, moved) for record in ordered[:MOST_EVIDENCE]),
        Repair("review", keys, "look whether they say the same; keep both if not"),
        keys[1],
        score,
    )


def _marked(record: Record, words: Sequence[str]) -> Evidence:
    """Returns the main text as evidence, with some of its words marked."""
    spans = [
        found.span()
        for found in WORD.finditer(record.main)
        if fold(found[0]) in words  # whatever the case
    ]
    return record.evidence(record.main_path, record.main, *spans[:_MOST_WORDS])


def _value_of(record: Record) -> str:
    return json.dumps(record.entry.value(), sort_keys=True)


def _words(record: Record) -> int:
    return len(record.folded.split())


def _named(words: Sequence[str], records: Sequence[Record]) -> str:
    """Returns those of some words that are in the texts also after secrets in these were masked."""
    if not words:
        return ""
    shown = " ".join(without_secrets(record.folded) for record in records)
    named = [word for word in words if word in shown]
    more = ", …" if len(named) > _MOST_WORDS else ""
    return ", ".join(named[:_MOST_WORDS]) + more
