"""The layers of the package: imports only point down, and heavy packages are imported on demand."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import pytest

import tta_memory_nb

PACKAGE = Path(tta_memory_nb.__file__).parent

FACE = "__init__"
LAYERS: dict[str, int] = {
    **dict.fromkeys(("record", "entry", "keys", "codec", "text", "errors", "times"), 0),
    **dict.fromkeys(
        (
            "filters",
            "folders",
            "conversation",
            "urls",
            "access",
            "services",
            "authorship",
            "code_origin",
            "table",
            "main_field",
            "identifiers",
            "imported",
            "monospace",
            "nesting",
        ),
        0,
    ),
    **dict.fromkeys(("search", "embedders"), 1),
    "stores": 2,
    **dict.fromkeys(("memory", "transfer", "summarizers", "telemetry"), 3),
    # Packs and evaluations have tables and figures of their own.
    **dict.fromkeys(("frames", "plots", "evaluation"), 3),
    "integrations": 4,
    "mcp": 4,
    "notebook": 5,
    FACE: 6,
}
"""Layer of each module and subpackage, by its first name."""

HOMES: dict[str, tuple[str, ...]] = {
    "pandas": (
        *("frames", "notebook.explorer.widget for types"),
        *(f"evaluation.{name} for types" for name in ("result", "comparison", "tuning")),
        "memory.packing.pack for types",
        "memory.forgetting.forget for types",
        "memory.resolving.resolution for types",
        "memory.summarizing.summary for types",
        "memory.versions for types",
        "memory.tracing.trace for types",
    ),
    "matplotlib": ("plots", "evaluation.result for types"),
    "IPython": ("notebook", f"{FACE} for types"),
    "ipywidgets": ("notebook",),
    "anywidget": ("notebook",),
    "redis": ("stores.redis",),
    "traitlets": ("notebook",),
    "pyarrow": ("transfer",),
    "tqdm": ("transfer", "notebook"),
    "nest_asyncio2": ("nesting",),
    **dict.fromkeys(("tokenizers", "onnxruntime", "model2vec", "fastembed"), ("embedders",)),
    "sentence_transformers": ("embedders",),
    **dict.fromkeys(("langgraph", "langchain_core"), ("integrations.langgraph",)),
    "agents": ("integrations.openai_agents",),
    "pydantic_ai": ("integrations.pydantic_ai",),
    "agent_framework": ("integrations.agent_framework",),
    "llama_index": ("integrations.llama_index",),
    "google": ("integrations.google_adk",),
    **dict.fromkeys(("mcp", "uvicorn"), ("integrations.mcp",)),
    "msgspec": (
        "codec",
        "entry",
        "filters.fields",
        "evaluation.saved",
        "memory.tracing.operation",
        *(f"memory.doctor.{name}" for name in ("examined", "contradictions")),
        "memory.likeness.among_many",
        *(f"memory.tombstones.{name}" for name in ("listed", "pages")),
        "search.request",
        "search.options",
        "stores.records",
        "stores.redis.journal_file",
        "transfer.datasets",
    ),
    "numpy": (
        *(
            f"search.substring.{name}"
            for name in ("grams", "runs", "signature", "ring", "columns", "verified")
        ),
        "search.ranked",
        "search.vectors",
        "embedders",
        "frames",
        "memory.distributions",
        "evaluation.significance",
        "memory.meaning",
        "stores.redis.redisearch.embedding",
        "integrations.langgraph.meaning",
        "memory.doctor",
        "memory.likeness",
        "memory.tombstones",
    ),
}
"""Where a package may be imported: modules, or packages with all that is in them."""

HEAVY = {*HOMES, "asyncio"} - {"msgspec"}


class Import(NamedTuple):
    """One import: the imported module, the importing one, and when the import runs."""

    importer: str
    imported: str
    ours: bool
    when: Literal["import", "call", "types"]


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def statements(
    node: ast.AST, when: Literal["import", "call", "types"] = "import"
) -> Iterator[tuple[ast.Import | ast.ImportFrom, Literal["import", "call", "types"]]]:
    """Yields every import below a node, with the time at which it runs."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, when
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from statements(child, "call")
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from statements(ast.Module(child.body, []), "types")
            yield from statements(ast.Module(child.orelse, []), when)
        else:
            yield from statements(child, when)


