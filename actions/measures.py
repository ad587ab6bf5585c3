"""What the government promised in 2022 and how it stands: under a topic, one by one, or the one a question is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from actions.context import Context, ReplyAction
from actions.reply import Button, ListKind, Reply, Section
from knowledge import answers
from knowledge.answers import MeasureNote


class ActionMeasures(ReplyAction):
    """The measure whose button was pressed, those of the last topic, or all of them to choose from."""

    action_name = "action_measures"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """What was promised and how it stands today."""
        notes = self._asked_for(context)
        phrases = context.phrases
        reply = Reply(
            language=context.language,
            topic=context.topic,
            title=phrases["label.measures"],
            text=phrases["measures.intro" if notes else "measures.choose"],
            sections=sections(context, notes),
            buttons=(context.button("who_helps"), context.button("menu")) if notes else _all(context),
        )
        return reply, {"lost": 0}

    @staticmethod
    def _asked_for(context: Context) -> tuple[MeasureNote, ...]:
        named = context.entity("measure")
        if named in context.content.measures:
            return (answers.measure(context.content, str(named), context.language, on=context.now.date()),)
        if context.topic is None or context.content.topics[context.topic].shows == "measures":
            return ()
        return answers.answer(context.content, context.topic, context.language, now=context.now).measures


def sections(context: Context, notes: Iterable[MeasureNote]) -> tuple[Section, ...]:
    """One section a measure: what was promised, and today."""
    promised, now = context.phrases["label.promised"], context.phrases["label.now"]
    return tuple(
        Section(heading=note.title, kind=ListKind.BULLETS, items=(f"{promised}: {note.promised}", f"{now}: {note.now}"))
        for note in notes
    )


def _all(context: Context) -> tuple[Button, ...]:
    today = context.now.date()
    notes = (answers.measure(context.content, key, context.language, on=today) for key in context.content.measures)
    return tuple(Button(label=note.title, payload=f'/measures{{"measure":"{note.id}"}}') for note in notes)
