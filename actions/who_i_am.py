"""Saying for whom the answers are, by button or in words, and changing it."""

from __future__ import annotations

from typing import Any

from actions.answer import answer_of, first_answer
from actions.context import Context, ReplyAction
from actions.reply import Reply
from actions.standing import UNSAID, group_buttons
from knowledge.files import GROUPS


class ActionWhoIAm(ReplyAction):
    """Remembers what was said and gives the last answer anew where it differs; asks where nothing was said."""

    action_name = "action_who_i_am"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """The answer for the group that was named, else a word that it is remembered; the topic stays what it was."""
        said = context.entity("group") or context.tracker.latest_message.get("group")
        if said not in (*GROUPS, UNSAID):
            question = context.phrases["group.ask"]
            return Reply(language=context.language, text=question, buttons=group_buttons(context)), {"lost": 0}
        slots = {"group": said, "lost": 0}
        if said == UNSAID:
            buttons = ((context.button("more"),) if context.topic else ()) + (context.button("menu"),)
            return Reply(language=context.language, text=context.phrases["group.unsaid"], buttons=buttons), slots
        if context.topic is not None:
            reply, asked = first_answer(context, context.topic, group=said)
            if answer_of(context, context.topic, group=said).differs:
                return reply, {**asked, **slots}
        text = context.phrases["group.noted"].format(group=context.phrases[f"button.group.{said}"])
        buttons = (context.button("menu"), context.button("who_i_am"))
        return Reply(language=context.language, text=text, buttons=buttons), slots
