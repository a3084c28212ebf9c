"""Configuration of Sphinx for ``make docs``.

The root of the repository is the root of the pages, so that a link from a notebook to the README, or
from the README to a page in docs/, is the same on disk, on GitHub and on the site.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ipython_pygments_lexers import IPythonLexer

import tta_memory_nb
from tta_memory_nb.filters import EVERYTHING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "tta_memory_nb"
author = "The tta_memory_nb developers"
project_copyright = f"2026, {author}"
release = version = tta_memory_nb.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "magics",
    "short_names",
]

# ---- pages

root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "notebooks/*.ipynb"]
exclude_patterns = [".*", "**/.*", "build", "**/_*"]
templates_path = ["_templates"]

# ---- notebooks and Markdown

# The site shows the stored outputs; `make test` checks that the cells still produce them.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[
    str, dict[str, str]
] = {}  # a widget shows its plain table; nothing is fetched
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

# ---- the Python API

default_role = "py:obj"  # single backticks in docstrings mean a Python name
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
# Sphinx does not resolve an alias before `| None`, so these are named here.
autodoc_type_aliases = {name: name for name in ("OutagePolicy", "Clock")}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"
nitpicky = True
# Names of other projects, which are not linked, because the build downloads nothing.
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(collections\.abc|datetime|os|pandas|matplotlib|anywidget|traitlets|types|typing|t|pd)\..*",
    ),
    ("py:.*", r"(agents|pydantic_ai|agent_framework|llama_index|google)\..*"),
    ("py:.*", "TResponseInputItem|Conversation(Conflict|Record|Entry)|Session|Event|ConfigDict"),
    ("py:.*", "Figure|PathLike|NDArray|float32|Floats|TracerProvider|MeterProvider"),
    ("py:.*", r"langgraph\..*|BaseStore|TTLConfig|Op|Result|SerializerProtocol|RunnableConfig"),
    ("py:.*", "(Base)?Checkpoint(Saver|Tuple|Metadata)?|ChannelVersions|InvalidNamespaceError"),
    ("py:.*", "MCPServer"),
    # What both faces of a memory share; their own pages list it.
    ("py:.*", r"tta_memory_nb\.memory\.faces\.attributes\.Attributes"),
]

# ---- the site

html_theme = "pydata_sphinx_theme"
html_title = "tta_memory_nb"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_additional_pages = {"index": "front.html"}
html_sidebars = {"docs/migration": []}  # this page has no siblings
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "tta_memory_nb"},
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
    "show_prev_next": True,
    "navigation_with_keys": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
# The copy button leaves out prompts and outputs.
copybutton_exclude = ".linenos, .gp, .go"


# Defaults that are clearer by their name in the source than by their repr.
_DEFAULTS = {repr(time.time): "time.time", repr(EVERYTHING): "EVERYTHING"}


def shorten(
    _app: Sphinx,
    _what: str,
    _name: str,
    _it: object,
    _options: object,
    arguments: str | None,
    gives: str | None,
) -> tuple[str | None, str | None]:
    """Replaces defaults in a signature by their names."""
    if arguments:
        for long, name in _DEFAULTS.items():
            arguments = arguments.replace(long, name)
    return arguments, gives


def setup(app: Sphinx) -> None:
    """Connects event handlers and lexers."""
    app.connect("autodoc-process-signature", shorten)
    app.add_lexer("python", IPythonLexer)  # examples may be notebook cells
