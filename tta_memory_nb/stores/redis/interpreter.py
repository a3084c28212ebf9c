"""Runs the server's Lua scripts in this process, for servers that refuse to: the importer of lupa.

A script runs as a coroutine of Lua, which stops at each `redis.call` and hands out the command. So
nothing in here waits for anything.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from struct import Struct
from typing import Any, NoReturn, TypeAlias

from ...errors import MissingPackage, ServerError
from .scripts import Script

Call: TypeAlias = tuple[str, tuple[bytes, ...]]
"""A command that a script calls: its name, its arguments."""

Running: TypeAlias = Generator[Call, Any, Any]
"""A script on its way: yields calls, is sent their replies, returns what the script returns."""

# All that a script finds, besides KEYS and ARGV. They are our own, but what is not there cannot be misused;
# and Lua 5.1 could not leave its own pcall in the midst of a script.
_ALLOWED = (
    b"assert error ipairs math next pairs select string table tonumber tostring type unpack".split()
)
_GIVEN = (b"redis", b"struct")

# A call hands out whether it is a `pcall`, and the command; it comes back with the reply. The command goes in
# a table, because lupa makes no room for more than some values at a time, and crashes.
_PRELUDE = b"""
local yield, pack, unpack = coroutine.yield, ...
redis = {
  call = function(...) return yield(false, {...}) end,
  pcall = function(...) return yield(true, {...}) end,
  error_reply = function(said) return {err = said} end,
}
struct = {pack = pack, unpack = unpack}
return function(script, keys, argv) return 'done', (script(keys, argv)) end
"""

# The same line, so that errors name the line of the file.
_PARAMETERS = b"local KEYS, ARGV = ... "

# The formats that scripts use, in the words of Redis and in those of Python.
_FORMATS = {b">d": Struct(">d"), b">I4": Struct(">I"), b">BddddI4": Struct(">BddddI")}


class Interpreter:
    """Lua 5.1, as Redis has it.

    Raises:
        MissingPackage: lupa is not installed.
    """

    def __init__(self) -> None:
        try:
            from lupa import lua51
        except ImportError:
            raise MissingPackage('pip install "tta-memory-nb[unscripted]"') from None
        self._lua = lua51.LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            attribute_filter=_nothing_of_python,
        )
        self._error = lua51.LuaError
        self._start = self._lua.execute(_PRELUDE, _pack, _unpack)
        scope = self._lua.globals()
        for name in list(scope):
            if name not in (*_ALLOWED, *_GIVEN):
                del scope[name]
        self._compiled: dict[bytes, Any] = {}

    def run(self, script: Script, keys: Sequence[bytes], arguments: Sequence[bytes]) -> Running:
        """A script on its way.

        Raises:
            ServerError: it has failed, or says that it has.
        """
        compiled = self._compiled.get(script.sha)
        if compiled is None:
            compiled = self._lua.compile(_PARAMETERS + script.source)
            self._compiled[script.sha] = compiled
        table = self._lua.table_from
        thread = self._start.coroutine(compiled, table(keys), table(arguments))
        reply: Any = None
        try:
            while True:
                kind, told = thread.send(reply)
                if kind == b"done":
                    return _reply(told)
                name, *rest = map(_argument, _items(told))
                try:
                    reply = self._value((yield name.decode().upper(), tuple(rest)))
                except ServerError as error:
                    # Whether it is a pcall. A script that has met with an error otherwise is not gone on with.
                    if not kind:
                        raise
                    reply = self._lua.table_from({b"err": str(error).encode()})
        except self._error as error:
            raise ServerError(f"a script failed: {error}") from None

    def _value(self, reply: Any) -> Any:
        """A reply as scripts see it."""
        if type(reply) is list:
            return self._lua.table_from([False if item is None else item for item in reply])
        return False if reply is None else reply


def _nothing_of_python(*_: object) -> NoReturn:
    raise AttributeError("scripts may not look into objects of Python")


def _pack(form: bytes, *values: float) -> bytes:
    return _FORMATS[form].pack(*values)


def _unpack(form: bytes, data: bytes, position: float = 1) -> tuple[Any, ...]:
    pattern, at = _FORMATS[form], int(position) - 1
    return (*pattern.unpack_from(data, at), at + 1 + pattern.size)


def _argument(value: Any) -> bytes:
    """An argument of a command, as Redis makes it of a value of Lua."""
    if type(value) is bytes:
        return value
    if type(value) is int:
        return b"%d" % value
    if type(value) is float:
        return repr(value).encode()
    raise TypeError(f"a script calls a command with a {type(value).__name__}")


def _reply(value: Any) -> Any:
    """What a script returns, as Redis makes it a reply.

    Raises:
        ServerError: it is an error.
    """
    if value is None or value is False:
        return None
    if value is True:
        return 1
    if type(value) is float:
        return int(value)
    if type(value) in (bytes, int):
        return value
    said = value[b"err"]
    if said is not None:
        raise ServerError(said.decode(), said.split(b" ", 1)[0].decode())
    return list(map(_reply, _items(value)))


def _items(table: Any) -> Iterator[Any]:
    """What stands in a list of Lua, up to the first nil."""
    at = 1
    while (item := table[at]) is not None:
        yield item
        at += 1
