"""The index of one namespace on its server: begun, kept up to date, rebuilt and dropped.

Scripts delete the shadow of a record together with the record, and list each record that they write as
pending, whichever client has called them: the format of the namespace tells them to. A search writes the
shadows of pending records first. So a write costs one member of a set more, records that a script cannot read
(compressed ones) are indexed as well, and what an interrupt leaves undone stays listed.

Whatever makes all shadows useless begins a new generation: a clearing, another layout, a server that has lost
the records. Shadows of a generation have names of their own, so an old one is deleted at leisure.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from ....errors import ServerError, StoreUnavailable, brief
from ....search.ranked.parts import Reader
from ....search.ranked.words import Words
from ...opening import Settings
from ...plan import Plan
from .. import scripts
from ..commands import Commands
from ..faults import is_passing
from ..keys import INDEXED_FORMATS, decode_key, index_of
from ..operations import BATCH, MOST_BYTES
from ..payload import unpack
from ..wire import Command, Pipelined
from .asking import asked, facts, joined, read_found
from .shadows import SCHEMA, VERSION, shadow_of

logger = logging.getLogger(__name__)

# Indexing more records takes so long that people are told.
_MANY = 1000

# Others may write all the time. After so many rounds, a search does without what they have just written.
_ROUNDS = 4

_PAGE = 1000

_FIELDS = ("format", "index", "index_as", "index_from")


class ServerIndex:
    """The index of one namespace, as plans.

    Args:
        settings: what the memory asks of its store.
        commands: what asks the server.
        shown: the server's address, without any password.

    Attributes:
        words: finds the terms of texts.
        reader: takes records apart.
        timeout: seconds that the server may take for one search.
        generation: of the index, as it was seen last.
        bare: key of the set of the records without a vector.
    """

    def __init__(self, settings: Settings, commands: Commands, shown: str) -> None:
        self.words = Words(settings.language)
        self.reader = Reader(self.words)
        self.timeout = settings.timeout
        self._namespace = settings.namespace
        self._commands = commands
        self._shown = shown
        self._described = f"{VERSION}:{settings.language}".encode()
        self._pending, self.bare, self._prefix = index_of(settings.namespace)
        self.generation = b""

    @property
    def name(self) -> bytes:
        """Name of the index on the server."""
        return self._prefix + self.generation

    def key_of(self, name: bytes) -> str:
        """Returns the key of the record that a shadow is of.

        RediSearch takes the byte 0 for the end of a name, so the scripts escape it.
        """
        escaped = name[len(self._prefix) + len(self.generation) + 1 :]
        if b"%" not in escaped:
            return decode_key(escaped)
        return decode_key(escaped.replace(b"%00", b"\0").replace(b"%25", b"%"))

    def check(self) -> Plan[None]:
        """Makes sure that the server has RediSearch, and that the namespace has no other index.

        Raises:
            ServerError: otherwise.
        """
        yield from self.names()
        state, *_ = yield from self._replies(())
        self._check(state)

    # ---- asking

    def ask(self, questions: Callable[[], Sequence[Command]]) -> Plan[tuple[list[Any], str]]:
        """Returns the replies to questions, and what to tell the user; brings the index up to date before.

        Args:
            questions: returns commands that ask the index by its `name`.

        Raises:
            ServerError: the server has no RediSearch, or refuses.
        """
        note, indexed, round_ = "", 0, 0
        while True:
            replies = yield from self._replies(questions())
            state, pending, *answers = replies
            lost = next((each for each in answers if isinstance(each, ServerError)), None)
            is_current = self._is_current(state) and not (lost and is_missing(lost))
            if is_current and (not pending or note or round_ >= _ROUNDS):
                if lost is not None:
                    raise self._explained(lost)
                if indexed > _MANY:
                    note = note or f"{indexed:,} records were indexed on the server first"
                return answers, note
            try:
                indexed += yield from self.catch_up(state)
            except ServerError as error:
                if not is_current or not is_passing(error):
                    raise
                # Without room the server still answers.
                note = f"{pending:,} records are not indexed yet: {error}"
            round_ += 1

    def asked(
        self, query: str, at: int = 0, count: int = 0, fields: tuple[str, ...] = ()
    ) -> Command:
        """Returns the command that asks for shadows; see `asking.asked`."""
        return asked(self.name, query, self.timeout, at=at, count=count, fields=fields)

    def joined(self, query: str, count: int) -> Command:
        """Returns the command that asks for the names of shadows; see `asking.joined`."""
        return joined(self.name, query, self.timeout, count)

    def replies(self, commands: Sequence[Command]) -> Plan[list[Any]]:
        """Returns the replies to several commands.

        Raises:
            StoreUnavailable, ServerError: one of them has failed.
        """
        replies: list[Any] = yield Pipelined(tuple(commands))
        for reply in replies:
            if isinstance(reply, (StoreUnavailable, ServerError)):
                raise reply
        return replies

    def _replies(self, questions: Sequence[Command]) -> Plan[list[Any]]:
        state = ("HMGET", self._commands.keys[3], *_FIELDS)
        replies = yield Pipelined((state, ("SCARD", self._pending), *questions))
        for reply in replies:
            if isinstance(reply, StoreUnavailable):
                raise reply
        for reply in replies[:2]:
            if isinstance(reply, ServerError):
                raise reply
        found: list[Any] = replies
        return found

    def _is_current(self, state: Sequence[bytes | None]) -> bool:
        """Returns whether the index is the one that this client knows, and lists all records."""
        found, *others = state
        return found in INDEXED_FORMATS and others == [self.generation, self._described, None]

    # ---- keeping it up to date

    def catch_up(self, state: Sequence[bytes | None] | None = None) -> Plan[int]:
        """Begins the index if need be, and writes the shadows of all pending records.

        Args:
            state: what the namespace says of its index; None: it is asked.

        Returns:
            How many records were indexed.

        Raises:
            ServerError: the server has no RediSearch, or the namespace has another index.
        """
        if state is None:
            state, *_ = yield from self._replies(())
        self._check(state)
        names = yield from self.names()
        self.generation = yield from self._begin(b"")
        if self.name not in names:
            if state[1] == self.generation:  # somebody has dropped it; shadows alone are no index
                self.generation = yield from self._begin(self.generation)
            yield from self._create()
        yield from self._drop(name for name in names if name != self.name)
        while (yield from self._commands.run(scripts.INDEX_MARK, self.generation, b"")):
            pass
        return (yield from self._write_pending())

    def _write_pending(self) -> Plan[int]:
        count = 0
        left = yield ("SCARD", self._pending)
        if left > _MANY:
            logger.warning(
                "%s: indexing %d records of the namespace %s for searches on the server",
                self._shown,
                left,
                brief(self._namespace),
            )
        # What others write meanwhile is left to the next search.
        while left > 0:
            rows = yield from self.listed(b"pending")
            if not rows:
                break
            done = yield from self._commands.run(
                scripts.INDEX_WRITE, self.generation, *self._shadows(rows)
            )
            if done < 0:  # another generation has begun
                break
            count += done
            left -= len(rows) // 2
        return count

    def listed(self, name: bytes) -> Plan[list[bytes]]:
        """Returns key and blob of some of the records in a set, ``pending`` or ``bare``."""
        return self._commands.run(scripts.INDEX_PENDING, name, BATCH, MOST_BYTES)

    def _shadows(self, rows: Sequence[bytes]) -> list[bytes | str | int]:
        """Returns records as `lua/index_write.lua` takes them.

        Args:
            rows: key and blob of each.
        """
        args: list[bytes | str | int] = []
        it = iter(rows)
        for key, blob in zip(it, it, strict=True):
            entry = unpack(decode_key(key), blob) if blob else None
            length, fields = (0, []) if entry is None else shadow_of(entry, self.reader)
            args += (key, version_of(blob), length, len(fields), *fields)
        return args

    def _begin(self, lost: bytes) -> Plan[bytes]:
        """Begins the index unless there is one; returns its generation.

        Args:
            lost: a generation that is not to be gone on with; empty for none.
        """
        return self._commands.run(scripts.INDEX_BEGIN, self._described, b"", b"", 0, lost)

    def _create(self) -> Plan[None]:
        """Makes the index on the server; no shadow of its generation is there yet."""
        try:
            yield (
                *("FT.CREATE", self.name, "ON", "HASH", "PREFIX", 1, self.name + b":"),
                *("NOOFFSETS", "NOHL", "STOPWORDS", 0, "SKIPINITIALSCAN", "SCHEMA", *SCHEMA),
            )
        except ServerError as error:
            if "already exists" not in str(error):  # another client has made it
                raise self._explained(error) from None

    def names(self) -> Plan[list[bytes]]:
        """Returns the names of the indexes of this namespace.

        Raises:
            ServerError: the server has no RediSearch.
        """
        try:
            names = yield ("FT._LIST",)
        except ServerError as error:
            raise self._explained(error) from None
        size = len(self._prefix)
        return [name for name in names if name.startswith(self._prefix) and name[size:].isdigit()]

    def end(self) -> Plan[None]:
        """Deletes the index and all shadows. The records stay."""
        yield from self._commands.run(scripts.INDEX_BEGIN, b"", b"", b"", 0, b"")
        yield from self._drop((yield from self.names()))

    def _drop(self, names: Any) -> Plan[None]:
        for name in names:
            gone = 1
            while gone:
                found = read_found((yield asked(name, "*", self.timeout, count=_PAGE)))
                keys = [key for key, _ in found.shadows]
                gone = (yield ("UNLINK", *keys)) if keys else 0
            yield ("FT.DROPINDEX", name)

    # ---- about it

    def about(self) -> Plan[dict[str, Any]]:
        """Returns what `get_backend_info` says of the index."""
        questions = (
            ("ZCARD", self._commands.keys[1]),
            ("SCARD", self.bare),
            ("FT.INFO", self.name),
        )
        state, pending, records, bare, info = yield from self._replies(questions)
        said = facts(info) if not isinstance(info, Exception) else {}
        is_there = self._is_current(state) and said
        indexed = int(said[b"num_docs"]) if is_there else 0
        return {
            "index_records": indexed,
            "index_pending": pending if is_there else records,
            "index_without_vector": bare,
            "index_bytes": round(sum(float(said[name]) for name in _SIZES if name in said) * 2**20),
        }

    def _check(self, state: Sequence[bytes | None]) -> None:
        """Makes sure that no other client needs the index that is there.

        Raises:
            ServerError: a later version of this package has made it, or one with another language.
        """
        if state[0] not in INDEXED_FORMATS or not state[2]:
            return
        version, _, language = state[2].decode("utf-8", "replace").partition(":")
        if version.isdigit() and int(version) > VERSION:
            raise ServerError(
                f"a later version of tta-memory-nb has indexed the namespace {brief(self._namespace)}: "
                "pip install --upgrade tta-memory-nb",
                "FORMAT",
            )
        if language != self.words.language:
            raise ServerError(
                f"language={self.words.language!r}: the namespace {brief(self._namespace)} is indexed with "
                f"language={language!r}; use that, or drop the index first with server_search='off'",
                "FORMAT",
            )

    def _explained(self, error: ServerError) -> ServerError:
        message = str(error)
        if "unknown command" in message:
            return ServerError(
                f"server_search='redisearch': {self._shown} has no RediSearch; use Redis 8 or Redis Stack, load "
                "the module redisearch.so, or leave server_search out",
                error.code,
            )
        if error.code == "NOPERM":
            return ServerError(
                f"{message}; server_search='redisearch' needs the commands of RediSearch; in an ACL: +@search",
                error.code,
            )
        return error


_SIZES = (
    *(b"inverted_sz_mb", b"offset_vectors_sz_mb", b"doc_table_size_mb", b"sortable_values_size_mb"),
    *(b"key_table_size_mb", b"vector_index_sz_mb", b"tag_overhead_sz_mb", b"text_overhead_sz_mb"),
)


def version_of(blob: bytes) -> bytes:
    """Returns the version of a record as its header has it, see `payload`; less for a damaged one."""
    return blob[25:33]


def is_missing(error: ServerError) -> bool:
    """Returns whether an error says that there is no such index."""
    message = str(error).lower()
    return "no such index" in message or "unknown index" in message
