"""What a worker needs of the assistant. Apart from `bot.assistant`, whose import brings Rasa and takes ten seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from actions.reply import Reply
from bot.inbox import Turn

OFFERED = "offered"  # kept beside the slots: the buttons of the last answer, which a number picks
MOST_OFFERED = 30


def offered_by(replies: Iterable[Reply]) -> list[str]:
    """The buttons of what was said, for the slot `OFFERED`."""
    return [button.payload for reply in replies for button in reply.buttons][:MOST_OFFERED]


@dataclass(frozen=True)
class Outcome:
    """What a turn came to: the replies in order and the conversation's new slots."""

    replies: tuple[Reply, ...]
    slots: Mapping[str, Any]


class AssistantPort(Protocol):
    """Takes one turn."""

    async def respond(self, turn: Turn) -> Outcome:
        """The outcome of a turn; without replies where an action failed."""
