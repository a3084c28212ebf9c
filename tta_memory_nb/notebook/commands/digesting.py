"""Commands that keep a memory small: summarize, forget."""

from __future__ import annotations

import re
from typing import Any, Unpack, cast

from ...errors import InvalidArgument
from ...filters import FilterArgs
from ...memory.forgetting.policy import ForgetPolicy
from ...memory.summarizing.policy import SummaryPolicy
from ...memory.summarizing.summary import Originals
from ...times import Duration
from ..arguments import Words
from .base import Notebook, Reply, shown
from .keys import keys_of


def summarize(
    nb: Notebook,
    *,
    keep_last: int | None = None,
    older_than: Duration | None = None,
    into: str | None = None,
    originals: str | None = None,
    expire_in: Duration | None = None,
    summarizer: str | None = None,
    when: str | None = None,
    yes: bool = False,
    **filters: Unpack[FilterArgs],
) -> Reply:
    """Make old records one summary, which lists the keys it comes from; shows it first.

    The summary is a record of its own. Called again, it is continued with what was said since. %memory undo
    takes it back.

      %memory summarize --user alice --session monday
      %memory summarize --user alice --session monday --keep-last 20 --originals expire --yes
      %memory summarize --older-than 30d --summarizer openai:gpt-4o-mini --yes
      %memory summarize --when 50 --originals expire
      %memory summarize --when off

    Flags:
        keep_last: so many of the newest records are left alone; 10 if left out
        older_than: records that were written within this time are left alone as well: 2h, 7d
        into: key of the summary; if left out, one that the user and the session give
        originals: what becomes of the records: keep, expire or delete; keep if left out
        expire_in: when they expire, with --originals expire; 7d if left out
        summarizer: extractive, openai:MODEL, or a variable that holds a function; if left out, the memory's own
        when: from now on, summarize each session after the write that gives it more than so many records, 50, or so many
            bytes, 64kB; a variable may hold a SummaryPolicy; off ends that
        yes: write the summary; without it, only show it
    """
    given: Any = summarizer
    if when is not None:
        rules = {
            "keep_last": keep_last,
            "older_than": older_than,
            "originals": originals,
            "expire_in": expire_in,
            "summarizer": given,
        }
        policy = _policy_in(when, {name: rule for name, rule in rules.items() if rule is not None})
        if into is not None or yes or filters:
            raise InvalidArgument(
                "--when: it is about every session, each with a summary of its own; leave out --into, --yes and filters"
            )
        return _summarize_when(nb, policy)
    summary = nb.memory.sync.summarize(
        10 if keep_last is None else keep_last,
        older_than,
        into,
        cast("Originals", "keep" if originals is None else originals),
        "7d" if expire_in is None else expire_in,
        not yes,
        given,
        **nb.fixed(filters),
    )
    if not summary:
        return Reply(summary.about, summary)
    if summary.change is None:
        return Reply(f"{summary.about}; add --yes to do it", summary)
    nb.remember("summarize", summary.change)
    return Reply(
        f"stored {shown(summary.key)}: {summary.about}; %memory undo takes it back", summary
    )


def _policy_in(when: object, rules: dict[str, Any]) -> SummaryPolicy | None:
    """Returns what ``--when`` means, with the rules that other flags give; None for ``off``."""
    if when == "off" or isinstance(when, SummaryPolicy):
        if rules:
            flag = next(iter(rules)).replace("_", "-")
            shown = "off" if when == "off" else "a policy, which has rules of its own"
            raise InvalidArgument(f"--{flag}: it has no meaning with --when {shown}; leave it out")
        return when if isinstance(when, SummaryPolicy) else None
    found = _LIMIT.fullmatch(when) if isinstance(when, str) else None
    if found is None:
        raise InvalidArgument.about(
            "when",
            when,
            "give a number of records such as 50, of bytes such as 64kB, a SummaryPolicy, or off",
        )
    unit = found[2].lower()
    limit = {"bytes" if unit else "records": int(found[1]) * _UNITS[unit]}
    return SummaryPolicy(**{**limit, **rules})


def _summarize_when(nb: Notebook, policy: SummaryPolicy | None) -> Reply:
    """Has sessions be summarized after writes, or ends that."""
    was_on = nb.memory.summarize_when is not None
    nb.memory.summarize_when = policy
    if policy is not None:
        return Reply(f"from now on, {policy.about} are summarized after a write of this kernel")
    return Reply(
        "sessions are not summarized after writes any more"
        if was_on
        else "sessions were not summarized after writes"
    )


_UNITS = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000}
_LIMIT = re.compile(r"([0-9]{1,12})\s*(|b|kb|mb)", re.IGNORECASE)


def forget(
    nb: Notebook,
    *,
    older_than: Duration | None = None,
    unused_for: Duration | None = None,
    keep_per_session: int | None = None,
    max_records: int | None = None,
    max_bytes: int | None = None,
    max_tokens: int | None = None,
    keep: Words = (),
    policy: str | None = None,
    yes: bool = False,
    everything: bool = False,
    **filters: Unpack[FilterArgs],
) -> Reply:
    """Delete the records that a policy lets go; shows them first, each with the reason.

    A record that breaks any of the rules goes, unless it is pinned: "pinned": true in its value. %memory undo
    brings them back.

      %memory forget --older-than 90d
      %memory forget --user alice --keep-per-session 50 --yes
      %memory forget --where {"type": "chatter"} --older-than 7d --yes
      %memory forget --policy $policy

    Flags:
        older_than: records that were last written longer ago than this: 2h, 90d
        unused_for: records that were neither written nor read for this long, as far as the order of use tells
        keep_per_session: so many of the newest records of each session stay
        max_records: so many records stay; the least recently used go
        max_bytes: so many bytes stay; the least recently used go
        max_tokens: so many tokens stay, estimated; the least recently used go
        keep: keys of records that stay
        policy: a variable that holds a ForgetPolicy, in place of the rules above
        yes: delete the records; without it, only show them
        everything: also delete them if they are all there are
    """
    given: Any = policy
    rules: dict[str, Any] = {
        "older_than": older_than,
        "unused_for": unused_for,
        "keep_per_session": keep_per_session,
        "max_records": max_records,
        "max_bytes": max_bytes,
        "max_tokens": max_tokens,
    }
    if given is None:
        given = ForgetPolicy(**rules, keep=keys_of(keep, "--keep") if keep else ())
    elif keep or any(rule is not None for rule in rules.values()):
        raise InvalidArgument("--policy: give either a policy or rules, not both")
    done = nb.memory.sync.forget(given, not yes, everything, **nb.fixed(filters))
    if not done:
        return Reply(f"nothing to forget: no rule lets any of {done.looked_at:,} records go")
    if done.change is None:
        hint = "" if done.traced_since is not None else "; %memory trace on begins one"
        return Reply(f"{done.about}: add --yes to do it\n{done.read_later}{hint}", done)
    nb.remember("forget", done.change)
    return Reply(f"{done.about}; %memory undo takes it back", done)
