"""Fixed phrases: follow-ups on the last topic and the names of languages, from `nlu/commands/<lang>.yml`.

A phrase counts only when it is the whole message; what is part of a sentence is the topic model's business. Language names
are also found inside a message that asks for another language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field

from knowledge.schema import Strict
from knowledge.search import fold

LONGEST_GROUP_WORDS = 8
COMMANDS_FOLDER = Path(__file__).parent / "commands"


class GroupWords(Strict):
    """How people say for whom an answer has to be: a beginning and a country ("I am from" + "Poland"), or a phrase of its own.

    All but `beginnings` and `negations`, after which nothing counts, is sorted by group (`knowledge.files.GROUPS`). What stands in
    `alone` counts as a whole message only, since within a sentence it may be about somebody else; there `unsaid` is not wanting
    to say.
    """

    beginnings: tuple[str, ...]
    countries: dict[str, tuple[str, ...]]
    phrases: dict[str, tuple[str, ...]]
    alone: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    negations: tuple[str, ...] = ()


class CommandFile(Strict):
    """Phrases by intent, and how this language calls languages (by ISO 639-1 code).

    `goes_on` are words with which a question goes on about the same subject ("and", "what about"), `asks_for` short questions by
    the kind of figure that they want: `amount` or `term`.
    """

    intents: dict[str, tuple[str, ...]]
    languages: dict[str, tuple[str, ...]]
    polite: tuple[str, ...] = ()
    goes_on: tuple[str, ...] = ()
    asks_for: dict[Literal["amount", "term"], tuple[str, ...]] = Field(default_factory=dict)
    groups: GroupWords | None = None


class Commands:
    """The phrases of all languages."""

    def __init__(self, files: Mapping[str, CommandFile]) -> None:
        self._intents: dict[str, str] = {}
        self._languages: dict[str, str] = {}
        self._polite: set[str] = set()
        # By language: "i" is "and" in Polish, and the first word of half of what is written in English.
        self._goes_on = {code: {_plain(words) for words in file.goes_on} for code, file in files.items()}
        self._asks_for: dict[str, str] = {}
        self._groups: dict[str, str] = {}
        self._groups_alone: dict[str, str] = {}
        self._negations: set[str] = set()
        for file in files.values():
            self._polite.update(_plain(word) for word in file.polite)
            for kind, questions in file.asks_for.items():
                self._asks_for.update({_plain(question): kind for question in questions})
            for intent, phrases in file.intents.items():
                self._intents.update({_plain(phrase): intent for phrase in phrases})
            for code, names in file.languages.items():
                self._languages.update({_plain(name): code for name in names})
            if file.groups is not None:
                self._groups.update(_by_phrase(file.groups.phrases))
                self._groups.update(_by_phrase(file.groups.countries, after=file.groups.beginnings))
                self._groups_alone.update(_by_phrase(file.groups.alone))
                self._negations.update(map(_plain, file.groups.negations))
        longest_first = sorted(self._languages, key=len, reverse=True)
        self._language_name = re.compile(
            rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b" if longest_first else "(?!)"
        )

    def intent(self, text: str) -> str | None:
        """The intent of a message that is nothing but a command; `change_language` for the bare name of a language."""
        said = self._without_politeness(_plain(text))
        if said in self._languages:
            return "change_language"
        return self._intents.get(said)

    def language(self, text: str) -> str | None:
        """The language that the text names, as an ISO 639-1 code; the last one where it names several."""
        named = self._language_name.findall(_plain(text))
        return self._languages[named[-1]] if named else None

    def group(self, text: str) -> str | None:
        """For whom a message says that answers have to be, anywhere in it; None where it doesn't, or names two."""
        words, said = _plain(text).split(), set()
        for start in range(len(words)):
            for end in range(start + 1, min(start + LONGEST_GROUP_WORDS, len(words)) + 1):
                group = self._groups.get(" ".join(words[start:end]))
                if group is not None and not (start and words[start - 1] in self._negations):
                    said.add(group)
        return said.pop() if len(said) == 1 else None

    def only_group(self, text: str) -> str | None:
        """The group of a message that says nothing else, or `unsaid`; None for any other message."""
        said = self._without_politeness(_plain(text))
        return self._groups.get(said) or self._groups_alone.get(said)

    def goes_on(self, text: str, language: str) -> bool:
        """Whether a message begins as one that goes on about the same subject."""
        words, beginnings = _plain(text).split(), self._goes_on.get(language, ())
        return any(" ".join(words[:count]) in beginnings for count in range(1, min(3, len(words)) + 1))

    def asks_for(self, text: str, language: str) -> str | None:
        """The kind of figure that a short question asks for, `amount` or `term`; None for any other message."""
        words = _plain(text).split()
        while words:
            if (asked := " ".join(words)) in self._asks_for:
                return self._asks_for[asked]
            if words[0] not in self._goes_on.get(language, ()):
                return None
            words.pop(0)
        return None

    def _without_politeness(self, said: str) -> str:
        words = said.split()
        while words and words[-1] in self._polite:
            words.pop()
        while words and words[0] in self._polite:
            words.pop(0)
        return " ".join(words)


def _by_phrase(groups: Mapping[str, tuple[str, ...]], *, after: tuple[str, ...] = ("",)) -> dict[str, str]:
    """The group of each phrase, said after each of the beginnings."""
    return {
        _plain(f"{beginning} {phrase}"): group
        for group, phrases in groups.items()
        for phrase in phrases
        for beginning in after
    }


def load(folder: Path = COMMANDS_FOLDER) -> Commands:
    """Read the command files of every language."""
    return Commands(
        {
            path.stem: CommandFile.model_validate(yaml.safe_load(path.read_text("utf-8")))
            for path in folder.glob("*.yml")
        }
    )


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", fold(text)))
