"""What a worker needs of the assistant. Apart from `bot.assistant`, whose import brings Rasa and takes ten seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from actions.reply import Reply
from bot.inbox import Turn

OFFERED = "offered"  # kept beside the slots: the buttons of the last answer, which a number picks
MOST_OFFERED = 30
GREETED = "greeted"  # the slot: whether they know that it is a robot


def offered_by(replies: Iterable[Reply]) -> list[str]:
    """The buttons of what was said, for the slot `OFFERED`."""
    return [button.payload for reply in replies for button in reply.buttons][:MOST_OFFERED]


@dataclass(frozen=True)
class Understood:
    """What a message was taken for, as staff are shown it.

    Attributes:
        label: a topic, an urgent kind or a wish such as `human`.
        confidence: of the model, between 0 and 1; None where a rule decided and not a number.
        decision: answer, clarify, fallback or urgent (`nlu.decision`).
        may_be_urgent: the urgent kind that the message may be about, where that is not certain.

    """

    label: str
    confidence: float | None
    decision: str
    may_be_urgent: str | None = None

    def as_data(self) -> dict[str, Any]:
        """The same as it is stored."""
        return asdict(self)


@dataclass(frozen=True)
class Outcome:
    """What a turn came to: the replies in order, the conversation's new slots, and what the message was taken for."""

    replies: tuple[Reply, ...]
    slots: Mapping[str, Any]
    understood: Understood | None = None


class AssistantPort(Protocol):
    """Takes one turn, and may read several before it takes them."""

    async def read(self, turns: Sequence[Turn]) -> list[Turn]:
        """The same turns; of those that hold a text, `parsed` may be filled in, which `respond` then need not do itself."""
        return list(turns)

    async def respond(self, turn: Turn) -> Outcome:
        """The outcome of a turn; without replies where an action failed."""
