"""From the bot to a person, as the one who needs it sees it: the offer, their consent, and what they are told.

All in the caller's transaction. What staff do: `bot.desk`; the states of cases: `bot.cases`; when somebody is there: `bot.duty`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from actions.emergency import number_of, phrases_of
from actions.menu import people_to_call
from actions.reply import Button, Effect, Reply
from bot import audit, cases, duty, outbox
from bot.assistant_port import OFFERED
from bot.cases import Consent, State
from bot.duty import ASKED, Plan
from knowledge.files import Content
from nlu.urgency import WITH_CARE

DEFAULT_LANGUAGE = "en"
QUESTION = "person"  # in the slot `asked`: whether staff may be asked for
CONSENT = "consent"  # likewise: whether they may read the chat of somebody in danger
_BUTTON = re.compile(r'/consent\{"case":"(\d{1,12})","answer":"(yes|no)","in":"([a-z]{2,3})"\}')


def open_for(session: Session, conversation_id: str, kind: str, *, language: str | None, now: datetime) -> bool:
    """Open a case for somebody in danger, or make the open one as urgent.

    Returns:
        Whether they are to be asked if staff may read the chat (`ask_consent`): for a new case, and one that got worse.

    """
    before = cases.find_open(session, conversation_id)
    cases.open_case(session, conversation_id, kind, language=language, now=now)
    found = cases.find_open(session, conversation_id)
    is_new = found is not None and (before is None or before.kind != found.kind)
    is_undecided = found is not None and found.consent is not Consent.YES and found.state is State.WAITING
    return is_new and is_undecided and duty.has_staff(session)


def ask_consent(
    session: Session, content: Content, conversation_id: str, *, language: str | None, now: datetime
) -> None:
    """Ask, below the numbers, whether staff may read the chat.

    The buttons name case and language: those of an older case do nothing, and who was helped at arrival may have no language in
    the conversation yet.

    Args:
        language: the one that the person writes; where it is not served, the question is put in the default one.

    """
    found = cases.find_open(session, conversation_id)
    if found is None:
        return
    plan, spoken = duty.plan_of(session), _served(content, language)
    phrases = phrases_of(content, spoken)
    ask = phrases["consent.ask" if plan.is_open(now) else "consent.leave"]
    parts = [f"{hours(plan, phrases, spoken, now=now)} {ask}"]
    if found.kind in WITH_CARE:
        parts.append(phrases["consent.care"])
    reply = Reply(
        language=spoken,
        text="\n\n".join(parts),
        buttons=tuple(
            Button(
                label=phrases[f"button.{answer}"],
                payload=f'/consent{{"case":"{found.id}","answer":"{answer}","in":"{spoken}"}}',
            )
            for answer in ("yes", "no")
        ),
    )
    try:
        outbox.store_word(session, conversation_id, reply, now=now)
    except outbox.StoppedError:
        return  # they said STOP after the cry that is answered now: the number is said, and no more is asked
    # Typed, "yes" and "1" say the same as the button.
    outbox.add_slots(session, conversation_id, {"asked": CONSENT, OFFERED: ["/affirm", "/deny"]})


def is_decision(payload: str) -> bool:
    """Whether a button is one of `ask_consent`. They need no model."""
    return _BUTTON.fullmatch(payload) is not None


def decide(session: Session, content: Content, conversation_id: str, payload: str, *, now: datetime) -> Reply:
    """Carry out what such a button says, and say in its language what comes of it; an older one is told that it is gone."""
    pressed = _BUTTON.fullmatch(payload)
    if pressed is None:
        raise ValueError("this is no button about consent")
    consent = Consent(pressed[2])
    spoken = _served(content, pressed[3])
    if _comes_to_nothing(session, consent):
        return _nobody_reads(session, content, conversation_id, language=spoken)
    case_id = cases.decide_by_button(session, conversation_id, int(pressed[1]), consent, now=now)
    if case_id is None:
        phrases = phrases_of(content, spoken)
        buttons = tuple(Button(label=phrases[f"button.{key}"], payload=f"/{key}") for key in ("menu", "human"))
        return Reply(language=spoken, text=phrases["menu.gone"], buttons=buttons)
    return _decided(session, content, conversation_id, consent, language=spoken, now=now)


def decide_by_word(
    session: Session, content: Content, conversation_id: str, replies: Sequence[Reply], *, now: datetime
) -> Reply | None:
    """What is said to a typed yes or no to the question; None where it was none, or came too late to be one."""
    consent = next((_EFFECTS[reply.effect] for reply in replies if reply.effect in _EFFECTS), None)
    if _comes_to_nothing(session, consent):
        return _nobody_reads(session, content, conversation_id, language=replies[0].language)
    if consent is None or cases.decide_by_word(session, conversation_id, consent, now=now) is None:
        return None
    return _decided(session, content, conversation_id, consent, language=replies[0].language, now=now)


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
    return decide_by_word(session, content, conversation_id, (reply,), now=now) or reply


def question_of(reply: Reply) -> str | None:
    """What "yes" would be said to after this reply, for the slot `asked`; None where it asks for no consent."""
    is_offer = reply.effect is Effect.OFFER_PERSON and any(button.payload == "/affirm" for button in reply.buttons)
    return QUESTION if is_offer else None


def _offer(session: Session, content: Content, conversation_id: str, reply: Reply, *, now: datetime) -> Reply:
    """Who is there when, who would read what, and whether that is wanted; the numbers alone where there are no staff at all."""
    if not duty.has_staff(session):
        return reply
    plan, phrases = duty.plan_of(session), phrases_of(content, reply.language)
    when = hours(plan, phrases, reply.language, now=now)
    found = cases.find_open(session, conversation_id)
    if found is not None and found.consent is Consent.YES:
        return reply.model_copy(update={"text": f"{when} {phrases['human.waiting']}"})
    is_open = plan.is_open(now)
    question = phrases["human.ask" if is_open else "human.leave"]
    answered_now = tuple(card for card in reply.contacts if card.is_open) or reply.contacts
    buttons = tuple(
        Button(label=phrases[f"button.{key}"], payload=way) for key, way in (("yes", "/affirm"), ("no", "/deny"))
    )
    return reply.model_copy(
        update={
            "text": f"{when} {question}",
            "contacts_heading": phrases["human.faster" if is_open else "human.call_now"],
            "contacts": reply.contacts if is_open else answered_now,
            "buttons": (*buttons, *reply.buttons),
        }
    )


def _ask(
    session: Session, content: Content, conversation_id: str, reply: Reply, *, language: str | None, now: datetime
) -> Reply:
    """Open a case, or let staff read the one that is open; says what happens next, or that there are no staff any more."""
    if not duty.has_staff(session):
        return _nobody_comes(content, reply, now=now)
    plan, phrases = duty.plan_of(session), phrases_of(content, reply.language)
    case_id = cases.open_case(session, conversation_id, ASKED, language=language, now=now)
    if case_id is not None:
        audit.record(session, audit.PERSON, "case_asked_for", case_id=case_id, now=now)
    cases.decide(session, conversation_id, Consent.YES, now=now)
    when = hours(plan, phrases, reply.language, now=now)
    if not plan.is_open(now):
        return reply.model_copy(update={"text": f"{when} {phrases['human.left']}"})
    return reply.model_copy(
        update={"text": phrases["human.asked"] if plan.hours is not None else f"{when} {phrases['human.asked']}"}
    )


def _comes_to_nothing(session: Session, consent: Consent | None) -> bool:
    """Whether it is a yes to staff that are not there any more: it is not kept for others who may come later."""
    return consent is Consent.YES and not duty.has_staff(session)


def _nobody_reads(session: Session, content: Content, conversation_id: str, *, language: str) -> Reply:
    found, phrases = cases.find_open(session, conversation_id), phrases_of(content, language)
    phone = number_of(content, found.kind if found is not None else None)
    return Reply(language=language, text=phrases["consent.gone"].format(phone=phone))


def _nobody_comes(content: Content, reply: Reply, *, now: datetime) -> Reply:
    phrases = phrases_of(content, reply.language)
    return reply.model_copy(
        update={
            "text": f"{phrases['human.gone']} {phrases['human']}",
            "contacts_heading": phrases["label.who_helps"],
            "contacts": people_to_call(content, reply.language, now=now),
        }
    )


def _decided(
    session: Session, content: Content, conversation_id: str, consent: Consent, *, language: str, now: datetime
) -> Reply:
    found, phrases = cases.find_open(session, conversation_id), phrases_of(content, language)
    if consent is Consent.NO:
        return Reply(language=language, text=phrases["consent.no"])
    if found is not None and found.state is State.CLAIMED:
        return Reply(language=language, text=phrases["consent.yes.here"])
    when = hours(duty.plan_of(session), phrases, language, now=now)
    phone = number_of(content, found.kind if found is not None else None)
    return Reply(language=language, text=phrases["consent.yes"].format(hours=when, phone=phone))


def _served(content: Content, language: str | None) -> str:
    return language if language is not None and language in content.phrases else DEFAULT_LANGUAGE


def hours(plan: Plan, phrases: dict[str, str], language: str, *, now: datetime) -> str:
    """Whether staff are there, and until or from when; where nobody has set hours, that nobody knows."""
    if plan.hours is None:
        return phrases["hours.unset"].format(name=plan.name)
    closes, opens = plan.closes(now), plan.opens(now)
    if plan.is_open(now):
        is_today = closes is not None and closes.date() == now.astimezone(duty.AMSTERDAM).date()
        key, moment = ("hours.open", closes) if is_today else ("hours.here", None)
    else:
        key, moment = ("hours.closed", opens) if opens is not None else ("hours.unknown", None)
    said = duty.when(moment, language, now=now) if moment is not None else ""
    return phrases[key].format(name=plan.name, when=said)


_EFFECTS: dict[Effect | None, Consent] = {Effect.CONSENT: Consent.YES, Effect.NO_CONSENT: Consent.NO}
