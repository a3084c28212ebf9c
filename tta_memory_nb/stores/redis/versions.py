"""The verbs of a store on a server about earlier versions of its records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

from ...errors import StoreUnavailable
from ...times import shown_instant
from ..history.bounds import History, read_history
from ..history.changes import Earlier, KeptChanges
from ..plan import Plan
from .wiring import Wiring


class Versions(Wiring):
    """Keeps changes, and tells what the records were; the server is needed for either."""

    @property
    def history(self) -> History | None:
        """Which changes the server keeps, as far as this process knows; see `kept_history`."""
        return self.commands.history

    def kept_history(self) -> Plan[History | None]:
        """Returns which changes are kept. If this process knows of none, the server is asked: another client may have begun it."""
        if self.commands.history is None:
            yield from self._routing.look(self._history.look, lambda: None)
        return self._known_history()

    def _known_history(self) -> History | None:
        """Returns which changes are kept, as far as this process knows, or will be when the server is back."""
        commands = self.commands
        return commands.asked_history if commands.owes_history else commands.history

    def keep_changes(self, history: History | None) -> Plan[None]:
        """Has the server keep changes from now on, more or fewer of them, or none, for all clients."""
        yield from self._routing.look(
            lambda: self.commands.keep_history(history), self._refusing("history")
        )

    def begin_history(self) -> Plan[None]:
        """Has the server keep what the memory was made to keep; in an outage, as soon as it is back."""
        asked = read_history(self._settings.history)
        if asked is not None:
            self.commands.asked_history, self.commands.owes_history = asked, True
            yield from self._routing.look(self.commands.keep_asked, lambda: None)

    def as_of(self, instant: float) -> Plan[Earlier]:
        """Returns the records as of an instant, see `Store.as_of`."""
        return self._routing.look(lambda: self._history.as_of(instant), self._refusing("as_of"))

    def kept_changes(self, key: str) -> Plan[KeptChanges]:
        """Returns the changes of a record that are kept, and the record."""
        return self._routing.look(lambda: self._history.changes_of(key), self._refusing("log"))

    def forget_changes(self, keys: Sequence[str]) -> Plan[None]:
        """Drops all changes of some records that are kept."""
        yield from self._routing.look(
            lambda: self._history.forget(keys), self._refusing("for_good")
        )

    def _refusing(self, what: str) -> Callable[[], NoReturn]:
        def refuse() -> NoReturn:
            outage = self.outages.current
            since = "" if outage is None else f" since {shown_instant(outage.since)}"
            raise StoreUnavailable(
                f"{what}: earlier versions of records are on {self._shown}, which has been away{since}; try again when it "
                "is back"
            )

        return refuse
