"""Checks a new clone of the repository as a newcomer would use it: ``make fresh-check``.

The last commit is cloned into an empty folder. There, with an empty home, no caches and none of
the caller's variables but those that lead to the packages, `make lab` has to show the quickstart
and `make test` has to pass. It needs python3, make and git, and no installed packages.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ARTEFACTS = "test-output"
PATIENCE = 600  # seconds that `make lab` may take on the slowest machine

# Variables for the package index, the language and CI.
_KEPT = re.compile(
    r"PIP_\w+|NPM_CONFIG_\w+|npm_config_\w+|NODE_EXTRA_CA_CERTS|\w+_proxy|\w+_PROXY|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
    r"|CI|LANG|LC_\w+|TZ|TERM|COLUMNS|PY_COLORS|FORCE_COLOR|NO_COLOR"
    r"|LD_LIBRARY_PATH"  # some Pythons need it to find their library
)
_SYSTEM = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin")


def empty_environment(home: Path) -> dict[str, str]:
    """Returns the environment variables of a machine without caches or settings."""
    env = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
    # The interpreter itself, because a venv or a version manager's shim would need its own home.
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve().parent
    env["PATH"] = os.pathsep.join([str(python), *_SYSTEM])
    env["HOME"] = str(home)
    # npm reads the address of its registry from a file in the home directory.
    npm = Path.home() / ".npmrc"
    if npm.is_file():
        env.setdefault("NPM_CONFIG_USERCONFIG", str(npm))
    for program in ("python3", "make", "git"):
        if shutil.which(program, path=env["PATH"]) is None:
            sys.exit(f"fresh-check needs {program} in one of {env['PATH']}")
    return env


def free_port() -> int:
    """Returns a port that no process listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(
    command: list[str], folder: Path, env: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program, and all processes that it starts, while the block lasts."""
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def opened_page(home: Path) -> str | None:
    """Returns the address that JupyterLab would open in a browser; None until it is known."""
    for page in home.glob("**/jpserver-file-to-run-*-open.html"):
        found = re.search(r'url=([^"]+)"', page.read_text(encoding="utf-8"))
        if found:
            return found[1].replace("&amp;", "&")
    return None


def answers(url: str) -> bool:
    """Returns whether a page answers at an address. Any status but 200 ends the check."""
    # Proxies cannot reach the local addresses of this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=60) as answer:
            if answer.status != http.client.OK:
                sys.exit(f"{url} answered {answer.status}")
            return True
    except urllib.error.HTTPError as error:
        sys.exit(f"{url} answered {error.code}")
    except OSError:  # no process listens yet
        return False


def check_lab(clone: Path, env: dict[str, str]) -> str:
    """Starts `make lab` and waits for the quickstart.

    Returns:
        the notebook's address, without the token.
    """
    port = free_port()
    with running(["make", "lab", f"LAB_FLAGS=--no-browser --port={port}"], clone, env) as process:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            # The timeout is also the pause between two tries.
            with contextlib.suppress(subprocess.TimeoutExpired):
                sys.exit(f"make lab ended with {process.wait(0.2)} before it showed a page")
            url = opened_page(Path(env["HOME"]))
            if url is None or not answers(url):
                continue
            # The page is the same for every path, so the file is requested, too.
            page, _, token = url.partition("?")
            name = page.partition("/lab/tree/")[2]
            contents = f"{page.partition('/lab/')[0]}/api/contents/{name}?content=0&{token}"
            if not name.endswith("01_quickstart.ipynb") or not answers(contents):
                sys.exit(f"make lab opened {page}")
            return page
        sys.exit(f"make lab showed no page within {PATIENCE} s")


def main() -> int:
    """Runs both checks, and prints how long they took."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("fresh-check was stopped"))  # cleans up, too
    if subprocess.check_output(["git", "status", "--porcelain"], cwd=ROOT):
        print("fresh-check takes the last commit; what has changed since is not in it", flush=True)
    with tempfile.TemporaryDirectory(prefix="fresh-") as folder:
        clone, home = Path(folder) / "clone", Path(folder) / "home"
        home.mkdir()
        env = empty_environment(home)
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)

        started = time.monotonic()
        page = check_lab(clone, env)
        lab = time.monotonic() - started
        print(f"make lab: {page} answered 200 after {lab:.0f} s", flush=True)

        started = time.monotonic()
        try:
            tested = subprocess.run(
                ["make", "test"], cwd=clone, env=env, stdin=subprocess.DEVNULL, check=False
            )
        finally:
            if (clone / ARTEFACTS).is_dir():
                shutil.copytree(clone / ARTEFACTS, ROOT / ARTEFACTS, dirs_exist_ok=True)
        test = time.monotonic() - started
    outcome = "passed" if tested.returncode == 0 else f"failed with {tested.returncode}"
    print(f"fresh-check: make lab {lab:.0f} s, make test {test:.0f} s, {outcome}", flush=True)
    return tested.returncode


if __name__ == "__main__":
    sys.exit(main())
