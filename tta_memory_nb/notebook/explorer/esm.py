"""Joins the modules of the front end into one ES module.

The front end is written as ES modules that import each other. The kernel sends it to a page as one text,
and a bundler would need Node.js wherever the package is built. The modules are therefore joined here,
in the order in which they import each other, in one scope. What that would change the meaning of is refused
with `CannotJoin`: renamed imports, imports of anything but files beside the module, default exports of other
modules than the entry, import cycles, and two modules that define the same name.

Each module keeps all its lines, below a line that names its file. In a stack trace of a browser the line of
the file is therefore the line of the trace minus the line of the file's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources.abc import Traversable

_IMPORT = re.compile(r'import \{([^{}"\']*)\} from "\./([\w-]+\.js)";[ \t]*$', re.MULTILINE)
_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_DEFINED = r"(?:const|let|var|class|function\*?|async function\*?) +"
_EXPORT = re.compile(f"export (?={_DEFINED}(?P<name>[\\w$]+))")
_DEFAULT = "export default "
_DEFINITION = re.compile(rf"^(?:export )?{_DEFINED}([\w$]+|[\[{{])", re.MULTILINE)
_STATEMENT = re.compile(r"^[ \t]*(?:import|export)\b", re.MULTILINE)
_COMMENTS = ("//", "/*", "*")
DOC_COMMENT = re.compile(r"^[ \t]*/\*\*(?:[^*]|\*(?!/))*\*/[ \t]*$", re.MULTILINE)


class CannotJoin(Exception):
    """Modules that cannot become one without a change of meaning.

    Args:
        file: name of the file at fault.
        text: of that file.
        at: where in the text.
        problem: what is wrong, and what to write in its place.
    """

    def __init__(self, file: str, text: str, at: int, problem: str) -> None:
        line = text.count("\n", 0, at) + 1
        super().__init__(f"{file}, line {line}: {problem}")


@dataclass(frozen=True, slots=True)
class _Import:
    """One import statement: names from the module in a file."""

    at: int
    names: tuple[str, ...]
    file: str


@dataclass(frozen=True, slots=True)
class _Module:
    """A module taken apart.

    Attributes:
        file: its name.
        text: as it was written.
        joined: the text without imports and exports, with the same lines.
        imports: in their order.
        exports: the names that other modules may import.
        definitions: every name of the outermost scope, and where it is defined.
        has_default: whether it has a default export.
    """

    file: str
    text: str
    joined: str
    imports: tuple[_Import, ...]
    exports: frozenset[str]
    definitions: dict[str, int]
    has_default: bool


def join(folder: Traversable, entry: str) -> str:
    """Joins a module and all modules that it imports.

    Args:
        folder: holds the files of the modules.
        entry: name of the file whose default export is that of the whole.

    Returns:
        the text of the module.

    Raises:
        CannotJoin: the modules use something that does not survive.
    """
    modules: dict[str, _Module] = {}
    _add(folder, entry, modules, ())
    *others, last = modules.values()
    for module in others:
        if module.has_default:
            at = module.text.index(_DEFAULT)
            raise CannotJoin(
                module.file, module.text, at, f"only {entry} has a default export; name this one"
            )
    if not last.has_default:
        raise CannotJoin(entry, last.text, 0, "the entry needs a default export")
    _check_definitions(modules.values())
    return "".join(f"// ---- {each.file}\n{each.joined}" for each in modules.values())


def _add(
    folder: Traversable, file: str, modules: dict[str, _Module], above: tuple[str, ...]
) -> None:
    """Adds a module to the dict, after all that it imports."""
    module = _parsed(file, (folder / file).read_text("utf-8"))
    for each in module.imports:
        path = (*above, file)
        if each.file in path:
            cycle = " -> ".join((*path[path.index(each.file) :], each.file))
            raise CannotJoin(file, module.text, each.at, f"imports form a cycle: {cycle}")
        if each.file not in modules:
            if not (folder / each.file).is_file():
                raise CannotJoin(file, module.text, each.at, f"there is no file {each.file}")
            _add(folder, each.file, modules, path)
        missing = [name for name in each.names if name not in modules[each.file].exports]
        if missing:
            raise CannotJoin(
                file, module.text, each.at, f"{each.file} does not export {missing[0]!r}"
            )
    modules[file] = module


def _check_definitions(modules: Iterable[_Module]) -> None:
    """Refuses two modules that define one name: in the joined module they would share it."""
    homes: dict[str, str] = {}
    for module in modules:
        for name, at in module.definitions.items():
            home = homes.setdefault(name, module.file)
            if home != module.file:
                problem = f"{name!r} is defined in {home} as well; rename one of the two"
                raise CannotJoin(module.file, module.text, at, problem)


def _parsed(file: str, text: str) -> _Module:
    """Takes a module apart.

    No parser is needed as long as the statements of the outermost scope, and nothing else, begin at the start
    of a line. What could break that rule is refused.
    """
    _check_lines(file, text)
    definitions: dict[str, int] = {}
    for definition in _DEFINITION.finditer(text):
        if definition[1] in "[{":
            raise CannotJoin(file, text, definition.start(), "define one name by each statement")
        definitions[definition[1]] = definition.start()
    imports: list[_Import] = []
    exports: set[str] = set()
    has_default = False
    pieces: list[str] = []
    end = 0
    for statement in _STATEMENT.finditer(text):
        at = statement.start()
        pieces.append(text[end:at])
        if found := _IMPORT.match(text, at):
            imports.append(_Import(at, _names(file, text, found), found[2]))
            pieces.append("\n" * found[0].count("\n"))
            end = found.end()
        elif found := _EXPORT.match(text, at):
            exports.add(found["name"])
            end = found.end()
        elif text.startswith(_DEFAULT, at):
            has_default = True
            end = at
        else:
            problem = 'write import { name } from "./file.js"; or export before one definition'
            raise CannotJoin(file, text, at, problem)
    pieces.append(text[end:])
    # Only the type checker reads these, and they are a quarter of the text that is sent to every page.
    joined = DOC_COMMENT.sub(lambda found: "\n" * found[0].count("\n"), "".join(pieces))
    joined = joined.rstrip("\n") + "\n"
    return _Module(file, text, joined, tuple(imports), frozenset(exports), definitions, has_default)


def _check_lines(file: str, text: str) -> None:
    at = 0
    for line in text.split("\n"):
        if not line.lstrip().startswith(_COMMENTS):
            if line.count("`") % 2:
                raise CannotJoin(file, text, at, "a text between backticks ends on its line")
            if "import(" in line or "import.meta" in line:
                raise CannotJoin(file, text, at, "import() and import.meta have no file to go by")
        at += len(line) + 1


def _names(file: str, text: str, found: re.Match[str]) -> tuple[str, ...]:
    """The names between the braces of an import."""
    names = tuple(name.strip() for name in found[1].rstrip(", \n").split(","))
    for name in names:
        if not _NAME.fullmatch(name):
            raise CannotJoin(
                file, text, found.start(), f"{name!r}: a name is imported as it is exported"
            )
    return names
