"""Serves a memory to agents by the Model Context Protocol: ``python -m tta_memory_nb.mcp`` (extra ``mcp``).

    python -m tta_memory_nb.mcp --memory notes.db --user alice --propose

By standard input and output a client starts it itself; ``--http PORT`` serves any client on this machine. Nothing but
the protocol is written to standard output, also by packages that print while they are imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from .integrations.mcp import Rights

VARIABLE = "TTA_MEMORY_URL"
"""The environment variable that gives the address of the memory, for one with a password: other users see command lines."""

_FILES = (".db", ".sqlite", ".sqlite3")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server until its client or Ctrl-C ends it.

    Args:
        arguments: of the command line; None for those of the process.

    Returns:
        The exit code: 0, or 1 if the memory cannot be opened, after one line on standard error.
    """
    options = _parser().parse_args(arguments)
    with _standard_output_kept() as give_back:
        from .errors import TTAMemoryError, harmless

        try:
            _serve(options, give_back)
        except TTAMemoryError as error:
            said = str(error).replace("redis_url=", "--memory ")
            print(harmless(f"tta_memory_nb.mcp: {said}"), file=sys.stderr)  # noqa: T201
            return 1
        except KeyboardInterrupt:
            pass
    return 0


def _serve(options: argparse.Namespace, give_back: Callable[[], None]) -> None:
    import logging

    from .integrations.mcp import memory_server, run_http
    from .memory.faces import MemoryPrimitive

    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s: %(message)s"
    )
    rights: Rights = "write" if options.write else "propose" if options.propose else "read"
    address = _address(options.memory or os.environ.get(VARIABLE))
    if address is None:
        logging.getLogger("tta_memory_nb").warning(
            "no --memory and no $%s: the records are in this process and end with it", VARIABLE
        )
    memory = MemoryPrimitive(
        address,
        None if address is None else 1000,
        namespace=options.namespace,
        journal=None if options.journal is None else _address(options.journal),
    )
    try:
        server = memory_server(memory, user=options.user, rights=rights)
        if options.http is None:
            give_back()
            server.run("stdio")
        else:
            run_http(server, options.http, lambda url: print(f"serving {url}", file=sys.stderr))  # noqa: T201
    finally:
        memory.sync.close()


def _parser() -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m tta_memory_nb.mcp",
        description="Serves a memory to agents by the Model Context Protocol. An agent can only search and read it, "
        "unless a flag allows more.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--memory",
        metavar="ADDRESS",
        help=f"file or address of the memory, such as notes.db or redis://host:6379; an address with a password belongs "
        f"into the environment variable {VARIABLE}",
    )
    add(
        "--namespace",
        default="default",
        help="the tenant whose records there are; default if left out",
    )
    add("--user", help="the user whose records alone there are for the tools; all if left out")
    rights = parser.add_mutually_exclusive_group()
    rights.add_argument(
        "--propose",
        action="store_true",
        help="agents can propose to write and to delete; a person decides, see %%memory proposals",
    )
    rights.add_argument("--write", action="store_true", help="agents can write and delete")
    add(
        "--journal",
        metavar="FILE",
        help="keeps what is written while the server of the memory is away",
    )
    add(
        "--http",
        metavar="PORT",
        type=int,
        help="serves by streamable HTTP on this machine alone, instead of standard input and output; 0 for a free port",
    )
    return parser


def _address(text: str | None) -> str | None:
    """Returns the address that a text means; a path such as ``notes.db`` is that of a file."""
    if text is None:
        return None
    from .stores.schemes import FILE, is_address

    return f"{FILE}:{text}" if not is_address(text) and text.endswith(_FILES) else text


@contextmanager
def _standard_output_kept() -> Iterator[Callable[[], None]]:
    """Has what is printed go to standard error, until the protocol begins and after it has ended.

    Yields:
        A function that gives standard output back, for the protocol.
    """
    sys.stdout.flush()
    wire = os.dup(1)
    os.dup2(2, 1)

    def give_back() -> None:
        sys.stdout.flush()
        os.dup2(wire, 1)

    try:
        yield give_back
    finally:
        # What somebody has printed meanwhile, and Python writes at the end, is not the protocol either.
        os.dup2(2, 1)
        sys.stdout.flush()
        os.close(wire)


if __name__ == "__main__":
    sys.exit(main())
