"""What redis-py makes for an address: the settings of connections, and a client for the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio
import redis.sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from ...errors import InvalidArgument
from .addresses import Address

# Seconds that an embedded server has to start, which takes longer than an answer.
_START_TIMEOUT = 20.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What an address says of its connections.

    Attributes:
        silence: seconds without a byte after which a connection is taken for dead.
        connections: how many connections may be open at once; None if the address does not say.
        idle: seconds after which an unused connection is checked before it is used; 0 for never.
    """

    silence: float
    connections: int | None = None
    idle: float = 0.0


class ClientFactory:
    """Makes what redis-py has for an address.

    Args:
        address: of the server.
        timeout: seconds of silence after which a connection is taken for dead.

    Attributes:
        limits: what the address says of its connections.

    Raises:
        InvalidArgument: the address has an option that redis-py does not know.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        # Keeps an embedded server running.
        self._lease: Any = None
        options = self._options(address.url) if address.url else {}
        self.limits = Limits(
            options.get("socket_timeout") or timeout,
            options.get("max_connections"),
            options.get("health_check_interval") or 0.0,
        )

    def settings(self, *, awaited: bool) -> Any:
        """Returns a pool of redis-py, which is used for the class and the arguments of its connections.

        An embedded server is started if it does not run.

        Args:
            awaited: whether the connections are those of `redis.asyncio`.
        """
        options = self._options(self._url(), awaited=awaited)
        options["retry"] = (AsyncRetry if awaited else Retry)(NoBackoff(), 0)
        library: Any = redis.asyncio if awaited else redis
        return library.ConnectionPool(**options)

    def client(self) -> Any:
        """Returns a client of redis-py for the user, which looks for its server by itself."""
        address = self._address
        options = self._options(self._url())
        if address.kind == "cluster":
            options.pop("host", None), options.pop("port", None)
            if options.pop("connection_class", None) is not None:
                options["ssl"] = True
            library: Any = redis  # its types are incomplete
            return library.RedisCluster(
                startup_nodes=[library.cluster.ClusterNode(*host) for host in address.hosts],
                require_full_coverage=False,
                retry=Retry(NoBackoff(), 1),
                **options,
            )
        options["retry"] = Retry(NoBackoff(), 0)
        if address.kind == "sentinel":
            return self._primary(options)
        return redis.Redis.from_pool(redis.ConnectionPool(**options))

    def _url(self) -> str:
        address = self._address
        if address.kind != "embedded":
            return address.url
        from ..embedded.client import acquire

        # A new lease each time: the server may have died, and then this starts it again.
        before, self._lease = self._lease, acquire(address.directory, _START_TIMEOUT)
        if before is not None:
            before.release()
        url: str = self._lease.url
        return url

    def _options(self, url: str, *, awaited: bool = False) -> dict[str, Any]:
        """Returns the options of a connection, as redis-py reads them from an address."""
        # Each of the two has its own classes of connections for sockets and for TLS.
        parse = redis.asyncio.connection.parse_url if awaited else redis.connection.parse_url
        try:
            options: Any = parse(url)
        except (ValueError, TypeError) as error:
            # The message of the error may quote the address, and with it the password.
            raise InvalidArgument(
                f"redis_url={self._address.shown!r}: it cannot be read ({type(error).__name__})"
            ) from None
        return {
            # Every server speaks RESP2; the option `?protocol=3` asks for RESP3.
            "protocol": 2,
            "socket_timeout": self._timeout,
            "socket_connect_timeout": self._timeout,
            **options,
        }

    def _primary(self, options: dict[str, Any]) -> Any:
        """Returns a client of the server that the Sentinels call the primary."""
        options.pop("host", None), options.pop("port", None)
        user, password = self._address.sentinel
        ssl = options.pop("connection_class", None) is not None
        library: Any = redis.sentinel
        sentinel = library.Sentinel(
            self._address.hosts,
            sentinel_kwargs={
                "username": user,
                "password": password,
                "ssl": ssl,
                "protocol": 2,
                "socket_timeout": self._timeout,
                "socket_connect_timeout": self._timeout,
                "retry": options["retry"],
            },
        )
        return sentinel.master_for(self._address.service, ssl=ssl, **options)

    def release(self) -> None:
        """Lets an embedded server stop, unless others use it; `settings` starts it again."""
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()


def close_client(client: Any) -> None:
    """Closes a client of redis-py, and those with which it asks the Sentinels."""
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    for each in (client, *(manager.sentinels if manager else ())):
        each.close()