def imports_of(path: Path) -> Iterator[Import]:
    importer = module_name(path)
    folder = path.parent.relative_to(PACKAGE).parts
    for statement, when in statements(ast.parse(path.read_text("utf-8"))):
        if isinstance(statement, ast.Import):
            found = [(alias.name, False) for alias in statement.names]
        elif statement.level:
            above = folder[: len(folder) - statement.level + 1]
            names = [statement.module] if statement.module else [a.name for a in statement.names]
            found = [(".".join((*above, name)), True) for name in names]
        else:
            found = [(statement.module or "", False)]
        for imported, ours in found:
            yield Import(importer, imported, ours, when)


MODULES = sorted(PACKAGE.rglob("*.py"))


# Not when the module is imported: every worker of pytest imports it, and one runs these tests.
@cache
def imports() -> list[Import]:
    """Returns every import of the package."""
    return [found for path in MODULES for found in imports_of(path)]


@cache
def ours() -> list[Import]:
    """Returns the imports of modules of the package."""
    return [found for found in imports() if found.ours]


@cache
def theirs() -> list[Import]:
    """Returns the imports of other people's packages."""
    return [
        found
        for found in imports()
        if not found.ours and found.imported.partition(".")[0] not in sys.stdlib_module_names
    ]


def layer(module: str) -> int:
    return LAYERS[module.partition(".")[0]]


# ---- the layers


def test_imports_are_found_in_modules_functions_and_type_checking_blocks():
    # The tests below pass on an empty list as well: these three must be in it.
    assert Import("stores.memory", "filters", ours=True, when="import") in imports()
    assert Import("frames.build", "pandas", ours=False, when="types") in imports()
    assert Import("nesting", "nest_asyncio2", ours=False, when="call") in imports()


def test_every_module_is_in_a_layer():
    assert [
        name for name in map(module_name, MODULES) if name.partition(".")[0] not in LAYERS
    ] == []


def test_imports_only_point_down():
    # Imports for types count too: a signature that names a type depends on its module.
    assert [found for found in ours() if layer(found.imported) > layer(found.importer)] == []


def test_only_the_server_backends_import_server_modules():
    backends = ("stores.redis", "stores.embedded")
    strangers = [
        found
        for found in ours()
        if found.imported.startswith(backends)
        and not found.importer.startswith((*backends, "notebook."))
    ]
    assert strangers == []


def test_modules_import_each_other_by_relative_names():
    assert [found for found in theirs() if found.imported.startswith("tta_memory_nb")] == []


def test_imports_form_no_cycle():
    graph: dict[str, set[str]] = {}
    for found in ours():
        if found.when == "import":
            graph.setdefault(found.importer, set()).add(found.imported)
    # Raises CycleError, which names the modules.
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("errors") < order.index("stores.memory") < order.index("memory.faces")


def test_the_lowest_layer_needs_only_the_standard_library_and_the_json_engine():
    early = [found for found in theirs() if layer(found.importer) == 0 and found.when == "import"]
    assert [(found.importer, found.imported) for found in early] == [
        ("codec", "msgspec"),
        ("entry", "msgspec"),
        ("filters.fields", "msgspec"),
    ]


def test_the_opt_in_for_nested_loops_imports_nothing_but_the_errors():
    assert {found.imported for found in ours() if found.importer == "nesting"} == {"errors"}


def test_stores_use_no_lock_that_an_interrupt_leaves_taken():
    # Events, conditions and semaphores are Python code around a lock of C: see `stores.locks`.
    allowed = {"Lock", "RLock", "Thread", "get_ident", "current_thread", "main_thread"}
    found = {
        (module_name(path), alias.name)
        for path in MODULES
        if module_name(path).startswith("stores")
        for statement, _ in statements(ast.parse(path.read_text("utf-8")))
        if isinstance(statement, ast.ImportFrom) and statement.module == "threading"
        for alias in statement.names
    }
    assert {each for each in found if each[1] not in allowed} == set()
    users = {each.importer for each in imports() if each.imported in ("threading", "queue")}
    assert {name for name in users if name.startswith("stores")} == {name for name, _ in found}


# ---- other people's packages


@pytest.mark.parametrize("package", HOMES)
def test_a_package_is_imported_only_in_the_modules_meant_for_it(package):
    def at_home(found: Import) -> bool:
        names = (found.importer, f"{found.importer} for {found.when}")
        return any(
            name == home or name.startswith(f"{home}.") for home in HOMES[package] for name in names
        )

    users = [found for found in theirs() if found.imported.partition(".")[0] == package]
    assert [found for found in users if not at_home(found)] == []


