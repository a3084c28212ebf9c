"""The Lua scripts of `lua/`, each of which the server carries out as one atomic step."""

from __future__ import annotations

from hashlib import sha1
from importlib.resources import files

_READING = ("head",)
_WRITING = ("head", "changes", "writing")


class Script:
    """A script of `lua/`.

    Args:
        name: name of the file, without its suffix.
        begins: names of the files whose source precedes it.
        remembers: whether the server keeps its answer for some minutes, for a client that has lost it.

    Attributes:
        remembers: as given.
        source: source of the script, for `EVAL`.
        sha: SHA-1 of the source in hexadecimal, for `EVALSHA`.
    """

    def __init__(self, name: str, begins: tuple[str, ...], *, remembers: bool = False) -> None:
        self.remembers = remembers
        folder = files(__package__) / "lua"
        self.source = b"\n".join((folder / f"{part}.lua").read_bytes() for part in (*begins, name))
        self.sha = sha1(self.source, usedforsecurity=False).hexdigest().encode()


# Lua creates the functions of a script anew in every call, so the scripts for one record define none.
SET = Script("set", ())
GET = Script("get", ())
GREET = Script("greet", ())

PUT = Script("put", _WRITING, remembers=True)
APPLY = Script("apply", _WRITING, remembers=True)
APPEND = Script("append", _WRITING, remembers=True)
TOUCH = Script("touch", _WRITING, remembers=True)
REMOVE = Script("remove", _WRITING, remembers=True)
CLEAR = Script("clear", _WRITING, remembers=True)
RESIZE = Script("resize", _WRITING, remembers=True)
REVERT = Script("revert", _WRITING, remembers=True)
REPLAY = Script("replay", _WRITING)
PURGE = Script("purge", _WRITING)
GIVE_UP = Script("give_up", _WRITING, remembers=True)
ABOUT = Script("about", _WRITING)
SIZES = Script("sizes", _READING)
SYNC = Script("sync", ("unchanged", *_READING))
KEYS = Script("keys", _READING)
LOST = Script("lost", _READING)
FOLDERS = Script("folders", _READING)
LOOK = Script("look", _READING)
DUMP = Script("dump", _READING)

KEEP = Script("keep", _WRITING)
PAST = Script("past", ("head", "changes"))
ERASE = Script("erase", ("head", "changes"))
TRIM = Script("trim", ("head", "changes"))
EXPIRED = Script("expired", _READING)

INDEX_BEGIN = Script("index_begin", _WRITING)
INDEX_MARK = Script("index_mark", _READING)
INDEX_PENDING = Script("index_pending", _READING)
INDEX_WRITE = Script("index_write", _READING)
INDEX_EMBED = Script("index_embed", _READING)
