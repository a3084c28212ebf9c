"""Items of a store as records: where each is, and how its own choice of indexed fields is kept.

The item ``"k"`` of the namespace ``("users", "alice")`` is the record ``/users/alice/k``. In a label or a key, ``%`` is
written ``%25`` and ``/`` is written ``%2F``, so no two items share a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from langgraph.store.base import InvalidNamespaceError

from ...errors import brief

Namespace: TypeAlias = tuple[str, ...]

Fields: TypeAlias = Literal[False] | list[str] | None
"""Which fields of an item are embedded: False for none, None for those that the store was made with."""

OWN_FIELDS = "langgraph_index"
"""The field of a record that keeps which fields of this item are embedded, where an item has its own."""


def check_namespace(namespace: Iterable[Any]) -> Namespace:
    """Returns a namespace, or the beginning of one.

    Raises:
        InvalidNamespaceError: a label that is no text, is empty, or contains a period or a NUL.
    """
    if isinstance(namespace, str):
        raise InvalidNamespaceError(
            f"namespace={brief(namespace)}: give a tuple of labels, such as ('users', 'alice')"
        )
    labels = tuple(namespace)
    for label in labels:
        if not isinstance(label, str) or not label or "." in label or "\0" in label:
            raise InvalidNamespaceError(
                f"namespace={brief(labels)}: {brief(label)} is no label; a label is non-empty text without "
                "'.' and NUL"
            )
    return labels


def escaped(part: str) -> str:
    """Returns a label as it is written between two slashes of a key."""
    if "%" in part or "/" in part:
        return part.replace("%", "%25").replace("/", "%2F")
    return part


def plain(part: str) -> str:
    """Returns the label that is written between two slashes of a key."""
    return part.replace("%2F", "/").replace("%25", "%")


def folder_of(namespace: Iterable[Any]) -> str:
    """Returns what the keys of all items in and below a namespace begin with; it ends with ``/``.

    Raises:
        InvalidNamespaceError: as `check_namespace`.
    """
    try:
        return _folder(namespace if type(namespace) is tuple else check_namespace(namespace))
    except TypeError:  # a label without a hash, which is no text
        return _folder(check_namespace(namespace))


@lru_cache(maxsize=1024)  # most calls are about one of a few namespaces
def _folder(namespace: Namespace) -> str:
    return "".join(f"/{escaped(label)}" for label in check_namespace(namespace)) + "/"


def key_of(namespace: Iterable[Any], key: str) -> str:
    """Returns the key of the record that an item is.

    Raises:
        InvalidNamespaceError: as `check_namespace`.
    """
    return folder_of(namespace) + escaped(key)


def address_of(record_key: str) -> tuple[Namespace, str] | None:
    """Returns the namespace and the key of the item that a record is; None if it is none."""
    _, *labels, last = record_key.split("/")
    namespace, key = tuple(map(plain, labels)), plain(last)
    try:
        same = key_of(namespace, key) == record_key
    except InvalidNamespaceError:
        return None
    # Another program has written what differs: there is no item with this key.
    return (namespace, key) if same else None


def namespace_of(folder: str) -> Namespace | None:
    """Returns the namespace that a folder of keys is; None if it is none."""
    address = address_of(f"{folder}/")
    return address[0] if address else None


def stored(value: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """Returns what a record keeps of an item; a field of the user's that is called as ours gets a longer name."""
    kept = {
        f"_{name}" if isinstance(name, str) and name.lstrip("_") == OWN_FIELDS else name: part
        for name, part in value.items()
    }
    if fields is not None:
        kept[OWN_FIELDS] = fields
    return kept


def item_of(value: dict[str, Any]) -> tuple[dict[str, Any], Fields]:
    """Returns the value of an item, and which fields of it are embedded."""
    for name in value:
        if OWN_FIELDS in name:
            break
    else:  # almost always
        return value, None
    fields = value.pop(OWN_FIELDS, None)
    return {
        name[1:] if name.lstrip("_") == OWN_FIELDS else name: part for name, part in value.items()
    }, fields
