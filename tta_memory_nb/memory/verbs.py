"""The verbs of a memory, each written once, as a plan.

A verb checks its arguments, asks the store, and turns entries into what its user sees. It yields
whatever has to be waited for, see `stores.plan`: the two faces in `faces` carry out the same plans,
one with ``await`` and one without. The docstrings here are the help of both faces.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, TypeVar, Unpack

from ..codec import from_json
from ..entry import Entry, Unreadable, new_entry
from ..errors import InvalidArgument, brief
from ..filters import EVERYTHING, FilterArgs, Filters
from ..folders import check_folders
from ..keys import check_key
from ..record import MemoryRecord
from ..search.indexes import check_mode
from ..search.options import SearchOptions, SearchWeights, check_weights
from ..search.paging import ListOrder, check_offset, check_order
from ..search.request import Found, Hit, Search, SearchMode, check_limit, check_query
from ..stores.base import Change, Clock, Store
from ..stores.expecting import Expected
from ..stores.plan import Plan
from ..summarizers.base import DEFAULT, SummarizerLike, open_summarizer
from ..times import Duration, duration
from .applying import Puts, applied, entries_of
from .doctor.checks import PARAMETERS, CheckArgs, chosen
from .meaning import BY_MEANING, Bar, Meanings
from .messages import history, messages_of, owner_of
from .packing.relevance import Thresholds
from .why import Why, why

if TYPE_CHECKING:
    from os import PathLike

    from ..transfer import ImportReport, ImportSource, Progress
    from .doctor.finding import Diagnosis
    from .forgetting.forget import Forgetting
    from .forgetting.policy import ForgetPolicy
    from .forgetting.upkeep import Upkeep
    from .packing.budget import Tokens
    from .packing.lines import Cite
    from .packing.pack import Pack
    from .summarizing.summary import Originals, Summary

P = ParamSpec("P")
T = TypeVar("T")


class Watch(Protocol):
    """Sees every verb that is asked of a memory, for telemetry.

    It gets the name of the verb, its plan and its arguments, and returns the plan that is carried
    out in its place: most often a generator that delegates to the plan with ``yield from``, and
    looks at the clock, the result or the error around it. `SyncMemory.stream_records` has a plan
    for each batch.
    """

    def __call__(self, verb: str, plan: Plan[T], /, *args: Any, **kwargs: Any) -> Plan[T]:
        """Returns the plan to carry out."""
        ...


def spell_out_keywords(keywords: type[Any]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Shows the ``**keywords`` of a verb one by one, so that Shift-Tab and Tab offer them.

    Args:
        keywords: a TypedDict with their names and types.
    """

    def spell_out(verb: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(verb)
        *others, _ = signature.parameters.values()
        spelled = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                # As it is written in the source; a ForwardRef around it would only clutter the help.
                annotation=getattr(kind, "__forward_arg__", kind),
            )
            for name, kind in keywords.__annotations__.items()
        ]
        verb.__signature__ = signature.replace(parameters=[*others, *spelled])  # type: ignore[attr-defined]
        return verb

    return spell_out


spell_out_filters = spell_out_keywords(FilterArgs)
"""Shows ``**filters`` of a verb as the keywords it takes."""


