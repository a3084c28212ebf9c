"""Acknowledges a write only when it is as durable as the memory was asked to promise.

What a server has acknowledged, and what no barrier has covered yet, is kept in this process (`failover`). If the server is
away before it is covered, or comes back older, it is written again under the ids that it was sent with, and
the server applies no id twice. In an outage, writes wait in the journal, and no barrier can be asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ...errors import NotDurable, StoreUnavailable
from ..base import Change
from ..plan import Plan
from .barrier import Barrier
from .operations import Write
from .outage import Outages
from .routing import Routing

T = TypeVar("T")


class Durable:
    """Carries out the writes of one store that promises more than ``"memory"``.

    Args:
        barrier: waits until what was acknowledged holds.
        outages: of the store.
        routing: carries out a part of a write, on the server or in an outage.
    """

    def __init__(self, barrier: Barrier, outages: Outages, routing: Routing) -> None:
        self._barrier = barrier
        self._outages = outages
        self._routing = routing

    def acknowledged(self, plan: Plan[T]) -> Plan[T]:
        """Carries out a verb that writes, and waits until it is as durable as asked.

        Raises:
            NotDurable: it is not within the time; `NotDurable.change` is the change that was made.
        """
        result = yield from plan
        try:
            yield from self._confirm()
        except NotDurable as error:
            error.change = result if isinstance(result, Change) else None
            raise
        return result

    def change(
        self,
        ask: Callable[[int], Plan[T]],
        offline: Callable[[], tuple[T, list[Write]]] | None,
        meant: Callable[[T], list[Write]],
        size: int,
    ) -> Plan[T]:
        """Does what `Routing.change` does.

        If more is kept than the half of what can be, it waits until all of that is durable.
        """
        result = yield from self._routing.change(ask, offline, meant, size)
        if self._outages.keeps_much:
            yield from self._confirm()
        return result

    def _confirm(self) -> Plan[None]:
        outages = self._outages
        while True:
            if outages.current is not None:
                if outages.policy == "fallback":
                    return  # as the warning at the begin of the outage has said
                yield from outages.recover_or_raise()
            ended = outages.ended
            try:
                held = yield from self._barrier.hold()
            except StoreUnavailable as error:
                yield from outages.lost(error, ended)
                continue
            if (yield from outages.confirm(held, ended)):
                if held.reason:
                    raise self._barrier.error(held)
                return
