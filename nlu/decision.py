"""What to do with a message: answer, ask back, say that it was not understood, or put urgent help first."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from nlu.urgency import Level, Urgency

if TYPE_CHECKING:  # scikit-learn comes with it, a second of the start for those who only need the words of a decision
    from nlu.topics import Guess

# Chosen on the training examples held out in turn (docs/models.md).
SURE = 0.5
IN_DOUBT = 0.25  # the three likeliest together: below that the buttons would not help
OUT_OF_SCOPE = "out_of_scope"


class Decision(StrEnum):
    """The four ways on."""

    ANSWER = "answer"
    CLARIFY = "clarify"
    FALLBACK = "fallback"
    URGENT = "urgent"


def decide(ranking: Sequence[Guess], urgency: Urgency | None, *, is_about_two: bool = False) -> Decision:
    """The way on for a ranked message.

    Args:
        ranking: labels, likeliest first; empty where the message has no words.
        urgency: what the urgency detector found.
        is_about_two: the likeliest and another have a sentence each, so neither can be likely for the whole.

    """
    if urgency is not None and urgency.level is Level.CERTAIN:
        return Decision.URGENT
    if not ranking:
        return Decision.FALLBACK
    first = ranking[0]
    if first.confidence >= SURE or is_about_two:
        return Decision.FALLBACK if first.label == OUT_OF_SCOPE else Decision.ANSWER
    if first.label != OUT_OF_SCOPE and sum(guess.confidence for guess in ranking[:3]) >= IN_DOUBT:
        return Decision.CLARIFY
    return Decision.FALLBACK