class Verbs:
    """Every verb of a memory, over the plans of its store; for ``**filters`` see `SyncMemory`.

    Args:
        store: where the records are.
        clock: gives Unix seconds.
        summarizer: what `summarize` calls; None for ``"extractive"``.
        default_mode: how to search where a verb is called without ``mode``.
        options: what modes that rank are asked for.
        meanings: the embedder, for searches by meaning.

    Attributes:
        clock: gives Unix seconds.
        default_mode: how to search where a verb is called without ``mode``.
        options: what modes that rank are asked for.
        thresholds: from which relevance on a record answers a question at all.
        upkeep: None, or the policy that is applied at writes; see `forget`.
        watch: None, or what the faces hand every plan to before it is carried out; see `Watch`.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        summarizer: SummarizerLike | None,
        default_mode: SearchMode,
        options: SearchOptions,
        meanings: Meanings,
    ) -> None:
        self._store = store
        self.clock = clock
        self._summarizer = summarizer
        self.default_mode = check_mode(default_mode, "default_mode")
        self.options = options
        self._meanings = meanings
        self.thresholds = Thresholds(meanings)
        self.watch: Watch | None = None
        self.upkeep: Upkeep | None = None

    # ---- one record

    def add(
        self,
        key: str,
        value: dict[str, Any],
        ttl: Duration | None = None,
        *,
        sliding: bool = False,
    ) -> Plan[None]:
        """Adds or replaces a record and makes it the newest.

        Args:
            key: non-empty text, for example from `create_memory_key`.
            value: a JSON object; it is copied, never aliased.
            ttl: time until it no longer exists, in seconds, as a timedelta or as text such
                as ``"15m"``; None for never, also when the record it replaces had one.
            sliding: whether the time begins again each time the record is read by its key, at least where that would move
                its end by a 64th of the time. Reading does not write the value again.

        Raises:
            InvalidArgument: the key or the ttl, sliding without a ttl.
            NotStorable: the value; the error names the path.
        """
        return self._store.write(entry_for(key, value, ttl, self.clock(), sliding))

    def get(self, key: str) -> Plan[dict[str, Any] | None]:
        """Returns a fresh copy of the value and makes it the newest; None when there is none.

        Raises:
            ServerError: the record on the server cannot be read; the message says why.
            MissingPackage: it cannot be read without a package, which the message names.
        """
        entry = yield from self._store.read(key)
        return None if entry is None else _readable(entry).value()

    def delete(self, key: str) -> Plan[bool]:
        """Deletes a record; returns whether there was one."""
        change = yield from self._store.remove((key,))
        return bool(change.removed)

    def touch(self, keys: Iterable[str], ttl: Duration | None = None) -> Plan[int]:
        """Has records expire later, and makes them the newest, without writing their values again.

        Args:
            keys: of which records; those that do not exist are ignored.
            ttl: time from now until they no longer exist, as in `add`; records that slide go on with this time. None: only the
                time of records that slide begins again.

        Returns:
            How many of the records exist.

        Raises:
            InvalidArgument: a key, the ttl.
        """
        seconds = None if ttl is None else duration(ttl)
        wanted = list(dict.fromkeys(map(check_key, _listed(keys))))
        return (yield from self._store.touch(wanted, seconds)) if wanted else 0

    def ttl(self, key: str) -> Plan[float | None]:
        """Returns the seconds until a record expires; None for never and for no record."""
        # Before the store looks at its own clock: what it finds alive has some time left.
        now = self.clock()
        expires_at = yield from self._store.expires_at(key)
        return None if expires_at is None else expires_at - now

    # ---- many records

    def add_many(
        self,
        items: Mapping[str, dict[str, Any]] | Iterable[tuple[str, dict[str, Any]]],
        ttl: Duration | None = None,
    ) -> Plan[int]:
        """Adds records in turn, all or, when one of them is refused, none.

        Args:
            items: values by key, or (key, value) pairs.
            ttl: as in `add`, the same for all.

        Returns:
            How many were written. More than ``max_size`` evict one another, as in `add`.

        Raises:
            InvalidArgument: a key or the ttl, an item that is no pair.
            NotStorable: a value; the path starts with its key.
        """
        seconds = None if ttl is None else duration(ttl)
        entries = list(entries_of(items, self.clock(), seconds, "items", 2))
        yield from self._store.put_for_good(entries)
        return len(entries)

    def apply(
        self, puts: Puts, deletes: Iterable[str] = (), *, expect: Expected | None = None
    ) -> Plan[Change]:
        """Writes and deletes records in one step: nobody ever sees a part of it.

        Args:
            puts: values by key, or tuples ``(key, value)``, ``(key, value, ttl)`` and ``(key, value, ttl, sliding)``, as in
                `add`. Of a key that comes twice, the last value counts.
            deletes: keys of records to delete; those that do not exist are ignored.
            expect: what must hold, or else nothing is done: ``{key: None}``, there is no such record;
                ``{key: record.version}``, the record has not been written or deleted since it was read. The keys need not be
                those that are written.

        Returns:
            The change, which `undo` can take back.

        Raises:
            Conflict: a record is not as expected; ``error.keys`` names all of them.
            InvalidArgument: a key, a time to live, a version, a key that is to be written and deleted, more than
                50,000 records in all.
            NotStorable: a value; the path starts with its key.
            StoreUnavailable: with ``expect`` in an outage, in which nobody can tell what other clients have written. Without
                ``expect``, the step is carried out in this process, and reaches the server in one step as well; of what
                others have written by then, the newest instant wins, record by record.
        """
        step = applied(puts, deletes, expect, self.clock())
        return self._store.apply(step.entries, step.deletes, step.expect)

    def get_many(self, keys: Iterable[str]) -> Plan[dict[str, dict[str, Any]]]:
        """Returns fresh values by key, of the keys that exist, and makes each the newest in order.

        Raises:
            ServerError, MissingPackage: as `get`.
        """
        found = yield from self._fetched(keys)
        return {entry.key: _readable(entry).value() for entry in found}

    def get_records(self, keys: Iterable[str]) -> Plan[list[MemoryRecord]]:
        """Returns the records of the keys that exist, in the order asked, and makes them newest."""
        found = yield from self._fetched(keys)
        return [self._record(entry) for entry in found]

    @spell_out_filters
    def keys(self, **filters: Unpack[FilterArgs]) -> Plan[list[str]]:
        """Returns the keys, least recently used first."""
        return self._store.keys(self._filters(filters))

    @spell_out_filters
    def records(
        self,
        limit: int | None = None,
        *,
        offset: int = 0,
        order: ListOrder | None = None,
        **filters: Unpack[FilterArgs],
    ) -> Plan[list[MemoryRecord]]:
        """Returns records, the most recently used first; does not change the order of use.

        Args:
            limit: how many records at most; None for all.
            offset: how many of the first records to leave out.
            order: another order. A record that is read between two pages moves in the order of use, but neither
                in the order ``"written"`` nor in ``"key"``.
            **filters: see the class.

        Raises:
            InvalidArgument: a limit below 1, an offset below 0, another order, a filter.
        """
        search = self._search(None, limit, None, filters, offset, order)
        found = yield from self._store.find(search)
        return [self._record(hit.entry) for hit in found]

    @spell_out_filters
    def entries(
        self,
        query: str | None = None,
        limit: int | None = None,
        mode: SearchMode | None = None,
        *,
        offset: int = 0,
        order: ListOrder | None = None,
        **filters: Unpack[FilterArgs],
    ) -> Plan[list[Entry]]:
        """Returns what `search_records` does, or `records` without a query, but still encoded.

        This is for callers that look at a few of very many records: nothing is decoded, and a
        million entries are a list of a million references. Entries belong to the memory: read
        them, and change nothing.

        Args:
            query: text; None for any record.
            limit: how many entries at most; None for all.
            mode: see `search`.
            offset: as in `records`.
            order: as in `records`.
            **filters: see the class.

        Raises:
            InvalidArgument: as `search_records`.
        """
        found = yield from self._find(self._search(query, limit, mode, filters, offset, order))
        return [hit.entry for hit in found]

    @spell_out_filters
    def hits(
        self,
        query: str | None = None,
        limit: int | None = None,
        mode: SearchMode | None = None,
        *,
        weights: SearchWeights | None = None,
        offset: int = 0,
        order: ListOrder | None = None,
        **filters: Unpack[FilterArgs],
    ) -> Plan[Found[Hit]]:
        """Returns what `entries` does with all that the search knows of each entry.

        A `Hit` has the entry, its ``score``, and on demand ``spans`` (where it matches) and
        ``explanation`` (where its score comes from).

        Args:
            query: text; None for any record.
            limit: how many hits at most; None for all.
            mode: see `search`.
            weights: how much each signal counts in a mode that ranks; None for the memory's own.
            offset: as in `records`.
            order: as in `records`.
            **filters: see the class.

        Returns:
            The hits, the best first, as a list with the attribute ``reading``: None in the mode ``"keyword"``, and
            otherwise a `Reading` that says how the query was understood.

        Raises:
            InvalidArgument: as `search_records`, or weights without a meaning.
        """
        search = self._search(query, limit, mode, filters, offset, order)
        return self._hits(search if weights is None else search.weighing(check_weights(weights)))

    def peek(self, keys: Iterable[str]) -> Plan[list[Entry]]:
        """Returns the entries of the keys that exist, in the order asked; their order of use stays."""
        return self._store.peek(_listed(keys))

    def change_token(self) -> Plan[object]:
        """Returns a token, like an ETag: equal tokens mean equal records in equal order.

        The token differs from every earlier one once a record was written, read, deleted or has
        expired. It costs next to nothing in memory, and two round trips on a server, where the
        writes and reads of other clients count as well.
        """
        return self._store.change_token()

    def folders(self, prefix: str = "", depth: int | None = None) -> Plan[list[str]]:
        """Returns the folders of all keys: what stands before the last ``/`` of each, every folder once.

        They are worked out where the records are, so that on a server no key crosses the wire. Keys without a folder do
        not count. The order of use stays.

        Args:
            prefix: what the keys begin with.
            depth: only so many parts of each folder, at least 1; None for all. ``/users/alice`` has two.

        Returns:
            The folders, sorted.

        Raises:
            InvalidArgument: a prefix that is no text, a depth below 1.
        """
        prefix, depth = check_folders(prefix, depth)
        found = yield from self._store.folders(prefix, depth)
        return sorted(found)

    # ---- messages of a session

    def append(
        self,
        user: str,
        session: str,
        values: Iterable[dict[str, Any]],
        ttl: Duration | None = None,
    ) -> Plan[list[str]]:
        """Adds messages to the end of a session, all in one step, under numbers that the store gives in that step.

        So agents that append to one session at the same time, in any number of processes, never get the same number, also
        not that of a message which was deleted. In an outage, this machine gives numbers that no other one does, by the
        instant; when the server is back, the messages of all machines are in the order of their instants.

        Args:
            user: first part of the keys, without ``:``.
            session: second part of the keys, without ``:``.
            values: JSON objects, in order; they are copied.
            ttl: as in `add`, the same for all.

        Returns:
            The keys in order, each of which reads ``user:session:number``. The number is an instant in microseconds, so that keys
            of a session sort in its order. Filters by user and session find the messages.

        Raises:
            InvalidArgument: a name that is empty or contains ``:``, the ttl, more than 50,000 values.
            NotStorable: a value; the path starts with its place, ``values[2]``.
        """
        owner = owner_of(user, session)
        seconds = None if ttl is None else duration(ttl)
        entries = messages_of(values, self.clock(), seconds)
        return (yield from self._store.append(owner, entries)) if entries else []

    def history(self, user: str, session: str, last: int | None = None) -> Plan[list[MemoryRecord]]:
        """Returns the messages that were appended to a session, the first one first; the order of use stays.

        Args:
            user: as in `append`.
            session: as in `append`.
            last: only so many of the last ones; 0 gives none, None all.

        Raises:
            InvalidArgument: a name that is empty or contains ``:``; a number below 0.
        """
        found = yield from history(self._store, user, session, last)
        return [self._record(entry) for entry in found]

    # ---- search

    def search(
        self, query: str, limit: int | None = 5, mode: SearchMode | None = None
    ) -> Plan[list[dict[str, Any]]]:
        """Returns the values of the records that answer a query.

        In the mode ``"keyword"`` these have a field name or leaf value that contains the query, and come
        newest first. Upper and lower case, and composed and decomposed accents, are the same. An
        empty query finds nothing. A search does not change the order of use.

        Args:
            query: text.
            limit: how many values at most; None for all.
            mode: how to search; None for the memory's ``default_mode``.

        Raises:
            InvalidArgument: a limit below 1, a query that is not text, another mode.
            EmbedderError: the embedder fails, in the mode ``"semantic"``.
            MissingPackage: the embedder is not installed, in the mode ``"semantic"``.
        """
        search = search_for(query, limit, mode, self)
        return values_of((yield from self._find(search)))

    @spell_out_filters
    def search_records(
        self,
        query: str,
        limit: int | None = 5,
        mode: SearchMode | None = None,
        *,
        offset: int = 0,
        order: ListOrder | None = None,
        **filters: Unpack[FilterArgs],
    ) -> Plan[Found[MemoryRecord]]:
        """Returns what `search` finds as records with ``score`` and ``matches``; takes filters.

        Args:
            query: text.
            limit: how many records at most; None for all.
            mode: see `search`.
            offset: how many of the first records to leave out.
            order: another order than that of the mode, see `records`.
            **filters: see the class.

        Returns:
            The records. The list has the attribute ``reading``, which is None in the mode
            ``"keyword"`` and otherwise a `Reading` that says how the query was understood.

        Raises:
            InvalidArgument: a limit below 1, a query that is not text, another mode, a filter.
            EmbedderError, MissingPackage: as `search`.
        """
        search = self._search(query, limit, mode, filters, offset, order, optional=False)
        found = yield from self._hits(search)
        return Found(map(self._found, found), found.reading)

    @spell_out_filters
    def stream_records(
        self,
        query: str | None = None,
        limit: int | None = None,
        mode: SearchMode | None = None,
        **filters: Unpack[FilterArgs],
    ) -> Iterator[Plan[list[MemoryRecord]]]:
        """Yields what `search_records` finds, or `records` without a query, as it is consumed.

        A record is looked at when the caller asks for it: what has been deleted, has expired or
        does not match any more by then is left out. What exists and matches all the time comes
        exactly once, in the order of use at the beginning.

        Args:
            query: text; None for any record.
            limit: how many records at most; None for all.
            mode: see `search`.
            **filters: see the class.

        Raises:
            InvalidArgument: as `search_records`, at once.
        """
        return self._batches(self._search(query, limit, mode, filters))

    def _batches(self, search: Search) -> Iterator[Plan[list[MemoryRecord]]]:
        """Yields plans, to be carried out one after the other, until the limit is reached."""
        taken, limit = 0, search.limit

        def decoded(batch: Plan[list[Hit]]) -> Plan[list[MemoryRecord]]:
            nonlocal taken
            found = yield from batch
            wanted = found if limit is None else found[: limit - taken]
            taken += len(wanted)
            return list(map(self._found, wanted))

        needs_meaning = search.text and search.mode in BY_MEANING
        store = self._store
        batches = self._meanings.stream(store, search) if needs_meaning else store.stream(search)
        for batch in batches:
            yield decoded(batch)
            if taken == limit:
                return

    @spell_out_filters
    def count(
        self,
        query: str | None = None,
        mode: SearchMode | None = None,
        **filters: Unpack[FilterArgs],
    ) -> Plan[int]:
        """Returns how many records `search_records` finds without a limit.

        Args:
            query: text; None for any record.
            mode: see `search`.
            **filters: see the class.

        Raises:
            InvalidArgument: as `search_records`.
        """
        search = self._search(query, None, mode, filters)
        if search.text and search.mode in BY_MEANING:
            return self._meanings.count(self._store, search)
        return self._store.count(search)

    @spell_out_filters
    def why(
        self,
        query: str,
        key: str,
        limit: int | None = 5,
        mode: SearchMode | None = None,
        **filters: Unpack[FilterArgs],
    ) -> Plan[Why]:
        """Returns where a record stands in the answer to a query, and why it is not found.

        Args:
            query: text.
            key: key of the record that one had hoped for.
            limit: how many records the search gives at most; None for all.
            mode: see `search`.
            **filters: see the class.

        Returns:
            The rank of the record among all that answer, its score beside that of the best one, what
            keeps it out, and the smallest change that finds it.

        Raises:
            InvalidArgument: as `search_records`.
        """
        search = self._search(query, limit, mode, filters, optional=False)
        return why(self, query, check_key(key), search.limit, search.mode, filters)

    @spell_out_filters
    def pack(
        self,
        query: str,
        budget: int = 800,
        tokens: Tokens | None = None,
        mode: SearchMode | None = None,
        threshold: float | None = None,
        cite: Cite = "short",
        **filters: Unpack[FilterArgs],
    ) -> Plan[Pack]:
        """Returns what to put into a prompt for a question, within a budget of tokens.

        The records that answer best are taken, without near-duplicates. They come by time within their
        session, each in one line that cites its key, below the instant that it is from. If not even the best one
        is relevant, the text is empty. The ledger of the pack says what was left out, and why.

        Args:
            query: the question.
            budget: how many tokens the text may have.
            tokens: counts the tokens of a text: a function that returns how many there are, or the tokens
                themselves, such as ``tiktoken.get_encoding(...).encode``. The text is counted as a whole, so the
                budget holds for any tokenizer. None for an estimate, which is more often too high than too low.
            mode: how to search; None for ``"hybrid"``, or for ``"ranked"`` if no embedder is installed.
            threshold: the relevance that the best record needs, 0 for any; None to have the memory work it out:
                nine of ten questions that it cannot answer stay below. The first pack asks the memory 64
                questions for that, or 16 if its embedder is slow; the answer is kept until a fifth of its
                records have come or gone.
            cite: ``"short"`` cites a record by the first characters of the hash of its key, which
                `Pack.key_of` turns into the key; ``"key"`` by the whole key, as a key without a hash always is.
            **filters: see the class.

        Raises:
            InvalidArgument: a budget below 1 or below the tokens of an empty text, a tokenizer that fails, a query
                that is not text, another mode, a filter.
            EmbedderError, MissingPackage: as `search`.
        """
        from .packing.pack import Wanted, pack

        search = self._search(query, None, mode or "hybrid", filters, optional=False)
        wanted = Wanted(query, budget, tokens, search.mode, threshold, cite, self._found)
        return pack(self, wanted, filters)

    def build_index(self, seconds: float | None = None) -> Plan[int]:
        """Does the index work that searches would do a little at a time.

        No search needs this; after a large import it makes the first ones quicker.

        Args:
            seconds: when to stop at the latest, give or take some milliseconds; None: when done;
                0: at once.

        Returns:
            How many records are still unindexed.

        Raises:
            InvalidArgument: seconds that are neither 0 nor a positive number.
        """
        return self._store.build_index(seconds)

    @spell_out_filters
    def embed(self, progress: Progress | bool = False, **filters: Unpack[FilterArgs]) -> Plan[int]:
        """Makes the vectors that searches by meaning need, ahead of the first of them.

        No search needs this. A search by meaning makes the vectors that it lacks, which takes long in a
        large memory with a slow embedder. What was embedded stays, also if this is interrupted.

        Args:
            progress: show a progress bar, or a callable that wraps an iterable in one.
            **filters: of which records; see the class.

        Returns:
            How many texts were embedded.

        Raises:
            EmbedderError: the embedder fails.
            MissingPackage: the embedder is not installed.
        """
        search = Search(filters=self._filters(filters))
        return self._meanings.rehearse(self._store, search, Bar(progress))

    @spell_out_keywords(CheckArgs)
    def diagnose(
        self,
        checks: str | Iterable[str] | None = None,
        progress: Progress | bool = False,
        **options: Unpack[CheckArgs],
    ) -> Plan[Diagnosis]:
        """Looks for what is wrong with the records, and changes nothing.

        The records are looked at as they are when the call begins, whatever is written meanwhile. The work is done in short
        slices: an interrupt, or the cancellation of an awaiting task, ends it at once.

        Args:
            checks: names of checks, as text with commas or one by one; None for all of them.
            progress: show a progress bar, or a callable that wraps an iterable in one.
            **options: parameters of the checks, and filters that say which records are looked at.

        Returns:
            The findings, the most harmful first; a list with attributes that say what was looked at, and what could not be.

        Raises:
            InvalidArgument: there is no such check, or a parameter or a filter is wrong.
            MissingPackage: a check that was named needs a package that is not installed. Without names, such
                checks are left out, which ``skipped`` says.
            EmbedderError: the embedder fails, for the check ``"similar-meaning"`` if it was named.
        """
        from .doctor.run import diagnose

        parameters = {name: options.pop(name, None) for name in PARAMETERS}  # type: ignore[misc]
        wanted = chosen(checks, parameters)
        search = Search(filters=self._filters(options), order="oldest")
        hits = yield from self._store.find(search)
        entries = [hit.entry for hit in hits]
        bar = Bar(progress, "examining")
        return (
            yield from diagnose(self._store, self._meanings, entries, wanted, self.clock(), bar)
        )

    # ---- taking out and putting back

    def clear(self) -> Plan[None]:
        """Deletes every record of this namespace."""
        return self._store.clear()

    @spell_out_filters
    def remove(
        self, keys: Iterable[str] | None = None, **filters: Unpack[FilterArgs]
    ) -> Plan[Change]:
        """Deletes records in a way that `undo` can take back.

        Args:
            keys: which records; or
            **filters: delete what they accept; see the class.

        Returns:
            The change, which holds the deleted records in memory as long as it is kept.

        Raises:
            InvalidArgument: neither or both of keys and filters.
        """
        if isinstance(keys, str):
            raise InvalidArgument(f"keys={brief(keys)}: give a list of keys")
        compiled = self._filters(filters)
        # Filters that are all None would delete everything: their caller lost one on the way.
        if (keys is None) == (compiled == EVERYTHING):
            raise InvalidArgument("give either keys or filters; clear() deletes everything")
        if keys is not None:
            return self._store.remove(list(keys))
        return self._store.remove_matching(compiled)

    def take_all(self) -> Plan[Change]:
        """Deletes every record, as `clear`, in a way that `undo` can take back."""
        return self._store.remove_matching()

    def resize(self, max_size: int) -> Plan[Change]:
        """Sets the capacity in records; what a smaller one evicts can be taken back by `undo`.

        Raises:
            InvalidArgument: a capacity below 0.
        """
        return self._store.resize(max_size)

    def undo(self, change: Change) -> Plan[Change]:
        """Takes a change back; what has been written under the same keys since then stays.

        Raises:
            InvalidArgument: the change was made to another memory.
        """
        return self._store.revert(change)

    # ---- in and out

    @spell_out_filters
    def export(
        self,
        path: str | PathLike[str],
        format: str | None = None,
        progress: Progress | bool = False,
        **filters: Unpack[FilterArgs],
    ) -> Plan[int]:
        """Writes records to a file, least recently used first; see `tta_memory_nb.transfer`.

        Args:
            path: the file; it is replaced in one step when everything is written.
            format: ``"jsonl"`` (lossless), ``"csv"`` or ``"parquet"``; None: by the suffix.
            progress: show a progress bar, or a callable that wraps an iterable in one.
            **filters: see the class.

        Returns:
            How many records were written.

        Raises:
            TransferError: an unknown format, a file that cannot be written.
            MissingPackage: ``parquet`` without pyarrow.
        """
        from ..transfer import write_file

        search = Search(filters=self._filters(filters), order="oldest")
        found = yield from self._store.find(search)
        records = (self._record(hit.entry) for hit in found)
        return write_file(path, format, records, len(found), progress)

    def import_(
        self,
        source: ImportSource,
        format: str | None = None,
        *,
        key: str = "key",
        user: str | None = None,
        session: str | None = None,
        on_error: Literal["raise", "skip"] = "raise",
        grow: bool = False,
        progress: Progress | bool = False,
    ) -> Plan[ImportReport]:
        """Adds records from a file, a DataFrame, chat messages or a named dataset.

        Args:
            source: path of a .jsonl, .csv, .parquet or .json file; a DataFrame; records; a list
                of ``{role, content, ...}`` messages; a mapping of conversations; or the name of
                a dataset, ``"chitchat"``.
            format: file format; None: by the suffix.
            key: the column that holds the key, in tables.
            user: user of the keys made for messages; None: each message's sender.
            session: session of the keys made for a list of messages.
            on_error: ``"raise"`` changes nothing when a record is broken, ``"skip"`` imports
                the others and lists the broken ones in the report.
            grow: raise ``max_size`` as far as needed.
            progress: show a progress bar, or a callable that wraps an iterable in one.

        Raises:
            TransferError: the source cannot be read, or holds broken records.
            CapacityExceeded: the source holds more records than ``max_size``.
            MissingPackage: the dataset or pyarrow is not installed.
        """
        from ..transfer import import_into

        return import_into(
            self._store,
            source,
            format,
            key=key,
            user=user,
            session=session,
            on_error=on_error,
            grow=grow,
            progress=progress,
            now=self.clock(),
        )

    @spell_out_filters
    def summarize(
        self,
        keep_last: int = 10,
        older_than: Duration | None = None,
        into: str | None = None,
        originals: Originals = "keep",
        expire_in: Duration = "7d",
        dry_run: bool = False,
        summarizer: SummarizerLike | None = None,
        timeout: Duration = 60.0,
        **filters: Unpack[FilterArgs],
    ) -> Plan[Summary]:
        """Makes old records one summary, a record that lists the keys it comes from.

        What is written is written in one step: a crash leaves everything as it was, or the whole of it, and a
        record that has changed meanwhile refuses it. Called again, it adds to the summary what has been
        said since, without another look at what is in it. `undo` takes ``summary.change`` back.

        Args:
            keep_last: so many of the newest records are left alone.
            older_than: records that were written within this time are left alone as well; None for no such limit.
            into: key of the summary; None for one that the user and the session give, always the same.
            originals: what becomes of the summarized records: ``"keep"`` leaves them as they are, ``"expire"`` lets them
                expire, ``"delete"`` deletes them.
            expire_in: when they expire, with ``originals="expire"``; those that expire earlier still do.
            dry_run: write nothing; the summarizer is asked nevertheless.
            summarizer: makes the text; None for the memory's own, and without one for ``"extractive"``, which
                chooses sentences. An async one runs on the loop of a caller who awaits, and otherwise in a
                short-lived thread with a loop of its own.
            timeout: how long the summarizer may take.
            **filters: which records are summarized; see the class. Summaries never are.

        Raises:
            InvalidArgument: an argument; a key of another record for ``into``; more than 25,000 records.
            SummarizerError: the summarizer fails, takes too long, or gives no text.
            Conflict: a record has been changed or deleted while the summarizer worked.
            StoreUnavailable: in an outage, in which nobody can tell whether a record has changed.
        """
        from .summarizing.summarize import Wanted, summarize

        own = self._summarizer if summarizer is None else summarizer
        wanted = Wanted(
            open_summarizer(DEFAULT if own is None else own, self.options.language),
            keep_last,
            older_than,
            into,
            originals,
            expire_in,
            dry_run,
            timeout,
        )
        return summarize(self, self._store, self._record, wanted, filters)

    @spell_out_filters
    def forget(
        self,
        policy: ForgetPolicy | None,
        dry_run: bool = False,
        everything: bool = False,
        every: Duration | None = None,
        **filters: Unpack[FilterArgs],
    ) -> Plan[Forgetting]:
        """Deletes the records that a policy lets go; `undo` takes ``change`` of the result back.

        A record that somebody writes meanwhile stays. So do pinned ones, see `ForgetPolicy`.

        Args:
            policy: says which records may go; None to end what ``every`` has begun.
            dry_run: delete nothing; the table of the result says which records would go, and why.
            everything: delete all records, if that is what the policy says; without it, this is an error.
            every: also apply the policy later, after a write of this process when so much time has passed. It then never
                deletes all records; what goes wrong is logged, and does not fail the write.
            **filters: which records the policy is about; see the class.

        Raises:
            InvalidArgument: it is no policy, its tokenizer fails, or it would delete every record it is about.
            StoreUnavailable: in an outage, in which nobody can tell whether a record has changed.
        """
        from .forgetting.forget import Forgetting, check_policy, forget
        from .forgetting.upkeep import Upkeep

        seconds = None if every is None else duration(every, "every")
        if policy is None:
            self.upkeep = None
            return Forgetting((), 0, None, dry_run)
        done = yield from forget(
            self, self._store, check_policy(policy), dry_run, everything, filters
        )
        if seconds is not None and not dry_run:
            self.upkeep = Upkeep(self, self._store, policy, seconds, filters)
        return done

    # ---- about the memory

    def size(self) -> Plan[int]:
        """Returns the number of records."""
        return self._store.size()

    def stats(self) -> Plan[dict[str, int]]:
        """Returns ``bytes`` of all values as JSON, the same as ``stored``, and ``expiring`` records."""
        return self._store.stats()

    def get_backend_info(self) -> Plan[dict[str, Any]]:
        """Returns what the memory runs on and what that promises; no value holds a password.

        ``backend`` ("in-memory", "file" or "redis"), ``fallback_available`` (whether work goes on without a
        server), ``namespace``, ``size`` and ``max_size`` (records; None: no limit), ``evictions``,
        ``durability`` (what holds when a write is acknowledged, as given when the memory was made). With a file
        also ``path``, ``size_on_disk`` (bytes, with the log beside the file) and ``other_processes`` (``pid``,
        ``program`` and ``since``, in Unix seconds, of each other process of this package that has the file
        open; None if that cannot be found out). With a server also ``redis_url``, ``server`` (name and version, as far as it tells),
        ``reads_not_noted`` (records read while the server could not write, which the order of use lacks),
        ``lost_on_server`` (writes that this process knows and that the server has lost, see `reconnect`),
        ``clock_skew`` (seconds by which the clock of this machine is ahead of the server's, or None),
        ``degraded`` (whether it is away), and of an outage ``degraded_since`` (Unix seconds),
        ``degraded_because`` and ``writes_waiting`` (records); size and evictions are then those
        known here. ``journal`` (path of the file that keeps such writes, or None).

        What the server promises now, each None where it does not say or its user may not ask:
        ``persistence`` (a dict: ``aof``, whether it has an append-only file; ``fsync``, how often that reaches the
        disk; ``aof_status`` and ``last_save_status``, ``"ok"`` or how it failed; ``snapshots``, the rules for them, empty
        for none; ``last_save``, Unix seconds), ``replicas`` (a dict each: ``address``, ``state``,
        ``lag`` in seconds since it reported, ``behind`` in bytes), ``eviction_policy`` and
        ``max_memory`` (bytes; 0: no limit), ``promised_at`` (when the server said so, Unix seconds; in an outage
        an earlier instant), ``last_failover`` (when this process went over to another primary last, Unix
        seconds). ``dangers`` says in words what of it is dangerous, the worst first.

        ``writes_refused`` has, by key, the last write of an outage that the server then
        refused for good: an object with ``kind``, ``reason``, ``at`` (Unix seconds) and ``value``.

        ``server_search`` is as given when the memory was made. Unless it is None or ``"off"``, ``index_records`` says how many
        records the index on the server has, ``index_pending`` how many it does not have as they are now,
        ``index_without_vector`` how many wait for a vector, and ``index_bytes`` how large the index is; in an outage these are missing.

        ``embedder`` is the name of the embedder, ``embedder_dim`` the size of its vectors (None before the first),
        ``vectors`` how many this process has, and ``embedder_failed`` why the last search by meaning had
        to do without it, or None.
        """
        about = yield from self._store.about()
        return about | self._meanings.about()

    def reconnect(self, restore_from_here: bool = False) -> Plan[bool]:
        """Tries the server now; returns whether the records are on it.

        Args:
            restore_from_here: also write what the server has lost because it came back older than it was,
                as far as this process knows it: ``lost_on_server`` of `get_backend_info` says how much. A
                record that was written since, at a later instant, stays.
        """
        return self._store.reconnect(restore_from_here)

    # ---- what the verbs have in common

    def _find(self, search: Search) -> Plan[list[Hit]]:
        if search.text and search.mode in BY_MEANING:
            return self._meanings.find(self._store, search)
        return self._store.find(search)

    def _hits(self, search: Search) -> Plan[Found[Hit]]:
        """Returns what `_find` does, with how the query was understood."""
        found = yield from self._find(search)
        return found if isinstance(found, Found) else Found(found)

    def _fetched(self, keys: Iterable[str]) -> Plan[list[Entry]]:
        return self._store.fetch(_listed(keys))

    def _filters(self, filters: FilterArgs) -> Filters:
        if not filters:
            return EVERYTHING
        for name in filters:
            if name not in FilterArgs.__annotations__:
                known = ", ".join(FilterArgs.__annotations__)
                raise TypeError(f"{name!r} is no argument and no filter; the filters are {known}")
        compiled = Filters.build(self.clock(), **filters)
        return EVERYTHING if compiled == EVERYTHING else compiled

    def _search(
        self,
        query: str | None,
        limit: int | None,
        mode: SearchMode | None,
        filters: FilterArgs,
        offset: int = 0,
        order: ListOrder | None = None,
        *,
        optional: bool = True,
    ) -> Search:
        """Returns what is asked, checked; a query that is not optional must not be None."""
        mode = self.default_mode if mode is None else check_mode(mode)
        if query is None and optional:
            mode = "keyword"  # there is nothing to rank by
        else:
            check_query(query)  # type: ignore[arg-type]
        return Search(
            query,
            mode,
            self._filters(filters),
            check_limit(limit),
            check_offset(offset),
            check_order(order, mode),
            options=self.options,
        )

    def _record(self, entry: Entry) -> MemoryRecord:
        return entry.record(self._store.namespace, self._store.version(entry))

    def _found(self, hit: Hit) -> MemoryRecord:
        return hit.record(self._store.namespace, self._store.version(hit.entry))


def kept_up(verbs: Verbs, name: str, plan: Plan[T]) -> Plan[T]:
    """Returns the plan of a verb, followed by what has to be done after writes."""
    upkeep = verbs.upkeep
    if upkeep is None:
        return plan
    from .forgetting.upkeep import WRITES

    return upkeep.after(plan) if name in WRITES else plan


def entry_for(
    key: str, value: dict[str, Any], ttl: Duration | None, now: float, sliding: bool = False
) -> Entry:
    """Returns what `Verbs.add` writes to the store, checked."""
    return new_entry(key, value, now, None if ttl is None else duration(ttl), sliding=sliding)


def _readable(entry: Entry) -> Entry:
    """Returns the entry, or raises the error that says why it cannot be read."""
    if isinstance(entry, Unreadable):
        raise entry.error()
    return entry


def value_of(entry: Entry | None) -> dict[str, Any] | None:
    """Returns what `Verbs.get` makes of what the store has read."""
    return None if entry is None else from_json(entry.text)


def search_for(query: str, limit: int | None, mode: SearchMode | None, verbs: Verbs) -> Search:
    """Returns what `Verbs.search` asks of the store, checked."""
    mode = verbs.default_mode if mode is None else check_mode(mode)
    if mode == "keyword":  # the options are for other modes
        return Search(check_query(query), limit=check_limit(limit))
    return Search(check_query(query), mode, limit=check_limit(limit), options=verbs.options)


def values_of(hits: Iterable[Hit]) -> list[dict[str, Any]]:
    """Returns what `Verbs.search` makes of what the store has found."""
    return [from_json(hit.entry.text) for hit in hits]


def _listed(keys: Iterable[str]) -> list[str]:
    """Returns the keys as a list. One text is refused: its letters would be taken for keys."""
    if isinstance(keys, str):
        raise InvalidArgument(f"keys={brief(keys)}: give a list of keys, or use get for one")
    return list(keys)
