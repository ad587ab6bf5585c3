"""What a helper should know of a case before reading it, in their language and from what is stored alone: nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.console.views import Line, Opened
from nlu.decision import Decision
from nlu.urgency import PREFIX

MINUTES_AN_HOUR = 60


def summary(
    case: Opened, *, texts: Mapping[str, str], labels: Mapping[str, str], language: str, now: datetime
) -> list[str]:
    """Short sentences, the most important first; what is not known is left out.

    Args:
        texts: of the console, in the helper's language.
        labels: what topics are called in that language.
        language: the name of the person's language, or its code.

    """
    row, said = case.row, [line for line in case.lines if line.author == "person"]
    kind = texts.get(f"kind.{row.kind}", row.kind)
    channel = texts.get(f"channel.{row.channel}", row.channel)
    sentences = [texts["summary.who"].format(kind=kind, language=language, channel=channel)]
    if row.state == "waiting":
        sentences.append(texts["summary.waits"].format(time=duration(texts, row.minutes)))
    if said:
        ago = duration(texts, int((now - said[-1].at).total_seconds() // 60))
        sentences.append(texts["summary.messages"].format(count=len(said), ago=ago))
    if unanswered := _since_staff(case.lines):
        sentences.append(texts["summary.unanswered"].format(count=unanswered))
    if topics := _topics(said, labels):
        sentences.append(texts["summary.topics"].format(topics=", ".join(topics)))
    others = _urgent_kinds(said) - {row.kind}
    if others:
        named = ", ".join(sorted(texts.get(f"kind.{one}", one) for one in others))
        sentences.append(texts["summary.also"].format(kinds=named))
    missed = sum((line.understood or {}).get("decision") == Decision.FALLBACK for line in said)
    if missed:
        sentences.append(texts["summary.missed"].format(count=missed))
    return sentences


def duration(texts: Mapping[str, str], minutes: int) -> str:
    """Minutes as people say them."""
    if minutes < MINUTES_AN_HOUR:
        return texts["minutes"].format(n=minutes)
    return texts["hours"].format(n=minutes // MINUTES_AN_HOUR, m=minutes % MINUTES_AN_HOUR)


def _since_staff(lines: Sequence[Line]) -> int:
    """How many messages came since a person last answered; 0 where none ever did: then all of them wait."""
    answered = [place for place, line in enumerate(lines) if line.author == "staff"]
    return sum(line.author == "person" for line in lines[answered[-1] :]) if answered else 0


def _topics(said: Sequence[Line], labels: Mapping[str, str]) -> list[str]:
    """The topics that were answered, the latest first."""
    found = [
        line.understood["label"]
        for line in reversed(said)
        if line.understood is not None and line.understood["decision"] == Decision.ANSWER
    ]
    return [labels[name] for name in dict.fromkeys(found) if name in labels and not name.startswith(PREFIX)]


def _urgent_kinds(said: Sequence[Line]) -> set[str]:
    """Kinds of emergency that messages were about, or may have been."""
    found: set[str] = set()
    for understood in (line.understood for line in said if line.understood is not None):
        if understood["decision"] == Decision.URGENT:
            found.add(understood["label"])
        if understood["may_be_urgent"]:
            found.add(understood["may_be_urgent"])
    return found
