"""A memory as the store of LangGraph."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from typing import Any, Literal, TypeAlias

from langgraph.store.base import (
    NOT_PROVIDED,
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    NotProvided,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
)

from ...entry import Entry, Unreadable
from ...errors import InvalidArgument, ServerError, brief
from ...memory.applying import MOST_APPLIED
from ...memory.faces import MemoryPrimitive
from ...memory.faces.methods import shortcut
from ...record import MemoryRecord
from ...search.indexes import check_mode
from ...search.paging import check_offset
from ...search.request import Hit, SearchMode
from ...stores.base import NotNow
from ...stores.plan import Plan
from ..adapting import Ask, awaited, called, lasting, limit_of
from .batching import Batches
from .filtering import Wanted, wanted
from .items import (
    OWN_FIELDS,
    Fields,
    Namespace,
    address_of,
    check_namespace,
    folder_of,
    item_of,
    key_of,
    namespace_of,
    stored,
)
from .meaning import Vectors

Found: TypeAlias = tuple[Entry, float | None]
"""A record, and its score if it was ranked."""


class TTAStore(BaseStore):
    """The long-term memory of a graph: items by namespace and key.

        >>> store = TTAStore(MemoryPrimitive(max_size=None))
        >>> store.put(("users", "ana"), "food", {"text": "no peanuts"})
        >>> store.get(("users", "ana"), "food").value
        {'text': 'no peanuts'}

    An item is one record, ``/users/alice/name`` for the key ``"name"`` in ``("users", "alice")``. Every method is called or
    awaited (``get``, ``aget``), also called while an event loop is running. What several tasks await at the same time goes to the memory
    as one batch. In a batch, reads see what was before its writes.

    Source: https://reference.langchain.com/python/langgraph/store.

    Args:
        memory: where the items are. Its other records are left alone.
        index: what a search with a query does; None: the query is ignored. A dict: with ``fields`` (paths, ``["$"]`` for the whole item)
            and ``embed`` (an embedder of this package, a name such as ``"wordllama"``, a function, or LangChain's ``Embeddings``)
            items are ranked by meaning, by their nearest field; ``dims`` is then checked. With ``mode``, which may be ``"hybrid"``,
            ``"ranked"``, ``"semantic"`` or ``"keyword"``, the memory searches whole items by words, by meaning, or by both.
        ttl: ``default_ttl`` in minutes, and ``refresh_on_read``, as LangGraph defines them.
        evict: accept a memory that evicts records when it is full.

    Raises:
        InvalidArgument: a memory that evicts, an index or a ttl that has no meaning.
    """

    supports_ttl = True

    def __init__(
        self,
        memory: MemoryPrimitive,
        *,
        index: Mapping[str, Any] | None = None,
        ttl: TTLConfig | None = None,
        evict: bool = False,
    ) -> None:
        self.memory = lasting(memory, evict, "items")
        self.ttl_config = ttl
        self.index_config = index
        self._mode, self._vectors = _index(index)
        self._read_now: Any = shortcut(memory.store, "read_now")
        self._batches = Batches(lambda operations: awaited(memory, self._carry(operations)))

    def __repr__(self) -> str:
        return f"TTAStore({self.memory!r})"

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Carries out operations, and returns their results in order.

        Reads see what was before the batch. Its writes are done in one step, up to 50,000 of them; of several writes of one key the
        last one counts.

        Raises:
            InvalidNamespaceError: a label that is empty or contains a period.
            InvalidArgument: another operation, a filter, a limit, a time to live.
            NotStorable: a value that JSON cannot hold.
        """
        return called(self.memory, self._carry(list(ops)))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """As `batch`, together with what other tasks of the loop ask for at the same time."""
        return await self._batches.submit(list(ops))

    def get(
        self, namespace: Namespace, key: str, *, refresh_ttl: bool | None = None
    ) -> Item | None:
        """Returns an item; None if there is none.

        Args:
            namespace: of the item.
            key: of the item.
            refresh_ttl: whether reading has its time to live begin again; None for what the store was made with.

        Raises:
            InvalidNamespaceError: as `batch`.
        """
        # A batch and its plan take ten times as long as the read of a store that has a shortcut for it.
        is_quick = self._read_now is not None and self.memory.watch is None
        if refresh_ttl is None:
            refresh_ttl = (self.ttl_config or {}).get("refresh_on_read", True)
        if is_quick and refresh_ttl:
            with suppress(NotNow):
                key = str(key)
                found = self._read_now(key_of(namespace, key))
                return None if found is None else _item(found, namespace, key)
        return super().get(namespace, key, refresh_ttl=refresh_ttl)

    def put(
        self,
        namespace: Namespace,
        key: str,
        value: Mapping[str, Any],
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | NotProvided | None = NOT_PROVIDED,
    ) -> None:
        """Writes an item, in place of one that has the same key.

        Args:
            namespace: of the item.
            key: of the item.
            value: a JSON object.
            index: which fields are embedded; None for those that the store was made with, False for none.
            ttl: minutes to live; without it, what the store was made with.

        Raises:
            InvalidNamespaceError: no label, the first one is ``"langgraph"``, or as `batch`.
            InvalidArgument: the time to live, the index.
            NotStorable: a value that JSON cannot hold.
        """
        if not namespace or namespace[0] == "langgraph" or value is None:
            # What LangGraph refuses, and deletes.
            super().put(namespace, key, value, index, ttl=ttl)
            return
        # A batch and its plan take a fifth of the time of a write to a server on this machine.
        if isinstance(ttl, NotProvided):
            ttl = (self.ttl_config or {}).get("default_ttl")
        op = PutOp(namespace, str(key), value, index, ttl)
        record, kept, seconds, sliding = self._write(key_of(namespace, op.key), op)
        self.memory.sync.add(record, kept, seconds, sliding=sliding)

    # ---- what is done, written once for both

    def _carry(self, ops: Sequence[Op]) -> Plan[list[Result]]:
        results: list[Result] = [None] * len(ops)
        gets: dict[bool, dict[str, list[tuple[int, GetOp]]]] = {}
        puts: dict[str, PutOp] = {}
        for number, op in enumerate(ops):
            if isinstance(op, GetOp):
                key = key_of(op.namespace, op.key)
                gets.setdefault(bool(op.refresh_ttl), {}).setdefault(key, []).append((number, op))
            elif isinstance(op, PutOp):
                if not op.namespace:
                    raise InvalidArgument.about("namespace", (), "give at least one label")
                puts[key_of(op.namespace, op.key)] = op
            elif isinstance(op, SearchOp):
                results[number] = yield from self._search(op)
            elif isinstance(op, ListNamespacesOp):
                results[number] = yield from _namespaces(op)
            else:
                raise InvalidArgument.about(
                    "op", op, "give a GetOp, PutOp, SearchOp or ListNamespacesOp"
                )
        for refresh, places in gets.items():
            # Reading by key keeps a record whose time slides; a peek changes nothing.
            found = yield Ask("get_records" if refresh else "peek", list(places))
            for each in found:
                for place, (number, get) in enumerate(places[each.key]):
                    results[number] = _item(each, get.namespace, get.key, is_copy=place > 0)
        yield from self._put(puts)
        return results

    def _put(self, puts: dict[str, PutOp]) -> Plan[None]:
        deletes = [key for key, op in puts.items() if op.value is None]
        writes = [self._write(key, op) for key, op in puts.items() if op.value is not None]
        if len(puts) == 1:
            if deletes:
                yield Ask("delete", deletes[0])
                return
            key, value, ttl, sliding = writes[0]
            yield Ask("add", key, value, ttl, sliding=sliding)
            return
        # In one step, unless they are too many for one.
        while writes or deletes:
            now, writes = writes[:MOST_APPLIED], writes[MOST_APPLIED:]
            gone = deletes[: MOST_APPLIED - len(now)]
            deletes = deletes[len(gone) :]
            yield Ask("apply", now, gone)

    def _write(self, key: str, op: PutOp) -> tuple[str, dict[str, Any], float | None, bool]:
        """Returns the record of an item: key, value, seconds to live, and whether these slide."""
        value = op.value
        if not isinstance(value, Mapping):
            raise InvalidArgument.about("value", value, "give a dict, or None to delete the item")
        has_index = self._mode is not None or self._vectors is not None
        kept = stored(value, _fields(op.index, "index") if has_index else None)
        if op.ttl is None:
            return key, kept, None, False
        if isinstance(op.ttl, bool) or not isinstance(op.ttl, (int, float)) or not op.ttl > 0:
            raise InvalidArgument.about("ttl", op.ttl, "give minutes above 0, or None for never")
        return key, kept, 60.0 * op.ttl, True

    def _search(self, op: SearchOp) -> Plan[list[SearchItem]]:
        start, end = check_offset(op.offset), limit_of(op.limit)
        condition = wanted(op.filter)
        filters = {"prefix": folder_of(op.namespace_prefix)}
        end = None if end is None else start + end
        found: list[Found]
        if op.query and self._mode is not None:
            found = yield from self._ranked(op.query, self._mode, condition, filters, end)
        elif op.query and self._vectors is not None:
            entries = yield from _entries(condition, filters, None)
            scores = yield from self._vectors.scores(op.query, entries)
            found = list(zip(entries, scores, strict=True))
            found.sort(key=lambda each: float("-inf") if each[1] is None else each[1], reverse=True)
        else:
            found = [(entry, None) for entry in (yield from _entries(condition, filters, end))]
        page = found[start:end]
        if op.refresh_ttl:
            sliding = [entry.key for entry, _ in page if entry.sliding is not None]
            if sliding:
                yield Ask("touch", sliding)
        return [_search_item(entry, score) for entry, score in page]

    def _ranked(
        self,
        query: str,
        mode: SearchMode,
        condition: Wanted,
        filters: dict[str, Any],
        limit: int | None,
    ) -> Plan[list[Found]]:
        """Returns the items that answer a query, the best first, as the memory ranks them."""
        where = {OWN_FIELDS: {"$ne": False}, **(condition.where or {})}
        ask = partial(Ask, "hits", query, mode=mode, where=where, **filters)
        hits = yield from _accepted(ask, condition, limit)
        return [(hit.entry, hit.score) for hit in hits]


def _entries(condition: Wanted, filters: dict[str, Any], limit: int | None) -> Plan[list[Entry]]:
    """Returns the records of the items that a filter accepts, the last written one first."""
    ask = partial(Ask, "hits", order="written", where=condition.where, **filters)
    return [hit.entry for hit in (yield from _accepted(ask, condition, limit))]


def _accepted(ask: Callable[..., Ask], condition: Wanted, limit: int | None) -> Plan[list[Hit]]:
    """Returns the first hits that are items and fulfil a condition.

    Args:
        ask: makes the request for hits, with a limit.
        condition: of which the request has the part that the memory knows.
        limit: how many; None for all.
    """
    if limit == 0:
        return []
    asked = None if condition.compared else limit
    found: list[Hit] = yield ask(limit=asked)
    accepted = [hit for hit in found if _is_item(hit.entry, condition)]
    if asked is not None and len(found) == asked > len(accepted):
        # Some are no items: records of others below the same prefix. More may be behind them.
        found = yield ask(limit=None)
        accepted = [hit for hit in found if _is_item(hit.entry, condition)]
    return accepted[:limit]


def _is_item(entry: Entry, condition: Wanted) -> bool:
    if isinstance(entry, Unreadable) or address_of(entry.key) is None:
        return False
    return not condition.compared or condition.accepts(item_of(entry.value())[0])


def _namespaces(op: ListNamespacesOp) -> Plan[list[Namespace]]:
    conditions = []
    for each in op.match_conditions or ():
        # LangGraph's own tests write one label without a tuple.
        path = (each.path,) if isinstance(each.path, str) else each.path
        conditions.append(each._replace(path=check_namespace(path)))
        if each.match_type not in ("prefix", "suffix"):
            raise InvalidArgument.about("match_type", each.match_type, "give 'prefix' or 'suffix'")
    start, end = check_offset(op.offset), limit_of(op.limit)
    depth = op.max_depth
    # A prefix without a wildcard is the beginning of keys; everything else is compared here.
    others = conditions
    folder = "/"
    if others and others[0].match_type == "prefix" and "*" not in others[0].path:
        folder = folder_of(tuple(others[0].path))
        others = others[1:]
    found = yield Ask("folders", folder, depth=None if others else depth)
    namespaces = {
        namespace
        for namespace in map(namespace_of, found)
        if namespace and all(_matches(namespace, each) for each in others)
    }
    if others and depth is not None:
        if depth < 1:
            raise InvalidArgument.about("max_depth", depth, "give an int of at least 1, or None")
        namespaces = {namespace[:depth] for namespace in namespaces}
    return sorted(namespaces)[start : None if end is None else start + end]


def _matches(namespace: Namespace, condition: MatchCondition) -> bool:
    path = tuple(condition.path)
    if len(path) > len(namespace):
        return False
    part = (
        namespace[: len(path)]
        if condition.match_type == "prefix"
        else namespace[len(namespace) - len(path) :]
    )
    return all(wild in ("*", label) for wild, label in zip(path, part, strict=True))


def _item(
    found: Entry | MemoryRecord, namespace: Namespace, key: str, *, is_copy: bool = False
) -> Item:
    """Returns a record as an item.

    Args:
        found: the record.
        namespace: of the item.
        key: of the item.
        is_copy: whether another caller gets an item of it as well.

    Raises:
        ServerError: the record cannot be read.
    """
    if isinstance(found, Entry):
        if isinstance(found, Unreadable):
            raise found.error()
        value = found.value()
    else:
        if found.unreadable is not None:
            raise ServerError(f"the item {brief(found.key)} cannot be read: {found.unreadable}")
        value = copy.deepcopy(found.value) if is_copy else found.value
    created, updated = _instants(found)
    return Item(
        value=item_of(value)[0],
        key=key,
        namespace=namespace,
        created_at=created,
        updated_at=updated,
    )


def _search_item(entry: Entry, score: float | None) -> SearchItem:
    namespace, key = address_of(entry.key) or ((), entry.key)
    return SearchItem(namespace, key, item_of(entry.value())[0], *_instants(entry), score)


def _instants(found: Entry | MemoryRecord) -> tuple[datetime, datetime]:
    """Returns when a record was written first, and last."""
    updated = datetime.fromtimestamp(found.updated_at, timezone.utc)
    created = found.created_at
    if created is None or created == found.updated_at:
        return updated, updated
    return datetime.fromtimestamp(created, timezone.utc), updated


def _index(index: Mapping[str, Any] | None) -> tuple[SearchMode | None, Vectors | None]:
    """Returns how the memory searches by itself, or else what ranks items by meaning."""
    if index is None:
        return None, None
    if not isinstance(index, Mapping):
        raise InvalidArgument.about("index", index, "give a dict such as {'fields': ['text']}")
    known = {"mode", "fields", "embed", "dims"}
    # LangGraph's own stores leave notes whose names begin with two underscores.
    if unknown := [name for name in index if name not in known and not name.startswith("__")]:
        raise InvalidArgument(
            f"index: {brief(unknown[0])} is no part of it; the parts are fields, embed and dims, or mode"
        )
    mode = index.get("mode")
    if mode is None:
        fields = _fields(index.get("fields"), "index['fields']") or ["$"]
        return None, Vectors(index.get("embed"), fields, index.get("dims"))
    if len(index) > 1:
        raise InvalidArgument(
            f"index['mode']={brief(mode)}: this mode searches whole items with the embedder of the memory; "
            "leave out fields, embed and dims, or leave out mode"
        )
    return check_mode(mode, "index['mode']"), None


def _fields(fields: Any, name: str) -> Fields:
    """Returns which fields are embedded.

    Raises:
        InvalidArgument: neither None nor False nor a list of paths.
    """
    if fields is None or fields is False:
        return fields
    if isinstance(fields, (list, tuple)) and all(isinstance(each, str) for each in fields):
        return list(fields)
    raise InvalidArgument(f"{name}={brief(fields)}: give a list of paths such as ['text']")