def test_other_packages_are_imported_when_they_are_needed():
    # IPython is already imported in a notebook. The stores of servers need their client at once,
    # as signatures need numpy, and adapters inherit from classes of their framework; these modules are
    # themselves imported on demand.
    early = {found.importer for found in theirs() if found.when == "import"} - {*HOMES["msgspec"]}
    homes = (
        "notebook.",
        "stores.redis",
        "search.substring.",
        "search.ranked.",
        "search.vectors",
        "embedders.",
        "integrations.",
    )
    assert [name for name in early if not name.startswith(homes)] == []
    makers = {found.when for found in ours() if found.imported == "search.substring.columns"}
    assert makers == {"call", "types"}
    assert {found.when for found in ours() if found.imported == "search.ranked.index"} == {"call"}


# ---- the map

ARCHITECTURE = PACKAGE.parent / "docs" / "architecture.md"

# A line of the map may name a folder, or a file of one of these kinds.
NAME = re.compile(r"(?:\w+/)*(?:\w+/|\w+\.(?:py|js|css|lua))")


def paths_on_the_map(drawn: str) -> set[str]:
    """Returns the paths that a map names, relative to the folder in its first line.

    A line names files and folders, up to the first gap of two spaces; the rest of the line is prose.
    What is indented below a folder is in this folder.

    Raises:
        ValueError: a line does not begin with the name of a file or a folder.
    """
    top, *lines = drawn.splitlines()
    assert NAME.fullmatch(top), f"the map begins with {top!r}, which is no folder"
    paths: set[str] = set()
    folders: list[tuple[int, str]] = [(0, "")]
    for line in filter(str.strip, lines):
        indent = len(line) - len(line.lstrip())
        names = re.split(r" {2,}", line.strip())[0].split(" ")
        if wrong := [name for name in names if not NAME.fullmatch(name)]:
            raise ValueError(f"{line!r}: {wrong[0]!r} names no file and no folder")
        while folders[-1][0] >= indent > 0:
            folders.pop()
        inside = folders[-1][1]
        paths.update(inside + name for name in names)
        if len(names) == 1 and names[0].endswith("/"):
            folders.append((indent, inside + names[0]))
    return paths


def covers(paths: set[str], file: str) -> bool:
    """Whether the map shows a file.

    A folder without contents on the map includes all its files. The ``__init__.py`` of a package
    counts as shown if its folder is on the map.
    """
    if file in paths or file == "py.typed":
        return True
    folder, _, name = file.rpartition("/")
    if name == "__init__.py" and any(path.startswith(f"{folder}/") for path in paths):
        return True
    closed = [
        path
        for path in paths
        if path.endswith("/") and not any(p.startswith(path) and p != path for p in paths)
    ]
    return file.startswith(tuple(closed))


