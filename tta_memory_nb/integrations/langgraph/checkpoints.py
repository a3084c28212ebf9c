"""Checkpoints of a graph as records: what a `TTASaver` does, as plans."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
)

from ...errors import Conflict, InvalidArgument, ServerError, StoreUnavailable, brief
from ...memory.applying import MOST_APPLIED
from ...record import MemoryRecord
from ...stores.plan import Plan
from ..adapting import Ask
from .items import escaped, plain
from .readable import readable, shown

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.serde.base import SerializerProtocol

ROOT = "threads/"
"""What the keys of all checkpoints begin with; those of a `TTAStore` begin with a slash."""

FORMAT = 1
"""How records of checkpoints are laid out. A later version that lays them out in another way counts on."""

PAGE = 100
"""So many checkpoints are read at a time."""


class _Place(NamedTuple):
    """Where the checkpoints of a thread are, or those of one of its subgraphs."""

    thread: str
    ns: str

    def key(self, kind: str, *parts: object) -> str:
        """Returns the key of a record, or what keys begin with if the last part is empty."""
        return ROOT + "/".join(escaped(str(part)) for part in (*self, kind, *parts))

    def config(self, checkpoint_id: str) -> RunnableConfig:
        return {
            "configurable": {
                "thread_id": self.thread,
                "checkpoint_ns": self.ns,
                "checkpoint_id": checkpoint_id,
            }
        }


class _Saved(NamedTuple):
    """One checkpoint, without the values of its channels."""

    place: _Place
    id: str
    parent: str | None
    checkpoint: Checkpoint
    metadata: CheckpointMetadata

    def blobs(self) -> dict[str, str]:
        """Returns the key of the value of each channel; a channel without a value has no record there."""
        versions = self.checkpoint["channel_versions"]
        return {self.place.key("b", name, version): name for name, version in versions.items()}


class Checkpoints:
    """The plans of a checkpointer, each written once for its called and its awaited method.

    Args:
        serde: turns values into bytes.
        is_readable: whether records have the state as text, too.
    """

    def __init__(self, serde: SerializerProtocol, is_readable: bool) -> None:
        self._serde = serde
        self._is_readable = is_readable

    def get(self, config: RunnableConfig) -> Plan[CheckpointTuple | None]:
        """Returns what `TTASaver.get_tuple` does."""
        place, checkpoint_id = _place(config), get_checkpoint_id(config)
        if checkpoint_id:
            key = place.key("cp", checkpoint_id)
        else:
            keys = yield Ask("keys", prefix=place.key("cp", ""))
            if not keys:
                return None
            key = max(keys)
        found = yield from self.page([key], None)
        return (yield from self.whole(found[0])) if found else None

    def listed(
        self, config: RunnableConfig | None, before: RunnableConfig | None
    ) -> Plan[Sequence[str]]:
        """Returns the keys of the checkpoints that a config means, the newest first."""
        place = None if config is None else _place(config)
        wanted = None if config is None else get_checkpoint_id(config)
        end = None if before is None else get_checkpoint_id(before)
        prefix = ROOT
        if config is not None and place is not None:
            prefix = f"{ROOT}{escaped(place.thread)}/"
            if config["configurable"].get("checkpoint_ns") is not None:
                prefix = place.key("cp", "")
        keys = yield Ask("keys", prefix=prefix)
        found = [(_parts(key)[-1], key) for key in keys if _is_checkpoint(key)]
        return [
            key
            for checkpoint_id, key in sorted(found, reverse=True)
            if (not wanted or checkpoint_id == wanted) and (not end or checkpoint_id < end)
        ]

    def page(self, keys: Sequence[str], filter: dict[str, Any] | None) -> Plan[Sequence[_Saved]]:
        """Returns some checkpoints, as far as they exist and their metadata are as wanted."""
        records = yield Ask("get_records", keys)
        found = map(self._saved, records)
        return [
            each
            for each in found
            if all(each.metadata.get(name) == part for name, part in (filter or {}).items())
        ]

    def _saved(self, record: MemoryRecord) -> _Saved:
        thread, ns, _, checkpoint_id = _parts(record.key)
        return _Saved(
            _Place(thread, ns),
            checkpoint_id,
            record.value.get("parent"),
            self._loaded(record, "bytes"),
            self._loaded(record, "metadata_bytes"),
        )

    def whole(self, saved: _Saved) -> Plan[CheckpointTuple]:
        """Returns a checkpoint with the values of its channels and its pending writes."""
        names = saved.blobs()
        blobs = yield Ask("get_records", list(names))
        writes = yield Ask("records", prefix=saved.place.key("w", saved.id, ""))
        # The order in which LangGraph applies them: writes_sort_key of its newest version.
        writes.sort(key=lambda each: (each.value["path"], each.value["task"], each.value["index"]))
        values = {names[blob.key]: self._loaded(blob, "bytes") for blob in blobs}
        return CheckpointTuple(
            config=saved.place.config(saved.id),
            checkpoint=cast("Checkpoint", {**saved.checkpoint, "channel_values": values}),
            metadata=saved.metadata,
            parent_config=saved.place.config(saved.parent) if saved.parent else None,
            pending_writes=[
                (each.value["task"], each.value["channel"], self._loaded(each, "bytes"))
                for each in writes
            ],
        )

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> Plan[RunnableConfig]:
        """Does what `TTASaver.put` does."""
        place = _place(config)
        state = dict(checkpoint)
        values = cast("dict[str, Any]", state.pop("channel_values"))
        about = get_checkpoint_metadata(config, metadata)
        puts = [
            (
                place.key("b", name, version),
                self._record(shown(values[name]), values[name], channel=name),
            )
            for name, version in new_versions.items()
            if name in values
        ]
        kept = self._record(
            {
                "text": f"step {about.get('step')}, {about.get('source')}",
                "metadata": readable(about),
            },
            state,
            parent=get_checkpoint_id(config),
        )
        kept["metadata_bytes"] = self._dumped(about)
        yield Ask("apply", [*puts, (place.key("cp", checkpoint["id"]), kept)])
        return place.config(checkpoint["id"])

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str,
    ) -> Plan[None]:
        """Does what `TTASaver.put_writes` does."""
        place, checkpoint_id = _place(config), get_checkpoint_id(config)
        if not checkpoint_id:
            raise InvalidArgument("config: no checkpoint_id; give the config that put has returned")
        puts: dict[str, dict[str, Any]] = {}
        new: list[str] = []
        for number, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, number)
            key = place.key("w", checkpoint_id, task_id, index)
            puts[key] = self._record(
                shown(value), value, channel=channel, task=task_id, path=task_path, index=index
            )
            if index >= 0:  # errors and interrupts replace what was there
                new.append(key)
        while puts:
            try:
                yield Ask("apply", puts, expect=dict.fromkeys(new))
                return
            except Conflict as conflict:
                known: Iterable[str] = conflict.keys
            except StoreUnavailable:  # in an outage, only what this process knows can be expected
                known = [entry.key for entry in (yield Ask("peek", new))]
                new = []
            for key in known:
                puts.pop(key, None)
            new = [key for key in new if key in puts]
            if not new and puts:
                yield Ask("apply", puts)
                return

    def delete_for_runs(self, run_ids: Sequence[str]) -> Plan[None]:
        """Does what `TTASaver.delete_for_runs` does."""
        runs = set(run_ids)
        if not runs:
            return
        saved = yield from self._all(ROOT)
        for place in dict.fromkeys(each.place for each in saved if _run_of(each) in runs):
            here = [each for each in saved if each.place == place]
            yield from _keep([each for each in here if _run_of(each) not in runs], place)

    def prune(self, thread_ids: Sequence[str], strategy: str) -> Plan[None]:
        """Does what `TTASaver.prune` does."""
        if strategy not in ("keep_latest", "delete"):
            raise InvalidArgument.about("strategy", strategy, "give 'keep_latest' or 'delete'")
        for thread in thread_ids:
            if strategy == "delete":
                yield from delete_thread(thread)
                continue
            saved = yield from self._all(f"{ROOT}{escaped(str(thread))}/")
            saved.sort(key=lambda each: (each.place, each.id))
            for place, group in groupby(saved, key=lambda each: each.place):
                yield from _keep((yield from _needed(list(group))), place)

    def _all(self, prefix: str) -> Plan[list[_Saved]]:
        """Returns all checkpoints whose keys begin with a prefix."""
        keys = yield Ask("keys", prefix=prefix)
        keys = list(filter(_is_checkpoint, keys))
        found: list[_Saved] = []
        for start in range(0, len(keys), PAGE):
            found += yield from self.page(keys[start : start + PAGE], None)
        return found

    # ---- records

    def _record(self, about: dict[str, Any], value: Any, **facts: Any) -> dict[str, Any]:
        """Returns a record: what people read of a value, what else is known of it, and its bytes."""
        told = about if self._is_readable else {}
        return {**told, **facts, "bytes": self._dumped(value)}

    def _dumped(self, value: Any) -> list[Any]:
        kind, data = self._serde.dumps_typed(value)
        return [FORMAT, kind, b64encode(data).decode()]

    def _loaded(self, record: MemoryRecord, field: str) -> Any:
        """Returns what the bytes of a record mean.

        Raises:
            InvalidArgument: a newer version of this package or of LangGraph has written them.
            ServerError: another program has written the record.
        """
        if record.unreadable is not None:
            raise ServerError(f"{brief(record.key)} cannot be read: {record.unreadable}")
        try:
            known, *saved = record.value[field]
            if known > FORMAT:
                raise InvalidArgument(
                    f"{brief(record.key)}: its format {known} is that of a newer version of tta_memory_nb, and this one "
                    f"reads up to {FORMAT}; upgrade this process, or delete the thread"
                )
            kind, data = saved
            return self._serde.loads_typed((kind, b64decode(data)))
        except (KeyError, TypeError) as error:
            raise ServerError(
                f"{brief(record.key)}: this record is no checkpoint; delete the thread"
            ) from error
        except NotImplementedError as error:
            raise InvalidArgument(
                f"{brief(record.key)}: {error}; it was written by a newer version of LangGraph or by another serde, so "
                "read it with that one"
            ) from error


def _place(config: RunnableConfig) -> _Place:
    """Returns the thread and the subgraph that a config names.

    Raises:
        InvalidArgument: it names no thread.
    """
    named = config.get("configurable") or {}
    thread = named.get("thread_id")
    if thread in (None, ""):
        raise InvalidArgument(
            "config: no thread_id; give {'configurable': {'thread_id': 'a name of the conversation'}}"
        )
    return _Place(str(thread), str(named.get("checkpoint_ns") or ""))


def _parts(key: str) -> list[str]:
    """Returns thread, subgraph, kind and what else is in a key."""
    return [plain(part) for part in key.removeprefix(ROOT).split("/")]


def _run_of(saved: _Saved) -> Any:
    return saved.metadata.get("run_id")


def delete_thread(thread_id: str) -> Plan[None]:
    """Deletes everything of a thread."""
    yield Ask("remove", prefix=f"{ROOT}{escaped(str(thread_id))}/")


def copy_thread(source: str, target: str) -> Plan[None]:
    """Copies everything of a thread to another one."""
    old, new = (f"{ROOT}{escaped(str(each))}/" for each in (source, target))
    records = yield Ask("records", prefix=old)
    puts = [(new + each.key.removeprefix(old), each.value) for each in records]
    for start in range(0, len(puts), MOST_APPLIED):
        yield Ask("apply", puts[start : start + MOST_APPLIED])


def _needed(saved: list[_Saved]) -> Plan[list[_Saved]]:
    """Returns the latest of some checkpoints, and those that its deltas continue.

    A ``DeltaChannel`` keeps its value now and then only. In between it is put together from the last kept value and the
    writes of all checkpoints since.

    Args:
        saved: checkpoints of one place, in order.
    """
    latest = saved[-1]
    by_id = {each.id: each for each in saved}
    missing = set(
        cast("dict[str, Any]", latest.metadata).get("counters_since_delta_snapshot") or ()
    )
    kept = [latest]
    while missing:
        names = kept[-1].blobs()
        present = yield Ask("peek", list(names))
        missing -= {names[entry.key] for entry in present}
        parent = by_id.get(kept[-1].parent or "")
        if parent is None:
            break
        if missing:
            kept.append(parent)
    return kept


def _keep(kept: Sequence[_Saved], place: _Place) -> Plan[None]:
    """Deletes everything of a place that none of the checkpoints needs that are kept."""
    needed = {key for each in kept for key in each.blobs()}
    needed |= {place.key("cp", each.id) for each in kept}
    ids = {each.id for each in kept}
    folder = place.key("")
    keys = yield Ask("keys", prefix=folder)
    gone = [key for key in keys if key not in needed and not _is_write_of(key, ids)]
    for start in range(0, len(gone), MOST_APPLIED):
        yield Ask("apply", {}, gone[start : start + MOST_APPLIED])


def _is_checkpoint(key: str) -> bool:
    parts = _parts(key)
    return len(parts) == 4 and parts[2] == "cp"


def _is_write_of(key: str, ids: set[str]) -> bool:
    parts = _parts(key)
    return parts[2] == "w" and len(parts) == 6 and parts[3] in ids
