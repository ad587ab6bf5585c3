"""The check of the content: rules between files, coverage, what is stale, lengths and reading level.

Faults of single files come from `knowledge.files`. Errors keep content from being released; warnings are for an editor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

from opening_hours import OpeningHours

from knowledge.answers import ORGANISATION_FIELDS, fill, organisation_field
from knowledge.files import (
    GROUPS,
    OCCASIONS,
    SECTIONS,
    STAFF_LANGUAGE,
    Content,
    Fault,
    load,
    placeholders,
    plural_forms,
    questions_file,
    sayings,
    topic_file,
    words_file,
)
from knowledge.formats import plural_categories
from knowledge.schema import ParameterKind, Topic, Words
from knowledge.wording import wording_faults

SHORT_CHARACTERS = 500  # of the filled-in short answer: one phone screen
MESSAGE_CHARACTERS = 4096  # Telegram and WhatsApp text
BUTTON_CHARACTERS = 20  # WhatsApp reply button
TITLE_CHARACTERS = 72  # WhatsApp list row description
SHORT_WORDS = 60  # of the short answer, filled in
WHOLE_WORDS = 320  # of everything that an answer says; what is not on its first screen is asked for
MOST_STEPS = 5
SENTENCE_WORDS = 20  # longest average that still reads as B1 (Direct Duidelijk advises 15 or fewer)
RELATED = range(2, 5)
URGENT = "urgent."
URGENT_WORDS = 70  # of title, short answer and steps: what somebody in danger can take in on one screen
# What a language at the tier `emergency` has to say besides the helpline texts, with the fields in curly brackets.
EMERGENCY_PHRASES = {
    "language.not_yet": set(),
    "language.instead": {"languages"},
    "urgent.possible": {"phone"},
    "urgent.more": set(),
    "robot": set(),
    "stopped": {"phone"},
    "slow_down": {"phone"},
    "label.steps": set(),
    "label.who_helps": set(),
    "web.call": {"phone"},
    "web.open": set(),
    "web.close": set(),
    "web.leave": set(),
    "web.input": set(),
    "web.send": set(),
}
DOUBLE_STOP = re.compile(r"(?<!\.)\.\.(?!\.)")
UNKNOWN_TAG = re.compile(rf"^\[(?!(?:{'|'.join(GROUPS)})\])[^\]]*\]")
MONEY_IN_WORDS = re.compile(r"€\s?\d|\d\s?(?:€|euro\b|EUR\b|zł)|\b0800[ -]?\d{2}|\b0900[ -]?\d{2}|\+31")


@dataclass(frozen=True)
class Report:
    """What the check found.

    Attributes:
        coverage: by topic and language whether the answer is there: "✓" or "–".
        reading: by topic and language the average number of words a sentence.

    """

    languages: tuple[str, ...]
    faults: tuple[Fault, ...]
    coverage: dict[str, dict[str, str]]
    reading: dict[str, dict[str, float]]

    @property
    def errors(self) -> tuple[Fault, ...]:
        """Faults that keep the content from being released."""
        return tuple(fault for fault in self.faults if fault.severity == "error")

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """Faults that an editor should look at."""
        return tuple(fault for fault in self.faults if fault.severity == "warning")

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data, for `--json`."""
        return {
            "errors": [asdict(fault) for fault in self.errors],
            "warnings": [asdict(fault) for fault in self.warnings],
            "coverage": self.coverage,
            "words_per_sentence": self.reading,
        }


def check(folder: Path, *, today: date) -> Report:
    """Read and check a content folder as of `today`."""
    content, faults = load(folder)
    found = [*faults, *_structure(content), *_questions(content), *_references(content)]
    if not any(fault.severity == "error" for fault in found):
        # Words can only be filled in, and so measured, once every reference holds.
        found += [*_lengths(content, today), *wording_faults(content)]
    found += [*_staleness(content, today), *_language_files(content), *_emergency_languages(content, today)]
    coverage = {
        topic: {lang: "✓" if (topic, lang) in content.words else "–" for lang in content.languages}
        for topic in content.topics
    }
    reading = {
        topic: {
            lang: words_per_sentence(content.words[topic, lang])
            for lang in content.languages
            if (topic, lang) in content.words
        }
        for topic in content.topics
    }
    return Report(content.languages, tuple(sorted(found)), coverage, reading)


