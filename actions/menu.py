"""The way in without typing: greeting, menu, areas; and "yes", "no" and "a person, please"."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from actions.buttons import kind_buttons, language_buttons
from actions.contacts import contact_card
from actions.context import Context, ReplyAction
from actions.data import delete_my_data
from actions.emergency import number_of
from actions.reply import Button, ContactCard, Effect, Reply
from knowledge import answers
from knowledge.files import Content

URGENT_AREA = "urgent"


class ActionGreet(ReplyAction):
    """The first words: that this is a robot, what it can do, that a person can be reached, and the languages."""

    action_name = "action_greet"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """The long greeting once, a short one after that."""
        text = context.phrases["greet.short" if context.tracker.get_slot("greeted") else "greet"]
        buttons = (
            context.button("menu"),
            context.button("human"),
            *language_buttons(context.content, context.language),
        )
        return Reply(language=context.language, text=text, buttons=buttons), {"lost": 0, "greeted": True}


class ActionMenu(ReplyAction):
    """The areas as buttons."""

    action_name = "action_menu"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """Everything that the bot knows, by area."""
        return menu(context, text=context.phrases["menu"]), {"lost": 0, "asked": None}


class ActionGone(ReplyAction):
    """A button that is not there any more, from an older message or made up by somebody."""

    action_name = "action_gone"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """Say so and offer what there is."""
        return menu(context, text=context.phrases["menu.gone"]), {"asked": None}


class ActionCannotRead(ReplyAction):
    """A voice message, a picture, a file: an honest word and what to do instead."""

    action_name = "action_cannot_read"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """Text, buttons or a person; the number first for who can't write now."""
        line = context.phrases["urgent.possible"].format(phone=number_of(context.content, None))
        buttons = (context.button("menu"), context.button("human"))
        reply = Reply(language=context.language, text=context.phrases["cannot_read"], warnings=(line,), buttons=buttons)
        return reply, {"asked": None}


class ActionGroup(ReplyAction):
    """Added to a group: one polite sentence, in private is better."""

    action_name = "action_group"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """The sentence alone: buttons would be pressed by everybody."""
        return Reply(language=context.language, text=context.phrases["group"]), {"asked": None}


class ActionArea(ReplyAction):
    """The topics of one area as buttons."""

    action_name = "action_area"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """The topics in the order of their files; the menu for an area that there is not."""
        area = context.entity("area")
        if area == URGENT_AREA:
            return emergencies(context), {"lost": 0, "asked": None}
        areas = context.content.phrases[context.language].areas
        if area not in areas:
            return menu(context, text=context.phrases["menu"]), {"lost": 0, "asked": None}
        topics = [topic.topic for topic in context.content.topics.values() if topic.area == area]
        buttons = [
            Button(label=choice.label, payload=f"/{choice.topic}")
            for choice in answers.choices(context.content, topics, context.language)
        ]
        text = context.phrases["menu.area"].format(area=areas[area])
        reply = Reply(language=context.language, text=text, buttons=(*buttons, context.button("menu")))
        return reply, {"lost": 0, "asked": None}


class ActionHuman(ReplyAction):
    """Where a person answers by telephone; the service puts what our own staff can do before it, where there are any."""

    action_name = "action_human"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """Numbers of people, those that are open now first."""
        reply = Reply(
            language=context.language,
            text=context.phrases["human"],
            contacts_heading=context.phrases["label.who_helps"],
            contacts=people_to_call(context.content, context.language, now=context.now),
            buttons=(context.button("menu"),),
            effect=Effect.OFFER_PERSON,
        )
        return reply, {"lost": 0, "asked": None}


def people_to_call(content: Content, language: str, *, now: datetime) -> tuple[ContactCard, ...]:
    """Where a person answers by telephone, those that are open now first."""
    contacts = [answers.contact(content, name, language, now=now) for name in content.whom("person")]
    contacts.sort(key=lambda contact: contact.is_open is False)
    return tuple(contact_card(content, contact, language) for contact in contacts)


class ActionAffirm(ReplyAction):
    """Yes, to the question that was put last, or just so."""

    action_name = "action_affirm"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """Carry out what "yes" was said to."""
        asked = context.tracker.get_slot("asked")
        if asked == "delete":
            return delete_my_data(context), {"asked": None}
        if asked == "person":
            text = context.phrases["human.asked"]
            return Reply(language=context.language, text=text, effect=Effect.ASK_PERSON), {"lost": 0, "asked": None}
        reply = menu(context, text=context.phrases["affirm"])
        effect = Effect.CONSENT if asked == "consent" else None
        return reply.model_copy(update={"effect": effect}), {"lost": 0, "asked": None}


class ActionDeny(ReplyAction):
    """No, to the question that was put last, or to what the bot understood."""

    action_name = "action_deny"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """Leave things as they are and offer the menu."""
        asked = context.tracker.get_slot("asked")
        text = context.phrases[_KEPT.get(asked, "deny")]
        effect = Effect.NO_CONSENT if asked == "consent" else None
        return menu(context, text=text).model_copy(update={"effect": effect}), {"lost": 0, "asked": None}


_KEPT = {"delete": "delete.kept", "person": "human.no"}  # what "no" is answered with, by the question that was asked


def menu(context: Context, *, text: str) -> Reply:
    """A sentence and the areas as buttons."""
    areas = context.content.phrases[context.language].areas
    buttons = [Button(label=label, payload=f'/area{{"area":"{area}"}}') for area, label in areas.items()]
    emergency = context.button("emergency", f'/area{{"area":"{URGENT_AREA}"}}')
    return Reply(language=context.language, text=text, buttons=(emergency, *buttons, context.button("human")))


def emergencies(context: Context) -> Reply:
    """The emergencies as buttons, under the number for danger."""
    phone = number_of(context.content, None)
    return Reply(
        language=context.language,
        text=context.phrases["menu.emergency"],
        warnings=(context.phrases["urgent.possible"].format(phone=phone),),
        buttons=(*kind_buttons(context.content, context.language), context.button("menu")),
    )
