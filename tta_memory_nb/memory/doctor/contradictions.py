"""Other values of one fact: in a field, in a triple of subject, relation and object, or in a sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

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
_SERIES = 0.6


class _Said(NamedTuple):
    """A value of a slot, where a record says it."""

    value: str
    record: Record
    evidence: Evidence


def contradictions(examined: Examined) -> Iterator[Finding | None]:
    """Finds facts of one user that have several values, with the instants at which each was written."""
    slots: dict[tuple[Any, ...], list[tuple[str, Record, Path, str, tuple[int, int]]]] = {}
    names: dict[tuple[Any, ...], str] = {}
    for record in examined.each():
        if record is None:
            yield None
            continue
        for slot, name, value, path, text, span in _facts(record):
            place = (record.user or None, *slot)
            slots.setdefault(place, []).append((value, record, path, text, span))
            names[place] = name
    for number, (place, said) in enumerate(slots.items()):
        if number % PAUSE == 0:
            yield None
        values = Counter(value for value, *_ in said)
        if len(values) < 2 or not _contradict(place, said, values):
            continue
        yield _finding(names[place], said)


def _facts(
    record: Record,
) -> Iterator[tuple[tuple[Any, ...], str, str, Path, str, tuple[int, int]]]:
    """Yields slot, name, value, path, text and span of each fact of a record."""
    fields: dict[str, tuple[Path, str]] = {}
    for path, leaf in record.leaves:
        if not path or isinstance(leaf, (dict, list)) or leaf is None:
            continue
        text = leaf_text(leaf)
        if not text or len(text) > _LONGEST or "\n" in text:
            continue
        name = path[-1].lower().replace("_", "").replace("-", "")
        fields.setdefault(name, (path, text))
        if (
            name not in _PASSING
            and path != record.main_path
            and not name.endswith(("id", "at", "time", "date", "count"))
        ):
            # Without a subject, a field of the record as a whole is about its user.
            yield (
                ("field", path),
                field_name(path),
                text.casefold().strip(),
                path,
                text,
                (0, len(text)),
            )
    yield from _triple(fields)
    if record.main and len(record.main) <= 20_000:
        for statement in statements_in(record.main):
            yield (
                ("said", *statement.slot),
                statement.what,
                statement.value,
                record.main_path,
                record.main,
                statement.span,
            )


def _triple(
    fields: dict[str, tuple[Path, str]],
) -> Iterator[tuple[tuple[Any, ...], str, str, Path, str, tuple[int, int]]]:
    relation = next((fields[name] for name in _RELATIONS if name in fields), None)
    value = next((fields[name] for name in _OBJECTS if name in fields), None)
    if relation is None or value is None:
        return
    subject = next((fields[name][1] for name in _SUBJECTS if name in fields), "")
    name = " ".join(filter(None, (subject, relation[1])))
    path, text = value
    slot = ("triple", subject.casefold(), relation[1].casefold())
    yield slot, name, text.casefold().strip(), path, text, (0, len(text))


def _contradict(
    place: tuple[Any, ...],
    said: list[tuple[str, Record, Path, str, tuple[int, int]]],
    values: Counter[str],
) -> bool:
    """Whether several values of a slot contradict each other, and are no series of measurements."""
    kind = place[1]
    if len({record.key for _, record, *_ in said}) < 2:
        return False
    if kind == "field":
        if place[2][-1].lower() in ("value", "object"):
            return False  # of a triple, which is about something else in each record
        # In many records, a field that has another value nearly each time is no fact about the user.
        return len(said) < _MANY or len(values) <= _SERIES * len(said) / 2 or len(values) <= 2
    if kind == "said" and place[2] == "number":
        return len(values) <= _MOST_VALUES and len(said) <= 3 * _MOST_VALUES
    return len(values) <= 2 * _MOST_VALUES


def _finding(name: str, said: list[tuple[str, Record, Path, str, tuple[int, int]]]) -> Finding:
    ordered = sorted(said, key=lambda each: (each[1].at, each[1].key), reverse=True)
    newest: dict[str, _Said] = {}
    for value, record, path, text, span in ordered:
        if value not in newest and len(newest) < _MOST_VALUES + 1:
            newest[value] = _Said(value, record, record.evidence(path, text, span))
    keys = _keys(record for _, record, *_ in ordered)
    now, *before = newest.values()
    older = ", ".join(_dated(each) for each in before[:_MOST_VALUES])
    others = tuple(key for key in keys if key != now.record.key)
    return Finding(
        "contradictions",
        "medium",
        keys,
        f"{without_secrets(name)[:_LONGEST]}: now {_dated(now)}, before {older}",
        tuple(each.evidence for each in newest.values())[:MOST_EVIDENCE],
        Repair("merge", others, "keep the newest value, if it is the right one"),
        before[0].record.key,
    )


def _dated(said: _Said) -> str:
    return f"'{without_secrets(said.value)[:_LONGEST]}' ({shown_instant(int(said.record.at))})"


def _keys(records: Iterable[Record]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(record.key for record in records))
