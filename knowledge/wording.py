"""The check of wording: what strict readers of the answers found wrong, looked for in every text of every language.

Each rule is a function from texts to what is wrong in them; `wording_faults` lays the whole content before them. What the shipped
content breaks is a warning, what it keeps an error. Lists of words and patterns by language: `wording.yml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import yaml

from knowledge.files import PLACEHOLDER, SAYING, Content, Fault, placeholders, plural_forms, words_file
from knowledge.schema import Parameter, ParameterKind, Strict, Words

WORDING_FILE = Path(__file__).parent / "wording.yml"
_QUOTED = re.compile(r"[“„«\"]([^“”„«»\"]+)[”“»\"]")
_REACHES = re.compile(r"^org\.[a-z0-9_]+\.(?:phone|phone_from_abroad|whatsapp)$")
_WORD_WITH_FIGURE = re.compile(r"\w*\d[\w%]*")


class LanguagePatterns(Strict):
    """How a language orders to call and to press, and says that the number stands elsewhere; regular expressions."""

    call: str
    found_elsewhere: str
    press: str


class Wording(Strict):
    """What the rules go by: `wording.yml`."""

    names_with_figures: tuple[str, ...]
    terms: tuple[str, ...]
    languages: Mapping[str, LanguagePatterns]

    @cached_property
    def term(self) -> re.Pattern[str]:
        """One of the terms as a word of its own."""
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, self.terms))})(?!\w)")

    def figures(self, text: str) -> Iterator[str]:
        """Figures that stand in the words instead of a placeholder: amounts, ages and dates grow old there."""
        for word in _WORD_WITH_FIGURE.findall(SAYING.sub(" ", PLACEHOLDER.sub(" ", text))):
            if word not in self.names_with_figures:
                yield word

    def unexplained(self, texts: Iterable[str]) -> Iterator[str]:
        """Dutch terms that an answer, read in order, uses for the first time without saying what they are.

        A gloss stands in brackets or behind a comma or dash after the term, or the term itself stands in brackets. What is
        quoted is Dutch to be said to somebody, not to be understood.
        """
        seen = set()
        for text in texts:
            spoken = _QUOTED.sub(lambda match: " " * len(match[0]), text)
            for match in self.term.finditer(spoken):
                before, after = spoken[: match.start()], spoken[match.end() :]
                is_glossed = re.match(r"\s?(?:\(|, \w|\s?[—–-] |: )", after) or before.count("(") > before.count(")")
                if match[0] not in seen and not is_glossed:
                    yield match[0]
                seen.add(match[0])

    def calls_nobody(self, text: str, language: str) -> bool:
        """Whether a part of an answer says to call without a number in it."""
        patterns = self.languages.get(language)
        return (
            patterns is not None
            and re.search(patterns.call, text, re.IGNORECASE) is not None
            and re.search(patterns.found_elsewhere, text, re.IGNORECASE) is None
            and not any(map(_REACHES.match, placeholders(text)))
            and not any(name in text for name in self.names_with_figures if name.isdigit())
        )

    def missing_buttons(self, text: str, language: str, labels: Iterable[str]) -> Iterator[str]:
        """Buttons that a text says to press and that are called otherwise."""
        patterns = self.languages.get(language)
        for order in re.finditer(patterns.press, text, re.IGNORECASE) if patterns else ():
            quoted = _QUOTED.match(text[order.end() :].lstrip())
            if quoted is not None and quoted[1].rstrip(".,") not in labels:
                yield quoted[1]


def load_wording(path: Path = WORDING_FILE) -> Wording:
    """Read `wording.yml`."""
    return Wording.model_validate(yaml.safe_load(path.read_text("utf-8")))


def counted_nouns(texts: Iterable[str]) -> frozenset[str]:
    """The nouns that stand in several forms behind a number somewhere: those whose form the number decides."""
    return frozenset(form for text in texts for _, forms in plural_forms(text) if len(set(forms)) > 1 for form in forms)


def uncounted(text: str, parameters: Mapping[str, Parameter], nouns: frozenset[str]) -> Iterator[str]:
    """Numbers with such a noun in one form only, which is wrong as soon as the number changes ("1 months", "22 lat").

    A fraction is left alone: its noun stands in a form of its own ("5,5 godziny").
    """
    for match in PLACEHOLDER.finditer(text):
        parameter = parameters.get(match[1])
        noun = re.match(r"\s(\w+)", text[match.end() :])
        if parameter and _counts(parameter) and not match[2] and noun is not None and noun[1] in nouns:
            yield match[1]


def _counts(parameter: Parameter) -> bool:
    values = [value.value for value in parameter.values if isinstance(value.value, Decimal)]
    return parameter.kind is ParameterKind.NUMBER and all(value == value.to_integral_value() for value in values)


def spelled_two_ways(numbers: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Telephone numbers that are the same and not written alike; the country code instead of the 0 makes no difference."""
    seen: dict[str, tuple[str, str]] = {}
    for number in numbers:
        grouping = re.sub(r"^(?:\+31\s?(?:\(0\))?|0)(?=[1-9])", "", number.strip())
        digits = re.sub(r"\D", "", grouping)
        first, written = seen.setdefault(digits, (grouping, number))
        if first != grouping:
            yield written, number


