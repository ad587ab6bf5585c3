"""Help in an emergency as a reply: what is said to somebody in danger, in any language that we have those words in.

Shared by the action of the assistant and by `bot.frozen`, which answers without model and database; so nothing here needs Rasa.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from actions.buttons import kind_buttons, language_buttons
from actions.contacts import contact_card
from actions.reply import ContactCard, ListKind, Reply, Section
from knowledge import answers
from knowledge.files import Content
from knowledge.formats import listing

CONTACTS_SHOWN = 3


def help_for(content: Content, kinds: Sequence[str], language: str, *, now: datetime) -> Reply:
    """The helpline text of an urgent kind.

    Args:
        kinds: urgent kinds in order of danger; the text is the first one's, the numbers are everybody's.
        language: a known language (`Content.known_languages`).
        now: for the opening hours of the contacts.

    """
    kind = kinds[0]
    phrases = phrases_of(content, language)
    title, short, steps = _words(content, kind, language, now)
    return Reply(
        language=language,
        topic=kind,
        title=title,
        text=short,
        sections=(Section(heading=phrases["label.steps"], kind=ListKind.STEPS, items=steps),),
        contacts_heading=phrases["label.who_helps"],
        contacts=tuple(_contacts(content, kinds, language, now)),
        note=phrases["urgent.more"],
        buttons=language_buttons(content, language) if language in content.emergency else (),
        is_urgent=True,
    )


def in_emergencies_only(content: Content, language: str) -> Reply:
    """What somebody is told whose language we have for emergencies only: that it is so, what we speak, and the emergencies."""
    phrases = phrases_of(content, language)
    served = listing([content.phrases[code].name for code in content.languages], language)
    return Reply(
        language=language,
        text=f"{phrases['language.not_yet']} {phrases['language.instead'].format(languages=served)}",
        warnings=(phrases["urgent.possible"].format(phone=number_of(content, None)),),
        buttons=(*language_buttons(content, language), *kind_buttons(content, language)),
    )


def phrases_of(content: Content, language: str) -> dict[str, str]:
    """What the bot itself says in a known language; at the tier `emergency` only a few phrases are there."""
    return dict((content.phrases.get(language) or content.emergency[language]).phrases)


def number_of(content: Content, kind: str | None) -> str:
    """The number to name in one line for a kind that is possible: the one that its topic names, else the one for danger."""
    own = content.topics[kind].number if kind is not None else None
    return str(content.organisations[own or content.whom("danger")[0]].phone)


def _words(content: Content, kind: str, language: str, now: datetime) -> tuple[str, str, tuple[str, ...]]:
    if language in content.phrases:
        answer = answers.answer(content, kind, language, now=now)
        return answer.title, answer.short, answer.steps
    text = content.emergency[language].kinds[kind]
    title, short, *steps = (answers.fill(content, part, language, on=now.date()) for part in text.texts())
    return title, short, tuple(steps)


def _contacts(content: Content, kinds: Sequence[str], language: str, now: datetime) -> Iterator[ContactCard]:
    """The first contacts of the first kind that can be called, and the first of each further kind."""
    shown: dict[str, None] = {}
    for number, kind in enumerate(kinds):
        callable_now = [name for name in content.topics[kind].who_helps if content.organisations[name].phone]
        shown.update(dict.fromkeys(callable_now[: CONTACTS_SHOWN if number == 0 else 1]))
    for name in shown:
        if language in content.phrases:
            yield contact_card(content, answers.contact(content, name, language, now=now), language)
        else:
            facts = content.organisations[name]
            yield ContactCard(name=facts.name, what_for="", phone=facts.phone, url=facts.url)
