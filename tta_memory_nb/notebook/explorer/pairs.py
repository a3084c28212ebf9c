"""What the front end is sent of records that should perhaps be one: a pair side by side, and how far the decisions are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ...codec import to_json
from ...memory.doctor.finding import Diagnosis, Finding
from ...memory.resolving.case import MERGED_FROM, Case
from ...memory.word_diff import Part, word_diff
from ...record import MemoryRecord
from ...table import ABSENT, is_utf8, portable
from .cells import sendable
from .decisions import DECIDABLE, NEWEST, OLDEST, Choice, Decisions, id_of
from .diffs import sent_parts

MOST_FIELDS = 60
"""How many fields of a pair are shown, those that differ first; the others follow the newest record in a merge."""

_MOST_EDITED = 20_000
"""The most characters of a text that can be edited here."""

_MOST_EDITED_IN_ALL = 100_000
_AROUND = 400
"""How many characters of a text that both sides share are shown at each of its ends."""

_MOST_CHARACTERS = 300
_MOST_RECORDS = 200


def is_decidable(finding: Finding) -> bool:
    """Returns whether a finding is about records that should perhaps be one."""
    return finding.check in DECIDABLE and len(finding.keys) > 1


def counts_of(diagnosis: Diagnosis) -> dict[str, int]:
    """Returns how many such findings each check has."""
    return Diagnosis(filter(is_decidable, diagnosis)).counts()


def describe(decisions: Decisions) -> dict[str, Any]:
    """Returns the case in view, and how far the decisions are, as it is sent to the front end."""
    chosen = [(case, choice) for case in decisions.cases if (choice := decisions.choice_of(case))]
    before = sum(len(case.records) for case, _ in chosen)
    gone = sum(len(case.records) - 1 for case, choice in chosen if choice.what != "both")
    last = decisions.last
    return {
        "count": len(decisions.cases),
        "at": decisions.at,
        "decided": len(chosen),
        "before": before,
        "after": before - gone,
        "last": None if last is None else _said(last),
        "can_step_back": bool(decisions.steps),
        "for_good": decisions.for_good,
        "case": None if decisions.case is None else _case(decisions, decisions.case),
    }


def _said(choice: Choice) -> str:
    """Returns a choice in two or three words."""
    if choice.what != "keep":
        return "keep both" if choice.what == "both" else _said_of_merge(choice.into)
    if choice.place in (OLDEST, NEWEST):
        return "keep old" if choice.place == OLDEST else "keep new"
    return f"keep record {choice.place + 1}"


def _said_of_merge(into: int) -> str:
    sides = {OLDEST: "merge", NEWEST: "merge into new"}
    return sides.get(into, f"merge into record {into + 1}")


def _case(decisions: Decisions, case: Case) -> dict[str, Any]:
    right, choice, last = decisions.right, decisions.choice, len(case.records) - 1
    fields = list(_fields(case, right, choice))
    return {
        "id": id_of(case),
        "why": sendable(case.why)[:_MOST_CHARACTERS],
        "records": [_record(record) for record in case.records[:_MOST_RECORDS]],
        "more_records": max(0, len(case.records) - _MOST_RECORDS),
        "old": _record(case.records[OLDEST]),
        "new": _record(case.records[right]),
        "right": right % len(case.records),
        "is_newest": right % len(case.records) == last,
        "changed": decisions.is_changed(case),
        "choice": None
        if choice is None
        else {
            "what": choice.what,
            "said": _said(choice),
            "place": choice.place % (last + 1),
            "into": _into(case, choice),
        },
        "fields": fields[:MOST_FIELDS],
        "more_fields": max(0, len(fields) - MOST_FIELDS),
    }


def _into(case: Case, choice: Choice) -> dict[str, Any] | None:
    """Returns which record a merged one has its key from, and that key; None if nothing is merged."""
    if choice.what != "merge":
        return None
    place = choice.into % len(case.records)
    return {"place": place, "key": portable(case.keys[place])}


def _record(record: MemoryRecord) -> dict[str, Any]:
    return {"key": portable(record.key), "at": record.updated_at, "expires": record.expires_at}


def _fields(case: Case, right: int, choice: Choice | None) -> Iterator[dict[str, Any]]:
    """Yields what is shown of each field of a pair, those that differ first."""
    old, new = case.records[OLDEST].value, case.records[right].value
    result = None if choice is None else choice.decide(case).result
    names = list(dict.fromkeys([*old, *new, *(result or ())]))
    same = {name for name in names if name in old and _is_same(old[name], new.get(name, ABSENT))}
    room = _MOST_EDITED_IN_ALL
    for name in sorted(names, key=same.__contains__):
        before, after = old.get(name, ABSENT), new.get(name, ABSENT)
        takes = None if choice is None else _taken(name, before, after, result, choice)
        shown = after if after is not ABSENT else before
        if result is not None and name in result:
            shown = result[name]
        text = _editable(name, shown, room)
        room -= len(text or "")
        parts = _diff(before, after)
        yield {
            "name": portable(name),
            "same": name in same,
            "old": None if before is ABSENT else sent_parts(_side(parts, "-"), _AROUND),
            "new": None if after is ABSENT else sent_parts(_side(parts, "+"), _AROUND),
            "takes": takes,
            "result": sent_parts([Part(" ", _written(shown))], _AROUND)
            if takes in ("edit", "other")
            else None,
            "kind": "text" if isinstance(shown, str) else "json",
            "text": text,
        }


def _is_same(one: Any, other: Any) -> bool:
    if one is ABSENT or other is ABSENT:
        return one is other
    # True and 1 are equal for Python, and other values in JSON.
    return to_json(one) == to_json(other)


def _taken(
    name: str, before: Any, after: Any, result: dict[str, Any] | None, choice: Choice
) -> str:
    """Returns where the value of a field comes from in the record that stays.

    That is a side (``"old"``, ``"new"``), ``"both"``, a text that a person has written (``"edit"``), a record that is not in
    view (``"other"``), or nowhere (``"out"``).
    """
    if result is None:
        return "both"
    value = result.get(name, ABSENT)
    if name in choice.edits and value is not ABSENT:
        return "edit"
    if _is_same(value, after):
        return "new"
    if _is_same(value, before):
        return "old"
    return "out" if value is ABSENT else "other"


def _editable(name: str, leaf: Any, room: int) -> str | None:
    """Returns the text of a field for an editor; None if it is too long, or cannot be typed."""
    text = _written(leaf)
    is_short = len(text) <= min(_MOST_EDITED, room)
    return text if name != MERGED_FROM and is_short and is_utf8(text) else None


def _diff(before: Any, after: Any) -> list[Part]:
    if before is ABSENT:
        return [] if after is ABSENT else [Part("+", _written(after))]
    if after is ABSENT:
        return [Part("-", _written(before))]
    if isinstance(before, str) and isinstance(after, str):
        return word_diff(before, after)
    # A number and a text with its digits differ by their quotes.
    return word_diff(_json(before), _json(after))


def _side(parts: list[Part], sign: str) -> list[Part]:
    """Returns the pieces of one side of a difference."""
    return [part for part in parts if part.sign in (" ", sign)]


def _written(leaf: Any) -> str:
    return leaf if isinstance(leaf, str) else _json(leaf)


def _json(leaf: Any) -> str:
    if isinstance(leaf, (list, dict)):
        return json.dumps(leaf, ensure_ascii=False, indent=2)
    return to_json(leaf)