def drawn_map() -> str:
    """Returns the map of the package, the first block of code under "The house"."""
    found = re.search(
        r"^## The house$.*?^```\n(.*?)^```$",
        ARCHITECTURE.read_text("utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    assert found, f"{ARCHITECTURE.name} has no block of code under '## The house'"
    return found[1]


def test_every_path_on_the_map_exists():
    assert [
        path for path in sorted(paths_on_the_map(drawn_map())) if not (PACKAGE / path).exists()
    ] == []


def test_every_file_of_the_package_is_on_the_map():
    paths = paths_on_the_map(drawn_map())
    files = [
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert [file for file in files if not covers(paths, file)] == []


def test_a_map_is_read_by_its_indentation():
    drawn = (
        "package/\n"
        "  __init__.py      names  that users import\n"
        "  stores/base.py   promises\n"
        "  stores/redis/    a server\n"
        "    wire.py lua/     what is sent\n"
        "  transfer/        one module a format\n"
        "  keys.py text.py                          layer 0\n"
    )
    paths = paths_on_the_map(drawn)
    assert paths == {
        *("__init__.py", "stores/base.py", "stores/redis/", "stores/redis/wire.py"),
        *("stores/redis/lua/", "transfer/", "keys.py", "text.py"),
    }
    shown = ("stores/__init__.py", "stores/redis/lua/add.lua", "transfer/csv/rows.py", "py.typed")
    assert [file for file in shown if not covers(paths, file)] == []
    hidden = ("stores/memory.py", "stores/redis/keys.py", "frames/build.py", "search/__init__.py")
    assert [file for file in hidden if covers(paths, file)] == []
    with pytest.raises(ValueError, match="'what' names no file and no folder"):
        paths_on_the_map("package/\n  keys.py what a key is\n")


# ---- the public names


def test_the_public_names_are_those_of_all():
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    names = [
        alias.name
        for statement, when in statements(tree)
        if when == "types" and isinstance(statement, ast.ImportFrom) and statement.level
        for alias in statement.names
    ]
    assert sorted(names) == sorted(tta_memory_nb.__all__)


@pytest.mark.parametrize("name", tta_memory_nb.__all__)
def test_every_public_name_resolves_to_a_thing_of_that_name(name):
    assert getattr(tta_memory_nb, name).__name__ == name
    assert name in dir(tta_memory_nb)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'tta_memory_nb' has no attribute 'MemoryPrimitve'"):
        _ = tta_memory_nb.MemoryPrimitve


def test_every_error_is_public():
    errors = ast.parse((PACKAGE / "errors.py").read_text("utf-8"))
    names = {node.name for node in errors.body if isinstance(node, ast.ClassDef)}
    assert names <= set(tta_memory_nb.__all__)


# ---- what an import loads


def loaded_by(code: str) -> set[str]:
    """Names of the modules that a fresh interpreter loads for some code."""
    program = (
        "import json, sys; before = set(sys.modules)\n"
        f"{code}\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_none_of_its_modules():
    loaded = loaded_by("import tta_memory_nb")
    assert {name for name in loaded if name.startswith("tta_memory_nb")} == {"tta_memory_nb"}
    assert loaded & HEAVY == set()


def test_a_memory_loads_no_heavy_package_and_nothing_from_upper_layers():
    loaded = loaded_by("import tta_memory_nb; tta_memory_nb.MemoryPrimitive().sync.search('x')")
    assert loaded & HEAVY == set()
    ours = {name.partition(".")[2] for name in loaded if name.startswith("tta_memory_nb.")}
    assert "memory.faces" in ours
    assert {name for name in ours if layer(name) > layer("memory")} == set()
    assert {
        name
        for name in ours
        if name.startswith(("transfer", "table", "frames", "evaluation", "nesting"))
    } == set()


def test_searches_import_numpy_only_when_they_would_have_saved_its_import():
    loaded = loaded_by(
        "import tta_memory_nb; memory = tta_memory_nb.MemoryPrimitive(max_size=2000).sync\n"
        "memory.add_many({f'k{n}': {'text': f'note {n}'} for n in range(2000)})\n"
        "for _ in range(20): assert memory.search('nowhere') == []"
    )
    assert "numpy" not in loaded
    assert "numpy" in loaded_by(
        "import tta_memory_nb; memory = tta_memory_nb.MemoryPrimitive(max_size=2000).sync\n"
        "memory.add_many({f'k{n}': {'text': f'note {n}'} for n in range(2000)})\n"
        "for _ in range(120): assert memory.search('nowhere') == []"
    )


def test_a_memory_works_where_nothing_but_the_json_engine_is_installed():
    program = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "for name in ('numpy', 'pandas', 'redis', 'IPython'): sys.modules[name] = None\n"
        "import asyncio, tta_memory_nb\n"
        "def awaited(verb):\n"
        "    async def wait():\n"
        # A busy machine is slow, which asyncio's debug mode would report.
        "        asyncio.get_running_loop().slow_callback_duration = 3600\n"
        "        return await verb\n"
        "    return asyncio.run(wait())\n"
        "memory = tta_memory_nb.MemoryPrimitive(max_size=3000)\n"
        "add = memory.sync.add\n"
        "for n in range(4000): add(f'alice:{n}', {'text': f'It rains {n}'})\n"
        "print(awaited(memory.search('RAINS 1234')), memory.sync.count('rains 11'))\n"
        "print(memory.sync.build_index(), awaited(memory.search('s 3999')))"
    )
    installed = str(Path(msgspec.__file__).parent.parent)
    # -S leaves out all installed packages; -X dev and -W error report resources that are left
    # open.
    done = subprocess.run(
        [sys.executable, "-S", "-X", "dev", "-W", "error", "-c", program, installed],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == ("[{'text': 'It rains 1234'}] 100\n0 [{'text': 'It rains 3999'}]\n")


def test_benchmarks_and_tools_import_only_what_there_is():
    """They are run too rarely to notice that something they need was moved."""
    missing = [
        f"{path.name}: {node.module}.{alias.name}"
        for folder in ("benchmarks", "tools", "examples")
        for path in sorted((PACKAGE.parent / folder).glob("**/*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE.name
        for alias in node.names
        if not is_there(str(node.module), alias.name)
    ]
    assert missing == []


def is_there(module: str, name: str) -> bool:
    try:
        return hasattr(import_module(module), name) or find_spec(f"{module}.{name}") is not None
    except ImportError as error:
        # A package of others that is not installed here tells nothing about names of this one.
        return not (error.name or "").startswith(PACKAGE.name)
