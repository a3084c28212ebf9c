"""The tools: what an agent can do with a memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context, MCPServer  # noqa: TC002  the SDK evaluates annotations
from mcp.types import ToolAnnotations
from pydantic import Field

from ...errors import InvalidArgument
from ...table import unportable
from .answers import Found, Proposed, Records, Written, record_of
from .scope import Rights, Scope, absent

Key = Annotated[
    str, Field(min_length=1, description="key of the record, as search and list show it")
]
NewKey = Annotated[
    str | None,
    Field(description="key of the record, such as USER:SESSION; leave it out to have one made"),
]
Value = Annotated[
    dict[str, Any],
    Field(description='what to remember, a JSON object, such as {"text": "Ann lives in Paris"}'),
]
Since = Annotated[
    str | None,
    Field(
        description="only what was written since then: 2026-11-30, 2026-11-30T18:00, or 2h, 7d for ago"
    ),
]
Until = Annotated[str | None, Field(description="only what was written until then, as since")]
Session = Annotated[str | None, Field(description="only records of this session")]
NewSession = Annotated[
    str | None, Field(description="session of the key that is made; leave it out if you give a key")
]
Ttl = Annotated[
    str | float | None,
    Field(description="how long the record exists: seconds, or 15m, 2h, 7d; leave it out for ever"),
]

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_PROPOSES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_WRITES = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)


class Tools:
    """The tools of one server.

    Args:
        scope: what they may see.
        rights: what they may do.
    """

    def __init__(self, scope: Scope, rights: Rights) -> None:
        self._scope = scope
        self._memory = scope.memory
        self._rights = rights

    def add_to(self, server: MCPServer) -> None:
        """Gives a server the tools that its rights allow."""
        table: list[tuple[Callable[..., Any], ToolAnnotations, tuple[Rights, ...]]] = [
            (self.search, _READS, ("read", "propose", "write")),
            (self.get, _READS, ("read", "propose", "write")),
            (self.list, _READS, ("read", "propose", "write")),
            (self.propose, _PROPOSES, ("propose",)),
            (self.add, _WRITES, ("write",)),
            (self.delete, _WRITES, ("write",)),
        ]
        for tool, hints, rights in table:
            if self._rights in rights:
                server.add_tool(tool, annotations=hints)

    def search(
        self,
        query: Annotated[str, Field(description="a question, or words")],
        limit: Annotated[int, Field(ge=1, le=50, description="how many records at most")] = 5,
        mode: Annotated[
            Literal["hybrid", "ranked", "keyword"],
            Field(
                description="hybrid: by words and meaning; ranked: by words; keyword: exact text"
            ),
        ] = "hybrid",
        session: Session = None,
        since: Since = None,
        until: Until = None,
    ) -> Records:
        """Finds the records that answer a question, the best first."""
        filters = self._scope.filters(session=session, since=since, until=until)
        hits = self._memory.hits(unportable(query), limit, mode, **filters)
        return Records(records=[record_of(hit) for hit in hits], note=self._scope.note())

    def get(self, key: Key) -> Found:
        """Gives one record in full."""
        entry = self._scope.entry(unportable(key), using=self._rights == "write")
        return Found(record=record_of(entry, whole=True), note=self._scope.note())

    def list(
        self,
        prefix: Annotated[str | None, Field(description="what the keys begin with")] = None,
        session: Session = None,
        since: Since = None,
        until: Until = None,
        limit: Annotated[int, Field(ge=1, le=100, description="how many records at most")] = 20,
        offset: Annotated[int, Field(ge=0, le=10**9, description="how many to leave out")] = 0,
    ) -> Records:
        """Lists records, the last written first, a page at a time."""
        filters = self._scope.filters(
            prefix=None if prefix is None else unportable(prefix),
            session=session,
            since=since,
            until=until,
        )
        entries = self._memory.entries(None, limit, offset=offset, order="written", **filters)
        total = self._memory.count(**filters)
        end = offset + len(entries)
        return Records(
            records=[record_of(entry) for entry in entries],
            total=total,
            next_offset=end if entries and end < total else None,
            note=self._scope.note(),
        )

    def add(
        self, value: Value, key: NewKey = None, session: NewSession = None, ttl: Ttl = None
    ) -> Written:
        """Remembers something: writes a record, or replaces the one with this key."""
        key, value = self._new(key, session, value)
        change = self._memory.apply([(key, value, ttl)])
        replaced = any(entry.key == key for entry in change.removed)
        return Written(key=key, what="replaced" if replaced else "added", note=self._scope.note())

    def delete(self, key: Key) -> Written:
        """Deletes a record."""
        wanted = unportable(key)
        if not self._scope.sees(wanted) or not self._memory.remove([wanted]).removed:
            raise absent(wanted)
        return Written(key=key, what="deleted", note=self._scope.note())

    def propose(
        self,
        context: Context[Any, Any],
        action: Annotated[
            Literal["add", "delete"], Field(description="add writes or replaces a record")
        ] = "add",
        key: NewKey = None,
        value: Annotated[
            dict[str, Any] | None, Field(description="what to remember, a JSON object; only to add")
        ] = None,
        session: NewSession = None,
        ttl: Ttl = None,
        reason: Annotated[
            str, Field(max_length=2000, description="why, for the person who decides")
        ] = "",
    ) -> Proposed:
        """Proposes to write or to delete a record. Nothing changes until a person has approved it."""
        if action == "delete":
            if key is None:
                raise InvalidArgument("key: give the key of the record to delete")
            wanted = unportable(key)
            if not self._scope.sees(wanted):
                raise absent(wanted)
        elif value is None:
            raise InvalidArgument("value: give what to remember, a JSON object")
        else:
            wanted, value = self._new(key, session, value)
        made = self._memory.propose(
            action, wanted, value, ttl=ttl, reason=unportable(reason), by=_client_of(context)
        )
        return Proposed(
            id=made.id, key=made.key, action=made.action, status="pending", note=self._scope.note()
        )

    def _new(
        self, key: str | None, session: str | None, value: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        """Returns the key and the value of a record to write, as the memory has them."""
        plain: dict[str, Any] = unportable(value)
        wanted = None if key is None else unportable(key)
        return self._scope.key_for(wanted, session, plain), plain


def _client_of(context: Context[Any, Any]) -> str:
    """Returns the name and the version of a client, as it says."""
    params = context.session.client_params
    if params is None:
        return "an MCP client"
    about = params.client_info
    return f"{about.name} {about.version}".strip()
