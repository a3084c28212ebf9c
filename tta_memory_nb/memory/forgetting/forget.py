"""The verb: a preview of what a policy lets go, or one deletion that can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...authorship import by_action
from ...entry import Entry
from ...errors import Conflict, InvalidArgument
from ...filters import FilterArgs
from ...stores.base import Change, Store
from ...stores.plan import Call, Plan
from ...times import shown_instant
from .choose import Forgotten, chosen
from .policy import ForgetPolicy

if TYPE_CHECKING:
    import pandas as pd

    from ..verbs.listing import ListingVerbs

# So many records are deleted in one step.
_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What `MemoryPrimitive.forget` has deleted, or, in a dry run, would delete.

    Attributes:
        forgotten: the records, the least recently used first.
        looked_at: how many records the policy was applied to.
        change: what was deleted, for `SyncMemory.undo`; None if nothing was.
        dry_run: whether nothing was deleted because that was asked for.
        traced_since: from when on a trace has seen what was read, in Unix seconds; None without a trace.
    """

    forgotten: tuple[Forgotten, ...]
    looked_at: int
    change: Change | None
    dry_run: bool
    traced_since: float | None = None

    def __len__(self) -> int:
        return len(self.forgotten)

    def __bool__(self) -> bool:
        return bool(self.forgotten)

    def __repr__(self) -> str:
        return f"Forgetting({self.about})"

    @property
    def keys(self) -> list[str]:
        """The keys of the records."""
        return [each.key for each in self.forgotten]

    @property
    def about(self) -> str:
        """How many records were forgotten, and how large they are, in one line."""
        count, size = len(self.forgotten), sum(each.bytes for each in self.forgotten)
        of = f"{count:,} of {self.looked_at:,} record{'s' * (self.looked_at != 1)}, {size:,} bytes"
        if self.dry_run:
            return f"would forget {of}; nothing is deleted yet"
        return f"forgot {of}"

    @property
    def read_later(self) -> str:
        """In one line how many of the records were read after the policy would have deleted them, as far as a trace knows."""
        if self.traced_since is None:
            return "whether any of them was read after it was due is unknown, since no trace was on"
        count = sum(bool(each.reads_since) for each in self.forgotten)
        were = (
            "none of them was"
            if not count
            else "1 of them was"
            if count == 1
            else f"{count:,} of them were"
        )
        return f"{were} read after it was due, by the trace since {shown_instant(int(self.traced_since))}"

    @property
    def table(self) -> pd.DataFrame:
        """A table with a row for each record, and the reason why it goes.

        The index is ``key``. The columns are ``reason``, ``updated``, ``bytes`` and ``text``; with a trace also
        ``reads_since``, how often it was read after the policy would have deleted it, and ``last_read``.
        """
        from ...frames import forgotten_frame

        return forgotten_frame(self.forgotten)

    def _repr_html_(self) -> str | None:
        """Returns the table for a notebook; all of it is escaped."""
        from ...frames import forgetting_html

        return forgetting_html(self)


def check_policy(policy: ForgetPolicy) -> ForgetPolicy:
    """Returns the policy itself.

    Raises:
        InvalidArgument: it is none.
    """
    if isinstance(policy, ForgetPolicy):
        return policy
    raise InvalidArgument.about(
        "policy", policy, "give a ForgetPolicy, such as ForgetPolicy(older_than='30d')"
    )


@by_action("forget")
def forget(
    verbs: ListingVerbs,
    store: Store,
    policy: ForgetPolicy,
    dry_run: bool,
    everything: bool,
    filters: FilterArgs,
) -> Plan[Forgetting]:
    """Deletes what a policy lets go; see `Verbs.forget`."""
    entries = yield from verbs.entries(None, None, None, **filters)
    # A tokenizer may be slow, and is then kept off the event loop.
    found: list[Forgotten] = yield Call(chosen, policy, entries[::-1], verbs.clock())
    since, found = _with_reads(verbs, found)
    size = len(entries)
    if dry_run or not found:
        return Forgetting(tuple(found), size, None, dry_run, since)
    if len(found) == size and not everything:
        raise InvalidArgument(
            f"policy: it would delete every record, all {size:,} of them; look at it with dry_run=True (in %memory: "
            "without --yes), and say everything=True (in %memory: --everything) if that is what you want"
        )
    removed: dict[str, Entry] = {}
    change = Change(origin=store)
    versions = {entry.key: store.version(entry) for entry in entries}
    for start in range(0, len(found), _AT_ONCE):
        keys = [each.key for each in found[start : start + _AT_ONCE]]
        change = yield from _deleted(store, keys, versions)
        removed.update((entry.key, entry) for entry in change.removed)
    gone = tuple(each for each in found if each.key in removed)
    change = replace(change, removed=tuple(removed.values()))
    return Forgetting(gone, size, change, False, since)


def _with_reads(
    verbs: ListingVerbs, found: list[Forgotten]
) -> tuple[float | None, list[Forgotten]]:
    """Returns since when a trace is on, and the records with what it knows of reads after they were due."""
    from ..tracing.trace import reads_of

    known = reads_of(verbs)
    if known is None:
        return None, found
    noted = []
    for each in found:
        later = [read for read in known.by_key.get(each.key, ()) if read.at > each.due_at]
        last = ""
        if later:
            read = max(later, key=lambda read: read.at)
            who = " ".join(
                filter(None, (read.called_by, "" if read.cell is None else read.cell.name))
            )
            last = shown_instant(int(read.at)) + (f" by {who}" if who else "")
        noted.append(replace(each, reads_since=len(later), last_read=last))
    return known.since, noted


def _deleted(store: Store, keys: list[str], versions: Mapping[str, str]) -> Plan[Change]:
    """Deletes those of some records that nobody has written since they were looked at."""
    while True:
        expect: dict[str, str | None] = {key: versions[key] for key in keys}
        try:
            change: Change = yield from store.apply((), keys, expect)
        except Conflict as error:
            changed = set(error.keys)
            keys = [key for key in keys if key not in changed]
        else:
            return change