def words_per_sentence(words: Words) -> float:
    """The average length of a sentence in words: the reading level that can be measured alike in every language."""
    text = " ".join((words.short, *words.steps, *words.details, *words.exceptions))
    sentences = [s for s in re.split(r"[.!?:;؟]+\s", text) if s.strip()]
    return round(sum(len(sentence.split()) for sentence in sentences) / max(len(sentences), 1), 1)


def _fault(file: str, key: str, message: str, severity: Literal["error", "warning"] = "error") -> Fault:
    return Fault(file, 1, key, message, severity)


def _structure(content: Content) -> Iterator[Fault]:
    for name, topic in content.topics.items():
        file = topic_file(name)
        known_sources = {fact.source for fact in topic.facts}
        for source in {*topic.sources, *known_sources} - {None}:
            if source not in content.sources:
                yield _fault(file, "sources", f"unknown source {source!r}: add it to sources.yml")
        for source in set(topic.sources) - known_sources:
            yield _fault(file, "sources", f"{source!r} backs none of the topic's facts: name one that does")
        yield from _who_helps(content, topic, file)
        for related in topic.related:
            if related not in content.topics or related == name:
                yield _fault(file, "related", f"{related!r} is no other topic")
        if len(topic.related) not in RELATED:
            yield _fault(
                file, "related", f"needs {RELATED.start} to {RELATED.stop - 1} topics, has {len(topic.related)}"
            )
        for parameter in topic.parameters:
            if problem := _placeholder_problem(content, parameter):
                yield _fault(file, "parameters", problem)
        for language in content.languages:
            yield from _words(content, name, language)


def _questions(content: Content) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for topic, questions in content.questions.items():
        file = questions_file(topic)
        if topic not in content.topics:
            yield _fault(file, "file", "belongs to no topic: name it as the topic's own file")
        for language in content.languages:
            words = content.words.get((topic, language))
            for section in SECTIONS if words else ():
                lines, entries = len(getattr(words, section)), len(getattr(questions, section))
                if lines != entries:
                    name = words_file(topic, language)
                    remedy = "one each, in order, {} where nobody asks"
                    yield _fault(file, section, f"has {entries} entries for {lines} lines of {name}: {remedy}")
        for section, number, language, question in questions.asked():
            if language not in content.known_languages:
                yield _fault(file, section, f"entry {number + 1} is in {language!r}, a language that is not there")
            first = seen.setdefault(question, file)
            if first != file:
                yield _fault(
                    file, section, f"entry {number + 1} stands in {first} as well: it can be asked of one alone"
                )


def _who_helps(content: Content, topic: Topic, file: str) -> Iterator[Fault]:
    for organisation in topic.who_helps:
        if problem := _card_problem(content, organisation):
            yield _fault(file, "who_helps", problem)
    if topic.number is not None and (problem := _number_problem(content, topic.number)):
        yield _fault(file, "number", problem)


def _sources(content: Content) -> Iterator[Fault]:
    seen: dict[tuple[str, str], str] = {}
    for name, source in content.sources.items():
        address = (source.url or "").rstrip("/")
        first = seen.setdefault((source.title, address), name)
        if first != name:
            yield _fault("sources.yml", name, f"is {first!r} again, by title and address: keep one of the two")


def _references(content: Content) -> Iterator[Fault]:
    yield from _sources(content)
    for name, parameter in content.parameters.items():
        for value in parameter.values:
            if value.source is not None and value.source not in content.sources:
                yield _fault("parameters", name, f"unknown source {value.source!r}: add it to sources.yml")
    for name, organisation in content.organisations.items():
        if organisation.opening_hours is not None:
            try:
                OpeningHours(organisation.opening_hours)
            except SyntaxError as error:
                yield _fault("organisations.yml", name, f"opening_hours cannot be read: {error}")
    yield from _helplines(content)
    yield from _measures(content)
    yield from _sayings(content)
    for name, measure in content.measures.items():
        for topic_id in measure.topics:
            if topic_id not in content.topics:
                yield _fault("measures.yml", name, f"unknown topic {topic_id!r}")
        for step in measure.timeline:
            if step.source is not None and step.source not in content.sources:
                yield _fault("measures.yml", name, f"unknown source {step.source!r}: add it to sources.yml")


