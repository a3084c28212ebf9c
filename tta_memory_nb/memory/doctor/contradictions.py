"""Other values of one fact: in a field, in a triple of subject, relation and object, or in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from ...table import Path, field_name
from ...text import leaf_text
from ...times import shown_instant
from .examined import MOST_EVIDENCE, PAUSE, Examined, Record
from .finding import Evidence, Finding, Repair
from .masking import without_secrets
from .statements import statements_in

# Names of fields that differ from record to record for good reasons.
_PASSING = frozenset(
    [
        "id",
        "uuid",
        "key",
        "turn",
        "index",
        "idx",
        "seq",
        "number",
        "position",
        "order",
        "timestamp",
        "time",
        "ts",
        "date",
        "datetime",
        "created",
        "updated",
        "at",
        "createdat",
        "updatedat",
        "sent",
        "session",
        "sessionid",
        "conversation",
        "thread",
        "role",
        "speaker",
        "sender",
        "author",
        "source",
        "from",
        "to",
        "message",
        "messageid",
        "text",
        "content",
        "title",
        "summary",
        "note",
        "body",
        "query",
        "question",
        "answer",
        "input",
        "output",
        "prompt",
        "response",
        "score",
        "confidence",
        "rank",
        "weight",
        "count",
        "version",
        "embedding",
        "vector",
        "hash",
        "url",
        "link",
        "tokens",
        "duration",
        "latency",
        "step",
        "type",
        "kind",
        "tags",
        "tag",
        "topic",
        "category",
        "importance",
        "mood",
        "page",
        "channel",
        "event",
        "action",
        "tool",
        "name_of_tool",
        "reply",
        "parent",
        "run",
        "trace",
        "span",
        "model",
        "temperature",
        "status_code",
        "day",
        "hour",
        "month",
        "year",
    ]
)
_SUBJECTS = ("subject", "entity", "head", "about")
_RELATIONS = ("predicate", "relation", "attribute", "property", "slot", "field", "key")
_OBJECTS = ("object", "value", "tail")
_LONGEST = 80
_MOST_VALUES = 4
_MANY = 6
_SERIES = 0.3
_LONGEST_TEXT = 20_000
_PASSING_ENDS = ("id", "_at", "_time", "_date", "_count")


_TELLING_WORDS = 5


class _Fact(msgspec.Struct, eq=False, gc=False):
    """A value of a slot, where a record says it.

    Attributes:
        slot: what the fact is about, below its user.
        name: the same in words; empty for a field, whose name may be very long.
        value: the value, folded.
        record: the record that says it.
        path, text, span: where the record says it.
    """

    slot: tuple[Any, ...]
    name: str
    value: str
    record: Record
    path: Path
    text: str
    span: tuple[int, int]

    @property
    def evidence(self) -> Evidence:
        """The place as evidence."""
        return self.record.evidence(self.path, self.text, self.span)

    @property
    def dated(self) -> str:
        """The value with the instant at which it was written."""
        value = without_secrets(self.value)[:_LONGEST]
        return f"'{value}' ({shown_instant(int(self.record.at))})"


def contradictions(examined: Examined) -> Iterator[Finding | None]:
    """Finds facts of one user that have several values, with the instants at which each was written."""
    slots: dict[tuple[Any, ...], _Fact | list[_Fact]] = {}
    for record in examined.each():
        if record is None:
            yield None
            continue
        for fact in _facts(record):
            slot = (record.user, *fact.slot)
            there = slots.setdefault(slot, fact)
            if isinstance(there, list):
                there.append(fact)
            elif there is not fact:
                slots[slot] = [there, fact]
    for number, said in enumerate(slots.values()):
        if number % PAUSE == 0:
            yield None
        if isinstance(said, list) and _contradict(said):
            yield _finding(said)


def _facts(record: Record) -> Iterator[_Fact]:
    """Yields the facts of a record: its fields that say something of its user, a triple, its sentences."""
    fields: dict[str, tuple[Path, str]] = {}
    for path, leaf in record.leaves:
        if path and not isinstance(leaf, (dict, list)) and leaf is not None:
            text = leaf_text(leaf)
            if text and len(text) <= _LONGEST and "\n" not in text:
                fields.setdefault(path[-1].lower(), (path, text))
    triple = _triple(record, fields)
    if triple is not None:
        yield triple
    else:
        for name, (path, text) in fields.items():
            is_prose = path == record.main_path and len(text.split()) >= _TELLING_WORDS
            if not (is_prose or _is_passing(name)):
                whole = (0, len(text))
                value = text.casefold().strip()
                yield _Fact(("field", path), "", value, record, path, text, whole)
    if record.main and len(record.main) <= _LONGEST_TEXT:
        for found in statements_in(record.main):
            yield _Fact(
                *(("said", *found.slot), found.what, found.value, record),
                *(record.main_path, record.main, found.span),
            )


@lru_cache(4096)
def _is_passing(name: str) -> bool:
    """Returns whether a field differs from record to record for good reasons, by its lower-case name."""
    return name.replace("_", "").replace("-", "") in _PASSING or name.endswith(_PASSING_ENDS)


def _triple(record: Record, fields: dict[str, tuple[Path, str]]) -> _Fact | None:
    relation = next((fields[name] for name in _RELATIONS if name in fields), None)
    value = next((fields[name] for name in _OBJECTS if name in fields), None)
    if relation is None or value is None:
        return None
    subject = next((fields[name][1] for name in _SUBJECTS if name in fields), "")
    slot = ("triple", subject.casefold(), relation[1].casefold())
    name = " ".join(filter(None, (subject, relation[1])))
    path, text = value
    return _Fact(slot, name, text.casefold().strip(), record, path, text, (0, len(text)))


def _contradict(said: Sequence[_Fact]) -> bool:
    """Whether the values of a slot contradict each other, and are no series of measurements."""
    values = {fact.value for fact in said}
    if len(values) < 2 or len({fact.record.key for fact in said}) < 2:
        return False
    kind, *rest = said[0].slot
    if kind == "field":
        # In many records, a field that has another value nearly each time is no fact about the user.
        return len(said) < _MANY or len(values) <= max(2, _SERIES * len(said))
    if kind == "said" and rest[0] == "number":
        return len(values) <= _MOST_VALUES and len(said) <= 3 * _MOST_VALUES
    return len(values) <= 2 * _MOST_VALUES


def _finding(said: Sequence[_Fact]) -> Finding:
    ordered = sorted(said, key=lambda fact: (fact.record.at, fact.record.key), reverse=True)
    newest: dict[str, _Fact] = {}
    for fact in ordered:
        newest.setdefault(fact.value, fact)
    now, *before = list(newest.values())[: _MOST_VALUES + 1]
    keys = tuple(dict.fromkeys(fact.record.key for fact in ordered))
    others = tuple(key for key in keys if key != now.record.key)
    name = without_secrets(now.name or field_name(now.path)[:_LONGEST])[:_LONGEST]
    return Finding(
        "contradictions",
        "medium",
        keys,
        f"{name}: now {now.dated}, before {', '.join(fact.dated for fact in before)}",
        tuple(fact.evidence for fact in (now, *before)[:MOST_EVIDENCE]),
        Repair("merge", others, "keep the newest value, if it is the right one"),
        before[0].record.key,
    )
