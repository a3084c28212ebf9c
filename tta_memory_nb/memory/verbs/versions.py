"""Verbs about earlier versions of records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import InvalidArgument
from ...keys import check_key
from ...stores.history.bounds import HistoryLike, read_history
from ...stores.plan import Plan
from ..as_of import KEEPS_NONE, history_of
from .common import CommonVerbs

if TYPE_CHECKING:
    from ..versions import RecordLog


class VersionVerbs(CommonVerbs):
    """Says which versions a record had, and who made them, and how many are kept."""

    def keep_history(self, history: HistoryLike | None) -> Plan[None]:
        """Has the memory keep changes of its records from now on, more or fewer of them, or none.

        Args:
            history: as for `MemoryPrimitive`; None drops what is kept.

        Raises:
            InvalidArgument: this is no history; the store keeps no changes.
        """
        kept = read_history(history)
        keep = getattr(self._store, "keep_changes", None)
        if keep is None:
            raise InvalidArgument.about(
                "history",
                history,
                f"<{type(self._store).__name__}> keeps no changes of its records",
            )
        yield from keep(kept)

    def log(self, key: str) -> Plan[RecordLog]:
        """Returns the versions of a record that the memory keeps, the newest first, and who made each; see ``history``.

        The order of use stays. A record that is gone has a log as well, as long as its changes are kept.

        Args:
            key: of which record.

        Returns:
            The versions, with ``table`` for a table of the fields that each has changed.

        Raises:
            InvalidArgument: the key is no non-empty text; the memory keeps no changes.
        """
        key = check_key(key)
        if (yield from history_of(self._store)) is None:
            raise InvalidArgument(KEEPS_NONE)
        from ..versions import record_log

        kept = yield from self._store.kept_changes(key)
        return record_log(key, kept, self._store.namespace)
