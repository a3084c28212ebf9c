"""Says what was wrong in a history.

For each key the judge looks for an order of all that has happened to it (a linearization): one in
which each call takes effect at one moment between its beginning and its answer, and in which each
answer is the one that a single copy of the record would have given. These rules of the memory are part of
that copy:

- A write that was acknowledged in an outage takes effect at any moment until its client was seen
  connected again, and only if no newer write or deletion has taken effect by then.
- A call that was cancelled or interrupted takes effect at any later moment, or never. So does one
  that waited in a process that was killed.
- A call that the server has refused never takes effect.
- A server that has evicted records may have lost any record, but only as many as it says.
- A server that was rolled back has lost everything since its snapshot.
- A write on condition takes effect where the record is the one that its client has read; else its client is told so.

Of the messages that are appended to one session, each that was acknowledged is there once, in the order in which
they were appended.

The records that the server has in the end are the answer of one more read. So an acknowledged write that is
missing, and a deleted record that is back, leave no such order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import NamedTuple, TypeAlias

from .history import Call, History, overlap

MOST_STATES = 200_000
"""After so many states the judge gives up on a key, and says so."""

MOST_EVICTIONS = 3
"""So often the judge takes one record to be evicted at most."""


class Copy(NamedTuple):
    """The one copy of a record.

    Attributes:
        number: of its value; None without a record.
        instant: of the last write or deletion.
        expires: when it expires.
        saved: the copy in the snapshot.
    """

    number: int | None = None
    instant: float = -inf
    expires: float = inf
    saved: Copy | None = None


Effect: TypeAlias = Callable[[Copy], list[Copy]]
"""Gives the copies that there may be afterwards; none if this cannot have happened."""


@dataclass(frozen=True, eq=False)
class Event:
    """Something that took effect on a key at one moment.

    Attributes:
        begin: the earliest time.
        end: the latest time.
        must: whether it has taken effect for certain.
        effect: what it did.
        text: what it is called in a report.
    """

    begin: float
    end: float
    must: bool
    effect: Effect
    text: str


# ---- the order of events


def disorder(events: Sequence[Event]) -> str | None:
    """Returns why no order explains events of one key; None if one does."""
    events = sorted(events, key=lambda event: event.begin)
    musts = sum(1 << i for i, event in enumerate(events) if event.must)
    # What was done, the copy there is, and the latest beginning of what was done: nothing that has
    # ended before may follow.
    todo: list[tuple[int, Copy, float]] = [(0, Copy(), -inf)]
    seen: set[tuple[int, Copy]] = set()
    best: tuple[int, Copy] = (0, Copy())
    while todo:
        done, copy, latest = todo.pop()
        if done & musts == musts:
            return None
        if (done & musts).bit_count() > (best[0] & musts).bit_count():
            best = (done, copy)
        for number, event in _possible(events, done, latest):
            for after in event.effect(copy):
                reached = (done | 1 << number, after)
                if reached not in seen:
                    seen.add(reached)
                    todo.append((*reached, max(latest, event.begin)))
        if len(seen) > MOST_STATES:
            return f"the judge gives up after {MOST_STATES:,} states"
    done, copy = best
    open_events = [e for i, e in enumerate(events) if e.must and not done >> i & 1]
    return (
        f"no order explains {open_events[0].text}\n      where the record may be "
        f"{copy.number} of instant {copy.instant:g}; before: "
        + "; ".join(
            e.text
            for i, e in enumerate(events)
            if done >> i & 1 and e.begin <= open_events[0].begin
        )
    )


def _possible(events: Sequence[Event], done: int, latest: float) -> Iterator[tuple[int, Event]]:
    """Yields the events that may come next; the last one is tried first."""
    first_end = inf
    certain = []
    for number, event in enumerate(events):
        if event.begin > first_end:
            break
        if not done >> number & 1:
            if event.must:
                first_end = min(first_end, event.end)
                certain.append((number, event))
            elif event.end >= latest:
                yield number, event
    yield from reversed(certain)


# ---- effects


def _lives(copy: Copy, start: float, end: float) -> tuple[bool, ...]:
    """Returns whether a record may exist between two instants, and whether it may not."""
    if copy.number is None or copy.expires <= start:
        return (False,)
    return (True,) if copy.expires > end else (True, False)


def _reads(number: int | None, start: float, end: float, copy: Copy) -> list[Copy]:
    found = [copy.number if lives else None for lives in _lives(copy, start, end)]
    return [copy] if number in found else []


def _exists(exists: bool, start: float, end: float, copy: Copy) -> list[Copy]:
    return [copy] if exists in _lives(copy, start, end) else []


def _sets(number: int | None, instant: float, expires: float, copy: Copy) -> list[Copy]:
    """Writes a record, or deletes it."""
    return [copy._replace(number=number, instant=instant, expires=expires)]


def _sets_if_newest(
    number: int | None, instant: float, expires: float, slack: float, copy: Copy
) -> list[Copy]:
    """Does the same if nothing newer is there; of two at the same time either may win."""
    after = _sets(number, instant, expires, copy)
    if instant > copy.instant + slack:
        return after
    return [copy, *after] if instant >= copy.instant - slack else [copy]


def _deletes(existed: bool | None, start: float, end: float, copy: Copy) -> list[Copy]:
    gone = copy._replace(number=None, instant=max(copy.instant, start), expires=inf)
    lives = _lives(copy, start, end)
    # Where there is nothing to delete, nothing is noted either.
    return [gone if each else copy for each in lives if existed is None or each is existed]


def _swaps(
    read: int | None, number: int, at: float, start: float, end: float, copy: Copy
) -> list[Copy]:
    """Writes a record if it is the one that was read."""
    return _sets(number, at, inf, copy) if _reads(read, start, end, copy) else []


def _differs(read: int | None, start: float, end: float, copy: Copy) -> list[Copy]:
    found = [copy.number if lives else None for lives in _lives(copy, start, end)]
    return [copy] if any(number != read for number in found) else []


def _touches(expires: float, start: float, end: float, copy: Copy) -> list[Copy]:
    """Has a record expire at another instant, if it exists."""
    touched = copy._replace(expires=expires)
    return [touched if lives else copy for lives in _lives(copy, start, end)]


def _evicts(copy: Copy) -> list[Copy]:
    return [Copy(saved=copy.saved)] if copy.number is not None else []


def _keeps(copy: Copy) -> list[Copy]:
    return [copy]


def _snapshot(copy: Copy) -> list[Copy]:
    return [copy._replace(saved=copy._replace(saved=None))]


def _rollback(copy: Copy) -> list[Copy]:
    return [(copy.saved or Copy())._replace(saved=copy.saved)]


def _loses_all(copy: Copy) -> list[Copy]:
    return [Copy(saved=copy.saved)]


def _any_of(*effects: Effect) -> Effect:
    def either(copy: Copy) -> list[Copy]:
        return list(dict.fromkeys(after for effect in effects for after in effect(copy)))

    return either


# ---- from calls to events


class Judge:
    """Judges one history.

    Args:
        history: what happened.
        keys: all keys that there are.
    """

    def __init__(self, history: History, keys: Iterable[str]) -> None:
        self._history = history
        self._keys = list(keys)
        self._written = {
            number: (call.at, inf if ttl is None else call.at + ttl)
            for call in history.calls
            for number, ttl in call.sets.values()
        }
        self._ends = {
            number: inf if call.end is None else call.end
            for call in history.calls
            for number, _ in call.sets.values()
        }

    def problems(self) -> list[str]:
        """Returns what was wrong, each in one paragraph."""
        found = []
        for key in self._keys:
            reason = disorder(self._events(key))
            if reason:
                found.append(f"{key}: {reason}")
        return [*found, *self._stale_reads(), *self._wrong_messages()]

    def known_losses(self, client: str) -> dict[str, int]:
        """Returns what a client has to know that the server has lost by coming back older or empty.

        These are its own acknowledged writes that nobody has replaced before or since.
        """
        snapshot, found = 0, {}
        lost: set[int] = set()  # before the snapshot
        for mark in self._history.marks:
            if mark.kind == "snapshot":
                snapshot, lost = mark.end, set(found.values())
                continue
            if mark.kind == "rollback":  # it also brings back what was lost since the snapshot
                found = {
                    key: number
                    for key, number in found.items()
                    if number in lost or self._ends[number] > snapshot
                }
            since = snapshot if mark.kind == "rollback" else 0
            for key in self._keys:
                for call in self._history.of(client):
                    if (
                        key in call.sets
                        and since < call.begin
                        and (call.end or inf) < mark.begin
                        and self._is_last(key, call)
                    ):
                        found[key] = call.sets[key][0]
        return found

    def _is_last(self, key: str, call: Call) -> bool:
        """Returns whether a call was acknowledged, and is certainly the last one that changed a key."""
        if call.outcome != "ok" or not self._history.is_surely_online(call):
            return False
        _, expires = self._written[call.sets[key][0]]
        if expires <= self._history.now or any(
            each.verb == "resize" or key in each.touches for each in self._history.calls
        ):
            return False
        return all(
            self._settled_at(other) < call.begin
            for other in self._history.calls
            if other is not call and other.outcome != "refused" and _changes(other, key)
        )

    def _events(self, key: str) -> list[Event]:
        history = self._history
        events = [event for call in history.calls for event in self._of_call(key, call)]
        bounded = [call.begin for call in history.calls if call.verb == "resize"]
        # A server that came back older or empty has forgotten how many records it had evicted.
        count = MOST_EVICTIONS if bounded and history.marks else history.evictions
        if count:
            eviction = Event(min(bounded, default=0), inf, False, _evicts, "an eviction")
            events += [replace(eviction) for _ in range(min(count, MOST_EVICTIONS))]
        effects = {"snapshot": _snapshot, "rollback": _rollback, "lost": _loses_all}
        events += [
            Event(mark.begin, mark.end, True, effects[mark.kind], f"{mark.begin} {mark.kind}")
            for mark in history.marks
        ]
        end, now = history.time(), history.now
        final = partial(_reads, history.truth.get(key), now, now)
        told = f"what the server has in the end: {history.truth.get(key)}"
        return [*events, Event(end, end, True, final, told)]

    def _of_call(self, key: str, call: Call) -> Iterator[Event]:
        """Yields what a call did to a key, and what its answer says of the key."""
        if call.outcome == "refused":
            return
        online = self._history.is_surely_online(call)
        answered = call.outcome == "ok" and call.end is not None
        if key in call.touches and call.ttl is not None:
            yield self._touch(call, call.ttl, answered and online)
        if answered and online:
            yield from self._of_answer(key, call)
            if key in call.result.get("swapped", {}):
                read, is_done, *_ = call.result["swapped"][key]
                yield from self._of_swap(key, call, read, is_done)
                return
        if (
            self._history.has_failovers
            and call.result
            and call.result.get("deleted", {}).get(key) is False
        ):
            return  # where there is nothing to delete, nothing is noted
        if key in call.sets:
            yield from self._writes(call, key, *call.sets[key], online)
        elif (
            _changes(call, key)
            and call.verb != "undo"
            and not (answered and online and "deleted" in call.result)
        ):
            yield from self._writes(call, key, None, None, online)
        if call.verb == "undo":
            yield from self._of_undo(key, call, online and answered)

    def _of_answer(self, key: str, call: Call) -> Iterator[Event]:
        assert call.end is not None
        during = (call.at, call.until)
        for name, effect in (("reads", _reads), ("exists", _exists), ("deleted", _deletes)):
            told = call.result.get(name, {})
            if key in told:
                text = f"{call.begin} {call.client}.{call.verb} {name} {key}: {told[key]}"
                yield Event(call.begin, call.end, True, partial(effect, told[key], *during), text)

    def _of_swap(self, key: str, call: Call, read: int | None, is_done: bool) -> Iterator[Event]:
        """Yields what a write on condition has done, or why it could not."""
        assert call.end is not None
        during = (call.at, call.until)
        text = f"{call.begin} {call.client}.swap of {read}"
        if is_done:
            number, _ = call.sets[key]
            effects = (partial(_swaps, read, number, at, *during) for at in self._instants_of(call))
            text = f"{text} writes {number}"
            yield Event(call.begin, call.end, True, _any_of(*effects), text)
            return
        yield Event(call.begin, call.end, True, partial(_reads, read, *during), f"{text} reads it")
        if not self._may_be_again(key, read):
            differs = partial(_differs, read, *during)
            yield Event(call.begin, call.end, True, differs, f"{text} finds another one")

    def _may_be_again(self, key: str, number: int | None) -> bool:
        """Returns whether the value of a record may have been written more than once, under versions of its own."""
        history = self._history
        return bool(history.marks) or any(
            (call.verb == "undo" and key in {*call.written, *call.removed})
            # Nobody knows how often a server has had the writes of an outage.
            or (number == call.sets.get(key, (None,))[0] and not history.is_surely_online(call))
            # Nor which versions nothing has: a deletion gives it a new one.
            or (number is None and _changes(call, key))
            for call in history.calls
        )

    def _touch(self, call: Call, ttl: float, is_certain: bool) -> Event:
        effects = [
            partial(_touches, at + ttl, call.at, max(call.at, call.until))
            for at in self._instants_of(call)
        ]
        end = call.end if is_certain and call.end is not None else inf
        text = f"{call.begin} {call.client}.touch for {ttl:g} s"
        return Event(call.begin, end, is_certain, _any_of(*effects), text)

    def _expiries(self, key: str, number: int) -> list[float]:
        """Returns when a record may expire that was written with a number: as written, or as touched since."""
        touched = (
            at + call.ttl
            for call in self._history.calls
            if key in call.touches and call.ttl is not None
            for at in self._instants_of(call)
        )
        return list(dict.fromkeys([self._written[number][1], *touched]))

    def _writes(
        self, call: Call, key: str, number: int | None, ttl: float | None, online: bool
    ) -> Iterator[Event]:
        event = self._write(call, key, number, ttl, online)
        yield event
        if online and event.must:
            return
        # A server that has applied it and then lost it gets it again from a client that has not been answered.
        for mark in self._history.marks:
            if mark.kind != "snapshot" and call.begin < mark.end < event.end:
                yield replace(event, begin=mark.end, must=False, text=f"{event.text}, again")

    def _write(
        self, call: Call, key: str, number: int | None, ttl: float | None, online: bool
    ) -> Event:
        what = "deletes" if number is None else f"writes {number}"
        text = f"{call.begin} {call.client}.{call.verb} {what}"
        written = [(at, inf if ttl is None else at + ttl) for at in self._instants_of(call)]
        effect = _any_of(*(partial(_sets, number, at, expires) for at, expires in written))
        if call.outcome == "ok" and online:
            assert call.end is not None
            return Event(call.begin, call.end, True, effect, text)
        slack = self._history.slack
        if_newest = _any_of(
            *(partial(_sets_if_newest, number, at, expires, slack) for at, expires in written)
        )
        if call.outcome != "ok" or call.end is None:
            return Event(call.begin, inf, False, _any_of(effect, if_newest), f"{text}, unknown")
        if call.was_online or call.is_online:
            # It may have reached the server before the outage began.
            if_newest = _any_of(effect, if_newest)
        if call.result and call.result.get("deleted", {}).get(key) is False:
            may_have_asked = (
                call.was_online or call.is_online or call.client in self._history.watched
            )
            if may_have_asked:  # where there is nothing to delete, nothing is noted
                if_newest = _any_of(if_newest, _keeps)
        back = self._history.back_at(call.client, call.end)
        killed = self._history.ended.get(call.client, inf)
        when = "with failovers" if self._history.has_failovers else "in an outage"
        end = min(back, killed)
        return Event(call.begin, end, self._is_certain(call), if_newest, f"{text} {when}")

    def _instants_of(self, call: Call) -> list[float]:
        """Returns which instants a write may have, as far as they differ from those of other calls."""
        until = max(call.at, call.until)
        others = (each.at for each in self._history.calls if call.at < each.at < until)
        return sorted({call.at, *others, until})

    def _of_undo(self, key: str, call: Call, certain: bool) -> Iterator[Event]:
        """Yields what an undo did: it deletes what was written, and restores what was removed."""
        end = call.end if certain and call.end is not None else inf
        restored, taken = (
            (call.result or {}).get("restored", {}),
            (call.result or {}).get("taken", ()),
        )

        bounded = any(each.verb == "resize" for each in self._history.calls)

        def takes(number: int, copy: Copy) -> list[Copy]:
            is_there = copy.number == number and True in _lives(copy, call.at, call.until)
            after = copy._replace(number=None, instant=max(copy.instant, call.at), expires=inf)
            if not certain:
                return [copy, after] if is_there else [copy]
            if key in taken:
                return [after] if is_there else []
            return (
                []
                if copy.number == number and _lives(copy, call.at, call.until) == (True,)
                else [copy]
            )

        def restores(number: int, copy: Copy) -> list[Copy]:
            at, _ = self._written[number]
            expiries = self._expiries(key, number)
            after = [
                copy._replace(number=number, instant=instant, expires=expires)
                for instant in dict.fromkeys((at, call.at))
                for expires in expiries
            ]
            may_be_gone = False in _lives(copy, call.at, call.until)
            if not certain:
                return [copy, *after] if may_be_gone else [copy]
            if key in restored:
                return after if may_be_gone else []
            is_gone = _lives(copy, call.at, call.until) == (False,)
            # There may be no room for it, as the namespace is bounded.
            return [] if is_gone and min(expiries) > call.until and not bounded else [copy]

        for name, numbers, effect in (
            ("takes back", call.written, takes),
            ("restores", call.removed, restores),
        ):
            if key in numbers:
                text = f"{call.begin} {call.client}.undo {name} {numbers[key]}"
                yield Event(call.begin, end, certain, partial(effect, numbers[key]), text)

    # ---- reads in an outage

    def _stale_reads(self) -> Iterator[str]:
        """Yields reads in an outage that gave what the client itself had replaced before."""
        for call in self._history.calls:
            if call.outcome != "ok" or call.was_online or call.is_online:
                continue
            for key, number in call.result.get("reads", {}).items():
                last = self._last_own_change(key, call)
                if last is not None and not self._may_read(key, number, last, call):
                    yield f"{key}: {call} reads {number}, though the client had done {last}"

    def _last_own_change(self, key: str, read: Call) -> Call | None:
        """Returns the last change of a key by the client before a read; None if it is unclear."""
        last = None
        for call in self._history.of(read.client):
            if call.verb != "undo" and not _changes(call, key):
                continue
            if overlap(call, read) or (last is not None and overlap(call, last)):
                return None
            if call.begin < read.begin and call.outcome != "refused":
                if call.verb == "undo" or call.outcome != "ok":
                    last = None
                    continue
                last = call
        return last

    def _may_read(self, key: str, number: int | None, last: Call, read: Call) -> bool:
        own = last.sets.get(key, (None, None))[0]
        if number == own:
            return True
        others = [
            call
            for call in self._history.calls
            if call.client != read.client
            and call.outcome != "refused"
            and call.begin < (read.end or inf)
            and self._settled_at(call) >= last.begin
        ]
        if number is None:
            deleted = any(not call.sets.get(key) and _changes(call, key) for call in others)
            expired = any(
                min(self._expiries(key, call.sets[key][0])) <= read.until
                for call in (last, *others)
                if key in call.sets
            )
            return deleted or expired or bool(self._history.marks or self._history.evictions)
        return any(call.sets.get(key, (None,))[0] == number for call in others) or any(
            call.removed.get(key) == number for call in others
        )

    # ---- messages

    def _wrong_messages(self) -> Iterator[str]:
        """Yields what is wrong with the messages that were appended to the session."""
        history = self._history
        numbers = [number for _, number in history.log]
        places = {number: place for place, number in enumerate(numbers)}
        if len(places) < len(numbers):
            yield f"the log has a message more than once: {numbers}"
        appends = [call for call in history.calls if call.appends]
        may_lose = any(mark.kind != "snapshot" for mark in history.marks) or any(
            call.verb == "resize" for call in history.calls
        )
        for call in appends:
            there = [places[number] for number in call.appends if number in places]
            if call.outcome == "refused" and there:
                yield f"the log has messages of {call}: {numbers}"
            elif not may_lose and 0 < len(there) < len(call.appends):
                yield f"the log has some messages of {call}: {numbers}"
            elif not there and not may_lose and self._is_certain(call):
                yield f"the log lacks the messages of {call}: {numbers}"
            if there != sorted(there):
                yield f"the log has the messages of {call} in another order: {numbers}"
            if (
                call.outcome == "ok"
                and call.result["appended"] != [history.log[place][0] for place in there]
                and len(there) == len(call.appends)
            ):
                yield f"the log has other keys than {call}: {history.log}"
        if may_lose or history.has_failovers:
            return
        for one in appends:
            for other in appends:
                is_before = one.end is not None and one.end < other.begin
                if is_before and history.is_surely_online(one) and history.is_surely_online(other):
                    found = [places[n] for n in (*one.appends, *other.appends) if n in places]
                    if found != sorted(found):
                        yield f"the log has {other} before {one}: {numbers}"

    def _is_certain(self, call: Call) -> bool:
        """Returns whether a call that was acknowledged is never lost."""
        if call.outcome != "ok" or call.end is None:
            return False
        killed = self._history.ended.get(call.client, inf)
        is_durable = call.client in self._history.durable and call.was_online and call.is_online
        return (
            self._history.is_surely_online(call)
            or is_durable
            or (self._history.back_at(call.client, call.end) < killed or killed == inf)
        )

    def _settled_at(self, call: Call) -> float:
        """Returns after which time a call has no effect any more."""
        if call.outcome != "ok" or call.end is None:
            return inf
        if self._history.is_surely_online(call):
            return call.end
        return self._history.back_at(call.client, call.end)


def _changes(call: Call, key: str) -> bool:
    """Returns whether a call writes or deletes a key."""
    if call.verb == "undo":
        return key in call.written or key in call.removed
    if call.verb == "take_all" and call.outcome == "ok":
        return key in call.result["deleted"]  # what its client has found
    return key in call.sets or call.deletes is None or key in call.deletes
