"""The examples are scripts. They run as a user runs them, and their output is checked."""

from __future__ import annotations

import subprocess
import sys

from jupyter import ROOT
from real_servers import free_port, need, secured

WORKFLOW = ROOT / "examples" / "memory_workflow.py"
PATTERNS = ("conversation of many turns", "Context for a task", "Context that stays")


def run(*arguments: str, folder) -> subprocess.CompletedProcess[str]:
    """Runs the workflow in a process in which resources that are left open are errors."""
    command = [sys.executable, "-W", "error", str(WORKFLOW), *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def conversations(printed: str) -> dict[str, list[tuple[str, str, str]]]:
    """Returns speaker, text and the agent's answer, for each of the three patterns."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    speaker = ("", "")
    turns: list[tuple[str, str, str]] = []
    for line in printed.splitlines():
        heading = [pattern for pattern in PATTERNS if pattern in line]
        who, _, text = line.strip().partition(": ")
        if heading:
            turns = found[heading[0]] = []
        elif who == "agent":
            turns.append((*speaker, text))
        else:
            speaker = (who, text)
    return found


def check_that_it_remembers(printed: str) -> None:
    """Checks that answers use earlier messages: of the same user, and on the same task."""
    talk, tasks, later = (conversations(printed)[pattern] for pattern in PATTERNS)
    asked = "What am I allergic to?"
    assert talk[-2][:2] == ("ana", asked)
    assert "nuts" in talk[-2][2]
    assert talk[-1] == ("bob", asked, "You have not told me.")
    answers = [answer for _, text, answer in tasks if text == "What is the budget?"]
    assert ["900" in answer for answer in answers] == [True, False]
    assert ["150" in answer for answer in answers] == [False, True]
    # Only the agent before the restart received the message.
    assert not [text for _, text, _ in later if "nuts" in text]
    assert later[-1][:2] == ("ana", asked)
    assert "nuts" in later[-1][2]


def test_the_workflow_runs_in_memory_and_leaves_nothing(tmp_path):
    ran = run(folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    check_that_it_remembers(ran.stdout)
    assert "backend: in-memory" in ran.stdout
    assert not list(tmp_path.iterdir())


def test_the_workflow_runs_on_a_server_and_leaves_no_records(tmp_path):
    server = need("redis")
    ran = run("--redis-url", server.url, folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    check_that_it_remembers(ran.stdout)
    assert "backend: redis" in ran.stdout
    with server.client(decode_responses=True) as client:
        # Answers to a client's last writes expire by themselves.
        left = [
            key for key in client.scan_iter() if "memory-workflow-" in key and client.ttl(key) < 0
        ]
    # The metadata of a namespace (what was written, and when) outlives its records.
    assert [key.rpartition(":")[2] for key in left] == ["meta"]


def test_an_unreachable_server_is_reported_in_one_line_without_the_password(tmp_path):
    ran = run("--redis-url", f"redis://:a-secret@127.0.0.1:{free_port()}", folder=tmp_path)
    assert ran.returncode == 1
    assert ran.stdout == ""
    [line] = ran.stderr.splitlines()
    assert "cannot be reached" in line
    assert "a-secret" not in line


def test_a_wrong_password_is_reported_in_one_line(tmp_path):
    address = f"redis://:wrong-secret@127.0.0.1:{secured().port}"
    ran = run("--redis-url", address, folder=tmp_path)
    assert ran.returncode == 1
    [line] = ran.stderr.splitlines()
    assert "wrong-secret" not in line
