"""What the tools of one server may see and change: one memory, or one user's records in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

from ...entry import Entry
from ...errors import InvalidArgument, brief
from ...filters import FilterArgs
from ...keys import check_key, create_memory_key, parse_memory_key
from ...memory.faces import MemoryPrimitive, SyncMemory
from ...times import shown_instant

Rights: TypeAlias = Literal["read", "propose", "write"]
"""What a server allows beside searching and reading: nothing, to propose changes, or to make them."""

RIGHTS: tuple[Rights, ...] = get_args(Rights)


@dataclass(frozen=True, slots=True)
class Scope:
    """A memory, and the user whose records alone are in it for the tools.

    No tool has an argument for either of them. A record of somebody else is to a tool what a record is that does not exist.

    Attributes:
        memory: the memory.
        user: first part of the keys; None for all records.

    Raises:
        InvalidArgument: no key can have this user.
    """

    memory: SyncMemory
    user: str | None = None

    def __post_init__(self) -> None:
        user = self.user
        if user is not None and (not isinstance(user, str) or not user or ":" in user):
            raise InvalidArgument.about(
                "user", user, "give the first part of keys, a text without ':', or leave it out"
            )

    @classmethod
    def of(cls, memory: MemoryPrimitive | SyncMemory, user: str | None) -> Scope:
        """Returns the scope of one user in a memory."""
        return cls(memory.sync if isinstance(memory, MemoryPrimitive) else memory, user)

    def filters(self, **others: str | None) -> FilterArgs:
        """Returns filters that only accept what the tools may see, and what the others accept."""
        return cast("FilterArgs", {**others, **({} if self.user is None else {"user": self.user})})

    def sees(self, key: str) -> bool:
        """Returns whether the record of a key is one of the user's."""
        parts = parse_memory_key(key)
        return self.user is None or (parts is not None and parts.user == self.user)

    def entry(self, key: str, *, using: bool) -> Entry:
        """Returns the entry of a key.

        Args:
            key: of the record.
            using: whether this counts as a use of the record, which changes the order of use.

        Raises:
            InvalidArgument: there is none, or it is not one of the user's.
        """
        found = self.memory.peek([check_key(key)]) if self.sees(key) else []
        if not found:
            raise absent(key)
        if using:
            self.memory.touch([key])
        return found[0]

    def key_for(self, key: str | None, session: str | None, value: dict[str, Any]) -> str:
        """Returns the key that a value is written under.

        Args:
            key: as the agent has given it; None to make one of the user, the session and the value.
            session: of the key that is made; None for ``"notes"``.
            value: the same value gives the same key.

        Raises:
            InvalidArgument: the key is not one of the user's; the session is empty or contains ``:``.
        """
        if key is None:
            session = "notes" if session is None else session
            if not session or ":" in session:
                raise InvalidArgument.about("session", session, "give a text without ':'")
            return create_memory_key(self.user or "agent", session, value)
        if session is not None:
            raise InvalidArgument("session: a key names its session itself; give one of the two")
        return self.own(key)

    def own(self, key: str) -> str:
        """Returns a key that may be written.

        Raises:
            InvalidArgument: it is not one of the user's.
        """
        if not self.sees(check_key(key)):
            raise InvalidArgument(
                f"key={brief(key)}: keys of this memory read {self.user}:SESSION or {self.user}:SESSION:HASH, with 8 "
                "hexadecimal digits as HASH; or leave the key out, and one is made"
            )
        return key

    def note(self) -> str | None:
        """Returns what an agent should know while the server of the memory is away; None otherwise."""
        outage = self.memory.outage()
        if outage is None:
            return None
        waiting = outage["writes_waiting"]
        return (
            f"The server of this memory is away since {shown_instant(outage['degraded_since'])}. This answer is what this process "
            f"knows, and may lack records. {waiting:,} written {'record waits' if waiting == 1 else 'records wait'} in this process "
            "until the server is back."
        )


def absent(key: str) -> InvalidArgument:
    """Returns the error for a record that does not exist, or that the tools may not see."""
    return InvalidArgument(f"key={brief(key)}: there is no such record; search or list shows keys")


def check_rights(rights: Rights) -> Rights:
    """Returns the rights themselves.

    Raises:
        InvalidArgument: there are no such rights.
    """
    if rights in RIGHTS:
        return rights
    raise InvalidArgument.about("rights", rights, f"give {', '.join(map(repr, RIGHTS))}")
