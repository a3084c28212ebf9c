"""Finds what annotations and docstrings call by a short name.

An annotation reads ``Duration`` and not ``tta_memory_nb.times.Duration``; Sphinx looks for what it is written
as. Where exactly one documented name ends that way, that one is meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element
) -> Element | None:
    """The reference, or None where no name or several fit."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    found = {
        (each.docname, each.node_id)
        for name, each in env.domains.python_domain.objects.items()
        if name == target or name.endswith(f".{target}")
    }
    if len(found) != 1:
        return None
    docname, anchor = found.pop()
    return make_refnode(app.builder, node["refdoc"], docname, anchor, content, target)


def setup(app: Sphinx) -> dict[str, Any]:
    """Adds the search."""
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True}
