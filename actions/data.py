"""The person's own data: what is kept, and deleting it."""

from __future__ import annotations

from typing import Any

from actions.context import Context, ReplyAction
from actions.reply import Effect, Reply
from knowledge.answers import fill


class ActionPrivacy(ReplyAction):
    """Who reads along and what is kept."""

    action_name = "action_privacy"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """The promise, with the number of days from the content."""
        text = fill(context.content, context.phrases["privacy"], context.language, on=context.now.date())
        buttons = [context.button("delete", "/delete_my_data"), context.button("menu")]
        if context.group is not None:
            group = context.phrases[f"button.group.{context.group}"]
            text = f"{text} {context.phrases['group.known'].format(group=group)}"
            buttons.append(context.button("who_i_am"))
        return Reply(language=context.language, text=text, buttons=tuple(buttons)), {"lost": 0}


class ActionDeleteMyData(ReplyAction):
    """Asks once before everything goes."""

    action_name = "action_delete_my_data"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """The question, with yes and no as buttons."""
        buttons = (context.button("yes", "/affirm"), context.button("no", "/deny"))
        reply = Reply(language=context.language, text=context.phrases["delete.ask"], buttons=buttons)
        return reply, {"asked": "delete", "lost": 0}


def delete_my_data(context: Context) -> Reply:
    """The order to delete; the service carries it out and writes the receipt."""
    return Reply(language=context.language, text=context.phrases["delete.done"], effect=Effect.DELETE_DATA)