def wording_faults(content: Content) -> Iterator[Fault]:
    """Everything that the rules find in the content; one fault a rule and file."""
    wording = load_wording()
    for code in content.languages:
        spoken = {topic: words for (topic, language), words in content.words.items() if language == code}
        phrases = content.phrases[code].phrases
        language = _Language(
            wording,
            content,
            code,
            nouns=counted_nouns(text for words in spoken.values() for text in words.texts()),
            labels=frozenset(
                [text for key, text in phrases.items() if key.startswith(("button.", "web."))]
                + [one.name for one in content.phrases.values()]
            ),
        )
        for topic, words in spoken.items():
            yield from language.answer(words, words_file(topic, code))
        yield from language.measures()
        yield from language.buttons(phrases.values(), f"phrases/{code}.yml")
    yield from _numbers(content)


@dataclass(frozen=True)
class _Language:
    """One language, with what the rules have to know of the rest of its texts."""

    wording: Wording
    content: Content
    code: str
    nouns: frozenset[str]
    labels: frozenset[str]

    def answer(self, words: Words, file: str) -> Iterator[Fault]:
        texts = (words.title, words.short, *words.steps, *words.details, *words.exceptions)
        figures = [figure for text in texts for figure in self.wording.figures(text)]
        if figures:
            yield Fault(file, 1, "figure", f"{_listed(figures)} in the words: make it a placeholder", "warning")
        if terms := list(self.wording.unexplained(texts)):
            yield Fault(file, 1, "gloss", f"{_listed(terms)}: say in two words what it is, at first use", "warning")
        if silent := sum(self.wording.calls_nobody(text, self.code) for text in texts):
            yield Fault(file, 1, "call", f"{silent} of its parts say to call and have no number", "warning")
        for name in {name for text in texts for name in uncounted(text, self.content.parameters, self.nouns)}:
            yield Fault(
                file, 1, "plural", f"{name} has a noun in one form behind it: write {{{name}: …}} with all of them"
            )
        yield from self.buttons(texts, file)

    def measures(self) -> Iterator[Fault]:
        for (measure, language), words in self.content.measure_words.items():
            texts = words.texts() if language == self.code else ()
            if figures := [figure for text in texts for figure in self.wording.figures(text)]:
                message = f"{measure}: {_listed(figures)} in the words: make it a placeholder"
                yield Fault(f"measures.{self.code}.yml", 1, "figure", message)

    def buttons(self, texts: Iterable[str], file: str) -> Iterator[Fault]:
        for text in texts:
            for name in self.wording.missing_buttons(text, self.code, self.labels):
                yield Fault(file, 1, "button", f"says to press {name!r}, and no button is called so")


def _numbers(content: Content) -> Iterator[Fault]:
    numbers = [
        one for org in content.organisations.values() for one in (org.phone, org.phone_from_abroad, org.whatsapp)
    ]
    desks = [part for desk in content.desks for part in desk.phone.split(";") if "@" not in part]
    plain = [re.sub(r"[^+\d ]", "", number) for number in (*numbers, *desks) if number]
    for first, second in spelled_two_ways(plain):
        yield Fault("organisations.yml", 1, "telephone", f"{first} and {second} are one number: write it one way")


def _listed(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))
