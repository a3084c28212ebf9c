"""Records that should perhaps be one, case by case, and what a person has decided about them so far.

Nothing here reads or writes a memory. A decision is planned first; all that is planned is carried out in one step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, TypeAlias

from ...errors import InvalidArgument
from ...memory.resolving.case import Case, Decision, Rule
from ...memory.resolving.resolution import Resolution
from ...stores.base import Change

OLDEST, NEWEST = 0, -1
"""Places of records in a case, which are sorted by when they were written last."""

DECIDABLE = (
    "exact-duplicates",
    "near-duplicates",
    "similar-meaning",
    "contradictions",
    "feedback-loops",
)
"""The checks of the doctor whose findings are cases."""

_MOST_STEPS = 100

Name: TypeAlias = tuple[str, ...]
"""The keys of the records of a case in alphabetical order, by which the case is known."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to become of the records of a case.

    Attributes:
        what: one of them stays, all stay, or they become one.
        place: of the record that stays; `OLDEST` and `NEWEST` mean the same in every case.
        into: of a merged record, the place of the record whose key it gets.
        fields: of a merged record, by name of a field the place of the record whose value it gets.
        edits: by name of a field a value that a person has written; None leaves the field out.
    """

    what: Decision
    place: int = NEWEST
    into: int = OLDEST
    fields: Mapping[str, int] = field(default_factory=dict)
    edits: Mapping[str, Any] = field(default_factory=dict)

    def decide(self, case: Case) -> Case:
        """Returns a copy of a case with this decision.

        Raises:
            InvalidArgument: the case has no such record, or the record no such field.
            NotStorable: a written value cannot be stored.
        """
        made = Case(case.records, case.why)
        if self.what == "both":
            return made.keep_both()
        if self.what == "keep":
            return made.keep(_key_at(case, self.place))
        fields = {name: _key_at(case, place) for name, place in self.fields.items()}
        return made.merge(fields, self.edits, _key_at(case, self.into))

    def elsewhere(self, case: Case) -> Choice:
        """Returns the same choice for another case: fields from the same side, and no written texts.

        Raises:
            InvalidArgument: it keeps a record that is neither the oldest nor the newest, or the key of such a one.
        """
        kept = {"keep": self.place, "merge": self.into}.get(self.what, OLDEST)
        if kept not in (OLDEST, NEWEST):
            what = "a record" if self.what == "keep" else "the key of a record"
            raise InvalidArgument(
                f"the same for the rest: this case keeps {what} between the oldest and the newest; keep one of these first"
            )
        fields = {
            name: place
            for name, place in self.fields.items()
            if place in (OLDEST, NEWEST) and name in case.records[place].value
        }
        return replace(self, fields=fields, edits={})


def choice_by(rule: Rule, case: Case) -> Choice:
    """Returns what a rule decides about a case."""
    if rule == "longest":
        kept = Case(case.records).by(rule).kept
        return Choice("keep", case.keys.index(kept or ""))
    return _BY_RULE[rule]


_BY_RULE: Mapping[str, Choice] = {
    **dict.fromkeys(("newest", "new"), Choice("keep", NEWEST)),
    **dict.fromkeys(("oldest", "old"), Choice("keep", OLDEST)),
    "merge": Choice("merge"),
    "both": Choice("both"),
}


def _key_at(case: Case, place: int) -> str:
    if not -len(case.records) <= place < len(case.records):
        raise InvalidArgument(
            f"place {place}: this case has {len(case.records)} records, counted from 0"
        )
    return case.keys[place]


@dataclass(frozen=True, slots=True)
class Planned:
    """A choice, and the case that it was made for.

    Attributes:
        choice: what was chosen.
        case: the case, of the records as the person has seen them.
    """

    choice: Choice
    case: Case


Plans: TypeAlias = Mapping[Name, Planned]


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """The cases that are shown one by one, and what is planned; nothing changes it, each method returns another one.

    Attributes:
        cases: the cases.
        plans: what is planned, by the name of the case; also of cases that are not among those that are shown.
        steps: what was planned before each step and which case was in view, the newest step last.
        last: the newest choice, which may be applied to the rest.
        at: number of the case in view.
        right: place of the record that is compared with the oldest.
        changed: cases whose records have changed since they were shown.
        carried_out: each change of the memory, with what was planned.
        for_good: whether what goes leaves tombstones.
        asked: cases that a person wants to see though their records were to stay side by side.
    """

    cases: tuple[Case, ...] = ()
    plans: Plans = field(default_factory=dict)
    steps: tuple[tuple[Plans, int], ...] = ()
    last: Choice | None = None
    at: int = 0
    right: int = NEWEST
    changed: frozenset[Name] = frozenset()
    carried_out: tuple[tuple[Change, Plans], ...] = ()
    for_good: bool = False
    asked: frozenset[Name] = frozenset()

    @property
    def case(self) -> Case | None:
        """The case in view; None if there is none."""
        return self.cases[self.at] if self.at < len(self.cases) else None

    @property
    def choice(self) -> Choice | None:
        """What is planned about the case in view."""
        return None if self.case is None else self.choice_of(self.case)

    def place_of(self, place: int) -> int:
        """Returns a place in the case in view as one that means the same in every case, if there is such a one."""
        last = 0 if self.case is None else len(self.case.records) - 1
        return NEWEST if place == last else place

    def choice_of(self, case: Case) -> Choice | None:
        """Returns what is planned about a case."""
        planned = self.plans.get(_name_of(case))
        return None if planned is None else planned.choice

    def is_changed(self, case: Case) -> bool:
        """Returns whether records of a case have changed since it was shown, and nobody has decided about it since."""
        return _name_of(case) in self.changed

    def resolution(self) -> Resolution:
        """Returns the cases about which something is planned, with these decisions."""
        chosen = ((case, self.choice_of(case)) for case in self.cases)
        return Resolution(choice.decide(case) for case, choice in chosen if choice is not None)

    def seen(self, id: object) -> Case:
        """Returns the case in view.

        Args:
            id: as `id_of` gives it of the case that the person sees.

        Raises:
            InvalidArgument: it is another case, or its records have changed.
        """
        if self.case is None or id_of(self.case) != id:
            raise InvalidArgument(
                "this case is not in view any more, or its records have changed; look at it again"
            )
        return self.case

    # ---- moving

    def go(self, at: int) -> Decisions:
        """Shows another case, or the nearest one if there is none of this number."""
        return replace(self, at=max(0, min(at, len(self.cases) - 1)), right=NEWEST)

    def compare(self, place: int) -> Decisions:
        """Compares the oldest record of the case in view with another one.

        Raises:
            InvalidArgument: the case has no such record.
        """
        if self.case is not None:
            _key_at(self.case, place)
        return replace(self, right=place)

    def go_on(self) -> Decisions:
        """Shows the next case without a decision, if there is one."""
        count = len(self.cases)
        following = ((self.at + step) % count for step in range(1, count))
        return self.go(
            next((at for at in following if self.choice_of(self.cases[at]) is None), self.at)
        )

    # ---- planning

    def decide(self, choice: Choice, *, stays: bool = False) -> Decisions:
        """Plans what becomes of the case in view, and shows the next one without a decision.

        Args:
            choice: what becomes of it.
            stays: keep the case in view.

        Raises:
            InvalidArgument: the case has no such record, or the record no such field.
            NotStorable: a written value cannot be stored.
        """
        if self.case is None:
            return self
        decided = replace(self._plan([(self.case, choice)]), last=choice)
        return decided if stays else decided.go_on()

    def undecide(self) -> Decisions:
        """Plans nothing about the case in view."""
        if self.case is None or self.choice is None:
            return self
        name = _name_of(self.case)
        plans = {each: planned for each, planned in self.plans.items() if each != name}
        return replace(self, plans=plans, steps=self._steps())

    def choice_for_merge(self) -> Choice:
        """Returns what is planned about the case in view if that is a merge; else a merge by the newest values."""
        choice = self.choice
        return choice if choice is not None and choice.what == "merge" else Choice("merge")

    def decide_rest(self, rule: Rule | None = None) -> Decisions:
        """Plans what becomes of all cases without a decision.

        Args:
            rule: how to decide; None for the newest choice, once more.

        Raises:
            InvalidArgument: nothing was chosen yet, or that does not fit other cases.
        """
        if rule is None and self.last is None:
            raise InvalidArgument("the same for the rest: decide about one case first")
        return self._plan(
            [
                (case, self._same(case) if rule is None else choice_by(rule, case))
                for case in self.cases
                if self.choice_of(case) is None
            ]
        )

    def _same(self, case: Case) -> Choice:
        assert self.last is not None
        return self.last.elsewhere(case)

    def _plan(self, chosen: Sequence[tuple[Case, Choice]]) -> Decisions:
        for case, choice in chosen:
            choice.decide(case)  # which raises what is wrong with it
        added = {_name_of(case): Planned(choice, case) for case, choice in chosen}
        return replace(
            self,
            plans={**self.plans, **added},
            steps=self._steps() if added else self.steps,
            changed=self.changed - added.keys(),
        )

    def _steps(self) -> tuple[tuple[Plans, int], ...]:
        return (*self.steps, (self.plans, self.at))[-_MOST_STEPS:]

    def step_back(self) -> Decisions:
        """Takes the newest step of planning back, and shows the case that it was made at.

        Raises:
            InvalidArgument: there is none.
        """
        if not self.steps:
            raise InvalidArgument("nothing to take back: no decision is planned")
        *steps, (plans, at) = self.steps
        return replace(self, plans=plans, steps=tuple(steps)).go(at)

    # ---- carrying out

    def after(self, change: Change | None, cases: Iterable[Case]) -> Decisions:
        """Returns the decisions after what is planned about some cases was carried out."""
        names = {_name_of(case) for case in cases}
        done = {name: planned for name, planned in self.plans.items() if name in names}
        carried_out = self.carried_out
        if change is not None:
            carried_out = (*carried_out, (change, done))[-_MOST_STEPS:]
        left = {name: planned for name, planned in self.plans.items() if name not in names}
        asked = self.asked - names
        return replace(self, plans=left, steps=(), last=None, carried_out=carried_out, asked=asked)

    def undone(self, change: Change) -> Decisions:
        """Returns the decisions after a change was undone: what it had carried out is planned again."""
        plans = next((plans for each, plans in self.carried_out if each is change), None)
        if plans is None:
            return self
        others = tuple(each for each in self.carried_out if each[0] is not change)
        return replace(self, plans={**self.plans, **plans}, steps=(), carried_out=others)

    def ask_about(self, cases: Iterable[Case]) -> Decisions:
        """Returns the decisions of a person who wants to see these cases, whatever was decided about them before."""
        return replace(self, asked=frozenset(map(_name_of, cases)))

    def with_cases(self, found: Resolution) -> Decisions:
        """Returns the decisions about the cases that there are now.

        What was planned about records that have changed is dropped. What stays side by side is no case any more.
        """
        cases = tuple(case for case in found if not case.kept_apart or _name_of(case) in self.asked)
        before = {_name_of(case): case for case in self.cases}
        changed = {
            name
            for name, case in ((_name_of(case), case) for case in cases)
            if (seen := self.plans[name].case if name in self.plans else before.get(name))
            and not _is_as(case, seen)
        }
        plans = {name: planned for name, planned in self.plans.items() if name not in changed}
        names = [_name_of(case) for case in cases]
        at = _place_after(list(before), names, self.at)
        if names == list(before) and not changed and all(map(_is_as, cases, self.cases)):
            return self
        is_same = self.case is not None and at < len(names) and names[at] == _name_of(self.case)
        return replace(
            self,
            cases=cases,
            plans=plans,
            steps=self.steps if len(plans) == len(self.plans) else (),
            at=at,
            right=self.right if is_same else NEWEST,
            changed=frozenset((self.changed | changed) & set(names)),
        )


def _name_of(case: Case) -> Name:
    return tuple(sorted(case.keys))


def _is_as(case: Case, seen: Case) -> bool:
    """Returns whether the records of a case are still as they were seen."""
    return case.keys == seen.keys and all(
        now.version == then.version or (now.value, now.expires_at) == (then.value, then.expires_at)
        for now, then in zip(case.records, seen.records, strict=True)
    )


def _place_after(before: Sequence[Name], now: Sequence[Name], at: int) -> int:
    """Returns the number of the same case, or of the first one behind it that is still there."""
    places = {name: place for place, name in enumerate(now)}
    following = (places[name] for name in before[at:] if name in places)
    return next(following, max(0, len(now) - 1) if at else 0)


def id_of(case: Case) -> str:
    """Returns a digest of the records of a case as they were when it was made."""
    records = [(record.key, record.version) for record in case.records]
    return blake2b(repr(records).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
