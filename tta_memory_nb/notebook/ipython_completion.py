"""Registers the completion with IPython: as a matcher, or as a hook in IPython before 8.6."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .completion import complete

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from .commands import Notebook

_MATCHER = "tta_memory_matcher"
_HOOK = "complete_command"
_LINE = r".*%{1,2}memory\s"


def add(shell: InteractiveShell, notebook_of: Callable[[InteractiveShell], Notebook]) -> None:
    """Makes Tab complete ``%memory`` lines in a shell.

    Args:
        shell: the shell.
        notebook_of: returns the notebook of a shell.
    """
    try:
        from IPython.core.completer import context_matcher
    except ImportError:  # Google Colab ships IPython 7
        shell.set_hook(_HOOK, hook(shell, notebook_of), re_key=_LINE)  # type: ignore[no-untyped-call]
        return

    @context_matcher()  # type: ignore[untyped-decorator]
    def tta_memory_matcher(context: CompletionContext) -> SimpleMatcherResult:
        from IPython.core.completer import SimpleCompletion

        found = complete(context.text_until_cursor, notebook_of(shell))
        if found is None:
            return {"completions": []}
        fragment, candidates = found
        return {
            "completions": [SimpleCompletion(text, type="memory") for text in candidates],
            "matched_fragment": fragment,
            "ordered": True,
            "suppress": True,
        }

    shell.Completer.custom_matchers.append(tta_memory_matcher)


def remove(shell: InteractiveShell) -> None:
    """Removes what `add` has registered."""
    matchers = getattr(shell.Completer, "custom_matchers", [])
    matchers[:] = [each for each in matchers if getattr(each, "__name__", "") != _MATCHER]
    for pattern in [each for each in shell.strdispatchers[_HOOK].regexs if each.pattern == _LINE]:
        del shell.strdispatchers[_HOOK].regexs[pattern]


def hook(
    shell: InteractiveShell, notebook_of: Callable[[InteractiveShell], Notebook]
) -> Callable[[Any, Any], list[str]]:
    """The completion as a hook for the event ``complete_command``, which every IPython knows."""
    from IPython.core.error import TryNext

    def offer(_completer: Any, event: Any) -> list[str]:
        found = complete(event.text_until_cursor, notebook_of(shell))
        if found is None:
            raise TryNext
        fragment, candidates = found
        # IPython replaces only the text behind the last delimiter, such as the ':' in a key.
        kept = len(fragment) - len(event.symbol)
        return [candidate[kept:] for candidate in candidates]

    return offer
