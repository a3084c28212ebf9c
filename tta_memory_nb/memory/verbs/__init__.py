"""The verbs of a memory, each written once, as a plan.

A verb checks its arguments, asks the store, and turns entries into what its user sees. It yields
whatever has to be waited for, see `stores.plan`: the two faces in `faces` carry out the same plans,
one with ``await`` and one without. The docstrings of the verbs are the help of both faces.
"""

from __future__ import annotations

from .about import AboutVerbs
from .changes import ChangeVerbs
from .messages import MessageVerbs
from .proposing import ProposalVerbs
from .repair import RepairVerbs
from .search import SearchVerbs
from .transfer import TransferVerbs
from .versions import VersionVerbs


class Verbs(
    ProposalVerbs,
    MessageVerbs,
    SearchVerbs,
    ChangeVerbs,
    VersionVerbs,
    TransferVerbs,
    RepairVerbs,
    AboutVerbs,
):
    """Every verb of a memory, over the plans of its store; for ``**filters`` see `SyncMemory`."""
