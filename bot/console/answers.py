"""A knowledge answer as staff send it: whole, in one message, in any served language."""

from __future__ import annotations

from datetime import datetime

from actions.contacts import contact_card
from actions.reply import ListKind, Reply, Section, SourceNote
from knowledge import answers
from knowledge.files import Content

CONTACTS_SHOWN = 2


def answer_for_staff(content: Content, topic: str, language: str, *, now: datetime) -> Reply:
    """The answer to a topic with all its steps, who helps, and its first source.

    Raises:
        knowledge.answers.UnknownTopicError: there is no such topic in that language.

    """
    found, phrases = answers.answer(content, topic, language, now=now), content.phrases[language].phrases
    steps = Section(heading=phrases["label.steps"], kind=ListKind.STEPS, items=found.steps)
    return Reply(
        language=language,
        topic=topic,
        title=found.title,
        text=found.short,
        warnings=found.warnings,
        sections=(steps,) if found.steps else (),
        contacts_heading=phrases["label.who_helps"],
        contacts=tuple(contact_card(content, one, language) for one in found.contacts[:CONTACTS_SHOWN]),
        sources_heading=phrases["label.sources"],
        sources=tuple(
            SourceNote(
                title=reference.title,
                url=reference.url,
                checked=phrases["label.checked"].format(date=reference.checked),
            )
            for reference in found.references[:1]
        ),
        note=phrases[f"review.{found.review}"],
    )
