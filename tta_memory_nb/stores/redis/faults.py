"""Turns the errors of redis-py into those of this package, and says what they mean.

Each error is one of two things. In an **outage** the server cannot be reached, gives no answer in time, or says that it
cannot serve for now: `StoreUnavailable`. A **refusal** is any other error that the server answers with, such as a
missing right or a wrong password: `ServerError`.
"""

from __future__ import annotations

import re

import redis
from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    ClusterError,
    RedisClusterException,
    RedisError,
)
from redis.sentinel import MasterNotFoundError

from ...errors import ServerError, StoreUnavailable, brief, harmless
from .keys import FORMAT, keys_of


class Slow(Exception):
    """One command has taken too long on a server that answers others.

    Args:
        seconds: how long this process has waited.
    """

    code = "SLOW"

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._message = (
            f"it answers, but has not answered this command within {seconds:g} s, and may carry it out yet; "
            "look for what was written before you write it again"
        )

    def __str__(self) -> str:
        return self._message


class Busy(Exception):
    """A command has waited too long for its turn, and was not sent.

    Args:
        connections: how many connections there are.
        seconds: how long the command has waited.
    """

    code = "BUSY"

    def __init__(self, connections: int, seconds: float) -> None:
        super().__init__(connections, seconds)
        self._message = (
            f"a command has waited {seconds:g} s for its turn on one of {connections} connections and was not "
            "sent; ask for less at a time, or allow more connections"
        )

    def __str__(self) -> str:
        return self._message


class AnotherServer(redis.ConnectionError):
    """Another server has the records now than the one that was asked before."""

    def __init__(self, message: str = "another server has become the primary") -> None:
        super().__init__(message)


class FailedOver(StoreUnavailable):
    """Another server has the records now; what the one before has acknowledged last may be missing there."""


class Overtaken(StoreUnavailable):
    """An outage has begun while the server was asked, although the server has answered this command."""


ERRORS = (RedisError, RedisClusterException, OSError, TimeoutError)
"""What a command may raise, of redis-py, of sockets and of a loop's timeout."""

# Characters of the text of an error that a message repeats.
_LONGEST = 300

_REFUSED = (AuthenticationError, AuthorizationError)

# Error codes of a server that cannot serve for now. The error of a script has the code further back.
_OUTAGE_CODES = ("LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "MOVED", "ASK")

# Error codes of a server that refuses writes for a while, whatever is written.
_PASSING_CODES = (*_OUTAGE_CODES, "OOM", "MISCONF", "NOREPLICAS", "NOAUTH", "BUSY", "SLOW", "LATE")
_CODE = re.compile(r"(?:^|-)(?!ERR\b)([A-Z]{2,})\b")

# Where in a script of ours an error has come up says nothing to a user.
_SCRIPT = re.compile(
    r"\.? script: (?:\S{0,60},? )?on @user_script:\d+\.?|\bERR Error running script: @user_script: ?\d+: "
)

# How servers, and proxies in front of them, refuse EVAL or EVALSHA. The errors of scripts name neither.
_SCRIPTS_REFUSED = re.compile(
    r"\b(unknown|unsupported|disabled|not (supported|allowed|permitted)|run the)\b.*\bEVAL(SHA)?\b"
    r"|\bEVAL(SHA)?\b.*\b(unknown|unsupported|disabled|not (supported|allowed|permitted))\b",
    re.IGNORECASE,
)

# redis-py takes the code off an error that it has a class of its own for.
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (redis.exceptions.NoScriptError, "NOSCRIPT"),
    (redis.exceptions.OutOfMemoryError, "OOM"),
    (redis.exceptions.NoPermissionError, "NOPERM"),
    (redis.exceptions.ReadOnlyError, "READONLY"),
    (redis.exceptions.TryAgainError, "TRYAGAIN"),
    (AuthenticationError, "NOAUTH"),
)


def translated(error: BaseException, server: str, timeout: float) -> StoreUnavailable | ServerError:
    """The error to raise in place of one of `ERRORS`.

    Args:
        error: what was raised.
        server: address of the server, without a password.
        timeout: seconds that a command may take.
    """
    if isinstance(error, (redis.TimeoutError, TimeoutError)):
        return StoreUnavailable(f"{server} has not answered within {timeout:g} s")
    if isinstance(error, (Slow, Busy)):
        return ServerError(f"{server}: {error}", error.code)
    if isinstance(error, MasterNotFoundError):
        # The text of redis-py is that of its objects, in some versions with the Sentinels' password.
        return StoreUnavailable(f"{server} cannot be reached: no Sentinel names a primary")
    message = (
        _SCRIPT.sub("", " ".join(str(error).split())).rstrip(".")[:_LONGEST] or type(error).__name__
    )
    if isinstance(error, AnotherServer):
        return FailedOver(f"{server}: {message}")
    if _is_other_node(error) and "+cluster://" not in server:
        return ServerError(
            f"{server} is one node of a Cluster, and another node has the records of this namespace; begin "
            "the address with redis+cluster://, or with rediss+cluster:// for TLS",
            "MOVED",
        )
    if is_outage(error):
        return StoreUnavailable(f"{server} cannot be reached: {message}")
    code = _code_of(error, message)
    if code and code not in message:
        message = f"{code} {message}"
    if server.startswith("embedded") and code in ("OOM", "MISCONF"):
        message = "its disk is full, or nearly: delete records or other files, and write again then"
    return ServerError(f"{server} refuses: {message}", code)


