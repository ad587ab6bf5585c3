"""For whom an answer is: EU citizens, people from Ukraine with temporary protection, others. Asked once, remembered, changeable.

The question stands below an answer that differs for one of them, never before it. What differs is marked in the words of the
topics (`knowledge.files.GROUP`); the language that somebody writes decides nothing.
"""

from __future__ import annotations

from typing import Any

from actions.context import Context
from actions.reply import Button, ListKind, Reply, Section
from knowledge.answers import Answer
from knowledge.files import GROUPS

ASKED, UNSAID = "asked", "unsaid"
SHOWN = 2  # lines for one's own group under a first answer; all of them stand behind "tell me more"


def group_buttons(context: Context) -> tuple[Button, ...]:
    """The three groups, and the way not to say."""
    return tuple(context.button(f"group.{name}", f'/who_i_am{{"group":"{name}"}}') for name in (*GROUPS, UNSAID))


def for_you(context: Context, answer: Answer) -> tuple[Section, ...]:
    """What is different for the person's own group, as a section under the first steps."""
    if not answer.for_you:
        return ()
    heading = context.phrases["label.for_you"]
    return (Section(heading=heading, kind=ListKind.BULLETS, items=answer.for_you[:SHOWN]),)


def with_standing(context: Context, reply: Reply, answer: Answer) -> tuple[Reply, dict[str, Any]]:
    """The reply with a word on whom it is for, or with the question below it; and the slots to set.

    Nothing is asked where nothing differs, where it was asked before, where somebody may be in danger or is asked where they are.
    """
    if not answer.differs:
        return reply, {}
    if answer.group is not None:
        stands = context.phrases[f"group.stands.{answer.group}"]
        note = f"{stands} {reply.note}" if reply.note else stands
        return reply.model_copy(update={"note": note, "buttons": (*reply.buttons, context.button("who_i_am"))}), {}
    in_doubt = context.tracker.latest_message.get("urgency") or reply.asks_location
    if context.tracker.get_slot("group") is not None or in_doubt:
        return reply, {}
    # A list in WhatsApp holds ten: topics beside this one can wait until the question is answered.
    rest = (button for button in reply.buttons if button.payload.removeprefix("/") not in context.content.topics)
    asked = {"question": context.phrases["group.ask"], "buttons": (*group_buttons(context), *rest)}
    return reply.model_copy(update=asked), {"group": ASKED}
