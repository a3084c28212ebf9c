"""An agent with a memory, in the three ways that agents use one; no notebook, no key, no server.

    python examples/memory_workflow.py
    python examples/memory_workflow.py --redis-url redis://localhost:6379

1. A conversation of many turns: what was said earlier is found again.
2. Context for a task: what is settled for one task, kept apart from all others.
3. Context that stays: the agent is restarted, and still knows.

On a server it works in a namespace of its own, and deletes its records at the end; one small key stays,
by which the server knows what has been written there.
The same agent, explained step by step: notebooks/04_agent.ipynb.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
from pathlib import Path
from uuid import uuid4

from tta_memory_nb import MemoryPrimitive, TTAMemoryError, create_memory_key

IGNORED = "a am an and are at do does for i in is it my of on or the to we what where which who you"


def words(text: str) -> set[str]:
    """The words of a text that say what it is about."""
    return set(re.findall(r"\w+", text.lower())) - set(IGNORED.split())


def model(known: list[str], text: str) -> str:
    """What to answer to a text, given the lines that are known, the oldest first.

    Stands in for a language model, and takes the same: replace the body by a call of yours.
    """
    if not text.endswith("?"):
        return "Noted."
    told = [line for line in known if not line.endswith("?")]
    # The line that has most words in common with the question; of several, the one told last.
    best = max(reversed(told), key=lambda line: len(words(line) & words(text)), default="")
    return f"You told me: {best}" if words(best) & words(text) else "You have not told me."


class Agent:
    """Talks with one user. All that it knows is in its memory."""

    def __init__(self, memory: MemoryPrimitive, user: str, session: str) -> None:
        self.memory, self.user, self.session = memory, user, session

    async def say(self, text: str) -> str:
        """One turn: recall, answer, remember."""
        known = await self.recall(text)
        answer = model(known, text)
        await self.remember(text, answer)
        print(f"  {self.user}: {text}\n  agent: {answer}")
        return answer

    async def recall(self, text: str) -> list[str]:
        """What the user has said, in any session, about the words of a text; the oldest first."""
        found = {}
        for word in words(text):  # a search finds a text as it is written, so one word at a time
            for turn in await self.memory.search_records(
                word, user=self.user, where={"input": {"$exists": True}}
            ):
                found[turn.key] = turn
        turns = sorted(found.values(), key=lambda turn: turn.created_at)
        return [turn.value["input"] for turn in turns]

    async def remember(self, text: str, answer: str) -> None:
        """Keeps a turn under a key of its own."""
        earlier = await self.memory.records(
            user=self.user, session=self.session, where={"turn": {"$gte": 1}}
        )
        number = 1 + max((turn.value["turn"] for turn in earlier), default=0)
        key = create_memory_key(self.user, self.session, {"turn": number})
        await self.memory.add(key, {"turn": number, "input": text, "output": answer})


class TaskAgent(Agent):
    """Works on one task, whose facts are one record that every turn adds to."""

    def __init__(self, memory: MemoryPrimitive, user: str, session: str, task: str) -> None:
        super().__init__(memory, user, session)
        self.task = task
        self.key = create_memory_key(user, session, {"task": task})

    async def recall(self, text: str) -> list[str]:
        """The facts of this task, with those of the text; nothing of other tasks."""
        notes = await self.memory.get(self.key) or {"task": self.task, "facts": {}}
        notes["facts"] |= dict(re.findall(r"\bthe (\w+) is ([^,.?!]+)", text, re.IGNORECASE))
        await self.memory.add(self.key, notes)
        return [f"The {name} is {fact}." for name, fact in notes["facts"].items()]


async def converse(memory: MemoryPrimitive) -> None:
    """Two users, each of whom the agent knows only by what they said."""
    print("1. A conversation of many turns")
    ana = Agent(memory, "ana", "monday")
    await ana.say("I am allergic to nuts.")
    await ana.say("My sister eats everything but fish.")
    await ana.say("What am I allergic to?")
    await Agent(memory, "bob", "monday").say("What am I allergic to?")


async def work(memory: MemoryPrimitive) -> None:
    """Two tasks of one user, which have a budget each."""
    print("2. Context for a task")
    for task, budget in (("trip", 900), ("party", 150)):
        await TaskAgent(memory, "ana", "monday", task).say(f"The budget is {budget} euros.")
    for task in ("trip", "party"):
        print(f"  on the {task}:")
        await TaskAgent(memory, "ana", "monday", task).say("What is the budget?")


async def move(memory: MemoryPrimitive, other: MemoryPrimitive, folder: Path) -> None:
    """Takes the records of one memory to another by way of a file."""
    file = folder / "memory.jsonl"
    print(f"  {await memory.export(file)} records saved, then loaded by another memory")
    await other.import_(file)


async def run(redis_url: str | None) -> None:
    """All three, one after the other.

    Raises:
        TTAMemoryError: the address is none, or nobody answers there.
    """
    namespace = f"memory-workflow-{uuid4().hex}"

    def opened() -> MemoryPrimitive:
        return MemoryPrimitive(redis_url, namespace=namespace, on_outage="raise")

    memory = opened()
    try:
        await converse(memory)
        await work(memory)
        print("3. Context that stays")
        restarted = opened()
        if not memory.is_using_redis():
            with tempfile.TemporaryDirectory() as folder:
                await move(memory, restarted, Path(folder))
        await memory.aclose()
        memory = restarted
        await Agent(memory, "ana", "tuesday").say("What am I allergic to?")
        print(f"backend: {memory.get_backend_info()['backend']}, {memory.size()} records")
    finally:
        await memory.clear()
        await memory.aclose()


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--redis-url", help="keep the records there; else in this process")
    try:
        asyncio.run(run(parser.parse_args().redis_url))
    except TTAMemoryError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
