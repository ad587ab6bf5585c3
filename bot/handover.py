"""From the bot to a person, as the one who needs it sees it: the offer, their consent, and what they are told.

All in the caller's transaction. What staff do: `bot.desk`; the states of cases: `bot.cases`; when somebody is there: `bot.duty`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from actions.emergency import phrases_of
from actions.reply import Button, Effect, Reply
from bot import audit, cases, duty
from bot.cases import Consent
from bot.duty import ASKED, Plan
from knowledge.files import Content

DEFAULT_LANGUAGE = "en"
QUESTION = "person"  # in the slot `asked`: whether staff may be asked for


def complete(
    session: Session, content: Content, conversation_id: str, reply: Reply, *, language: str | None, now: datetime
) -> Reply:
    """The reply as it is said: one that offers or asks for a person with what staff can do now, any other as it is.

    Args:
        language: the one that the person writes, for the case.

    """
    if reply.effect is Effect.OFFER_PERSON:
        return _offer(session, content, conversation_id, reply, now=now)
    if reply.effect is Effect.ASK_PERSON:
        return _ask(session, content, conversation_id, reply, language=language, now=now)
    return reply


def question_of(reply: Reply) -> str | None:
    """What "yes" would be said to after this reply, for the slot `asked`; None where it asks for no consent."""
    is_offer = reply.effect is Effect.OFFER_PERSON and any(button.payload == "/affirm" for button in reply.buttons)
    return QUESTION if is_offer else None


def _offer(session: Session, content: Content, conversation_id: str, reply: Reply, *, now: datetime) -> Reply:
    """Who is there when, who would read what, and whether that is wanted; the numbers alone where there are no staff at all."""
    if not duty.has_staff(session):
        return reply
    plan, phrases = duty.plan_of(session), phrases_of(content, reply.language)
    found = cases.find_open(session, conversation_id)
    if found is not None and found.consent is Consent.YES:
        return reply.model_copy(update={"text": phrases["human.waiting"]})
    is_open = plan.is_open(now)
    question = phrases["human.ask" if is_open else "human.leave"]
    answered_now = tuple(card for card in reply.contacts if card.is_open) or reply.contacts
    buttons = tuple(
        Button(label=phrases[f"button.{key}"], payload=way) for key, way in (("yes", "/affirm"), ("no", "/deny"))
    )
    return reply.model_copy(
        update={
            "text": f"{hours(plan, phrases, reply.language, now=now)} {question}",
            "contacts_heading": phrases["human.faster" if is_open else "human.call_now"],
            "contacts": reply.contacts if is_open else answered_now,
            "buttons": (*buttons, *reply.buttons),
        }
    )


def _ask(
    session: Session, content: Content, conversation_id: str, reply: Reply, *, language: str | None, now: datetime
) -> Reply:
    """Open a case, or let staff read the one that is open; says what happens next."""
    plan, phrases = duty.plan_of(session), phrases_of(content, reply.language)
    case_id = cases.open_case(session, conversation_id, ASKED, language=language, now=now)
    if case_id is not None:
        audit.record(session, audit.PERSON, "case_asked_for", case_id=case_id, now=now)
    cases.decide(session, conversation_id, Consent.YES, now=now)
    if plan.is_open(now):
        return reply.model_copy(update={"text": phrases["human.asked"]})
    return reply.model_copy(update={"text": f"{hours(plan, phrases, reply.language, now=now)} {phrases['human.left']}"})


def hours(plan: Plan, phrases: dict[str, str], language: str, *, now: datetime) -> str:
    """One sentence: whether staff are there, and until or from when."""
    closes, opens = plan.closes(now), plan.opens(now)
    if plan.is_open(now):
        is_today = closes is not None and closes.date() == now.astimezone(duty.AMSTERDAM).date()
        key, moment = ("hours.open", closes) if is_today else ("hours.here", None)
    else:
        key, moment = ("hours.closed", opens) if opens is not None else ("hours.unknown", None)
    said = duty.when(moment, language, now=now) if moment is not None else ""
    return phrases[key].format(name=plan.name, when=said)
