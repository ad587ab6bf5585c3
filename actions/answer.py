"""Answers to topics and to urgent messages."""

from __future__ import annotations

from typing import Any

from actions.contacts import first_card
from actions.context import Context, ReplyAction
from actions.emergency import help_for, number_of
from actions.measures import sections
from actions.reply import Button, ListKind, Reply, Section, SourceNote
from actions.standing import for_you, with_standing
from knowledge import answers
from knowledge.answers import Answer, Contact

STEPS_SHOWN = 3
RELATED_SHOWN = 2


class ActionAnswer(ReplyAction):
    """The curated answer to the topic that was asked for."""

    action_name = "action_answer"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """The short answer, the steps, who can help and the source; under a warning where the message may be urgent."""
        topic = str(context.tracker.latest_message["intent"]["name"])
        reply, slots = first_answer(context, topic, group=context.group)
        reply = with_line(context, reply)
        reply = with_other_subject(context, reply)
        urgency = context.tracker.latest_message.get("urgency") or {}
        if urgency.get("level") == "possible":
            reply = with_urgent_offer(context, reply, urgency["label"])
        return reply, {"topic": topic, "lost": 0, **slots}


class ActionUrgent(ReplyAction):
    """The helpline for an urgent message, in the shortest form."""

    action_name = "action_urgent"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """The number first, then what to do; nothing that has to be read before that."""
        message = context.tracker.latest_message
        topic = str(message["intent"]["name"])
        also = (message.get("urgency") or {}).get("also") or ()
        spoken = context.native or context.language
        reply = help_for(context.content, (topic, *also), spoken, now=context.now)
        if context.native is None:
            reply = reply.model_copy(update={"buttons": (context.button("human"), context.button("more"))})
        return reply, {"topic": topic, "lost": 0, "asked": None}


def first_answer(context: Context, topic: str, *, group: str | None) -> tuple[Reply, dict[str, Any]]:
    """What a topic is answered with first, with what it shows or asks besides its words; and the slots to set."""
    answer = answer_of(context, topic, group=group)
    reply = render(context, answer)
    facts = context.content.topics[topic]
    if facts.shows == "measures":
        about = answers.find_measures(context.content, context.text, context.language, on=context.now.date())
        reply = reply.model_copy(
            update={
                "sections": (*sections(context, about), *reply.sections),
                "buttons": (context.button("measures"), *reply.buttons),
            }
        )
    asked = "desks" if facts.asks == "place" else None
    if asked:
        reply = reply.model_copy(update={"asks_location": True, "note": context.phrases["desks.ask"]})
    reply, standing = with_standing(context, reply, answer)
    return reply, {"asked": asked, **standing}


def answer_of(context: Context, topic: str, *, group: str | None) -> Answer:
    """The answer to a topic in the language of the conversation, for one of `GROUPS` where that is known."""
    return answers.answer(context.content, topic, context.language, now=context.now, group=group)


def render(context: Context, answer: Answer) -> Reply:
    """A topic's answer as a reply that fits a phone: the short answer, the first steps, one contact; the rest by button."""
    phrases = context.phrases
    buttons = [context.button("steps")] if len(answer.steps) > STEPS_SHOWN else []
    if answer.details or answer.exceptions:
        buttons.append(context.button("more"))
    buttons.append(context.button("who_helps"))
    if answer.measures and context.content.topics[answer.topic].shows != "measures":
        buttons.append(context.button("measures"))
    buttons += [Button(label=choice.label, payload=f"/{choice.topic}") for choice in answer.related[:RELATED_SHOWN]]
    buttons.append(context.button("human"))
    return Reply(
        language=context.language,
        topic=answer.topic,
        title=answer.title,
        text=answer.short,
        warnings=answer.warnings,
        sections=(
            Section(heading=phrases["label.steps"], kind=ListKind.STEPS, items=answer.steps[:STEPS_SHOWN]),
            *for_you(context, answer),
        ),
        contacts=tuple(first_card(context.content, one, context.language) for one in _who_answers_now(answer)),
        sources_heading=phrases["label.sources"],
        sources=sources(context, answer),
        note=phrases[f"review.{answer.review}"],
        buttons=tuple(buttons),
    )


def _who_answers_now(answer: Answer) -> tuple[Contact, ...]:
    """The one contact to show first: that answers the telephone now, else that has one, else the first."""
    by_phone = [contact for contact in answer.contacts if contact.phone]
    open_now = [contact for contact in by_phone if contact.is_open]
    not_closed = [contact for contact in by_phone if contact.is_open is not False]
    return tuple((open_now or not_closed or by_phone or answer.contacts)[:1])


def with_line(context: Context, reply: Reply) -> Reply:
    """The same reply with the line that answers just what was asked before all others, where it could not be seen at once."""
    question = context.tracker.latest_message.get("same_question")
    if not question or not reply.topic:
        return reply
    line = answers.find_line(
        context.content, reply.topic, question, context.language, on=context.now.date(), group=context.group
    )
    if line is None or any(line in section.items for section in reply.sections):
        return reply
    return reply.model_copy(update={"text": f"**{line}**\n\n{reply.text}"})


def with_other_subject(context: Context, reply: Reply) -> Reply:
    """The same reply with a button to the other subject of a message that has two, before all others."""
    other = str(context.tracker.latest_message.get("other_subject"))
    buttons = [
        Button(label=choice.label, payload=f"/{choice.topic}")
        for choice in answers.choices(context.content, [other], context.language)
    ]
    others = [button for button in reply.buttons if button not in buttons]
    return reply.model_copy(update={"buttons": (*buttons, *others)})


def with_urgent_offer(context: Context, reply: Reply, kind: str) -> Reply:
    """The same reply under one line with the number of that kind, and a button to the help of that kind."""
    line = context.phrases["urgent.possible"].format(phone=number_of(context.content, kind))
    button = Button(label=context.phrases["urgent.possible.button"], payload=f"/{kind}")
    return reply.model_copy(update={"warnings": (line, *reply.warnings), "buttons": (button, *reply.buttons)})


def sources(context: Context, answer: Answer) -> tuple[SourceNote, ...]:
    """Where the answer comes from."""
    checked = context.phrases["label.checked"]
    return tuple(
        SourceNote(title=reference.title, url=reference.url, checked=checked.format(date=reference.checked))
        for reference in answer.references
    )
