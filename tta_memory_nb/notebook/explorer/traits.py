"""The traits of an explorer: what code and widget both set and observe."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import traitlets

from ...errors import InvalidArgument, brief
from ...filters import FilterArgs, Filters
from ...stores.base import Clock
from .listing import RECENCY
from .state import CHARTS, MODES, PROPOSALS, RESOLVE

if TYPE_CHECKING:
    from traitlets.utils.bunch import Bunch

VIEWS = ("table", *CHARTS, PROPOSALS, RESOLVE)


class ExplorerTraits(traitlets.HasTraits):
    """What an explorer shows and how, checked whenever it is set."""

    query = traitlets.Unicode("", help="text to search for; empty for all records")
    mode = traitlets.Enum(MODES, "keyword", help="how to search")
    filters = traitlets.Dict(help="user, session, prefix, since, until, where, as in a search")
    sort_by = traitlets.Unicode(RECENCY, help="'recency', or the name of a column")
    descending = traitlets.Bool(default_value=True, help="newest or largest first")
    columns = traitlets.List(
        traitlets.Unicode(),
        None,
        allow_none=True,
        help="names of the columns in order, or None to choose the most frequent fields",
    )
    selected = traitlets.Tuple(help="keys of the selected records")
    view = traitlets.Enum(VIEWS, "table", help="which view is shown")
    live = traitlets.Bool(default_value=True, help="whether changes by others are shown at once")
    finding = traitlets.Unicode(
        "", help="check, or check/number, whose records are shown; empty for all"
    )
    golden = traitlets.Unicode("golden.jsonl", help="file that judgements of searches are added to")
    read_only = traitlets.Bool(default_value=False, help="whether records cannot be changed")

    _clock: Clock

    @traitlets.validate("filters")
    def _check_filters(self, proposal: Bunch) -> dict[str, Any]:
        filters = {name: value for name, value in proposal["value"].items() if value is not None}
        unknown = [name for name in filters if name not in FilterArgs.__annotations__]
        if unknown:
            known = ", ".join(FilterArgs.__annotations__)
            raise InvalidArgument(
                f"filters: {brief(unknown[0])} is not a filter; the filters are {known}"
            )
        Filters.build(self._clock(), **filters)
        return filters

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Bunch) -> tuple[str, ...]:
        for key in proposal["value"]:
            if not isinstance(key, str):
                raise InvalidArgument(f"selected: {brief(key)} is not a key; a key is a text")
        return tuple(dict.fromkeys(proposal["value"]))


class Derived(traitlets.TraitType[Any, Any]):
    """A read-only trait that follows from others and is worked out when it is read.

    Args:
        work_out: gives the value, from the object that has the trait.
        about: what the trait is, for its help.
    """

    def __init__(self, work_out: Callable[[Any], Any], about: str) -> None:
        super().__init__(help=about, read_only=True)
        self._work_out = work_out

    def get(self, obj: Any, cls: Any = None) -> Any:  # noqa: ARG002  the signature of traitlets
        """The value for an object, worked out now."""
        return self._work_out(obj)