def _sayings(content: Content) -> Iterator[Fault]:
    used: dict[str, set[str]] = {
        language: sayings(*(t for (_, spoken), w in content.words.items() if spoken == language for t in w.texts()))
        for language in content.languages
    }
    for name, saying in content.sayings.items():
        for language in sorted({STAFF_LANGUAGE, *content.languages} - saying.root.keys()):
            yield _fault("sayings.yml", name, f"has no sentence in {language!r}")
        if missing := [language for language, names in used.items() if name not in names]:
            yield _fault("sayings.yml", name, f"is said in no answer of {', '.join(missing)}", "warning")


def _helplines(content: Content) -> Iterator[Fault]:
    for occasion in set(OCCASIONS) ^ content.helplines.keys():
        problem = "is missing" if occasion in OCCASIONS else f"is no occasion: {', '.join(OCCASIONS)}"
        yield _fault("helplines.yml", occasion, problem)
    for occasion, helpline in content.helplines.items():
        for name in helpline.organisations:
            problem_of = _number_problem if occasion == "danger" else _card_problem
            if found := problem_of(content, name):
                yield _fault("helplines.yml", occasion, found)


def _card_problem(content: Content, name: str) -> str | None:
    organisation = content.organisations.get(name)
    if organisation is None:
        return f"unknown organisation {name!r}"
    if not organisation.may_be_shown:
        return f"{name!r} may not be shown: its way in was not verified (organisations.yml)"
    return None


def _number_problem(content: Content, name: str) -> str | None:
    problem = _card_problem(content, name)
    return problem or (None if content.organisations[name].phone else f"{name!r} has no telephone")


def _placeholder_problem(content: Content, name: str) -> str | None:
    if not name.startswith("org."):
        return None if name in content.parameters else f"unknown parameter {name!r}: add it to parameters/"
    _, organisation, field = [*name.split("."), "", ""][:3]
    if organisation not in content.organisations or field not in ORGANISATION_FIELDS:
        return f"unknown placeholder {name!r}: org.<organisation>.<{'|'.join(ORGANISATION_FIELDS)}>"
    if not content.organisations[organisation].may_be_shown:
        return _card_problem(content, organisation)
    if organisation_field(content.organisations[organisation], field) is None:
        return f"{name!r}: this organisation has no {field}"
    return None


def _words(content: Content, topic: str, language: str) -> Iterator[Fault]:
    file = words_file(topic, language)
    words = content.words.get((topic, language))
    if words is None:
        yield _fault(file, "file", "is missing: this language has no answer to the topic")
        return
    declared, used = set(content.topics[topic].parameters), placeholders(*words.texts())
    for name in sorted(declared - used):
        yield _fault(file, name, "is missing from the words, the other languages say it")
    for name in sorted(used - declared):
        yield _fault(file, name, f"is not among the parameters of {topic_file(topic)}")
    for name in sorted(sayings(*words.texts()) - content.sayings.keys()):
        yield _fault(file, name, f"unknown sentence {{say:{name}}}: add it to sayings.yml")
    for text in words.texts():
        yield from _plurals(content, file, text, language)
        if (tag := UNKNOWN_TAG.match(text)) is not None:
            yield _fault(file, "words", f"{tag[0]!r} is no group: [eu], [ukraine] or [other]")
        if MONEY_IN_WORDS.search(text):
            yield _fault(file, "words", "an amount or telephone number stands in the words: make it a placeholder")
    if len(words.button) > BUTTON_CHARACTERS:
        yield _fault(file, "button", f"has {len(words.button)} characters, a button takes {BUTTON_CHARACTERS}")


