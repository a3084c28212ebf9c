"""Decides about records that should perhaps be one: what the front end asks for, case by case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, TypeAlias, cast, get_args

from ...errors import Conflict, InvalidArgument, brief
from ...memory.applying import MOST_APPLIED
from ...memory.resolving.case import RULES, Case, Rule
from ...memory.resolving.resolution import Resolved
from ...table import unportable
from .decisions import NEWEST, OLDEST, Choice, Decisions
from .lister import Lister
from .repair import read_json


def plan(lister: Lister, content: dict[str, Any]) -> Decisions:
    """Does what a message asks for: moves to another case, or plans what becomes of one or of all others.

    Nothing is written.

    Args:
        lister: knows the memory, and what is planned.
        content: of the message.

    Returns:
        What is planned then.

    Raises:
        InvalidArgument: the case is not in view any more, or it has no such record or field, or there is no such rule.
        NotStorable: a written value cannot be stored.
    """
    step = _STEPS.get(str(content.get("act")))
    if step is None:
        raise InvalidArgument(f"the explorer cannot {brief(content.get('act'))} a case")
    return lister.cases.change(lambda decisions: step(decisions, content))


def compare(lister: Lister, records: Any) -> None:
    """Shows records side by side that a person has chosen, in place of what the doctor has found.

    Args:
        lister: knows the memory.
        records: keys of the records of one case, or what `SyncMemory.resolve` takes.

    Raises:
        InvalidArgument: fewer than two of the records exist, or more than 200 keys.
    """
    if isinstance(records, (list, tuple)) and all(isinstance(each, str) for each in records):
        keys = tuple(dict.fromkeys(records))
        if not 2 <= len(keys) <= MOST_COMPARED:
            raise InvalidArgument(
                f"{len(keys):,} record{'s' * (len(keys) != 1)}: only 2 to {MOST_COMPARED} can be compared; select "
                "some, or choose other ones"
            )
        records = [keys]
    cases = lister.memory.sync.resolve(records)
    if not cases:
        raise InvalidArgument(
            "nothing to compare: fewer than two of these records exist; choose others"
        )
    lister.cases.compare(tuple(cases))


def carry_out(lister: Lister) -> tuple[Resolved, int]:
    """Carries out what is planned about the cases that are shown, in one step; of very many, the first.

    Returns:
        What was done, and how many cases are left to be carried out in a further step.

    Raises:
        Conflict: a record has changed since it was shown; nothing was changed, and its case is shown anew.
        InvalidArgument: nothing is planned.
    """
    decisions = lister.found.decisions
    planned = decisions.resolution()
    cases = _first_of(planned)
    try:
        done = lister.memory.sync.carry_out(cases, for_good=decisions.for_good)
        lister.cases.change(lambda _: decisions.after(done.change, cases))
    except Conflict as conflict:
        count = len(conflict.keys)
        raise Conflict(
            f"nothing was changed: {count:,} record{' has' if count == 1 else 's have'} changed since you looked; decide "
            "about what is shown anew, then carry out again",
            conflict.keys,
        ) from None
    finally:
        lister.cases.find()
    return done, len(planned) - len(cases)


def _first_of(planned: Sequence[Case]) -> list[Case]:
    """Returns the first cases, as many as can be carried out in one step."""
    costs = (len(case.records) + len(case.dropped) + (case.merged is not None) for case in planned)
    count = sum(cost <= MOST_APPLIED for cost in accumulate(costs))
    return list(planned[:count])


MOST_COMPARED = 200
"""How many records a person can choose to be compared."""

Step: TypeAlias = Callable[[Decisions, dict[str, Any]], Decisions]


def _decide(decisions: Decisions, content: dict[str, Any]) -> Decisions:
    decisions.seen(content.get("case"))
    what, place = content.get("what"), content.get("place", NEWEST)
    if what == "both":
        return decisions.decide(Choice("both"))
    if what == "keep":
        return decisions.decide(Choice("keep", decisions.place_of(int(place))))
    if what != "merge":
        raise InvalidArgument(f"the explorer cannot {brief(what)} records")
    return decisions.decide(decisions.choice_for_merge(), stays=True)


def _take(decisions: Decisions, content: dict[str, Any]) -> Decisions:
    """Chooses the side that a field of the merged record comes from, or leaves the field out."""
    case = decisions.seen(content.get("case"))
    name, side = unportable(content["field"]), content.get("side")
    choice = decisions.choice_for_merge()
    edits = {each: edit for each, edit in choice.edits.items() if each != name}
    fields = {each: place for each, place in choice.fields.items() if each != name}
    place = OLDEST if side == "old" else decisions.right
    if side == "out" or name not in case.records[place].value:
        edits[name] = None
    else:
        fields[name] = place
    return decisions.decide(replace(choice, fields=fields, edits=edits), stays=True)


def _into(decisions: Decisions, content: dict[str, Any]) -> Decisions:
    """Chooses the record whose key the merged one gets."""
    decisions.seen(content.get("case"))
    into = decisions.place_of(int(content["place"]))
    return decisions.decide(replace(decisions.choice_for_merge(), into=into), stays=True)


def _edit(decisions: Decisions, content: dict[str, Any]) -> Decisions:
    """Writes another value into a field of the merged record."""
    decisions.seen(content.get("case"))
    name, text = unportable(content["field"]), unportable(content["text"])
    value = text if content.get("kind") == "text" else read_json(text)
    choice = decisions.choice_for_merge()
    return decisions.decide(replace(choice, edits={**choice.edits, name: value}), stays=True)


def _rest(decisions: Decisions, content: dict[str, Any]) -> Decisions:
    rule = content.get("rule")
    if rule is not None and rule not in get_args(Rule):
        raise InvalidArgument.about("rule", rule, f"give one of {', '.join(RULES)}")
    return decisions.decide_rest(cast("Rule | None", rule))


_STEPS: dict[str, Step] = {
    "go": lambda decisions, content: decisions.go(int(content["at"])),
    "compare": lambda decisions, content: decisions.compare(int(content["place"])),
    "decide": _decide,
    "take": _take,
    "into": _into,
    "edit": _edit,
    "undecide": lambda decisions, _content: decisions.undecide(),
    "rest": _rest,
    "back": lambda decisions, _content: decisions.step_back(),
    "for good": lambda decisions, content: replace(decisions, for_good=content.get("on") is True),
}
