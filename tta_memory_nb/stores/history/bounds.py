"""How many changes a memory keeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from ...errors import InvalidArgument
from ...times import duration

MOST_IN_A_TIME = 100_000
"""So many changes are kept at most where only a time is given."""

_MOST = 10_000_000


@dataclass(frozen=True, slots=True)
class History:
    """Which changes are kept; the older ones are dropped.

    Attributes:
        changes: how many of the newest.
        seconds: how old they may be; None for any age.
    """

    changes: int
    seconds: float | None = None

    def __str__(self) -> str:
        """Returns the bounds in words."""
        if self.seconds is None:
            return f"the last {self.changes:,} changes"
        days, rest = divmod(self.seconds, 86_400)
        time = str(timedelta(seconds=self.seconds))
        if not rest:
            time = "day" if days == 1 else f"{days:.0f} days"
        return f"changes of the last {time}, at most {self.changes:,}"


HistoryLike: TypeAlias = int | timedelta | str | History
"""A number of changes, or for how long they are kept, as a timedelta or as text such as ``"7d"``."""


def read_history(history: HistoryLike | None) -> History | None:
    """Returns what the argument ``history`` means; None if no changes are kept.

    Raises:
        InvalidArgument: it is neither a number of changes nor a time.
    """
    if history is None or isinstance(history, History):
        return history
    if isinstance(history, int) and not isinstance(history, bool):
        if 1 <= history <= _MOST:
            return History(history)
    elif isinstance(history, (str, timedelta)):
        try:
            return History(MOST_IN_A_TIME, duration(history, "history"))
        except InvalidArgument:
            pass
    raise InvalidArgument.about(
        "history",
        history,
        f"give how many changes are kept (1 to {_MOST:,}), or for how long: a timedelta or text such as '12h' or "
        "'7d'; None keeps none",
    )
