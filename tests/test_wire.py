"""Replies are understood however they are cut into pieces, in both protocols."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import InvalidResponse, ResponseError

from tta_memory_nb.stores.redis.wire import AtSending, Prepared, Replies, is_in_order, packed

REPLIES: dict[bytes, Any] = {
    b"+OK\r\n": b"OK",
    b":-12\r\n": -12,
    b"$5\r\na\r\nbc\r\n": b"a\r\nbc",
    b"$0\r\n\r\n": b"",
    b"$-1\r\n": None,
    b"*-1\r\n": None,
    b"*0\r\n": [],
    b"*3\r\n:1\r\n*2\r\n$1\r\na\r\n*0\r\n$-1\r\n": [1, [b"a", []], None],
    b"_\r\n": None,
    b"#t\r\n": True,
    b"#f\r\n": False,
    b",1.5\r\n": 1.5,
    b"(123456789012345678901234567890\r\n": 123456789012345678901234567890,
    b"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n": {b"a": 1, b"b": [2]},
    b"~2\r\n:1\r\n:2\r\n": [1, 2],
    b"=7\r\ntxt:abc\r\n": b"abc",
    b"|1\r\n+ttl\r\n:3\r\n*1\r\n|1\r\n+a\r\n+b\r\n:7\r\n": [7],  # notes about values are skipped
    b">2\r\n+invalidate\r\n*1\r\n+k\r\n+OK\r\n": b"OK",  # so are messages that nobody asked for
}


@pytest.mark.parametrize("raw", REPLIES, ids=lambda raw: repr(raw)[2:12])
def test_each_kind_of_reply_is_understood_whole_and_byte_by_byte(raw):
    assert Replies().feed(raw) == [REPLIES[raw]]
    replies = Replies()
    found = [reply for at in range(len(raw)) for reply in replies.feed(raw[at : at + 1])]
    assert found == [REPLIES[raw]]


def test_replies_that_come_together_are_taken_apart_at_every_cut():
    raw = b"".join(REPLIES)
    for cut in range(len(raw)):
        replies = Replies()
        assert replies.feed(raw[:cut]) + replies.feed(raw[cut:]) == list(REPLIES.values())


@pytest.mark.parametrize("raw", [b"-ERR no such thing\r\n", b"!17\r\nERR no such thing\r\n"])
def test_an_error_is_returned_without_the_word_that_says_nothing(raw):
    [error] = Replies().feed(raw)
    assert type(error) is ResponseError
    assert str(error) == "no such thing"


def test_other_errors_keep_their_code():
    [[inner]] = Replies().feed(b"*1\r\n-NOSCRIPT No matching script.\r\n")
    assert str(inner) == "NOSCRIPT No matching script."


@pytest.mark.parametrize("raw", [b"HTTP/1.1 400 Bad Request\r\n", b"$x\r\n", b"\r\n"])
def test_what_is_no_reply_is_refused(raw):
    with pytest.raises(InvalidResponse, match="no reply begins with"):
        Replies().feed(raw)


def test_a_long_reply_in_many_pieces_is_looked_at_once():
    class Counted(bytes):
        searched = 0

        def find(self, *args: Any) -> int:
            Counted.searched += 1
            return super().find(*args)

    replies = Replies()
    assert replies.feed(Counted(b"$100000\r\n")) == []
    for _ in range(100):
        assert replies.feed(Counted(b"x" * 1000)) == []
    [value] = replies.feed(b"\r\n")
    assert len(value) == 100_000
    assert Counted.searched <= 2


def test_an_argument_may_be_worked_out_when_the_command_is_sent():
    numbers = iter([7, 8])
    command = (b"SET", Prepared((b"k",)), AtSending(lambda: next(numbers)))
    assert packed(command) == b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n7\r\n"
    assert packed(command).endswith(b"$1\r\n8\r\n")
    assert is_in_order(command)
    assert not is_in_order((b"GET", b"k"))
