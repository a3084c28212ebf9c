"""A memory as the checkpointer of LangGraph."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from ...memory.faces import MemoryPrimitive
from ..adapting import awaited, called, lasting, limit_of
from .checkpoints import PAGE, Checkpoints, copy_thread, delete_thread

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.serde.base import SerializerProtocol


class TTASaver(BaseCheckpointSaver[str]):
    """The short-term memory of a graph: the checkpoints of its threads.

        >>> saver = TTASaver(MemoryPrimitive(max_size=None))
        >>> graph = builder.compile(checkpointer=saver)

    A checkpoint is one record, ``threads/THREAD/NS/cp/ID``. Each value of a channel is one more, ``threads/THREAD/NS/b/CHANNEL/VERSION``, and so
    is each pending write, ``threads/THREAD/NS/w/ID/TASK/INDEX``. Beside the bytes that LangGraph reads back, they have the state
    as text that people read and search. Every method is called or awaited, also called while an event loop is running.

    Source: https://reference.langchain.com/python/langgraph/checkpoints.

    Args:
        memory: where the checkpoints are. Its other records are left alone.
        serde: turns values into bytes; None for LangGraph's ``JsonPlusSerializer``.
        readable: keep the state as text, too; None: unless there is a ``serde``, which may be there to encrypt it.
        evict: accept a memory that evicts records when it is full.

    Raises:
        InvalidArgument: a memory that evicts.
    """

    def __init__(
        self,
        memory: MemoryPrimitive,
        *,
        serde: SerializerProtocol | None = None,
        readable: bool | None = None,
        evict: bool = False,
    ) -> None:
        super().__init__(serde=serde)
        self.memory = lasting(memory, evict, "checkpoints")
        self._is_readable = (
            isinstance(self.serde, JsonPlusSerializer) if readable is None else readable
        )

    def __repr__(self) -> str:
        return f"TTASaver({self.memory!r})"

    @property
    def _plans(self) -> Checkpoints:
        # LangGraph makes shallow copies of a checkpointer and gives them another serde.
        return Checkpoints(self.serde, self._is_readable)

    def get_next_version(self, current: str | int | None, channel: None) -> str:  # noqa: ARG002  LangGraph passes it
        """Returns the next version of a channel, which no other branch of the thread gives as well."""
        number = 0 if current is None else int(str(current).partition(".")[0])
        return f"{number + 1:010}.{random.getrandbits(64):016x}"

    # ---- what LangGraph calls, and what it awaits

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Returns the checkpoint that a config names, or the latest of its thread; None if there is none.

        Raises:
            InvalidArgument: a config without a thread, a checkpoint that a newer version has written.
        """
        return called(self.memory, self._plans.get(config))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `get_tuple`."""
        return await awaited(self.memory, self._plans.get(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Yields checkpoints, the newest first; each is read when it is asked for.

        Args:
            config: of which thread, subgraph or checkpoint; None for all.
            filter: fields of the metadata, and what they equal.
            before: only checkpoints that are older than the one it names.
            limit: how many at most; 0 gives none.

        Raises:
            InvalidArgument: a config without a thread, a limit below 0, a checkpoint that a newer version has written.
        """
        left = limit_of(limit)
        keys = called(self.memory, self._plans.listed(config, before)) if left != 0 else []
        for start in range(0, len(keys), PAGE):
            for saved in called(self.memory, self._plans.page(keys[start : start + PAGE], filter)):
                yield called(self.memory, self._plans.whole(saved))
                left = None if left is None else left - 1
                if left == 0:
                    return

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As `list`."""
        left = limit_of(limit)
        keys = await awaited(self.memory, self._plans.listed(config, before)) if left != 0 else []
        for start in range(0, len(keys), PAGE):
            page = self._plans.page(keys[start : start + PAGE], filter)
            for saved in await awaited(self.memory, page):
                yield await awaited(self.memory, self._plans.whole(saved))
                left = None if left is None else left - 1
                if left == 0:
                    return

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keeps a checkpoint and the new values of channels in one step; returns the config that names it.

        Raises:
            InvalidArgument: a config without a thread.
        """
        return called(self.memory, self._plans.put(config, checkpoint, metadata, new_versions))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As `put`."""
        return await awaited(
            self.memory, self._plans.put(config, checkpoint, metadata, new_versions)
        )

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Keeps what a task has written, in one step. What the task has written before stays, but for errors and interrupts.

        Raises:
            InvalidArgument: a config without a thread or a checkpoint.
        """
        called(self.memory, self._plans.put_writes(config, writes, task_id, task_path))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """As `put_writes`."""
        await awaited(self.memory, self._plans.put_writes(config, writes, task_id, task_path))

    def delete_thread(self, thread_id: str) -> None:
        """Deletes everything of a thread."""
        called(self.memory, delete_thread(thread_id))

    async def adelete_thread(self, thread_id: str) -> None:
        """As `delete_thread`."""
        await awaited(self.memory, delete_thread(thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Deletes the checkpoints of runs, and the values that no other checkpoint needs."""
        called(self.memory, self._plans.delete_for_runs(run_ids))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """As `delete_for_runs`."""
        await awaited(self.memory, self._plans.delete_for_runs(run_ids))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copies everything of a thread to another one."""
        called(self.memory, copy_thread(source_thread_id, target_thread_id))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As `copy_thread`."""
        await awaited(self.memory, copy_thread(source_thread_id, target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Deletes old checkpoints of threads.

        Args:
            thread_ids: of which threads.
            strategy: ``"keep_latest"`` keeps the latest checkpoint of each thread and each of its subgraphs, and those before it
                that its channels of the kind ``DeltaChannel`` are put together from; ``"delete"`` keeps none.

        Raises:
            InvalidArgument: another strategy.
        """
        called(self.memory, self._plans.prune(thread_ids, strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """As `prune`."""
        await awaited(self.memory, self._plans.prune(thread_ids, strategy))
