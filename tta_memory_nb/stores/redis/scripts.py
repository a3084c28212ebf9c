"""What the server carries out in one step, in Lua."""

from __future__ import annotations

from hashlib import sha1
from importlib.resources import files

_READING = ("head",)
_WRITING = ("head", "writing")


class Script:
    """A script of `lua/`.

    Args:
        name: of the file, without its suffix.
        begins: files that are put before it.

    Attributes:
        source: what `EVAL` takes.
        sha: what `EVALSHA` takes.
    """

    def __init__(self, name: str, begins: tuple[str, ...]) -> None:
        folder = files(__package__) / "lua"
        self.source = b"\n".join((folder / f"{part}.lua").read_bytes() for part in (*begins, name))
        self.sha = sha1(self.source, usedforsecurity=False).hexdigest().encode()


# Every function that a script defines is made anew each time, so these have none.
SET = Script("set", ())
GET = Script("get", ())
TIME = Script("time", ())

PUT = Script("put", _WRITING)
REMOVE = Script("remove", _WRITING)
CLEAR = Script("clear", _WRITING)
RESIZE = Script("resize", _WRITING)
REVERT = Script("revert", _WRITING)
REPLAY = Script("replay", _WRITING)
PURGE = Script("purge", _WRITING)
ABOUT = Script("about", _WRITING)
SIZES = Script("sizes", _READING)
SYNC = Script("sync", ("unchanged", *_READING))
KEYS = Script("keys", _READING)
