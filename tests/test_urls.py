"""No password is ever shown, however odd the address that holds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_memory_nb import GoldenSet, MemoryPrimitive, TTAMemoryError
from tta_memory_nb.urls import masked_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://[::1]:6379/0?db=1", "redis://[::1]:6379/0?db=1"),
        ("localhost", "localhost"),
        ("", ""),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
        ("redis://:pw@host:6379/0", "redis://:***@host:6379/0"),
        ("redis://alice:pw@host:6379/0", "redis://alice:***@host:6379/0"),
        ("rediss://alice:p:w@host/0?db=1", "rediss://alice:***@host/0?db=1"),
        ("redis://alice:p@w@host", "redis://alice:***@host"),
        ("redis://alice:p/w@host", "redis://alice:***@host"),
        ("redis://alice:p?w#@host", "redis://alice:***@host"),
        ("redis://alice:p\nw@x@host", "redis://alice:***@host"),
        ("redis://alice:@host", "redis://alice:***@host"),
        ("redis://:@host", "redis://:***@host"),
        # A name alone may be a token, and a name with an @ is the beginning of a password.
        ("redis://token@host", "redis://:***@host"),
        ("redis://p@s:s@host", "redis://:***@host"),
        ("redis://a/b:pw@host", "redis://:***@host"),
        ("alice:pw@host:6379", "alice:***@host:6379"),
        ("redis:/alice:pw@host", "redis:***@host"),
        ("unix://alice:pw@/run/redis.sock?db=2", "unix://alice:***@/run/redis.sock?db=2"),
        (
            "redis+sentinel://:pw@one:26379,two:26379/mymaster/0",
            "redis+sentinel://:***@one:26379,two:26379/mymaster/0",
        ),
        (
            "redis://h/0?password=pw&db=1&ssl_password=pw2",
            "redis://h/0?password=***&db=1&ssl_password=***",
        ),
        ("redis://h/0?PassWord=pw", "redis://h/0?PassWord=***"),
        ("redis://h/0?pwd=a#b", "redis://h/0?pwd=***"),
        (
            "redis+sentinel://h/m?sentinel_password=pw&db=1",
            "redis+sentinel://h/m?sentinel_password=***&db=1",
        ),
        ("redis://alice:pw@h/0?auth_token=pw", "redis://alice:***@h/0?auth_token=***"),
        # Parameters are hidden unless they are known to be harmless.
        ("x.redis.cache.windows.net:6380,password=pw=,ssl=True", "***"),
        ("x.redis.cache.windows.net:6380,password=p:w@x", "x.redis.cache.windows.net:***@***"),
        ("redis://default:pw", "redis://***"),
        ("redis://h:1/0;password=pw", "redis://***"),
        ("redis://h?credential=pw", "redis://h?credential=***"),
        ("redis://h:1?credential=p@w", "redis://h:***@***"),
        ("redis://h?pin=1234&passcode=1234", "redis://h?pin=1234&passcode=***"),
        ("redis://h?pw", "redis://h?***"),
        ("redis://h/?sentinel_kwargs={'password':'pw'}", "redis://h/?sentinel_kwargs=***"),
        ("rediss://h?ssl_cert_reqs=none&db=1", "rediss://h?ssl_cert_reqs=none&db=1"),
        ("one:1,[::1]:2/my.master-1/0", "one:1,[::1]:2/my.master-1/0"),
    ],
)
def test_an_address_is_shown_without_its_password(url, shown):
    assert masked_url(url) == shown


# Long enough not to occur in the rest of the address by chance.
secrets = st.text(st.sampled_from("Qq@:/?#=%&\n é"), min_size=1, max_size=8).map(
    lambda text: f"S3{text}7Z"
)
addresses = [
    "redis://alice:{}@host:6379/0?db=1",
    "redis://:{}@host:6379",
    "rediss://alice:{}@host/0?email=a@b",
    "unix://alice:{}@/run/redis.sock?db=2",
    "unix://:{}@/run/redis.sock",
    "redis+sentinel://alice:{}@one:1,two:2/mymaster?db=1",
    "alice:{}@host",
]


@given(secrets, st.sampled_from(addresses))
def test_no_part_of_a_password_in_the_credentials_is_shown(secret, address):
    shown = masked_url(address.format(secret))
    assert "S3" not in shown
    assert "7Z" not in shown
    assert "***" in shown


@given(secrets.filter(lambda secret: ":" not in secret))
def test_no_part_of_a_token_in_place_of_the_user_is_shown(secret):
    # The @ may be inside what reads like a parameter: then the host is hidden as well.
    assert masked_url(f"redis://{secret}@host") in ("redis://:***@host", "redis://:***@***")
    assert masked_url(f"{secret}@host") in (":***@host", ":***@***")


@given(
    secrets.filter(lambda secret: "&" not in secret),
    st.sampled_from(["password", "ssl_password", "sentinel_password", "token", "secret", "pwd"]),
    st.sampled_from(["redis://host/0?db=1&", "unix:///run/redis.sock?", "redis://a:b@host?"]),
)
def test_no_part_of_a_password_in_the_query_is_shown(secret, name, address):
    shown = masked_url(f"{address}{name}={secret}&timeout=1")
    assert "S3" not in shown
    assert "7Z" not in shown


SERVER = "redis://alice:s%3Ae%2Fc@127.0.0.1:6379"


@pytest.mark.parametrize(
    "mistaken",
    [
        lambda: MemoryPrimitive(max_size=SERVER),
        lambda: MemoryPrimitive(embedder=SERVER),
        lambda: MemoryPrimitive(SERVER, journal=SERVER),
        lambda: MemoryPrimitive(SERVER, journal=f"file:{SERVER}"),
        lambda: MemoryPrimitive(f"file:{SERVER}"),
        lambda: MemoryPrimitive(f"embedded:{SERVER}"),
        lambda: MemoryPrimitive().sync.export(SERVER),
        lambda: MemoryPrimitive().sync.import_(SERVER),
        lambda: MemoryPrimitive().sync.import_(Path(SERVER)),
        lambda: GoldenSet.read(SERVER),
    ],
    ids=range(10),
)
def test_an_address_in_the_place_of_something_else_is_refused_without_its_password(
    mistaken: Callable[[], Any],
) -> None:
    with pytest.raises(TTAMemoryError) as refused:
        mistaken()
    message = str(refused.value)
    assert "***@" in message
    assert "s%3A" not in message
    assert "s:e/c" not in message
