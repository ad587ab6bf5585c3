"""An organisation as a card to call or write to."""

from __future__ import annotations

from dataclasses import replace

from actions.reply import ContactCard
from knowledge.answers import Contact
from knowledge.files import Content
from knowledge.formats import listing


def first_card(content: Content, contact: Contact, language: str) -> ContactCard:
    """The contact under a first answer: what one has to know to call now. The rest is one press away, under "who can help"."""
    return contact_card(content, replace(contact, phone_from_abroad=None, note=None), language)


def contact_card(content: Content, contact: Contact, language: str) -> ContactCard:
    """A contact with its short notes in a served language."""
    phrases = content.phrases[language].phrases
    closed = phrases["label.opens"].format(when=contact.opens) if contact.opens else phrases["label.closed"]
    state = {True: phrases["label.open"], False: closed, None: None}[contact.is_open]
    facts = [state, phrases["label.free"] if contact.is_free else None]
    facts.append(phrases["label.anonymous"] if contact.is_anonymous else None)
    spoken = listing(contact.languages, language)
    when = [contact.hours, phrases["label.languages"].format(languages=spoken) if spoken else None]
    lines: list[str | None] = [" · ".join(part for part in parts if part) for parts in (facts, when)]
    if contact.phone_from_abroad and contact.phone_from_abroad != contact.phone:
        lines.append(phrases["label.from_abroad"].format(phone=contact.phone_from_abroad))
    lines.append(contact.note)
    if not contact.is_verified:
        lines.append(phrases["label.unverified"])
    return ContactCard(
        name=contact.name,
        what_for=contact.what_for,
        phone=contact.phone,
        whatsapp=contact.whatsapp,
        email=contact.email,
        url=contact.url,
        notes=tuple(line for line in lines if line),
        is_open=contact.is_open,
    )
