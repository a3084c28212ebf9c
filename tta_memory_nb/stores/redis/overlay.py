"""What a transaction has not written yet, laid over what the server says.

Only the commands that the scripts use. The reply to a command that reads is what the server would
say after the writes. A command that writes has no reply, but for HINCRBY: it is carried out in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from operator import ge, gt, le, lt
from typing import Any, TypeAlias

Command: TypeAlias = tuple[bytes, ...]

Asking: TypeAlias = Generator[Sequence[Command], list[Any], Any]
"""Yields commands, is sent what the server says now, returns what it would say after the writes."""

Row: TypeAlias = tuple[float, bytes]
"""Score and member of a sorted set."""


class Overlay:
    """Writes that wait, in their order, and what they make of the keys."""

    def __init__(self) -> None:
        self.writes: list[Command] = []
        self._emptied: set[bytes] = set()
        # None stands for what was deleted.
        self._hashes: dict[bytes, dict[bytes, bytes | None]] = {}
        self._sets: dict[bytes, dict[bytes, float | None]] = {}
        # What the server has told already; None where it has nothing.
        self._fields: dict[bytes, dict[bytes, bytes | None]] = {}
        self._scores: dict[bytes, dict[bytes, bytes | None]] = {}

    def learn(self, command: Command, reply: Any) -> None:
        """Takes note of what the server says to a command, so that parts of it need not be asked again."""
        name, key, *rest = *command, b""
        if name == b"HMGET":
            self._fields.setdefault(key, {}).update(zip(rest, reply, strict=False))
        elif name == b"ZSCORE":
            self._scores.setdefault(key, {})[rest[0]] = reply
        elif _SCORES in rest:
            it = iter(reply)
            self._scores.setdefault(key, {}).update(zip(it, it, strict=True))

    def knows_score(self, key: bytes, member: bytes) -> bool:
        """Whether the server has told the score of a member, or that it has none."""
        return member in self._scores.get(key, _NO_SCORES)

    def carry_out(self, name: str, arguments: tuple[bytes, ...]) -> Asking:
        """The reply to a command."""
        carry_out: Callable[..., Asking] = getattr(self, f"_{name.lower()}")
        return (yield from carry_out(name.encode(), *arguments))

    def _ask(self, *command: bytes) -> Asking:
        [reply] = yield [command]
        return reply

    # ---- hashes

    def _told_fields(self, key: bytes, fields: Iterable[bytes]) -> Asking:
        """The server's values of fields, by their names."""
        told = self._fields.setdefault(key, {})
        unknown = [field for field in fields if field not in told]
        if unknown:
            values = yield from self._ask(b"HMGET", key, *unknown)
            told.update(zip(unknown, values, strict=True))
        return told

    def _hget(self, _: bytes, key: bytes, field: bytes) -> Asking:
        [value] = yield from self._hmget(b"HMGET", key, field)
        return value

    def _hmget(self, _: bytes, key: bytes, *fields: bytes) -> Asking:
        pending = self._hashes.get(key, _NOTHING)
        if key in self._emptied:
            return [pending.get(field) for field in fields]
        told = yield from self._told_fields(
            key, (field for field in fields if field not in pending)
        )
        return [pending[field] if field in pending else told[field] for field in fields]

    def _hgetall(self, name: bytes, key: bytes) -> Asking:
        told = [] if key in self._emptied else (yield from self._ask(name, key))
        it = iter(told)
        merged = {**dict(zip(it, it, strict=True)), **self._hashes.get(key, {})}
        return [
            part for field, value in merged.items() if value is not None for part in (field, value)
        ]

    def _hlen(self, name: bytes, key: bytes) -> Asking:
        pending = self._hashes.get(key, {})
        there = sum(value is not None for value in pending.values())
        if key in self._emptied:
            return there
        if not pending:
            return (yield from self._ask(name, key))
        told = yield from self._told_fields(key, pending)
        size = yield from self._ask(name, key)
        return size - sum(told[field] is not None for field in pending) + there

    def _exists(self, name: bytes, key: bytes) -> Asking:
        """Of a hash."""
        if key not in self._emptied and key not in self._hashes:
            return (yield from self._ask(name, key))
        return int((yield from self._hlen(b"HLEN", key)) > 0)

    def _hset(self, name: bytes, key: bytes, *pairs: bytes) -> Asking:
        it = iter(pairs)
        self._hashes.setdefault(key, {}).update(zip(it, it, strict=True))
        yield from self._later(name, key, *pairs)

    def _hdel(self, name: bytes, key: bytes, *fields: bytes) -> Asking:
        self._hashes.setdefault(key, {}).update(dict.fromkeys(fields))
        yield from self._later(name, key, *fields)

    def _hincrby(self, name: bytes, key: bytes, field: bytes, step: bytes) -> Asking:
        before = yield from self._hget(b"HGET", key, field)
        number = int(before or 0) + int(step)
        self._hashes.setdefault(key, {})[field] = b"%d" % number
        yield from self._later(name, key, field, step)
        return number

    # ---- sorted sets

    def _told_scores(self, key: bytes, members: Iterable[bytes], *besides: Command) -> Asking:
        """Replies to commands, and the server's scores of members, by their names."""
        told = self._scores.setdefault(key, {})
        unknown = [member for member in members if member not in told]
        replies = []
        if unknown or besides:
            # One command for all scores would be of Redis 6.2.
            replies = yield [*besides, *((b"ZSCORE", key, member) for member in unknown)]
            told.update(zip(unknown, replies[len(besides) :], strict=True))
        return replies[: len(besides)], told

    def _zscore(self, _: bytes, key: bytes, member: bytes) -> Asking:
        pending = self._sets.get(key, _NO_SCORES)
        if member in pending or key in self._emptied:
            score = pending.get(member)
            return None if score is None else _score(score)
        _, told = yield from self._told_scores(key, (member,))
        return told[member]

    def _zcard(self, name: bytes, key: bytes) -> Asking:
        return (yield from self._zcount(name, key, b"-inf", b"+inf", count=(name, key)))

    def _zcount(
        self, name: bytes, key: bytes, low: bytes, high: bytes, count: Command = ()
    ) -> Asking:
        pending = self._sets.get(key, _NO_SCORES)
        is_in = _between(low, high)
        there = sum(score is not None and is_in(score) for score in pending.values())
        if key in self._emptied:
            return there
        [total], told = yield from self._told_scores(key, pending, count or (name, key, low, high))
        before = sum(told[each] is not None and is_in(float(told[each])) for each in pending)
        return total - before + there

    def _zrange(self, name: bytes, key: bytes, start: bytes, stop: bytes, *flags: bytes) -> Asking:
        first, last = int(start), int(stop)
        pending = self._sets.get(key, _NO_SCORES)
        if not pending and key not in self._emptied:
            return (yield from self._ask(name, key, start, stop, *flags))
        # Each that waits may push out one of the server's.
        is_whole = first < 0 or last < 0
        end = b"-1" if is_whole else b"%d" % (last + len(pending))
        rows = yield from self._rows(key, pending, name, key, b"0", end, _SCORES)
        size = len(rows)
        first = max(first + size, 0) if first < 0 else first
        last = last + size if last < 0 else last
        return _flat(rows[first : last + 1], flags)

    def _zrangebyscore(
        self, name: bytes, key: bytes, one: bytes, other: bytes, *flags: bytes
    ) -> Asking:
        pending = self._sets.get(key, _NO_SCORES)
        if not pending and key not in self._emptied:
            return (yield from self._ask(name, key, one, other, *flags))
        is_reverse = name == b"ZREVRANGEBYSCORE"
        low, high = (other, one) if is_reverse else (one, other)
        is_in = _between(low, high)
        first, most = 0, -1
        limit: Command = ()
        if b"LIMIT" in flags:
            at = flags.index(b"LIMIT")
            first, most = int(flags[at + 1]), int(flags[at + 2])
            if most >= 0:
                limit = (b"LIMIT", b"0", b"%d" % (first + most + len(pending)))
        rows = yield from self._rows(key, pending, name, key, one, other, _SCORES, *limit)
        rows = [row for row in rows if is_in(row[0])]
        if is_reverse:
            rows.reverse()
        return _flat(rows[first:] if most < 0 else rows[first : first + most], flags)

    _zrevrangebyscore = _zrangebyscore

    def _rows(self, key: bytes, pending: dict[bytes, float | None], *command: bytes) -> Asking:
        """What the server tells with its scores, and what waits, in ascending order."""
        told = [] if key in self._emptied else (yield from self._ask(*command))
        it = iter(told)
        rows = [
            (float(score), member)
            for member, score in zip(it, it, strict=True)
            if member not in pending
        ]
        rows += [(score, member) for member, score in pending.items() if score is not None]
        return sorted(rows)

    def _zadd(self, name: bytes, key: bytes, *pairs: bytes) -> Asking:
        it = iter(pairs)
        self._sets.setdefault(key, {}).update(
            (member, float(score)) for score, member in zip(it, it, strict=True)
        )
        yield from self._later(name, key, *pairs)

    def _zrem(self, name: bytes, key: bytes, *members: bytes) -> Asking:
        self._sets.setdefault(key, {}).update(dict.fromkeys(members))
        yield from self._later(name, key, *members)

    def _zremrangebyrank(self, name: bytes, key: bytes, start: bytes, stop: bytes) -> Asking:
        gone = yield from self._zrange(b"ZRANGE", key, start, stop)
        self._sets.setdefault(key, {}).update(dict.fromkeys(gone))
        yield from self._later(name, key, start, stop)

    # ---- any

    def _unlink(self, name: bytes, *keys: bytes) -> Asking:
        for key in keys:
            self._emptied.add(key)
            self._hashes.pop(key, None)
            self._sets.pop(key, None)
        yield from self._later(name, *keys)

    def _later(self, *command: bytes) -> Asking:
        self.writes.append(command)
        return
        yield  # makes it a generator

    def _time(self, name: bytes) -> Asking:
        return (yield from self._ask(name))


_NOTHING: dict[bytes, bytes | None] = {}
_NO_SCORES: dict[bytes, float | None] = {}

_SCORES = b"WITHSCORES"


def _between(low: bytes, high: bytes) -> Callable[[float], bool]:
    """Whether a score is in a range, as Redis writes its ends."""
    is_above, least = (gt, low[1:]) if low[:1] == b"(" else (ge, low)
    is_below, most = (lt, high[1:]) if high[:1] == b"(" else (le, high)
    lowest, highest = float(least), float(most)
    return lambda score: is_above(score, lowest) and is_below(score, highest)


def _flat(rows: Iterable[Row], flags: Sequence[bytes]) -> list[bytes]:
    if _SCORES in flags:
        return [part for score, member in rows for part in (member, _score(score))]
    return [member for _, member in rows]


def _score(number: float) -> bytes:
    """A score as Redis writes it."""
    return b"%d" % number if number.is_integer() else repr(number).encode()
