"""Real kernels, a real JupyterLab and a real browser for the tests, apart from the user's own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
ARTEFACTS = ROOT / "test-output"

# Long enough for the slowest machine; a test takes that long only if something is broken.
PATIENCE = 180.0  # seconds
_GRACE = 20.0  # seconds in which a stopped server must end by itself

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Extensions that open windows of their own, use the network, or hide a part of a notebook.
_LAB_SETTINGS: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    # Cells out of view are not drawn otherwise, and a picture of the whole notebook lacks them;
    # the blank screen to scroll into after the last cell grows with the window.
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none", "scrollPastEnd": False},
    # A busy machine must not lose the kernel's answer.
    "@jupyterlab/completer-extension:manager": {"providerTimeout": 60_000},
}

T = TypeVar("T")


def private_environment(home: Path) -> dict[str, str]:
    """Returns an environment in which Jupyter neither reads nor changes the user's settings."""
    env = {
        name: value
        for name, value in os.environ.items()
        # Kernels, settings and colours are set here; Jupyter uses neither the display nor the
        # debugger of the test run.
        if not name.startswith(("JUPYTER", "IPYTHON", "PYDEVD", "MPLBACKEND"))
    }
    env["HOME"] = str(home)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        env[name] = str(home / name.lower())
    env["IPYTHONDIR"] = str(home / "ipython")
    for name in ("CONFIG", "DATA", "RUNTIME"):
        env[f"JUPYTER_{name}_DIR"] = str(home / f"jupyter-{name.lower()}")
    env["JUPYTER_PLATFORM_DIRS"] = "1"  # silences a warning about the choice
    # Kernels run in other directories, so the path must be absolute. The checkout comes first, so
    # that it is tested even if another version is installed.
    inherited = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *map(os.path.abspath, inherited)])
    for path in map(Path, [home, env["IPYTHONDIR"], env["JUPYTER_RUNTIME_DIR"]]):
        path.mkdir(parents=True, exist_ok=True)
    return env


# ---------------------------------------------------------------- kernels


@dataclass(frozen=True)
class Reply:
    """The messages of a kernel about one cell.

    Attributes:
        content: the ``execute_reply``.
        outputs: the messages on iopub, in order, as ``(type, content)``.
    """

    content: dict[str, Any]
    outputs: list[tuple[str, dict[str, Any]]]

    @property
    def status(self) -> str:
        return self.content["status"]

    @property
    def printed(self) -> str:
        """All text that a reader sees: streams, errors and plain results."""
        parts = []
        for kind, content in self.outputs:
            if kind == "stream":
                parts.append(content["text"])
            elif kind == "error":
                parts.append("\n".join(content["traceback"]))
            elif "data" in content:
                parts.append(content["data"].get("text/plain", ""))
        return "\n".join(parts)


