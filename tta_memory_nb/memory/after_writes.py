"""What a memory does by itself after its writes, such as to forget or to summarize."""

from __future__ import annotations

from typing import Protocol, TypeAlias, TypeVar

from ..stores.plan import Plan

T = TypeVar("T")

WRITES = frozenset(
    (
        "add",
        "add_many",
        "apply",
        "append",
        "approve",
        "import_",
        "release",
        "carry_out",
        "summarize",
    )
)
"""The verbs after which something is done."""


class AfterWrites(Protocol):
    """Something that is done after writes. What goes wrong with it is logged: the write has been carried out."""

    def after(self, plan: Plan[T]) -> Plan[T]:
        """Returns a plan that carries out a write, and then what is due."""
        ...


Upkeep: TypeAlias = tuple[AfterWrites, ...]
"""All that is done after writes, in order."""


def with_upkeep(
    there: Upkeep | None, kind: type[AfterWrites], wanted: AfterWrites | None
) -> Upkeep | None:
    """Returns what is done after writes once another one of a kind takes the place of the present one.

    Args:
        there: what is done until now; None for nothing.
        kind: the class of what is replaced.
        wanted: an object of this class, which comes last; None to do without.

    Returns:
        All of it, or None for nothing: a memory looks at this alone before it takes a shortcut.
    """
    others = tuple(each for each in there or () if not isinstance(each, kind))
    return (others if wanted is None else (*others, wanted)) or None


def kept_up(upkeep: Upkeep | None, verb: str, plan: Plan[T]) -> Plan[T]:
    """Returns the plan of a verb, followed by what has to be done after writes."""
    if upkeep is not None and verb in WRITES:
        for each in upkeep:
            plan = each.after(plan)
    return plan
