"""An agent with a memory, in the three ways in which agents use one. It needs no notebook, key or server.

    python examples/memory_workflow.py
    python examples/memory_workflow.py --redis-url redis://localhost:6379

1. A conversation of many turns: the agent finds what was said earlier.
2. Context for a task: the agent keeps the facts of one task apart from all others.
3. Context that stays: the agent still knows the facts after a restart.

On a server, the script works in a namespace of its own and deletes its records at the end. One small key
remains, which holds the counters of the namespace. notebooks/04_agent.ipynb explains the same agent step by step.
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
    """Returns the words of a text without the most common ones."""
    return set(re.findall(r"\w+", text.lower())) - set(IGNORED.split())


def model(known: list[str], text: str) -> str:
    """Returns the answer to a text, given the known lines, the oldest first.

    The function replaces a language model and takes the same input: replace its body by a call of one.
    """
    if not text.endswith("?"):
        return "Noted."
    statements = [line for line in known if not line.endswith("?")]
    # The line that shares the most words with the question; of several, the latest one.
    best = max(reversed(statements), key=lambda line: len(words(line) & words(text)), default="")
    return f"You told me: {best}" if words(best) & words(text) else "You have not told me."


class Agent:
    """Talks with one user and keeps everything that it knows in its memory."""

    def __init__(self, memory: MemoryPrimitive, user: str, session: str) -> None:
        self.memory, self.user, self.session = memory, user, session

    async def say(self, text: str) -> str:
        """Handles one turn: recall, answer, remember."""
        known = await self.recall(text)
        answer = model(known, text)
        await self.remember(text, answer)
        print(f"  {self.user}: {text}\n  agent: {answer}")
        return answer

    async def recall(self, text: str) -> list[str]:
        """Returns what the user has said about the words of a text, in any session, the oldest first."""
        found = {}
        for word in words(text):  # one word at a time, because a search looks for its whole text
            for turn in await self.memory.search_records(
                word, user=self.user, where={"input": {"$exists": True}}
            ):
                found[turn.key] = turn
        turns = sorted(found.values(), key=lambda turn: turn.created_at)
        return [turn.value["input"] for turn in turns]

    async def remember(self, text: str, answer: str) -> None:
        """Stores a turn under a key of its own."""
        earlier = await self.memory.records(
            user=self.user, session=self.session, where={"turn": {"$gte": 1}}
        )
        number = 1 + max((turn.value["turn"] for turn in earlier), default=0)
        key = create_memory_key(self.user, self.session, {"turn": number})
        await self.memory.add(key, {"turn": number, "input": text, "output": answer})


class TaskAgent(Agent):
    """Works on one task. The facts of the task are one record, to which every turn adds."""

    def __init__(self, memory: MemoryPrimitive, user: str, session: str, task: str) -> None:
        super().__init__(memory, user, session)
        self.task = task
        self.key = create_memory_key(user, session, {"task": task})

    async def recall(self, text: str) -> list[str]:
        """Returns the facts of this task, including those in the text, and none of other tasks."""
        notes = await self.memory.get(self.key) or {"task": self.task, "facts": {}}
        notes["facts"] |= dict(re.findall(r"\bthe (\w+) is ([^,.?!]+)", text, re.IGNORECASE))
        await self.memory.add(self.key, notes)
        return [f"The {name} is {fact}." for name, fact in notes["facts"].items()]


async def converse(memory: MemoryPrimitive) -> None:
    """Talks with two users; the agent knows of each only what that user said."""
    print("1. A conversation of many turns")
    ana = Agent(memory, "ana", "monday")
    await ana.say("I am allergic to nuts.")
    await ana.say("My sister eats everything but fish.")
    await ana.say("What am I allergic to?")
    await Agent(memory, "bob", "monday").say("What am I allergic to?")


async def work(memory: MemoryPrimitive) -> None:
    """Works on two tasks of one user, each with a budget of its own."""
    print("2. Context for a task")
    for task, budget in (("trip", 900), ("party", 150)):
        await TaskAgent(memory, "ana", "monday", task).say(f"The budget is {budget} euros.")
    for task in ("trip", "party"):
        print(f"  on the {task}:")
        await TaskAgent(memory, "ana", "monday", task).say("What is the budget?")


async def move(memory: MemoryPrimitive, other: MemoryPrimitive, folder: Path) -> None:
    """Copies the records of one memory to another through a file."""
    file = folder / "memory.jsonl"
    print(f"  {await memory.export(file)} records saved, then loaded by another memory")
    await other.import_(file)


async def run(redis_url: str | None) -> None:
    """Runs all three patterns, one after the other.

    Raises:
        TTAMemoryError: the address is invalid, or no server answers there.
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
    """Parses the command line and runs the patterns."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--redis-url", help="address of the server that keeps the records; default: this process"
    )
    try:
        asyncio.run(run(parser.parse_args().redis_url))
    except TTAMemoryError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