class Kernel:
    """A running kernel with one client."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client

    def send(self, code: str, *, stop_on_error: bool = False) -> str:
        """Queues a cell without waiting for a reply; returns the id of the request."""
        return self._client.execute(code, allow_stdin=False, stop_on_error=stop_on_error)

    def run(self, code: str) -> Reply:
        """Runs a cell to its end, in success or error."""
        return self.collect([self.send(code)])[0]

    def value(self, expression: str) -> Any:
        """Returns the value of a Python expression in the kernel, transferred as JSON."""
        reply = self.run(f"import json as _json\nprint(_json.dumps({expression}))")
        assert reply.status == "ok", reply.printed
        return json.loads(reply.printed)

    def wait_until_started(self, request: str) -> None:
        """Returns when the kernel has begun to run a cell."""
        while True:
            message = self._client.get_iopub_msg(timeout=PATIENCE)
            if (
                message["msg_type"] == "execute_input"
                and message["parent_header"].get("msg_id") == request
            ):
                return

    def has_answered(self) -> bool:
        """Returns whether a reply can be collected now."""
        return bool(self._client.shell_channel.msg_ready())

    def collect(self, requests: list[str]) -> list[Reply]:
        """Returns the replies to these requests, in the order in which the kernel sent them."""
        outputs: dict[str, list[tuple[str, dict[str, Any]]]] = {name: [] for name in requests}
        waiting = set(requests)
        while waiting:
            message = self._client.get_iopub_msg(timeout=PATIENCE)
            parent = message["parent_header"].get("msg_id")
            if parent not in outputs:
                continue
            content = message["content"]
            if message["msg_type"] == "status":
                if content["execution_state"] == "idle":
                    waiting.discard(parent)
            elif message["msg_type"] != "execute_input":
                outputs[parent].append((message["msg_type"], content))
        replies = []
        while len(replies) < len(requests):
            message = self._client.get_shell_msg(timeout=PATIENCE)
            parent = message["parent_header"].get("msg_id")
            if parent in outputs:
                replies.append(Reply(message["content"], outputs[parent]))
        return replies

    def complete(self, code: str) -> list[str]:
        """Returns what Tab offers at the end of the code, each as the whole resulting line."""
        answer = self._client.complete(code, len(code), reply=True, timeout=PATIENCE)["content"]
        assert answer["status"] == "ok", answer
        head = code[: answer["cursor_start"]]
        return [head + match for match in answer["matches"]]


@contextlib.contextmanager
def running_kernel(directory: Path, home: Path) -> Iterator[Kernel]:
    """Runs a kernel of this Python in a directory."""
    with pytest.MonkeyPatch.context() as patch:
        # The client reads from the environment, too, where connection files belong.
        env = private_environment(home)
        patch.setenv("JUPYTER_RUNTIME_DIR", env["JUPYTER_RUNTIME_DIR"])
        manager = KernelManager(kernel_name="python3")
        # A file, because a pipe that is not read fills up and stops the kernel.
        log = home / "kernel.log"
        with log.open("wb") as sink:
            manager.start_kernel(cwd=str(directory), env=env, stdout=sink, stderr=sink)
            client = manager.blocking_client()
            client.start_channels()
            try:
                client.wait_for_ready(timeout=PATIENCE)
                yield Kernel(client)
            finally:
                client.stop_channels()
                manager.shutdown_kernel(now=True)
                manager.cleanup_resources()
                client.context.destroy()


# ---------------------------------------------------------------- JupyterLab


class LabServer:
    """A JupyterLab on 127.0.0.1, with a directory of its own and settings of its own."""

    python = sys.executable
    app = "LabApp"
    settings = _LAB_SETTINGS

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self._home = home
        self._log = home / "lab.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.token = "tests"

    def start(self) -> None:
        """Starts the server and returns when its API answers."""
        env = self._environment()
        settings = Path(env["JUPYTER_DATA_DIR"]) / "lab-settings"
        settings.mkdir(parents=True)
        (settings / "overrides.json").write_text(json.dumps(self.settings))
        command = self._command(settings)
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--allow-root")  # most containers run as root
        with self._log.open("wb") as sink:
            self._process = subprocess.Popen(
                command, cwd=self.root, env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
            )
        # The server writes its port to this file: it takes another one if ours is in use by now.
        info_file = Path(env["JUPYTER_RUNTIME_DIR"]) / f"jpserver-{self._process.pid}.json"
        self.url = self._when(lambda: _server_url(info_file), "writes down its address")
        self._when(lambda: self.api("status"), "answers")

    def _environment(self) -> dict[str, str]:
        return private_environment(self._home)

    def _options(self) -> list[str]:
        return [
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={_free_port()}",
            f"--ServerApp.root_dir={self.root}",
            f"--IdentityProvider.token={self.token}",
            # Whether a kernel is ready cannot be read off the page of Notebook 7.
            f"--{self.app}.expose_app_in_browser=True",
        ]

    def _command(self, settings: Path) -> list[str]:
        return [
            *(self.python, "-m", "jupyterlab", "--no-browser"),
            *self._options(),
            "--ServerApp.terminals_enabled=False",
            "--LanguageServerManager.autodetect=False",
            f"--LabApp.app_settings_dir={settings}",
            "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.extension_manager=readonly",
        ]

    def stop(self) -> None:
        """Ends the server, which ends its kernels."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            # Its kernels ended long before. On a busy machine the server may wait for ever for a
            # thread of anyio that is never stopped.
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def page(self, notebook: str) -> str:
        """Returns the address of a notebook in a new workspace."""
        return f"{self.url}lab/tree/{notebook}?reset&token={self.token}"

    def api(self, path: str) -> Any:
        """Returns the answer of the server's API to a GET request; None if there is no answer."""
        request = urllib.request.Request(
            f"{self.url}api/{path}", headers={"Authorization": f"token {self.token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError:
            raise
        except OSError:
            return None

    def _when(self, condition: Callable[[], T | None], what: str) -> T:
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            result = condition()
            if result:
                return result
            # The timeout is also the pause between two tries.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
                break
        pytest.fail(f"JupyterLab ended or hung before it {what}:\n{self._log.read_text()}")


class NotebookServer(LabServer):
    """A Notebook 7, likewise."""

    app = "JupyterNotebookApp"

    def page(self, notebook: str) -> str:
        return f"{self.url}notebooks/{notebook}?token={self.token}"

    def _command(self, settings: Path) -> list[str]:
        return [
            *(self.python, "-m", "notebook", "--no-browser"),
            *self._options(),
            f"--JupyterNotebookApp.app_settings_dir={settings}",
        ]


@contextlib.contextmanager
def running_lab(
    root: Path, home: Path, make: Callable[[Path, Path], LabServer] = LabServer
) -> Iterator[LabServer]:
    """Runs a JupyterLab server, or another one, while the block lasts."""
    server = make(root, home)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _server_url(info_file: Path) -> str | None:
    try:
        return str(json.loads(info_file.read_text())["url"])
    except (FileNotFoundError, json.JSONDecodeError):  # missing, or half written
        return None


# ---------------------------------------------------------------- the browser


def chromium() -> str:
    """Returns the path of an installed Chromium. Without one, skips the test; fails in CI."""
    for name in _BROWSERS:
        path = shutil.which(name)
        if path:
            return path
    reason = f"none of {', '.join(_BROWSERS)} is on PATH"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; in CI the browser tests must run")
    pytest.skip(reason)
