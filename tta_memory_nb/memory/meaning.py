"""The embedder of a memory: how its searches by meaning get their vectors, and what if they do not.

A search is asked again and again, each time with the vectors that it lacked the time before, until it
lacks none. Between two times no lock is held, and the embedder is called by the runner, off the event loop.
"""

from __future__ import annotations

from collections import ChainMap, OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice
from threading import RLock
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

from ..embedders.base import DEFAULT, EmbedderLike, check_embedder, open_embedder
from ..errors import EmbedderError, MissingPackage
from ..search.meaning import Lacking, Meaning
from ..search.request import Found, Hit, Reading, Search, SearchMode
from ..stores.base import Clock, Store
from ..stores.forks import guarded
from ..stores.plan import Call, Plan
from ..times import Duration, duration

if TYPE_CHECKING:
    from ..embedders.checking import Asked
    from ..search.vectors import Floats, Identity, Vectors
    from ..transfer import Progress

BY_MEANING: frozenset[SearchMode] = frozenset(("semantic", "hybrid"))
"""The modes that need an embedder."""

# So many texts go to an embedder in one call: a quick one, and any other. An interrupt loses one call.
_BATCHES = {True: 512, False: 32}

# So few texts are embedded in the calling thread, if the embedder is quick: a question, for example.
_AT_ONCE = 16

# A stream looks at so many records at a time.
_STREAMED = 64

# So many vectors of questions are kept.
_QUESTIONS = 256

# After a call that took too long, the embedder is left alone for so many seconds.
_REST = 30.0


class Bar:
    """Counts what is done, and shows the count in a progress bar.

    Args:
        progress: False for no bar, True for a bar, or a callable that wraps an iterable in one.
        what: name of the work, shown before the bar.

    Attributes:
        done: how many texts were embedded, or records examined.
    """

    def __init__(self, progress: Progress | bool, what: str = "embedding") -> None:
        self._progress = progress
        self._what = what
        self._steps: Iterator[Any] | None = None
        self.done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self._steps, Generator):
            self._steps.close()

    def expect(self, count: int) -> None:
        """Begins to draw, once it is known how much there is to do."""
        if self._progress and self._steps is None:
            from ..transfer import with_progress

            self._steps = iter(with_progress(range(count), count, self._what, self._progress))

    def advance(self, count: int) -> None:
        """Notes that some more is done."""
        self.done += count
        if self._steps is not None:
            for _ in islice(self._steps, count):
                pass


