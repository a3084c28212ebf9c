"""The command that decides about records which say the same or opposite things: resolve."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Unpack, cast, get_args

from ...errors import InvalidArgument
from ...filters import FilterArgs, Where
from ...memory.resolving.case import Rule
from ...memory.resolving.resolution import Resolution
from ..arguments import Words
from .base import Notebook, Reply, shown
from .keys import check_all_exist, keys_of
from .views import explorer_of

_NOTHING: Where = MappingProxyType({})


def resolve(
    nb: Notebook,
    keys: Words = (),
    *,
    keep: str | None = None,
    fields: Where = _NOTHING,
    edits: Where = _NOTHING,
    into: str | None = None,
    yes: bool = False,
    for_good: bool = False,
    explore: bool = False,
    **filters: Unpack[FilterArgs],
) -> Reply:
    """Decide about records that say the same, nearly the same, or opposite things; shows first what would change.

    KEYS are any records, which are one case, or a variable with findings of the doctor; without them, the doctor looks for
    duplicates, near-duplicates and contradictions. Text that goes is shown as [-gone-], text that comes as {+came+}. What was merged
    lists in merged_from where it comes from. %memory undo takes it back.

      %memory resolve
      %memory resolve --keep newest --user alice --yes
      %memory resolve alice:monday alice:tuesday --keep merge --fields {"city": "old"} --yes
      %memory resolve alice:monday alice:tuesday --keep merge --into new --yes
      %memory resolve alice:monday alice:tuesday --explore
      %memory resolve $findings --keep longest --yes --for-good
      %memory resolve alice:monday alice:tuesday --keep both --yes

    Flags:
        keep: what stays: newest or new, oldest or old, longest, both (all of them, and the doctor does not show them again), or merge
        fields: with --keep merge, from which record a field is: old, new or a key; else the newest that has it counts
        edits: with --keep merge, values to write in place of a field; null leaves it out
        into: with --keep merge, under which key: old (unless said), new or one of the KEYS
        yes: carry it out; without it, only show it
        for_good: leave tombstones of what goes, so that it is refused when it comes again
        explore: open the explorer, to compare the records side by side and to decide there
    """
    memory = nb.memory.sync
    rule = None if keep is None else _rule(keep)
    for name, given in (("fields", fields), ("edits", edits)):
        if not isinstance(given, Mapping):
            form = 'give a JSON object, such as {"city": "old"}'
            raise InvalidArgument.about(name, given, form)
        if given and rule != "merge":
            raise InvalidArgument(f"--{name}: it belongs to --keep merge")
    if into is not None and rule != "merge":
        raise InvalidArgument.about("into", into, "it belongs to --keep merge")
    if explore and (rule is not None or yes or for_good):
        raise InvalidArgument(
            "--explore: decide in the explorer; leave out --keep, --yes and --for-good"
        )
    resolution: Resolution = memory.resolve(_given(nb, keys), **nb.fixed(filters))
    if rule == "merge":
        for case in resolution:
            case.merge(fields, edits, into or "old")
    elif rule is not None:
        resolution.decide(rule)
    if not resolution:
        return Reply("nothing to decide: the doctor finds no duplicates and no contradictions")
    if explore:
        return Reply(resolution.about, explorer_of(nb, cases=resolution))
    if rule is None:
        if yes:
            raise InvalidArgument(
                "--yes: say what stays, with --keep newest, oldest, longest, both or merge"
            )
        pairs = "" if keys else ", or decide pair by pair with %memory resolve --explore"
        return Reply(f"{resolution.about}; add --keep to decide{pairs}", resolution.table)
    if not yes:
        return Reply(
            f"{resolution.about}; nothing is changed yet: add --yes to do it", resolution.table
        )
    done = memory.carry_out(resolution, for_good=for_good)
    if done.change is not None:
        nb.remember("resolve", done.change)
    return Reply(f"{shown(done.about)}; %memory undo takes it back", resolution.table)


def _given(nb: Notebook, words: Words) -> Any:
    """Returns what the operands name, as the memory takes it: findings, or one case of keys."""
    if not words:
        return None
    first: Any = words[0]
    if len(words) == 1 and not isinstance(first, str) and not _is_list_of_keys(first):
        return first
    keys = keys_of(words)
    if len(keys) < 2:
        raise InvalidArgument(
            f"KEYS: '{shown(keys[0])}' is one record; give at least two, or findings of the doctor"
        )
    check_all_exist(nb, keys)
    return [tuple(keys)]


def _is_list_of_keys(held: Any) -> bool:
    return isinstance(held, (list, tuple)) and all(isinstance(each, str) for each in held)


def _rule(keep: object) -> Rule:
    rules = get_args(Rule)
    if keep not in rules:
        raise InvalidArgument.about("keep", keep, f"give {', '.join(rules[:-1])} or {rules[-1]}")
    return cast("Rule", keep)
