"""Writes the repository's address wherever it belongs: ``make binder-link REPO=owner/name``.

    python tools/binder_link.py OWNER/NAME [BRANCH]

The link that launches the tutorials on Binder goes between `BEGIN` and `END`, wherever the README or a
notebook has both on one line; what was between them is replaced. In the README the link is a badge and
opens the first tutorial; in a notebook it is plain text and opens that notebook. The badge is a picture of
the project's own, so a reader's browser fetches none from elsewhere.

The addresses that PyPI shows go into the table ``[project.urls]`` of ``pyproject.toml``, in place of all
that the table has.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- binder -->", "<!-- /binder -->"
FIRST = "01_quickstart.ipynb"

# Names that GitHub allows for accounts and repositories.
_REPO = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}/(?!\.{1,2}$)[\w.-]{1,100}", re.ASCII)
# Strings that git refuses in the name of a branch; see `git help check-ref-format`.
_NO_BRANCH = re.compile(r"^[-/.]|[/.]$|\.lock(/|$)|\.\.|//|/\.|@\{|^@$|[\x00-\x20\x7f~^:?*\[\\]|^$")
_PLACE = re.compile(f"({re.escape(BEGIN)})(.*?)({re.escape(END)})")
# The table in pyproject.toml: its heading, and its entries up to an empty line or the next heading.
_URLS = re.compile(r"^(\[project\.urls\]\r?\n)((?:[^\[\s].*\r?\n)*)", re.MULTILINE)


def address(repo: str, branch: str, notebook: str) -> str:
    """Returns the address at which Binder opens a notebook of the repository in JupyterLab.

    Raises:
        ValueError: GitHub allows no repository or branch of that name.
    """
    if not _REPO.fullmatch(repo) or repo.endswith(".git"):
        raise ValueError(
            f"REPO={repo!r} is no repository on GitHub; write: make binder-link REPO=owner/name"
        )
    if _NO_BRANCH.search(branch):
        raise ValueError(
            f"BRANCH={branch!r} is no name of a branch; "
            f"write: make binder-link REPO={repo} BRANCH=main"
        )
    path = quote(f"lab/tree/notebooks/{notebook}", safe="")
    return f"https://mybinder.org/v2/gh/{repo}/{quote(branch, safe='')}?urlpath={path}"


def linked(text: str, link: str) -> str:
    """Returns the text with the link in its placeholders; unchanged if there is none.

    Raises:
        ValueError: a placeholder has no end, or no beginning, on its line.
    """
    places = len(_PLACE.findall(text))
    if not places == text.count(BEGIN) == text.count(END):
        raise ValueError(f"each {BEGIN} needs one {END} on the same line")
    return _PLACE.sub(lambda place: place[1] + link + place[3], text)


def with_urls(text: str, repo: str, branch: str) -> str | None:
    """Returns ``pyproject.toml`` with the repository's addresses; None if it has no table for them."""
    here = f"https://github.com/{repo}"
    branch = quote(branch, safe="/")
    urls = {
        "Repository": here,
        "Documentation": f"{here}/tree/{branch}/docs",
        "Changelog": f"{here}/blob/{branch}/CHANGELOG.md",
        "Issues": f"{here}/issues",
    }
    entries = "".join(f'{name} = "{url}"\n' for name, url in urls.items())
    found, count = _URLS.subn(lambda table: table[1] + entries, text, count=1)
    return found if count else None


def changes(root: Path, repo: str, branch: str) -> dict[Path, str | None]:
    """Returns the new texts of the files that may have placeholders; None if a file has none.

    Raises:
        ValueError: as `address` and `linked`.
    """
    badge = "[![Launch on Binder](docs/binder.svg)]"
    readme = root / "README.md"
    links = {readme: f"{badge}({address(repo, branch, FIRST)})"}
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        links[path] = f"[Launch on Binder]({address(repo, branch, path.name)})"
    found: dict[Path, str | None] = {}
    for path, link in links.items():
        before = path.read_bytes().decode("utf-8")  # read_text would change line endings
        try:
            after = linked(before, link)
            if path.suffix == ".ipynb":
                json.loads(
                    after
                )  # nothing in a link is special in JSON; a broken file is not changed
        except ValueError as error:
            raise ValueError(f"{path.relative_to(root)}: {error}") from error
        found[path] = after if BEGIN in before else None
    pyproject = root / "pyproject.toml"
    found[pyproject] = with_urls(pyproject.read_bytes().decode("utf-8"), repo, branch)
    return found


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Writes the link, or prints an error and writes nothing."""
    repo, branch = [*arguments, "main"][:2] if arguments else ("", "main")
    try:
        found = changes(root, repo, branch)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    if not any(found.values()):
        print(f"no file has a place for the address: {BEGIN}{END}", file=sys.stderr)
        return 1
    for path, text in found.items():
        if text is not None:
            path.write_bytes(text.encode("utf-8"))
        place = "[project.urls]" if path.suffix == ".toml" else f"{BEGIN}{END}"
        done = "names the repository" if path.suffix == ".toml" else "links to Binder"
        note = done if text is not None else f"has no place for it: {place}"
        print(f"{path.relative_to(root)} {note}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
