"""What a process does with the writes of an outage when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from outages import HASTY, PATIENT, everything

if TYPE_CHECKING:
    from collections.abc import Iterator

AGENT = """
import signal, sys, time
from unittest.mock import patch
from tta_memory_nb import MemoryPrimitive
from tta_memory_nb.stores.redis import outage

url, namespace, timeout, before = sys.argv[1:]
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)  # what started the tests may ignore them, as nohup does
if before:
    signal.signal(signal.SIGTERM, getattr(signal, before, None) or (lambda *_: sys.exit(7)))
with patch.object(outage.Outages, "_watch", lambda _: None):  # only the last try reaches the server
    memory = MemoryPrimitive(url, namespace=namespace, timeout=float(timeout))
    for number in range(3):
        memory.sync.add(f"k{number}", {"n": number})
print("ready", memory.outage()["writes_waiting"], flush=True)
for line in sys.stdin:
    print("goes on", flush=True)
"""


class Agent:
    """A process that has written three records in an outage, and waits for a line."""

    def __init__(
        self, url: str, namespace: str, timeout: float = PATIENT, before: str = ""
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", AGENT, url, namespace, str(timeout), before],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        )
        assert self.reply() == "ready 3"

    def reply(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def end(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=PATIENT)
        return self.process.returncode, said


@pytest.fixture
def agents() -> Iterator[list[Agent]]:
    started: list[Agent] = []
    yield started
    for agent in started:
        agent.process.kill()
        agent.process.communicate()


LOST = "has not come back: 3 writes have not reached it"


@pytest.mark.parametrize(
    ("number", "server"),
    [(signal.SIGTERM, "frozen"), (signal.SIGTERM, "back"), (signal.SIGHUP, "away")],
)
def test_a_signal_has_the_process_try_once_more_and_say_what_is_lost(
    number, server, proxy, other, agents
):
    proxy.refuse()
    timeout = HASTY if server == "frozen" else PATIENT
    agents.append(agent := Agent(proxy.url, other.namespace, timeout))
    if server != "away":
        proxy.heal()
    if server == "frozen":
        proxy.fault("hang", times=None)
    agent.process.send_signal(number)
    code, said = agent.end()
    assert code == -number
    assert said.count(LOST) == (server != "back")
    expected = {f"k{n}": {"n": n} for n in range(3)} if server == "back" else {}
    assert everything(other) == expected


@pytest.mark.parametrize(("before", "code"), [("SIG_IGN", 0), ("a function", 7)])
def test_a_handler_that_was_there_before_stays(before, code, proxy, other, agents):
    proxy.refuse()
    agents.append(agent := Agent(proxy.url, other.namespace, before=before))
    agent.process.send_signal(signal.SIGTERM)
    if before == "SIG_IGN":
        assert agent.process.stdin
        agent.process.stdin.write("line\n")
        agent.process.stdin.flush()
        assert agent.reply() == "goes on"
    found, said = agent.end()
    assert found == code
    assert said.count(LOST) == 1  # the process ends by itself, which is heard as well


def test_only_writes_that_were_not_said_to_be_lost_are_named_again(open_memory, proxy, caplog):
    memory = open_memory(proxy.url)
    proxy.refuse()
    memory.sync.add("k", {})
    outages: Any = memory._store.outages
    memory.sync.close()
    outages.at_exit()
    assert caplog.text.count("1 writes have not reached it") == 1
    memory.sync.add("j", {})
    outages.at_exit()
    assert caplog.text.count("2 writes have not reached it") == 1
