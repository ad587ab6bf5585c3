"""Fixed phrases: follow-ups on the last topic and the names of languages, from `nlu/commands/<lang>.yml`.

A phrase counts only when it is the whole message; what is part of a sentence is the topic model's business. Language names
are also found inside a message that asks for another language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from knowledge.schema import Strict
from knowledge.search import fold

COMMANDS_FOLDER = Path(__file__).parent / "commands"


class CommandFile(Strict):
    """Phrases by intent, and how this language calls languages (by ISO 639-1 code)."""

    intents: dict[str, tuple[str, ...]]
    languages: dict[str, tuple[str, ...]]
    polite: tuple[str, ...] = ()


class Commands:
    """The phrases of all languages."""

    def __init__(self, files: Mapping[str, CommandFile]) -> None:
        self._intents: dict[str, str] = {}
        self._languages: dict[str, str] = {}
        self._polite: set[str] = set()
        for file in files.values():
            self._polite.update(_plain(word) for word in file.polite)
            for intent, phrases in file.intents.items():
                self._intents.update({_plain(phrase): intent for phrase in phrases})
            for code, names in file.languages.items():
                self._languages.update({_plain(name): code for name in names})
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

    def _without_politeness(self, said: str) -> str:
        words = said.split()
        while words and words[-1] in self._polite:
            words.pop()
        while words and words[0] in self._polite:
            words.pop(0)
        return " ".join(words)


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
