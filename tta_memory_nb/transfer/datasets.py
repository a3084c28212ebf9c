"""Real conversations to try things on, by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import resources

from ..errors import MissingPackage
from ..keys import create_memory_key
from ..record import MemoryRecord
from ..times import instant
from .items import Item, Reading


def chitchat() -> Reading:
    """258,145 utterances of 7,168 real conversations in the order they were sent.

    Key: sender, conversation and turn. Value: turn, text and timestamp. The record's instants
    are the timestamp. Data: BYU Perception, Control & Cognition Lab, MIT license.

    Raises:
        MissingPackage: the package with the data is not installed.
    """
    try:
        # Not through the package's own classes, which leave the file open.
        data = resources.files("chitchat_dataset").joinpath("dataset.json").read_bytes()
    except ModuleNotFoundError:
        raise MissingPackage(
            "the chitchat dataset is not installed: pip install 'tta-memory-nb[tutorials]'"
        ) from None
    utterances = [
        (utterance, conversation, turn)
        for conversation, content in json.loads(data).items()
        for turn, utterance in enumerate(said for part in content["messages"] for said in part)
    ]
    utterances.sort(key=lambda item: item[0]["timestamp"])

    def items() -> Iterator[Item]:
        for utterance, conversation, turn in utterances:
            text, timestamp = utterance["text"], utterance["timestamp"]
            at = instant(timestamp, 0.0)
            yield (
                f"turn {turn} of {conversation}",
                MemoryRecord(
                    create_memory_key(utterance["sender"], conversation, {"turn": turn}),
                    {"turn": turn, "text": text, "timestamp": timestamp},
                    created_at=at,
                    updated_at=at,
                ),
            )

    return Reading("chitchat", items(), len(utterances), distinct=True)


DATASETS: dict[str, Callable[[], Reading]] = {"chitchat": chitchat}
