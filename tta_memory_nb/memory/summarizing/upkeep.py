"""Sessions that are summarized after writes, when they have become long."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ...entry import Entry, Unreadable
from ...errors import Conflict, brief
from ...keys import parse_memory_key
from ...stores.plan import Plan
from ..after_writes import with_upkeep
from .policy import SummarizeWhen, SummaryPolicy, check_summarize_when
from .summarize import written
from .summary import Summary, sources_of

if TYPE_CHECKING:
    from ...stores.base import Store
    from ..verbs.upkeep import UpkeepVerbs

T = TypeVar("T")

MOST_SESSIONS = 1_000
"""So many sessions are counted at the same time; one that comes back later is looked at again."""

AT_ONCE = 2
"""So many sessions are looked at after one write at most, so that an import need not wait for all of its own."""

SHORTEST_BREAK, LONGEST_BREAK = 30.0, 3_600.0
"""Seconds without another try after a summary has failed; they double with each failure."""

_log = logging.getLogger("tta_memory_nb")


class Session(NamedTuple):
    """The session of a user."""

    user: str
    session: str

    def __str__(self) -> str:
        return brief(f"{self.user}:{self.session}")


@dataclass(slots=True)
class _Counted:
    """What a session has that no summary covers, as far as this process knows.

    A record that is written again counts again, and one that is deleted still counts: the look that follows corrects it.

    Attributes:
        records: how many records.
        size: bytes of their values.
        is_known: whether the session has been looked at, and not only written to.
        due_from: the session is not due with fewer records, since a look has found that it was not.
    """

    records: int = 0
    size: int = 0
    is_known: bool = False
    due_from: int = 0


class SummaryUpkeep:
    """Summarizes sessions after writes, when they have more records or bytes than a policy allows.

    Writes are counted by session. A session is looked at when it is first written to and when it seems to be due; only then are its records
    read. What goes wrong is logged and does not fail the write, which has been carried out; after a failure, nothing is tried for
    some time, so that a summarizer which hangs does not delay every write.

    Args:
        verbs: of the memory.
        store: of the memory.
        policy: says when, and how.

    Attributes:
        policy: says when, and how.
        last: the summary that was written last; None before.
        written: how many summaries were written or continued.
        trouble: why the last try has failed; None if it has not.
    """

    def __init__(self, verbs: UpkeepVerbs, store: Store, policy: SummaryPolicy) -> None:
        self._verbs, self._store = verbs, store
        self.policy = policy
        self.last: Summary | None = None
        self.written = 0
        self.trouble: str | None = None
        self._lock = Lock()
        self._counted: OrderedDict[Session, _Counted] = OrderedDict()
        self._due: OrderedDict[Session, None] = OrderedDict()
        self._running: set[Session] = set()
        self._break = 0.0
        self._not_before = 0.0

    # ---- writes

    def wrote(self, entries: Iterable[Entry]) -> None:
        """Counts what has been written."""
        with self._lock:
            sessions: dict[Session, _Counted] = {}
            for entry in entries:
                parts = parse_memory_key(entry.key)
                if parts is None or sources_of(entry) is not None:
                    continue
                session = Session(parts.user, parts.session)
                counted = sessions.get(session)
                if counted is None:
                    counted = sessions[session] = self._counted.setdefault(session, _Counted())
                    self._counted.move_to_end(session)
                counted.records += 1
                counted.size += entry.size
            few = len(sessions) <= AT_ONCE
            for session, counted in sessions.items():
                if self._is_due(counted) or (few and not counted.is_known):
                    self._due[session] = None
            while len(self._counted) > MOST_SESSIONS:
                self._counted.popitem(last=False)
            while len(self._due) > MOST_SESSIONS:
                self._due.popitem(last=False)

    def _is_due(self, counted: _Counted) -> bool:
        return counted.records >= counted.due_from and self.policy.is_due(
            counted.records, counted.size
        )

    # ---- after them

    def after(self, plan: Plan[T]) -> Plan[T]:
        """Returns a plan that carries out a write, and then summarizes what is due."""
        result = yield from plan
        for _ in range(AT_ONCE):
            session = self._next()
            if session is None:
                break
            try:
                yield from self._summarize(session)
            except Conflict:
                # Somebody has written one of its records meanwhile, so that it is due again, at once or after the next write.
                with self._lock:
                    self._due[session] = None
            except Exception as error:  # whatever it is: the write has been carried out
                self._failed(session, error)
            finally:
                with self._lock:
                    self._running.discard(session)
        return result

    def _next(self) -> Session | None:
        """Takes the session that became due last and that nobody summarizes now; None if there is none."""
        if not self._due:
            return None
        with self._lock:
            if self._verbs.clock() < self._not_before:
                return None
            for session in reversed(self._due):
                if session not in self._running:
                    del self._due[session]
                    self._running.add(session)
                    return session
        return None

    def _summarize(self, session: Session) -> Plan[None]:
        """Counts what a session has, and summarizes it if it is due."""
        if self._store.outage() is not None:
            with self._lock:
                self._due[session] = (
                    None  # nothing can be written in one step now; the server may be back later
                )
            return
        keep_last = yield from self._look(session)
        if keep_last is None:
            return
        policy = self.policy
        summary = yield from self._verbs.summarize(
            keep_last,
            policy.older_than,
            originals=policy.originals,
            expire_in=policy.expire_in,
            summarizer=policy.summarizer,
            timeout=policy.timeout,
            user=session.user,
            session=session.session,
        )
        with self._lock:
            self.trouble, self._break = None, 0.0
            counted = self._counted.setdefault(session, _Counted(is_known=True))
            if not summary:
                counted.due_from = _later(counted.records)
                return
            self.last = summary
            self.written += 1
            left = [each.bytes for each in summary.looked if each.outcome == "left alone"]
            counted.records, counted.size, counted.due_from = len(left), sum(left), 0
        _log.info("summarized the session %s: %s", session, summary.about)

    def _look(self, session: Session) -> Plan[int | None]:
        """Counts what no summary of a session covers; returns how many records are left alone, or None if it is not due."""
        found: list[Entry] = yield from self._verbs.entries(
            None, None, None, user=session.user, session=session.session
        )
        entries = {each.key: each for each in found if not isinstance(each, Unreadable)}
        for entry in found:
            for key in (entry.key, *covered) if (covered := sources_of(entry)) is not None else ():
                entries.pop(key, None)
        sizes = [entry.size for entry in sorted(entries.values(), key=written)]
        with self._lock:
            counted = self._counted.setdefault(session, _Counted())
            seemed_due = self._is_due(counted)
            counted.records = len(entries)
            counted.size = sum(sizes)
            counted.is_known = True
            is_due = self.policy.is_due(counted.records, counted.size)
            counted.due_from = _later(counted.records) if seemed_due and not is_due else 0
        return self.policy.left_alone(sizes) if is_due else None

    def _failed(self, session: Session, error: Exception) -> None:
        with self._lock:
            self._break = min(max(2 * self._break, SHORTEST_BREAK), LONGEST_BREAK)
            self._not_before = self._verbs.clock() + self._break
            self._due[session] = None
            self.trouble = str(error)
        _log.warning(
            "the session %s was not summarized, and is tried again after a write in %.0f s: %s",
            session,
            self._break,
            error,
        )


def summarize_after_writes(verbs: UpkeepVerbs, store: Store, given: SummarizeWhen | None) -> None:
    """Has sessions be summarized after writes from now on, as a policy says; None ends that.

    Args:
        verbs: of the memory.
        store: of the memory.
        given: the policy, or its arguments as a dict.

    Raises:
        InvalidArgument: it is no policy, or one that cannot be.
    """
    policy = check_summarize_when(given)
    summaries = None if policy is None else SummaryUpkeep(verbs, store, policy)
    verbs.summaries = summaries
    verbs.guard.wrote = None if summaries is None else summaries.wrote
    verbs.upkeep = with_upkeep(verbs.upkeep, SummaryUpkeep, summaries)


def _later(records: int) -> int:
    """Returns how many records a session has to have before it is looked at again.

    A session whose records are written again and again seems to be due with each write, and must not be read with each.
    """
    return records + max(1, records // 8)
