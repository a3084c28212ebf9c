"""Sample datasets of real conversations, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from operator import itemgetter

import msgspec

from ..errors import MissingPackage
from ..keys import context_hash, create_memory_key
from ..record import MemoryRecord
from ..times import instant
from .items import Item, Source


class _Utterance(msgspec.Struct, gc=False):
    text: str
    timestamp: str
    sender: str


class _Conversation(msgspec.Struct, gc=False):
    messages: list[list[_Utterance]]


def chitchat() -> Source:
    """Opens 258,145 utterances of 7,168 real conversations, in the order in which they were sent.

    The key consists of sender, conversation and turn; the value has turn, text and timestamp. The
    timestamp also gives the record's instants. The data is by the BYU Perception, Control & Cognition
    Lab, under the MIT license.

    Raises:
        MissingPackage: the package with the data is not installed.
    """
    try:
        # Read directly, because the package's own classes leave the file open.
        data = resources.files("chitchat_dataset").joinpath("dataset.json").read_bytes()
    except ModuleNotFoundError:
        raise MissingPackage(
            "the chitchat dataset is not installed: pip install 'tta-memory-nb[tutorials]'"
        ) from None
    conversations = msgspec.json.decode(data, type=dict[str, _Conversation])
    utterances = [
        (utterance.timestamp, utterance, conversation, turn)
        for conversation, content in conversations.items()
        for turn, utterance in enumerate(said for part in content.messages for said in part)
    ]
    utterances.sort(key=itemgetter(0))
    hash_of_turn = cache(lambda turn: context_hash({"turn": turn}))

    def items() -> Iterator[Item]:
        for timestamp, utterance, conversation, turn in utterances:
            at = instant(timestamp, 0.0)
            key = f"{create_memory_key(utterance.sender, conversation)}:{hash_of_turn(turn)}"
            value = {"turn": turn, "text": utterance.text, "timestamp": timestamp}
            yield (
                f"turn {turn} of {conversation}",
                MemoryRecord(key, value, created_at=at, updated_at=at),
            )

    return Source("chitchat", items(), len(utterances), distinct=True)


DATASETS: dict[str, Callable[[], Source]] = {"chitchat": chitchat}
