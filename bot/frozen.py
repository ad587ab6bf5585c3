"""What is said when the model or the database is not there: helpline texts for urgent messages, honesty for the rest.

Works from the content files and the phrase rules alone, held in memory from the start.
"""

from __future__ import annotations

from datetime import datetime

from actions.reply import ContactCard, ListKind, Reply, Section
from knowledge import answers
from knowledge.files import Content
from nlu.languages import LanguageIdentifier, LinguaDetector
from nlu.urgency import PhraseRules

DEFAULT_LANGUAGE = "en"


class FrozenPath:
    """Answers without model, database or network."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._rules = PhraseRules(content.urgency)
        self._identifier = LanguageIdentifier(content.languages, LinguaDetector(content.languages, accurate=False))

    def urgent_reply(self, text: str, *, language: str | None, hint: str | None, now: datetime) -> Reply | None:
        """The helpline text for an urgent message in its own language; None where the rules see no urgency."""
        found = self._rules.find(text)
        if found is None:
            return None
        spoken = self._language(text, language, hint)
        answer = answers.answer(self._content, found.label, spoken, now=now)
        phrases = self._content.phrases[spoken].phrases
        return Reply(
            language=spoken,
            topic=answer.topic,
            title=answer.title,
            text=answer.short,
            sections=(Section(heading=phrases["label.steps"], kind=ListKind.STEPS, items=answer.steps),),
            contacts_heading=phrases["label.who_helps"],
            contacts=tuple(
                ContactCard(name=c.name, what_for=c.what_for, phone=c.phone, url=c.url) for c in answer.contacts[:3]
            ),
            note=phrases["urgent.more"],
            is_urgent=True,
        )

    def one_moment(self, text: str, *, language: str | None, hint: str | None) -> Reply:
        """The honest word that an answer will come."""
        return self._say("error.one_moment", text, language, hint)

    def failed(self, text: str, *, language: str | None, hint: str | None, now: datetime) -> Reply:
        """The honest word that something went wrong, with the number for danger."""
        reply = self._say("error.failed", text, language, hint)
        card = answers.contact(self._content, "emergency_112", reply.language, now=now)
        helper = answers.contact(self._content, "fairwork", reply.language, now=now)
        cards = tuple(ContactCard(name=c.name, what_for=c.what_for, phone=c.phone) for c in (card, helper))
        return reply.model_copy(update={"contacts": cards})

    def _say(self, phrase: str, text: str, language: str | None, hint: str | None) -> Reply:
        spoken = self._language(text, language, hint)
        return Reply(language=spoken, text=self._content.phrases[spoken].phrases[phrase])

    def _language(self, text: str, language: str | None, hint: str | None) -> str:
        return self._identifier.identify(text, conversation=language, hint=hint).code
