"""What staff do with cases: each deed changes the case, tells the person in their language, and stands in the audit log.

All in the caller's transaction, so that nothing is told that did not happen. The rules of the states: `bot.cases`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from actions.emergency import number_of
from actions.reply import Author, Reply
from bot import audit, cases, duty, outbox, staff
from bot.models import Case, Conversation
from knowledge.files import Content

DEFAULT_LANGUAGE = "en"


class Desk:
    """The deeds. Each raises `bot.cases.CaseStateError` where the case is not in a state for it or not the caller's.

    Args:
        content: what is served now, for the words.

    """

    def __init__(self, content: Callable[[], Content]) -> None:
        self._content = content

    def claim(self, session: Session, case_id: int, staff_id: str, *, now: datetime) -> str:
        """Take a waiting case: from now on the bot is silent in it. Returns the conversation, as all of these do."""
        conversation_id = cases.claim(session, case_id, staff_id, now=now)
        found = cases.find_open(session, conversation_id)
        consent = found.consent if found is not None else None
        is_again = found is not None and found.was_read and consent is None
        self._tell(session, conversation_id, "staff.here.again" if is_again else _HERE[consent], now=now)
        audit.record(session, staff_id, "case_claimed", case_id=case_id, now=now)
        return conversation_id

    def say(
        self, session: Session, case_id: int, staff_id: str, text: str, *, now: datetime, original: str = ""
    ) -> str:
        """Write to the person.

        Args:
            original: what `text` was translated from by a machine; the person sees it, too.

        """
        conversation_id = cases.answer(session, case_id, staff_id, now=now)
        language = self._language_of(session, conversation_id)
        details: dict[str, Any] = {}
        if original:
            text = f"{text}\n\n{self._content().phrases[language].phrases['staff.translated']}\n{original}"
            details["translated"] = True
        reply = Reply(language=language, text=text, author=Author.STAFF)
        stored = outbox.store_word(session, conversation_id, reply, now=now)
        details["outbox"] = stored
        audit.record(session, staff_id, "message_sent", case_id=case_id, details=details, now=now)
        return conversation_id

    def send_answer(self, session: Session, case_id: int, staff_id: str, reply: Reply, *, now: datetime) -> str:
        """Send a knowledge answer, as `reply` says it in the person's language."""
        conversation_id = cases.answer(session, case_id, staff_id, now=now)
        sent = reply.model_copy(update={"author": Author.STAFF, "buttons": (), "asks_location": False})
        stored = outbox.store_word(session, conversation_id, sent, now=now)
        details = {"outbox": stored, "topic": reply.topic, "language": reply.language}
        audit.record(session, staff_id, "answer_sent", case_id=case_id, details=details, now=now)
        return conversation_id

    def note(self, session: Session, case_id: int, staff_id: str, body: str, *, now: datetime) -> str:
        """Write a note that only staff see."""
        conversation_id = cases.check_owner(session, case_id, staff_id)
        cases.write_note(session, case_id, staff_id, body, now=now)
        audit.record(session, staff_id, "note_written", case_id=case_id, now=now)
        return conversation_id

    def hand_over(self, session: Session, case_id: int, staff_id: str, to: str, *, now: datetime) -> str:
        """Give the case to a colleague.

        Raises:
            bot.staff.StaffError: there is no such colleague who takes cases.

        """
        conversation_id = cases.hand_over(session, case_id, staff_id, staff.taker(session, to), now=now)
        self._tell(session, conversation_id, "staff.colleague", now=now)
        audit.record(session, staff_id, "case_handed_over", case_id=case_id, details={"staff": to}, now=now)
        return conversation_id

    def hand_back(self, session: Session, case_id: int, staff_id: str, *, now: datetime) -> str:
        """Give the conversation back to the bot, which answers what nobody answered; the case waits for somebody else."""
        returned = cases.hand_back(session, case_id, staff_id, now=now)
        self._to_bot(session, returned, "staff.back", now=now)
        audit.record(session, staff_id, "case_handed_back", case_id=case_id, now=now)
        return returned.conversation_id

    def close(self, session: Session, case_id: int, staff_id: str, outcome: cases.Outcome, *, now: datetime) -> str:
        """End the case; the bot goes on."""
        conversation_id = cases.close(session, case_id, staff_id, outcome, now=now)
        self._tell(session, conversation_id, "staff.done", now=now)
        details = {"outcome": outcome.value}
        audit.record(session, staff_id, "case_closed", case_id=case_id, details=details, now=now)
        return conversation_id

    def reopen(self, session: Session, case_id: int, staff_id: str, *, now: datetime) -> str:
        """Let a closed case wait again. The person is not told: nobody is there yet. Whoever comes asks for their consent anew."""
        conversation_id = cases.reopen(session, case_id, now=now)
        audit.record(session, staff_id, "case_reopened", case_id=case_id, now=now)
        return conversation_id

    def take_back_silent(self, session: Session, *, now: datetime) -> list[str]:
        """Give the conversations whose owner was silent too long back to the bot, which answers what nobody answered.

        The person is told in the conversation, staff by the case that waits again and the audit log.
        """
        back = cases.take_back_silent(session, now=now)
        # Where the last account was closed meanwhile, nobody is told that their request stays open.
        said = "staff.silent" if back and duty.has_staff(session) else "staff.gone"
        for returned in back:
            self._to_bot(session, returned, said, now=now)
            details = {"owner": returned.owner}
            audit.record(session, audit.SYSTEM, "case_taken_back", case_id=returned.case_id, details=details, now=now)
        return [returned.conversation_id for returned in back]

    def _to_bot(self, session: Session, returned: cases.Returned, key: str, *, now: datetime) -> None:
        self._tell(session, returned.conversation_id, key, now=now)
        outbox.give_back(session, returned.conversation_id, since=returned.opened_at)

    def _tell(self, session: Session, conversation_id: str, key: str, *, now: datetime) -> None:
        """Tell the person; nobody is told any more whose messages are gone, and the case can be ended all the same."""
        content, language = self._content(), self._language_of(session, conversation_id)
        text = content.phrases[language].phrases[key].format(phone=number_of(content, None))
        with suppress(LookupError):
            outbox.store_word(session, conversation_id, Reply(language=language, text=text), now=now)

    def _language_of(self, session: Session, conversation_id: str) -> str:
        """The person's language where we speak it: that of the conversation, or of the cry that it began with."""
        of_cry = select(Case.language).where(Case.conversation_id == conversation_id).order_by(Case.id.desc()).limit(1)
        spoken = func.coalesce(Conversation.language, of_cry.scalar_subquery())
        language = session.scalar(select(spoken).where(Conversation.id == conversation_id))
        return language if language is not None and language in self._content().phrases else DEFAULT_LANGUAGE


# What the person is told when somebody comes, by whether that one may read what was written.
_HERE = {
    None: "staff.here.unread",
    cases.Consent.NO: "staff.here.refused",
    cases.Consent.YES: "staff.here",
}
