"""What the arguments of a memory become: its verbs, over a store that has all that they ask for."""

from __future__ import annotations

from ...errors import InvalidArgument, brief
from ...search.options import DEFAULT_OPTIONS, SearchOptions, SearchWeights, check_weights
from ...search.request import SearchMode
from ...stores.base import Clock, Store
from ...summarizers.base import SummarizerLike
from ..companions import Companions
from ..meaning import Meanings
from ..tombstones.guard import Guard
from ..tombstones.tombstone import TombstonePolicy
from ..verbs import Verbs

_VERBS_OF_A_STORE = sorted(
    name
    for name in (*vars(Store), *Store.__annotations__)
    if not name.startswith("_")
    and name
    not in ("history", "kept_history", "keep_changes", "as_of", "forget_changes", "kept_changes")
)


def check_store(store: object) -> None:
    """Checks that an object has the verbs of a store; those of its history may be absent.

    Raises:
        InvalidArgument: it lacks some, which the message names.
    """
    lacking = [name for name in _VERBS_OF_A_STORE if not hasattr(store, name)]
    if lacking:
        raise InvalidArgument(
            f"store={brief(store)}: it lacks {', '.join(lacking)}; give an object with the "
            "verbs of tta_memory_nb.stores.base.Store"
        )


def verbs_over(
    store: Store,
    clock: Clock,
    summarizer: SummarizerLike | None,
    default_mode: SearchMode,
    options: SearchOptions,
    meanings: Meanings,
    tombstones: TombstonePolicy,
) -> Verbs:
    """Returns the verbs of a memory. A store on a server counts by the clock of that server."""
    clock = getattr(store, "clock", clock)
    companions = Companions(store, clock)
    guard = Guard(store, clock, companions, tombstones)
    return Verbs(store, clock, summarizer, default_mode, options, meanings, companions, guard)


def options_of(language: str, weights: SearchWeights | None) -> SearchOptions:
    """Returns what modes that rank are asked for, checked."""
    if language != DEFAULT_OPTIONS.language:
        from ...search.ranked.words import check_language  # imported here: compiles patterns

        check_language(language)
    if weights is None:
        return SearchOptions(language=language)
    return SearchOptions(language=language, weights=check_weights(weights))
