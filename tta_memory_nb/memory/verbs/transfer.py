"""Verbs that write records to files, and add records from files, tables and datasets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Unpack

from ...authorship import by_action
from ...entry import Entry
from ...filters import FilterArgs
from ...search.request import Search
from ...stores.plan import Plan
from ..tombstones.guard import error_of
from .common import CommonVerbs, spell_out_filters

if TYPE_CHECKING:
    from os import PathLike

    from ...transfer import ImportReport, ImportSource, Progress


class TransferVerbs(CommonVerbs):
    """Exports and imports."""

    @spell_out_filters
    def export(
        self,
        path: str | PathLike[str],
        format: str | None = None,
        progress: Progress | bool = False,
        **filters: Unpack[FilterArgs],
    ) -> Plan[int]:
        """Writes records to a file, least recently used first; see `tta_memory_nb.transfer`.

        Args:
            path: the file; it is replaced in one step when everything is written.
            format: ``"jsonl"`` (lossless), ``"csv"`` or ``"parquet"``; None: by the suffix.
            progress: show a progress bar, or a callable that wraps an iterable in one.
            **filters: see the class.

        Returns:
            How many records were written.

        Raises:
            TransferError: an unknown format, a file that cannot be written.
            MissingPackage: ``parquet`` without pyarrow.
        """
        from ...transfer import write_file

        search = Search(filters=self._filters(filters), order="oldest")
        found = yield from self._store.find(search)
        records = (self._record(hit.entry) for hit in found)
        return write_file(path, format, records, len(found), progress)

    @by_action("import")
    def import_(
        self,
        source: ImportSource,
        format: str | None = None,
        *,
        key: str = "key",
        user: str | None = None,
        session: str | None = None,
        on_error: Literal["raise", "skip"] = "raise",
        grow: bool = False,
        progress: Progress | bool = False,
        anyway: bool = False,
    ) -> Plan[ImportReport]:
        """Adds records from a file, a DataFrame, chat messages or a named dataset.

        Args:
            source: path of a .jsonl, .csv, .parquet or .json file; a DataFrame; records; a list
                of ``{role, content, ...}`` messages; a mapping of conversations; or the name of
                a dataset, ``"chitchat"``.
            format: file format; None: by the suffix.
            key: the column that holds the key, in tables.
            user: user of the keys made for messages; None: each message's sender.
            session: session of the keys made for a list of messages.
            on_error: ``"raise"`` changes nothing when a record is broken or was deleted for good, ``"skip"`` imports
                the others and lists these in the report.
            grow: raise ``max_size`` as far as needed.
            progress: show a progress bar, or a callable that wraps an iterable in one.
            anyway: as in `add`.

        Returns:
            How many records were added, updated and left out, a sentence for each broken one, and the change.

        Raises:
            Tombstoned: a record says what was deleted for good; as in `add`.
            TransferError: the source cannot be read, or holds broken records.
            CapacityExceeded: the source holds more records than ``max_size``.
            MissingPackage: the dataset or pyarrow is not installed.
        """
        from ...transfer import import_into

        guard = self.guard

        def refused(entries: Sequence[Entry]) -> Plan[dict[int, str]]:
            found = {} if anyway else (yield from guard.refused(entries))
            return {
                number: str(error_of(entries, {number: stones})) for number, stones in found.items()
            }

        return import_into(
            self._store,
            lambda entries: guard.put(entries, anyway),
            refused if on_error == "skip" and guard.policy == "refuse" else None,
            source,
            format,
            key=key,
            user=user,
            session=session,
            on_error=on_error,
            grow=grow,
            progress=progress,
            now=self.clock(),
        )