def _is_other_node(error: BaseException) -> bool:
    return isinstance(error, AskError) or str(error).startswith(("MOVED ", "ASK "))


def is_outage(error: BaseException) -> bool:
    """Whether an error means that the server cannot serve for now."""
    if isinstance(error, _REFUSED):
        return False
    if isinstance(error, (redis.ConnectionError, redis.TimeoutError, OSError)):
        return True
    if isinstance(error, (ClusterError, RedisClusterException, AskError)):
        return True
    code = _code_of(error, "")
    return code in _OUTAGE_CODES or (not code and _code_of(error, str(error)) in _OUTAGE_CODES)


def is_passing(error: ServerError) -> bool:
    """Whether a refusal is about the state of the server, and not about what was written."""
    return error.code in _PASSING_CODES


def refusal(message: str) -> ServerError:
    """The error for a message with which a script has refused one of several writes."""
    return ServerError(message, _code_of(ServerError(message), message))


def is_hopeless(error: BaseException) -> bool:
    """Whether a command that has failed on one connection would fail on a new one as well."""
    hopeless = (*_REFUSED, redis.BusyLoadingError, redis.TimeoutError, AnotherServer)
    return isinstance(error, hopeless)


def has_moved(error: BaseException) -> bool:
    """Returns whether another node of a Cluster has the keys of a command."""
    return str(error).startswith("MOVED ")


_WAYS_OUT = {
    "OOM": "the server is full, and takes only what needs no room: delete or forget records, or raise its maxmemory",
    "MISCONF": "the server cannot write to its disk, and takes no writes until it can: make room there; its log says more",
    "NOAUTH": (
        "give the name and the password of a user in the address, redis://USER:PASSWORD@HOST:PORT, with special "
        "characters as urllib.parse.quote(password, safe='') writes them"
    ),
    "NOREPLICAS": "fewer replicas are connected than its min-replicas-to-write asks for",
}


def explained(error: ServerError, namespace: str) -> ServerError:
    """A refusal with the way out: the right that is missing, the version that is needed, or what to do about the server.

    Args:
        error: the refusal; one with another cause is returned as it is.
        namespace: the namespace that the command was about.
    """
    message = str(error)
    if error.code == "FORMAT":
        return other_format(namespace, message.rpartition(" ")[2])
    if error.code in _WAYS_OUT and not message.startswith("embedded"):
        right = _WAYS_OUT[error.code]
    elif _SCRIPTS_REFUSED.search(message):
        right = (
            "a memory runs Lua scripts, so the server has to allow EVAL and EVALSHA; "
            "in an ACL: +@scripting, or +eval +evalsha"
        )
    elif error.code == "NOPERM" or "unknown command" in message:
        right = (
            "a memory reads and writes keys that begin with tta: and runs Lua scripts; "
            "in an ACL: ~tta:* +@read +@write +@scripting"
        )
    elif error.code == "WRONGTYPE":
        right = (
            f"another program has put something else under a key of the namespace {brief(namespace)}, "
            f"{keys_of(namespace).values.removesuffix('values')}*; delete that key, or clear the memory"
        )
    else:
        return error
    return ServerError(f"{message}; {right}", error.code)


def other_format(namespace: str, found: str) -> ServerError:
    """The refusal to use a namespace that another version of this package has written.

    Args:
        namespace: the namespace.
        found: its format number.
    """
    return ServerError(
        f"the records of namespace {brief(namespace)} have format {harmless(found)}, and this version of "
        f"tta-memory-nb knows format {FORMAT} only: pip install --upgrade tta-memory-nb",
        "FORMAT",
    )


def _code_of(error: BaseException, message: str) -> str:
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    if "has no permissions" in message:  # the words of a script's error
        return "NOPERM"
    # In a script's error the code comes later, in those of older servers after a dash.
    found = _CODE.search(message)
    return found.group(1) if found else ""