class Meanings:
    """What a memory knows of meaning; safe to share between tasks and threads.

    Args:
        embedder: an embedder, the name of one, or a function; None for the default.
        timeout: seconds that the embedder may take for one call.
        clock: gives Unix seconds.

    Raises:
        InvalidArgument: the embedder is none, or the timeout.
    """

    def __init__(self, embedder: EmbedderLike | None, timeout: Duration, clock: Clock) -> None:
        self._given = DEFAULT if embedder is None else check_embedder(embedder)
        self._timeout = duration(timeout, "embedder_timeout")
        self._clock = clock
        self._asked: Asked | None = None
        self._vectors: Vectors | None = None
        self._questions: OrderedDict[str, Floats] = OrderedDict()
        self._error: EmbedderError | MissingPackage | None = None
        self._rests_until = 0.0
        # Each is told how many seconds a call of the embedder has taken, and of how many texts.
        self.listeners: tuple[Callable[[float, int], None], ...] = ()

    def about(self) -> dict[str, Any]:
        """Returns what `get_backend_info` says of it."""
        asked, vectors = self._asked, self._vectors
        given = self._given
        name = asked.name if asked else given if isinstance(given, str) else type(given).__name__
        return {
            "embedder": name,
            "embedder_dim": asked.dim if asked else None,
            "vectors": len(vectors) if vectors is not None else 0,
            "embedder_failed": None if self._error is None else str(self._error),
        }

    @property
    def is_slow(self) -> bool:
        """Whether the embedder takes more than about 1 ms for a text; False before it was asked."""
        return self._asked is not None and not self._asked.is_quick

    # ---- searching

    def find(self, store: Store, search: Search) -> Plan[list[Hit]]:
        """Returns the hits of a search in one of the modes `BY_MEANING`.

        If the embedder fails, a hybrid search is carried out as a ranked one, which its `Reading` says.

        Raises:
            EmbedderError: the embedder fails, in the mode ``"semantic"``.
            MissingPackage: the embedder is not installed, in the mode ``"semantic"``.
        """
        changed = ""
        questions: dict[str, Floats] = {}
        try:
            while True:
                asked = yield from self._opened()
                if note := self._start_over_if_changed(asked):
                    changed = note
                    questions.clear()
                meaning = self._meaning(asked, questions)
                found = yield from store.find(search.by(search.mode, meaning))
                if meaning.is_complete:
                    break
                yield from self._embed_missing(store, asked, meaning, questions)
        except (EmbedderError, MissingPackage) as error:
            self._error = error
            if search.mode == "semantic":
                raise
            found = yield from store.find(search.by("ranked"))
            return _noted(found, f"searched as 'ranked': {error}")
        self._error = None
        return _noted(found, changed) if changed else found

    def count(self, store: Store, search: Search) -> Plan[int]:
        """Returns how many hits `find` gives without a limit."""
        return len((yield from self.find(store, search.for_all())))

    def stream(self, store: Store, search: Search) -> Iterator[Plan[list[Hit]]]:
        """Yields plans that give the hits of a search a few at a time, see `Store.stream`."""
        hits: list[Hit] = []

        def look_for_hits() -> Plan[list[Hit]]:
            hits.extend((yield from self.find(store, search.for_all())))
            return []

        def look(batch: Sequence[Hit]) -> Plan[list[Hit]]:
            found = yield from store.peek([hit.entry.key for hit in batch])
            texts = {entry.key: entry.text for entry in found}
            return [hit for hit in batch if texts.get(hit.entry.key) == hit.entry.text]

        yield look_for_hits()
        for start in range(0, len(hits), _STREAMED):
            yield look(hits[start : start + _STREAMED])

    def rehearse(self, store: Store, search: Search, bar: Bar) -> Plan[int]:
        """Makes the vectors that searches would make.

        Args:
            store: has the records.
            search: its filters say of which records.
            bar: shows how far it is.

        Returns:
            How many texts were embedded.

        Raises:
            EmbedderError: the embedder fails; what it has embedded before is kept.
            MissingPackage: the embedder is not installed.
        """
        with bar:
            while True:
                asked = yield from self._opened()
                self._start_over_if_changed(asked)
                meaning = self._meaning(asked, {}, is_rehearsal=True)
                yield from store.find(search.by("semantic", meaning))
                if meaning.is_complete:
                    self._error = None
                    return bar.done
                bar.expect(meaning.waiting)
                yield from self._embed_missing(store, asked, meaning, {}, bar)

    def vectors_of(self, store: Store, texts: Sequence[str]) -> Plan[Floats]:
        """Returns an array with a unit vector for each text, in order; those that are known are not made again.

        Args:
            store: may have vectors that other clients have made.
            texts: any texts, repeated ones as well; of longer ones, the first `MOST_EMBEDDED` characters count.

        Raises:
            EmbedderError: the embedder fails; what it has embedded before is kept.
            MissingPackage: the embedder is not installed.
        """
        from ..search.ranked.similarity import MOST_EMBEDDED
        from ..search.vectors import digest_of

        asked = yield from self._opened()
        self._start_over_if_changed(asked)
        meaning = self._meaning(asked, {})
        texts = [text[:MOST_EMBEDDED] for text in texts]
        digests = [digest_of(text) for text in texts]
        table = self._vectors
        for digest, text in zip(digests, texts, strict=True):
            if text and (table is None or table.row(digest) < 0):
                meaning.lacks[digest] = Lacking(text)
        yield from self._embed_missing(store, asked, meaning, {})
        # A text without a vector is like no other one: an empty one, or one that was dropped meanwhile.
        codes, scales = self._table(asked).quantized_of(digests)
        vectors: Floats = codes * scales[:, None]
        return vectors

    # ---- the embedder

    def _opened(self) -> Plan[Asked]:
        """Returns the embedder, which is loaded by the first search that needs it."""
        if self._error is not None and self._clock() < self._rests_until:
            raise self._error
        if self._asked is None:
            # Reading a model may take seconds.
            asked = yield Call(self._open)
            if self._asked is None:
                self._asked = asked
        return self._asked

    def _open(self) -> Asked:
        from ..embedders.checking import Asked

        return Asked(open_embedder(self._given), self._timeout)

    def _start_over_if_changed(self, asked: Asked) -> str:
        """Drops all vectors if the embedder has become another one; returns what to tell the user."""
        vectors = self._vectors
        if vectors is None or vectors.identity == asked.identity:
            return ""
        before = vectors.identity
        self._vectors = None
        self._questions.clear()
        return (
            f"the embedder has changed from {_spelled(before)} to {_spelled(asked.identity)}: all "
            "texts are embedded again"
        )

    def _meaning(
        self, asked: Asked, questions: dict[str, Floats], *, is_rehearsal: bool = False
    ) -> Meaning:
        return Meaning(
            self._vectors,
            # Others may have had the kept ones dropped since this search has asked for its own.
            ChainMap(questions, self._questions),
            asked.weight,
            has_words=asked.has_words,
            is_quick=asked.is_quick,
            is_rehearsal=is_rehearsal,
        )

    def _embed_missing(
        self,
        store: Store,
        asked: Asked,
        meaning: Meaning,
        questions: dict[str, Floats],
        bar: Bar | None = None,
    ) -> Plan[None]:
        """Embeds what a search has lacked; each call's vectors are kept at once.

        Args:
            store: may have vectors that other clients have made.
            asked: the embedder.
            meaning: notes what was lacking.
            questions: takes the vectors of questions.
            bar: shows how far it is.

        Raises:
            EmbedderError: the embedder fails.
        """
        if meaning.lacks_questions:
            texts = list(dict.fromkeys(meaning.lacks_questions))
            vectors = yield from self._embed(asked, texts, query=True)
            self._table(asked)
            questions.update(zip(texts, vectors, strict=True))
            self._questions.update(questions)
            while len(self._questions) > _QUESTIONS:
                self._questions.popitem(last=False)
        missing = iter(meaning.lacks.items())
        while batch := dict(islice(missing, _BATCHES[asked.is_quick])):
            if not asked.is_quick:
                yield from self._load(store, asked, batch)
            if not batch:
                continue
            texts = [lacking.text for lacking in batch.values()]
            vectors = yield from self._embed(asked, texts, query=False)
            table = self._table(asked)
            table.put(list(batch), vectors)
            if bar is not None:
                bar.advance(len(batch))
            if not asked.is_quick:
                yield from self._save(store, table.identity, batch, vectors)

    def _load(self, store: Store, asked: Asked, batch: dict[int, Lacking]) -> Plan[None]:
        """Takes out of a batch what the store has vectors of, because another client has made them."""
        load = getattr(type(store), "load_vectors", None)
        keys = {each.key: digest for digest, each in batch.items() if each.key is not None}
        if load is None or not keys or not asked.identity[2]:
            return
        import numpy as np

        from ..search.vectors import unpack

        kept = yield from load(store, asked.identity, list(keys))
        for key, packed in kept.items():
            digest = keys[key]
            found = unpack(packed, digest, asked.identity[2])
            if found is not None:
                codes, scale = found
                self._table(asked).put_quantized([digest], codes[None], np.array([scale]))
                del batch[digest]

    def _save(
        self, store: Store, identity: Identity, batch: dict[int, Lacking], vectors: Floats
    ) -> Plan[None]:
        """Has the store keep the vectors of a batch for other clients.

        They come from the embedder and not from the table, of which another thread may have dropped some since.
        """
        save = getattr(type(store), "save_vectors", None)
        if save is None:
            return
        from ..search.vectors import pack, quantized

        packed = {
            lacking.key: pack(digest, code, scale)
            for (digest, lacking), code, scale in zip(
                batch.items(), *quantized(vectors), strict=True
            )
            if lacking.key is not None
        }
        yield from save(store, identity, packed)

    def _embed(self, asked: Asked, texts: Sequence[str], *, query: bool) -> Plan[Floats]:
        started = perf_counter()
        try:
            if asked.is_quick and len(texts) <= _AT_ONCE:
                return asked.embed_now(texts, query)
            vectors: Floats = yield Call(asked.caller, texts, query)
        except EmbedderError as error:
            if error.is_late:
                self._rests_until = self._clock() + _REST
            raise
        else:
            return vectors
        finally:
            for tell in self.listeners:
                tell(perf_counter() - started, len(texts))

    def _table(self, asked: Asked) -> Vectors:
        """Returns the table of the embedder that has just answered.

        Raises:
            EmbedderError: the embedder has become another one since the search began.
        """
        if self._vectors is None:
            from ..search.vectors import Vectors

            # Searches take it while they hold the lock of the records.
            self._vectors = Vectors(asked.identity, guarded(RLock(), 6))
        elif self._vectors.identity != asked.identity:
            raise EmbedderError(
                f"the embedder {asked.name!r} has become another one during a search; search again"
            )
        return self._vectors


def _spelled(identity: tuple[str, str, int]) -> str:
    name, version, dim = identity
    return f"{name!r} ({f'version {version}, ' if version else ''}{dim} numbers)"


def _noted(found: list[Hit], note: str) -> Found[Hit]:
    """Returns what was found with a note for the user."""
    reading = getattr(found, "reading", None) or Reading(mode="ranked")
    return Found(found, reading.noting(note))
