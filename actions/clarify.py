"""What to say when the topic is in doubt or not found: buttons first, then search, then a person. Never a loop."""

from __future__ import annotations

from typing import Any

from actions.answer import with_urgent_offer
from actions.contacts import contact_card
from actions.content import store
from actions.context import Context, ReplyAction
from actions.reply import Button, Reply
from knowledge import answers

CHOICES = 3
OUT_OF_SCOPE = "out_of_scope"
LOST_BEFORE_HELP = 2


class ActionClarify(ReplyAction):
    """In doubt: the likeliest topics as buttons; after two in a row the way out."""

    action_name = "action_clarify"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """Buttons for the three likeliest topics."""
        lost = int(context.tracker.get_slot("lost") or 0) + 1
        if lost > LOST_BEFORE_HELP:
            return _way_out(context), {"lost": lost, "asked": None}
        topics = _likeliest(context)
        buttons = _choices(context, topics)
        none = Button(label=context.phrases["clarify.none"], payload="/menu")
        reply = Reply(language=context.language, text=context.phrases["clarify"], buttons=(*buttons, none))
        return _offer_if_urgent(context, reply), {"lost": lost, "asked": None}


class ActionLost(ReplyAction):
    """Not understood, or nothing that the bot knows: say what it does know; the second time search, menu and a number."""

    action_name = "action_lost"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """Ask for other words once, then show the way out."""
        lost = int(context.tracker.get_slot("lost") or 0) + 1
        if lost >= LOST_BEFORE_HELP:
            return _offer_if_urgent(context, _way_out(context)), {"lost": lost, "asked": None}
        buttons = (context.button("menu"), context.button("human"))
        outside = context.tracker.latest_message["intent"]["name"] == OUT_OF_SCOPE
        reply = Reply(
            language=context.language, text=context.phrases["out_of_scope" if outside else "lost"], buttons=buttons
        )
        return _offer_if_urgent(context, reply), {"lost": lost, "asked": None}


def _way_out(context: Context) -> Reply:
    found = store().search(context.text, context.language, limit=CHOICES) if context.text else []
    return Reply(
        language=context.language,
        text=context.phrases["lost.search" if found else "lost.nothing"],
        contacts_heading=context.phrases["label.who_helps"],
        contacts=tuple(
            contact_card(context.content, contact, context.language)
            for contact in (
                answers.contact(context.content, name, context.language, now=context.now)
                for name in context.content.whom("not_understood")
            )
        ),
        buttons=(*_choices(context, found), context.button("menu"), context.button("human")),
    )


def _likeliest(context: Context) -> list[str]:
    ranking = context.tracker.latest_message.get("intent_ranking") or []
    names = [str(entry["name"]) for entry in ranking]
    return [name for name in names if name in context.content.topics][:CHOICES]


def _choices(context: Context, topics: list[str]) -> tuple[Button, ...]:
    return tuple(
        Button(label=choice.label, payload=f"/{choice.topic}")
        for choice in answers.choices(context.content, topics, context.language)
    )


def _offer_if_urgent(context: Context, reply: Reply) -> Reply:
    urgency = context.tracker.latest_message.get("urgency") or {}
    return with_urgent_offer(context, reply, urgency["label"]) if urgency else reply