def _plurals(content: Content, file: str, text: str, language: str) -> Iterator[Fault]:
    categories = plural_categories(language)
    for name, forms in plural_forms(text):
        parameter = content.parameters.get(name)
        if parameter is not None and parameter.kind is not ParameterKind.NUMBER:
            yield _fault(file, name, f"is no number but {parameter.kind}: nothing agrees with it, write {{{name}}}")
        elif len(forms) != len(categories):
            yield _fault(file, name, f"needs {len(categories)} forms ({' | '.join(categories)}), has {len(forms)}")


def _lengths(content: Content, today: date) -> Iterator[Fault]:
    for (topic, language), words in content.words.items():
        if language not in content.languages:
            continue
        file = words_file(topic, language)
        short = fill(content, words.short, language, on=today)
        is_urgent = topic.startswith(URGENT)
        if is_urgent:
            first_screen = " ".join(fill(content, part, language, on=today) for part in _first_screen(words))
            if (count := len(first_screen.split())) > URGENT_WORDS:
                yield _fault(file, "file", f"its first screen has {count} words, at most {URGENT_WORDS}")
        elif (count := len(short.split())) > SHORT_WORDS:
            yield _fault(file, "short", f"has {count} words filled in, at most {SHORT_WORDS}", "warning")
        if len(words.steps) > MOST_STEPS:
            yield _fault(file, "steps", f"are {len(words.steps)}, at most {MOST_STEPS}", "warning")
        if len(short) > SHORT_CHARACTERS:
            yield _fault(file, "short", f"has {len(short)} characters filled in, at most {SHORT_CHARACTERS}")
        yield from _whole(content, words, file, language, today)
        title = fill(content, words.title, language, on=today)
        if len(title) > TITLE_CHARACTERS:
            yield _fault(file, "title", f"has {len(title)} characters, at most {TITLE_CHARACTERS}")
        if (average := words_per_sentence(words)) > SENTENCE_WORDS:
            yield _fault(file, "words", f"{average} words a sentence, B1 is about {SENTENCE_WORDS} at most", "warning")


def _whole(content: Content, words: Words, file: str, language: str, today: date) -> Iterator[Fault]:
    texts = [fill(content, text, language, on=today) for text in words.texts()]
    if any(map(DOUBLE_STOP.search, texts)):
        yield _fault(
            file, "words", "ends a date or an abbreviation with two full stops: put the words in another order"
        )
    whole = "\n".join(texts)
    if (count := len(" ".join(texts[1:]).split())) > WHOLE_WORDS:  # without the button
        yield _fault(file, "length", f"has {count} words filled in, at most {WHOLE_WORDS}", "warning")
    if (characters := len(whole)) > MESSAGE_CHARACTERS:
        yield _fault(
            file,
            "file",
            f"has {characters} characters, a message takes {MESSAGE_CHARACTERS}: it will be split",
            "warning",
        )


def _first_screen(words: Words) -> tuple[str, ...]:
    return (words.title, words.short, *words.steps)


def _measures(content: Content) -> Iterator[Fault]:
    """What the words on a measure name has to be there, and be the same in every language."""
    for name in content.measures:
        named = {
            language: placeholders(*words.texts())
            for (measure, language), words in content.measure_words.items()
            if measure == name
        }
        everything = set().union(*named.values())
        for language, used in named.items():
            for parameter in sorted(everything - used):
                yield _fault(f"measures.{language}.yml", name, f"lacks {parameter}, the other languages say it")
        for problem in filter(None, (_placeholder_problem(content, parameter) for parameter in sorted(everything))):
            yield _fault("measures.yml", name, problem)


def _staleness(content: Content, today: date) -> Iterator[Fault]:
    for name, topic in content.topics.items():
        file = topic_file(name)
        if topic.valid_to is not None and topic.valid_to < today:
            yield _fault(file, "valid_to", f"was {topic.valid_to}: look the answer over", "warning")
        for source in topic.sources:
            entry = content.sources.get(source)
            if entry and entry.checked + timedelta(days=topic.check_after_days) < today:
                yield _fault(
                    file, "sources", f"{source} was last checked on {entry.checked}: check it again", "warning"
                )
        for parameter in topic.parameters:
            value = content.parameters[parameter].on(today) if parameter in content.parameters else None
            if parameter in content.parameters and value is None:
                yield _fault(file, "parameters", f"{parameter} has no value for {today}: look it up", "warning")
            elif value is not None and not value.verified:
                yield _fault(file, "parameters", f"{parameter} is not verified for {today}: look it up", "warning")


