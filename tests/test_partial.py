"""The replicas of subsets: what an interrupt in the middle of a search leaves of them."""

from __future__ import annotations

from itertools import count

from backends import Clock
from chaos.clients import Interrupting

from tta_memory_nb.filters import Filters
from tta_memory_nb.stores.redis.partial import MOST_PARTIAL, Replicas
from tta_memory_nb.stores.redis.replica import Replica


def test_an_interrupt_at_any_step_leaves_the_list_of_subsets_in_order():
    clock = Clock()
    make = lambda: Replica(0, namespace="subsets", clock=clock)  # noqa: E731
    replicas = Replicas(make(), make)
    users = count()
    for at in count(1):
        interrupting = Interrupting(at)
        try:
            with interrupting:
                replicas.for_filters(Filters(user=f"user {next(users)}"))
        except KeyboardInterrupt:
            pass
        for user in range(MOST_PARTIAL):
            replicas.for_filters(Filters(user=f"another {user}"))
        assert replicas.holds(Filters(user="another 0")) is False
        if not interrupting.happened:
            break
    assert len(replicas._partial) == MOST_PARTIAL
    replicas.cleared(0)
    assert not replicas._partial
