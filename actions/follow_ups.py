"""Follow-ups on the topic answered last: more about it, who can help, the source."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from actions.answer import answer_of, render, sources
from actions.contacts import contact_card
from actions.context import Context, ReplyAction
from actions.menu import menu
from actions.reply import ListKind, Reply, Section
from actions.standing import with_standing
from knowledge import answers
from knowledge.answers import Answer


class FollowUp(ReplyAction):
    """Something more about the last topic; without one the menu."""

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """Look the last topic up and show the part that was asked for."""
        if context.topic is None:
            return menu(context, text=context.phrases["follow_up.nothing"]), {"lost": 0}
        answer = answer_of(context, context.topic, group=context.group)
        reply = self.part(context, answer)
        reply, standing = with_standing(context, reply, answer) if reply.sections else (reply, {})
        return reply, {"lost": 0, **standing}

    @abstractmethod
    def part(self, context: Context, answer: Answer) -> Reply:
        """The part of the answer that this action shows."""


class ActionFollowUp(FollowUp):
    """A question that goes on about the last topic ("and if I am 19?"): the sentence that it asks for comes first."""

    action_name = "action_follow_up"

    def part(self, context: Context, answer: Answer) -> Reply:
        """The answer once more, under the sentence with the age, the amount or the term that was asked for."""
        reply = render(context, answer)
        asked_for = (context.tracker.latest_message.get("asked_for") or {}).get("kind")
        sentence = answers.find_sentence(answer, context.text, asked_for=asked_for)
        if sentence is None or sentence in answer.short:
            return reply
        return reply.model_copy(update={"text": f"**{sentence}**\n\n{answer.short}"})


class ActionSteps(FollowUp):
    """All the steps, not only the first three."""

    action_name = "action_steps"

    def part(self, context: Context, answer: Answer) -> Reply:
        """The whole list, with what comes after it."""
        section = Section(heading=context.phrases["label.steps"], kind=ListKind.STEPS, items=answer.steps)
        return Reply(
            language=context.language,
            topic=answer.topic,
            title=answer.title,
            text="",
            sections=(section,),
            buttons=(context.button("more"), context.button("who_helps"), context.button("menu")),
        )


class ActionMore(FollowUp):
    """Details and exceptions."""

    action_name = "action_more"

    def part(self, context: Context, answer: Answer) -> Reply:
        """What did not fit the first screen."""
        phrases = context.phrases
        parts = ((phrases["label.details"], answer.details), (phrases["label.exceptions"], answer.exceptions))
        sections = tuple(Section(heading=h, kind=ListKind.BULLETS, items=items) for h, items in parts if items)
        if not sections:
            return _who_helps(context, answer, text=phrases["more.nothing"])
        return Reply(
            language=context.language,
            topic=answer.topic,
            title=answer.title,
            text="",
            warnings=answer.warnings,
            sections=sections,
            sources_heading=phrases["label.sources"],
            sources=sources(context, answer),
            buttons=(context.button("who_helps"), context.button("menu")),
        )


class ActionWhoHelps(FollowUp):
    """Everybody who helps with the topic."""

    action_name = "action_who_helps"

    def part(self, context: Context, answer: Answer) -> Reply:
        """All contacts, not only the first."""
        return _who_helps(context, answer, text="")


class ActionSources(FollowUp):
    """Where the answer comes from."""

    action_name = "action_sources"

    def part(self, context: Context, answer: Answer) -> Reply:
        """The sources, unfolded, and who has read the text."""
        return Reply(
            language=context.language,
            topic=answer.topic,
            title=answer.title,
            text=context.phrases[f"review.{answer.review}"],
            warnings=answer.warnings,
            sources_heading=context.phrases["label.sources"],
            sources=sources(context, answer),
            buttons=(context.button("who_helps"), context.button("menu")),
        )


def _who_helps(context: Context, answer: Answer, *, text: str) -> Reply:
    return Reply(
        language=context.language,
        topic=answer.topic,
        title=answer.title,
        text=text,
        contacts_heading=context.phrases["label.who_helps"],
        contacts=tuple(contact_card(context.content, contact, context.language) for contact in answer.contacts),
        buttons=(context.button("sources"), context.button("menu")),
    )
