"""Steps of a workflow that remember; the framework is a stand-in for `tta_dev_primitives`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from tta_memory_nb import InvalidArgument, MemoryPrimitive, MemoryStep, NotStorable
from tta_memory_nb.integrations.workflow import InParallel, InSequence


@dataclass
class Context:
    """The context of a workflow of the other framework."""

    workflow_id: str = "trip"
    session_id: str | None = "monday"
    player_id: str | None = "ann"
    metadata: dict[str, Any] = field(default_factory=dict)
    trace_id: str | None = "0" * 32
    checkpoints: list[str] = field(default_factory=list)
    children: list[Context] = field(default_factory=list)

    def checkpoint(self, name: str) -> None:
        self.checkpoints.append(name)

    def create_child_context(self) -> Context:
        self.children.append(Context(self.workflow_id, self.session_id, self.player_id))
        return self.children[-1]


class Theirs:
    """A step of the other framework, with composition of its own."""

    def __init__(self, *steps: Any) -> None:
        self.steps = steps

    async def execute(self, input_data: Any, context: Any) -> Any:
        for step in self.steps:
            input_data = await step.execute(input_data, context)
        return input_data

    def __rshift__(self, other: Any) -> Theirs:
        return Theirs(self, other)


class Apply(Theirs):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    async def execute(self, input_data: Any, context: Any) -> Any:
        return self.function(input_data)


@pytest.fixture
def memory(clock) -> MemoryPrimitive:
    return MemoryPrimitive(clock=clock)


def run(step: Any, given: Any, context: Any = None) -> Any:
    return asyncio.run(step.execute(given, context))


def test_a_step_gives_what_is_known_and_remembers_its_input(memory, clock):
    memory.sync.add("ann:sunday", {"text": "I prefer trains to planes"})
    memory.sync.add("bob:sunday", {"text": "Trains are loud"})
    step, context = MemoryStep(memory, name="recall"), Context()
    first = run(step, "Which trains go to Lyon?", context)
    assert first == {
        "input": "Which trains go to Lyon?",
        "working_memory": [],
        "relevant_memories": [{"text": "I prefer trains to planes"}],
        "memory_backend": "in-memory",
    }
    clock.tick()
    second = run(step, {"text": "And which trains to Nice?", "turn": 2}, context)
    said = {"text": "Which trains go to Lyon?"}
    about = {"workflow_step": {"name": "recall", "workflow_id": "trip"}}
    assert second["working_memory"] == [said | about]
    assert second["relevant_memories"] == [{"text": "I prefer trains to planes"}]
    assert [record.value for record in memory.sync.history("ann", "monday")] == [
        said | about,
        {"text": "And which trains to Nice?", "turn": 2} | about,
    ]
    assert context.checkpoints == ["recall.start", "recall.end"] * 2


@pytest.mark.parametrize(
    ("context", "user", "session"),
    [
        (None, "anonymous", "default"),
        (Context(player_id=None, metadata={"user_id": 7}), "7", "monday"),
        (Context(session_id=None), "ann", "trip"),
        (object(), "anonymous", "default"),
    ],
)
def test_user_and_session_are_those_of_the_context(memory, context, user, session):
    run(MemoryStep(memory), "hello", context)
    assert len(memory.sync.history(user, session)) == 1


@pytest.mark.parametrize(
    ("trace", "kept"),
    [("0" * 32, None), (0, None), (None, None), ("00ab", "00ab"), (171, "0" * 30 + "ab")],
)
def test_a_trace_is_kept_unless_it_is_none(memory, trace, kept):
    run(MemoryStep(memory), "hello", Context(trace_id=trace))
    [record] = memory.sync.history("ann", "monday")
    assert record.value["workflow_step"].get("trace_id") == kept


def test_a_query_may_be_given_or_worked_out(memory):
    memory.sync.add("ann:sunday", {"text": "the harbour"})
    for query in ("harbour", lambda given: given["about"]):
        found = run(MemoryStep(memory, query=query), {"about": "harbour", "n": 1}, Context())
        assert found["relevant_memories"][0] == {"text": "the harbour"}
    assert run(MemoryStep(memory), {"n": 1}, Context())["relevant_memories"] == []
    assert run(MemoryStep(memory), 5, Context())["input"] == 5


def test_bad_input_is_refused_and_nothing_is_remembered(memory):
    with pytest.raises(InvalidArgument, match="give a MemoryPrimitive"):
        MemoryStep(memory.sync)
    with pytest.raises(InvalidArgument, match="query"):
        MemoryStep(memory, query=5)
    with pytest.raises(InvalidArgument, match="has returned 5"):
        run(MemoryStep(memory, query=lambda _: 5), "x")
    with pytest.raises(NotStorable):
        run(MemoryStep(memory), object())
    with pytest.raises(InvalidArgument, match="a:b"):
        run(MemoryStep(memory), "x", Context(session_id="a:b"))
    assert memory.size() == 0


def test_steps_compose_with_each_other_and_with_those_of_others(memory):
    upper, count = Apply(str.upper), Apply(lambda given: len(given["working_memory"]))
    remember = MemoryStep(memory)
    context = Context()
    assert run(upper >> remember >> count, "one", context) == 0
    assert run(remember >> count, "two", context) == 1
    shout = Apply(lambda given: given["input"].upper())
    assert run(remember >> InParallel([shout, count]), "three", context) == ["THREE", 2]
    assert len(context.children) == 2
    # Long chains stay flat, whatever they begin with.
    chain = remember >> count >> upper >> upper
    assert isinstance(chain, InSequence)
    assert len(chain.steps) == 4
    both = remember | shout | count
    assert isinstance(both, InParallel)
    assert len(both.steps) == 3
    with pytest.raises(TypeError):
        remember >> 5


def test_when_one_of_several_fails_the_others_are_cancelled(memory):
    events: list[str] = []

    class Waits(Theirs):
        async def execute(self, input_data: Any, context: Any) -> Any:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                events.append("cancelled")
                raise

    def fail(_: Any) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run(InParallel([Waits(), Apply(fail), MemoryStep(memory)]), "x")
    assert events == ["cancelled"]
