"""What is said without model and database: helpline texts for urgent messages, honesty for the rest.

Works from the content files and the phrase rules alone, held in memory from the start. Every message is judged here the moment it
arrives, before anything can go wrong with it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime

import structlog

from actions.contacts import contact_card
from actions.emergency import help_for, number_of, phrases_of
from actions.reply import Button, Reply
from knowledge import answers
from knowledge.files import Content
from knowledge.search import fold
from nlu.languages import LanguageIdentifier, LinguaDetector
from nlu.urgency import PREFIX, Level, Urgency, rules_of

DEFAULT_LANGUAGE = "en"
log = structlog.get_logger()


class FrozenPath:
    """Answers without model, database or network; `content` is what it answers from."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self._rules = rules_of(content.urgency)
        for language, fault in self._rules.faults:
            log.error("phrase_left_out", language=language, fault=fault)
        languages = content.known_languages
        self._identifier = LanguageIdentifier(languages, LinguaDetector(languages, accurate=False))
        self._stop: defaultdict[str, set[str]] = defaultdict(set)
        by_language = {code: entry.stop for code, entry in content.phrases.items()}
        by_language.update((code, entry.stop) for code, entry in content.emergency.items())
        for code, phrases in by_language.items():
            for words in phrases:
                self._stop[_plain(words)].add(code)

    def judge(self, text: str) -> Urgency | None:
        """What the phrases alone make of a message."""
        return self._rules.find(text)

    def urgent_reply(self, text: str, *, language: str | None, hint: str | None, now: datetime) -> Reply | None:
        """The helpline text for a message that is certainly urgent, in its own language; None for any other."""
        found = self.judge(text)
        if found is None or found.level is not Level.CERTAIN:
            return None
        spoken = self._language_of(text, found, language, hint)
        return help_for(self.content, (found.label, *found.also), spoken, now=now)

    def pressed(self, payload: str, *, language: str | None, hint: str | None, now: datetime) -> Reply | None:
        """The help behind the button of an emergency; None for any other button."""
        kind = payload.removeprefix("/")
        if kind not in self.content.topics or not kind.startswith(PREFIX):
            return None
        known = self.content.known_languages
        spoken = next((code for code in (language, hint) if code in known), DEFAULT_LANGUAGE)
        return help_for(self.content, (kind,), str(spoken), now=now)

    def one_moment(self, text: str, *, language: str | None, hint: str | None) -> Reply:
        """The honest word that an answer will come."""
        return self._say("error.one_moment", text, language, hint)

    def failed(
        self, text: str, *, language: str | None, hint: str | None, now: datetime, is_kept: bool = True
    ) -> Reply:
        """The honest word that something went wrong, with the numbers to call.

        Args:
            is_kept: whether the message is stored, so that it can be said.

        """
        reply = self._say("error.failed" if is_kept else "error.not_kept", text, language, hint)
        cards = tuple(
            contact_card(self.content, answers.contact(self.content, name, reply.language, now=now), reply.language)
            for name in self.content.whom("failed")
        )
        return reply.model_copy(update={"contacts": cards})

    def closed(self, text: str, *, hint: str | None, url: str) -> Reply:
        """The fixed word of a channel that is closed for the moment, with the number for danger and the way that is open."""
        return self._say("channel.closed", text, None, hint, phone=number_of(self.content, None), url=url)

    def slow_down(self, text: str, *, language: str | None, hint: str | None) -> Reply:
        """What is said to whoever writes more in a minute than is read."""
        return self._say("slow_down", text, language, hint, phone=number_of(self.content, None))

    def too_many(self, text: str, *, language: str | None, hint: str | None) -> Reply:
        """The same on the page, which sends by itself what was too much; in languages of emergencies as on messengers."""
        reply = self._say("error.too_many", text, language, hint)
        slow_down = self.slow_down(text, language=language, hint=hint)
        if slow_down.language != reply.language:
            return slow_down
        danger = phrases_of(self.content, reply.language)["urgent.possible"]
        return reply.model_copy(update={"warnings": (danger.format(phone=number_of(self.content, None)),)})

    def stopped(self, text: str, *, language: str | None, hint: str | None) -> Reply | None:
        """What is said to whoever writes STOP and nothing else; None for any other message."""
        spoken = self._stop.get(_plain(text))
        if spoken is None:
            return None
        # "Stop" is said alike in many languages, "przestań" in one.
        code = next((code for code in (language, hint) if code in spoken), None)
        if code is None:
            code = DEFAULT_LANGUAGE if DEFAULT_LANGUAGE in spoken else self._identifier.likeliest(text, sorted(spoken))
        phrases = phrases_of(self.content, code)
        buttons = [
            Button(label=phrases[f"button.{key}"], payload=payload)
            for key, payload in (("menu", "/menu"), ("delete", "/delete_my_data"))
            if f"button.{key}" in phrases
        ]
        receipt = phrases["stopped"].format(phone=number_of(self.content, None))
        return Reply(language=code, text=receipt, buttons=tuple(buttons))

    def _language_of(self, text: str, found: Urgency, language: str | None, hint: str | None) -> str:
        # The phrase that fired says what language it is; only where it is said alike in several does the rest count.
        spoken = [code for code in found.languages if code in self.content.known_languages]
        if len(spoken) == 1:
            return spoken[0]
        for known in (language, hint):
            if known in spoken:
                return str(known)
        if spoken:
            return self._identifier.likeliest(text, spoken)
        return self._identifier.identify(text, conversation=language, hint=hint).code

    def _say(self, phrase: str, text: str, language: str | None, hint: str | None, **values: str) -> Reply:
        code = self._identifier.identify(text, conversation=language, hint=hint).code
        is_said = code in self.content.known_languages and phrase in phrases_of(self.content, code)
        spoken = code if is_said else DEFAULT_LANGUAGE
        sentence = phrases_of(self.content, spoken)[phrase]
        return Reply(language=spoken, text=sentence.format(**values) if values else sentence)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", fold(text)))
