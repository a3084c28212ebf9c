"""A policy that is applied at writes, every so often."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from ...errors import InvalidArgument, TTAMemoryError
from ...filters import FilterArgs
from ...stores.base import Store
from ...stores.plan import Plan
from .forget import Forgetting, forget
from .policy import ForgetPolicy

if TYPE_CHECKING:
    from ..verbs.listing import ListingVerbs

T = TypeVar("T")

_log = logging.getLogger("tta_memory_nb")


class Upkeep:
    """Applies a policy after writes, at most once in so many seconds.

    What goes wrong then is logged and does not fail the write, which has been carried out. A policy that would delete every
    record deletes none, and says so in the log.

    Args:
        verbs: of the memory.
        store: of the memory.
        policy: the policy.
        every: seconds between two times.
        filters: which records the policy is about.

    Attributes:
        last: what was forgotten the last time; None before.
    """

    def __init__(
        self,
        verbs: ListingVerbs,
        store: Store,
        policy: ForgetPolicy,
        every: float,
        filters: FilterArgs,
    ) -> None:
        self._verbs, self._store = verbs, store
        self._policy, self._every, self._filters = policy, every, filters
        self._due = verbs.clock() + every
        self._running = Lock()
        self.last: Forgetting | None = None

    def after(self, plan: Plan[T]) -> Plan[T]:
        """Returns a plan that carries out a write, and then the policy if it is due."""
        result = yield from plan
        if self._verbs.clock() >= self._due:
            with self._alone() as is_alone:
                if is_alone:
                    yield from self._apply()
        return result

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Yields whether nobody else applies the policy now."""
        if not self._running.acquire(blocking=False):
            yield False
            return
        try:
            yield True
        finally:
            self._running.release()

    def _apply(self) -> Plan[None]:
        self._due = self._verbs.clock() + self._every
        try:
            self.last = yield from forget(
                self._verbs, self._store, self._policy, False, False, self._filters
            )
        except InvalidArgument as error:
            _log.warning("the policy for forgetting was not applied: %s", error)
        except TTAMemoryError as error:
            _log.warning(
                "the policy for forgetting was not applied, and is tried again later: %s", error
            )
