"""The clock of a namespace on a server: the server's time, which decides for all of its clients.

A client measures how far the server's time is from its own, and converts: an hour that the clock of
one machine is ahead changes nothing for anybody.
"""

from __future__ import annotations

import logging
import time
from functools import partial
from math import isnan

from ..base import Clock, SimulatedTime

logger = logging.getLogger("tta_memory_nb")

MOST_SKEW = 5.0
"""So many seconds the clock of this machine may differ from the server's before a warning says so."""

_FRESH = 600.0
"""Seconds after which the difference is measured again."""

# Counts on while the machine sleeps, where there is such a clock, and is never set.
_STEADY = next(
    (
        getattr(time, name)
        for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC")
        if hasattr(time, name) and hasattr(time, "clock_gettime")
    ),
    None,
)


steady: Clock = time.monotonic if _STEADY is None else partial(time.clock_gettime, _STEADY)
"""Returns seconds of a clock that nobody sets; only differences mean something."""


class ServerClock:
    """Gives the server's time in Unix seconds, as far as it was measured.

    Args:
        own: the clock of this process, which counts until the server has been asked. A
            `SimulatedTime` always counts, and its time is sent to the server.

    Attributes:
        skew: seconds by which the clock of this process is ahead of the server's, as it was measured
            last; None before that.
        moved: seconds by which measurements have changed the time given here, all in all.
    """

    def __init__(self, own: Clock) -> None:
        self.skew: float | None = None
        self.moved = 0.0
        self._own = own
        self._is_simulated = isinstance(own, SimulatedTime)
        # Added to the steady clock, it gives the server's.
        self._offset: float | None = None
        # What it is at least. A deadline must rather come too early than too late.
        self._least = 0.0
        self._measured_at = 0.0
        # The server's time and that of this process when the server was seen last, in an outage.
        self._left_at: tuple[float, float] | None = None
        # Whether the server allows this user's scripts to ask for the time.
        self._may_ask = True
        self._warned: float | None = None

    def __call__(self) -> float:
        """Returns the server's time; before it was measured, and in a simulation, that of this process."""
        if self._offset is None or self._is_simulated:
            return self._own()
        if self._left_at is not None:
            there, here = self._left_at
            return there + self._own() - here
        return steady() + self._offset

    def count_alone(self) -> None:
        """Counts on by the clock of this process until the server is asked again.

        Nobody sets the steady clock, so that one counts on where this process has the usual clock.
        """
        if self._offset is not None and self._own is not time.time:
            self._left_at = (self(), self._own())

    def argument(self) -> bytes | str:
        """Returns the instant as scripts take it: empty, to have the server ask its own clock."""
        return b"" if self._may_ask and not self._is_simulated else repr(self())

    def deadline(self, timeout: float) -> int:
        """Returns until when a write that is sent now may be carried out.

        Args:
            timeout: seconds that this process waits for the reply.

        Returns:
            Microseconds of the server's clock; 0 for no deadline.
        """
        if not self._may_ask:
            return 0
        return int((steady() + timeout + self._least) * 1e6)

    @property
    def needs_measuring(self) -> bool:
        """Whether the server has not been asked for its time, or long ago."""
        return self._offset is None or steady() - self._measured_at > _FRESH

    @property
    def is_known(self) -> bool:
        """Whether the server's time was measured at all."""
        return self._offset is not None

    def measured(self, server: float, asked: float, *, may_ask: bool) -> None:
        """Takes in the server's time.

        Args:
            server: its time in Unix seconds; NaN if it did not say.
            asked: when it was asked, by `steady`.
            may_ask: whether scripts of this user may ask for the time as well.
        """
        answered = steady()
        before = self()
        self._may_ask, self._measured_at, self._left_at = may_ask, answered, None
        if isnan(server):  # it did not say, so the clock of this process has to do
            server = self._own()
        least, most = server - answered, server - asked
        # A measurement that allows what is assumed already changes nothing: instants stay comparable.
        if self._offset is None or not least <= self._offset <= most:
            self._offset = (least + most) / 2
        self._least = least
        if self._is_simulated:
            return
        self.moved += self() - before
        self.skew = self._own() - self()
        if abs(self.skew) > MOST_SKEW:
            self._warn(self.skew)

    def _warn(self, skew: float) -> None:
        if self._warned is not None and abs(skew - self._warned) <= MOST_SKEW:
            return
        self._warned = skew
        logger.warning(
            "the clock of this machine is %s s %s the server's; the server's clock decides when "
            "records expire and which write is the newest",
            f"{abs(skew):,.0f}",
            "ahead of" if skew > 0 else "behind",
        )