def _language_files(content: Content) -> Iterator[Fault]:
    reference = "en" if "en" in content.phrases else next(iter(content.languages), None)
    for language in content.languages:
        own, model = content.phrases[language], content.phrases[str(reference)]
        file = f"phrases/{language}.yml"
        for key, text in model.phrases.items():
            if key not in own.phrases:
                yield _fault(file, key, "is missing: the bot would have no words here")
            elif _fields(own.phrases[key]) != _fields(text):
                yield _fault(file, key, f"has other placeholders than {reference}: {sorted(_fields(text))}")
        for key in own.phrases.keys() - model.phrases.keys():
            yield _fault(file, key, f"is a phrase that {reference} does not have")
        for area in model.areas.keys() - own.areas.keys():
            yield _fault(file, area, "is missing from the areas")
        for kind, entries, words in (
            ("organisations", content.organisations, content.organisation_words),
            ("measures", content.measures, content.measure_words),
        ):
            for key in entries:
                if (key, language) not in words:
                    yield _fault(f"{kind}.{language}.yml", key, "is missing")
        if language not in content.urgency:
            yield _fault(f"urgency/{language}.yml", "file", "is missing: urgent messages need their phrases")


def _emergency_languages(content: Content, today: date) -> Iterator[Fault]:
    kinds = {topic for topic in content.topics if topic.startswith(URGENT)}
    for language, entry in content.emergency.items():
        file = f"emergency/{language}.yml"
        if language in content.phrases:
            yield _fault(file, "file", f"is not needed: phrases/{language}.yml makes the language complete")
        if language not in content.urgency:
            yield _fault(f"urgency/{language}.yml", "file", "is missing: urgent messages need their phrases")
        for key, fields in EMERGENCY_PHRASES.items():
            if key not in entry.phrases:
                yield _fault(file, f"phrases.{key}", "is missing")
            elif _fields(entry.phrases[key]) != fields:
                yield _fault(file, f"phrases.{key}", f"needs just these placeholders: {sorted(fields) or 'none'}")
        for key in entry.phrases.keys() - EMERGENCY_PHRASES.keys():
            yield _fault(file, f"phrases.{key}", "is never said at this tier")
        for kind in kinds ^ entry.kinds.keys():
            yield _fault(file, f"kinds.{kind}", "is missing" if kind in kinds else "is no urgent kind")
        for kind in kinds & entry.kinds.keys():
            yield from _emergency_text(content, file, kind, language, today)


def _emergency_text(content: Content, file: str, kind: str, language: str, today: date) -> Iterator[Fault]:
    text = content.emergency[language].kinds[kind]
    for name in sorted(placeholders(*text.texts())):
        problem = _placeholder_problem(content, name)
        if problem or not name.startswith("org."):
            yield _fault(
                file, f"kinds.{kind}", problem or f"{name!r}: only org.<organisation>.<field> is filled in here"
            )
            return
    if sayings(*text.texts()):
        yield _fault(file, f"kinds.{kind}", "{say:…} is not filled in here: write the sentence out")
        return
    written = " ".join(fill(content, part, language, on=today) for part in text.texts())
    if (count := len(written.split())) > URGENT_WORDS:
        yield _fault(file, f"kinds.{kind}", f"has {count} words, at most {URGENT_WORDS}")
    if MONEY_IN_WORDS.search(" ".join(text.texts())):
        yield _fault(file, f"kinds.{kind}", "a telephone number stands in the words: make it a placeholder")
    if len(text.button) > BUTTON_CHARACTERS:
        yield _fault(
            file, f"kinds.{kind}.button", f"has {len(text.button)} characters, a button takes {BUTTON_CHARACTERS}"
        )


def _fields(text: str) -> set[str]:
    return set(re.findall(r"\{([a-z_.0-9]*)\}", text))
