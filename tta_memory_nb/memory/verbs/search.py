"""Verbs that answer questions, and those that prepare or explain the answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Unpack

from ...codec import decode, from_json
from ...filters import FilterArgs
from ...keys import check_key
from ...record import MemoryRecord
from ...search.indexes import check_mode
from ...search.paging import ListOrder
from ...search.request import Found, Hit, Search, SearchMode, check_limit, check_query
from ...stores.plan import Plan
from ...times import Instant
from ..meaning import BY_MEANING, Bar
from ..why import Why, why
from .common import also_as_of, spell_out_filters
from .listing import ListingVerbs

if TYPE_CHECKING:
    from ...transfer import Progress
    from ..packing.budget import Tokens
    from ..packing.lines import Cite
    from ..packing.pack import Fill, Pack


class SearchVerbs(ListingVerbs):
    """Searches, says why a record was not found, packs prompts, and prepares indexes and vectors."""

    @also_as_of
    def search(
        self,
        query: str,
        limit: int | None = 5,
        mode: SearchMode | None = None,
        *,
        as_of: Instant | None = None,  # noqa: ARG002  of the decorator
    ) -> Plan[list[dict[str, Any]]]:
        """Returns the values of the records that answer a query.

        In the mode ``"keyword"`` these have a field name or leaf value that contains the query, and come
        newest first. Upper and lower case, and composed and decomposed accents, are the same. An
        empty query finds nothing. A search does not change the order of use.

        Args:
            query: text.
            limit: how many values at most; None for all.
            mode: how to search; None for the memory's ``default_mode``.
            as_of: look at the records as they were at this instant; see `as_of`.

        Raises:
            InvalidArgument: a limit below 1, a query that is not text, another mode.
            EmbedderError: the embedder fails, in the mode ``"semantic"``.
            MissingPackage: the embedder is not installed, in the mode ``"semantic"``.
        """
        search = search_for(query, limit, mode, self)
        return values_of((yield from self._find(search)))

    @also_as_of
    @spell_out_filters
    def search_records(
        self,
        query: str,
        limit: int | None = 5,
        mode: SearchMode | None = None,
        *,
        offset: int = 0,
        order: ListOrder | None = None,
        as_of: Instant | None = None,  # noqa: ARG002  of the decorator
        **filters: Unpack[FilterArgs],
    ) -> Plan[Found[MemoryRecord]]:
        """Returns what `search` finds as records with ``score`` and ``matches``; takes filters.

        Args:
            query: text.
            limit: how many records at most; None for all.
            mode: see `search`.
            offset: how many of the first records to leave out.
            order: another order than that of the mode, see `records`.
            as_of: look at the records as they were at this instant; see `as_of`.
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
        return why(self, self._store, query, check_key(key), search.limit, search.mode, filters)

    @spell_out_filters
    def pack(
        self,
        query: str,
        budget: int = 800,
        tokens: Tokens | None = None,
        mode: SearchMode | None = None,
        threshold: float | None = None,
        cite: Cite = "short",
        fill: Fill = "enough",
        times: bool = False,
        **filters: Unpack[FilterArgs],
    ) -> Plan[Pack]:
        """Returns what to put into a prompt for a question, within a budget of tokens.

        The records that answer best are taken, without near-duplicates. They come by time within their
        session, each in one line that cites its key, below the day that it is from. If not even the best one
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
            fill: ``"enough"`` stops where further records would cost more than they are worth: the further down a record is,
                the better it has to be. ``"budget"`` fills the budget with all records that reach half of the best
                score.
            times: head lines by the instants that the records name, as these write them, and not by days alone.
            **filters: see the class.

        Raises:
            InvalidArgument: a budget below 1 or below the tokens of an empty text, a tokenizer that fails, a query
                that is not text, another mode, a filter.
            EmbedderError, MissingPackage: as `search`.
        """
        from ..packing.pack import Wanted, pack

        search = self._search(query, None, mode or "hybrid", filters, optional=False)
        wanted = Wanted(
            query, budget, tokens, search.mode, threshold, cite, fill, times, self._found
        )
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


def search_for(
    query: str, limit: int | None, mode: SearchMode | None, verbs: SearchVerbs
) -> Search:
    """Returns what `SearchVerbs.search` asks of the store, checked."""
    mode = verbs.default_mode if mode is None else check_mode(mode)
    if mode == "keyword":  # the options are for other modes
        return Search(check_query(query), limit=check_limit(limit))
    return Search(check_query(query), mode, limit=check_limit(limit), options=verbs.options)


def values_of(hits: Iterable[Hit]) -> list[dict[str, Any]]:
    """Returns what `SearchVerbs.search` makes of what the store has found."""
    # Calls of `from_json` would take a twentieth of the time of a search for frequent text.
    texts = [hit.entry.text for hit in hits]
    return [decode(text) if type(text) is bytes else from_json(text) for text in texts]
