"""Answers: the words of one topic in one language, filled in for one day, with contacts, sources and doubts.

The result is data; how a channel shows it is the channel's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours

from knowledge import formats, search
from knowledge.files import GROUP, PLACEHOLDER, SAYING, SECTIONS, STAFF_LANGUAGE, Content, split_forms
from knowledge.schema import Organisation, ParameterKind, Review, Words

_TITLE_WEIGHT = 3  # a word in the title of a measure tells more than one in its text
_SHORTEST_STEM = 4
_FIGURES = {"amount": re.compile(r"€|\d\s?%"), "term": re.compile(r"\d")}
_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
# What the words may name of an organisation; `site` is the address as people read and type it.
ORGANISATION_FIELDS = ("name", "phone", "phone_from_abroad", "whatsapp", "email", "url", "site")


@dataclass(frozen=True)
class Contact:
    """An organisation as a person sees it; `is_open` is None where the hours are not known, `opens` says when it is again."""

    id: str
    name: str
    what_for: str
    phone: str | None
    phone_from_abroad: str | None
    whatsapp: str | None
    email: str | None
    url: str | None
    hours: str | None
    is_open: bool | None
    opens: str | None
    is_free: bool
    is_anonymous: bool
    languages: tuple[str, ...]
    note: str | None
    is_verified: bool


@dataclass(frozen=True)
class Reference:
    """A source as a person sees it: title, address and the day it was last checked, written out."""

    title: str
    url: str | None
    checked: str


@dataclass(frozen=True)
class Choice:
    """A topic to go to, under its short name."""

    topic: str
    label: str


@dataclass(frozen=True)
class MeasureNote:
    """What the government promised on a subject and how it stands."""

    id: str
    title: str
    promised: str
    now: str


@dataclass(frozen=True)
class Answer:
    """One answer, ready to be rendered; `warnings` are sentences that have to stand with the short answer.

    `differs` says whether rights differ here for one of `GROUPS`. Where `group` is known, lines for the others are left out and its
    own are written without naming it; `for_you` are those of its own among details and exceptions.
    """

    topic: str
    language: str
    title: str
    short: str
    steps: tuple[str, ...]
    details: tuple[str, ...]
    exceptions: tuple[str, ...]
    contacts: tuple[Contact, ...]
    references: tuple[Reference, ...]
    related: tuple[Choice, ...]
    measures: tuple[MeasureNote, ...]
    warnings: tuple[str, ...]
    review: Review
    group: str | None
    for_you: tuple[str, ...]
    differs: bool


class UnknownTopicError(LookupError):
    """No answer under this id in this language."""

    def __init__(self, topic: str, language: str) -> None:
        super().__init__(f"no answer for topic {topic!r} in {language!r}")


def answer(
    content: Content,
    topic_id: str,
    language: str,
    *,
    now: datetime,
    on: date | None = None,
    group: str | None = None,
) -> Answer:
    """The answer to `topic_id` in `language`.

    Args:
        now: the moment, for opening hours and for facts that have grown stale.
        on: the day whose amounts are asked for; today where None.
        group: which of `GROUPS` the person belongs to; None where that is not known.

    Raises:
        UnknownTopicError: there is no such topic, or not in this language.

    """
    topic = content.topics.get(topic_id)
    words = content.words.get((topic_id, language))
    if topic is None or words is None:
        raise UnknownTopicError(topic_id, language)
    day = on or now.date()
    phrases = content.phrases[language].phrases
    filled = _Filler(content, language, day)
    texts = filled.words(_for_group(words, group))
    warnings = []
    if topic.valid_to is not None and day > topic.valid_to:
        warnings.append(phrases["warning.expired"].format(date=formats.long_date(topic.valid_to, language)))
    if filled.missing:
        warnings.append(phrases["warning.amount_unknown"])
    if filled.doubtful:
        warnings.append(phrases["warning.amount_unverified"])
    oldest = min(content.sources[source].checked for source in topic.sources)
    if now.date() > oldest + timedelta(days=topic.check_after_days):
        warnings.append(phrases["warning.stale"].format(date=formats.long_date(oldest, language)))
    return Answer(
        topic=topic_id,
        language=language,
        title=texts.title,
        short=texts.short,
        steps=texts.steps,
        details=texts.details,
        exceptions=texts.exceptions,
        contacts=tuple(contact(content, organisation, language, now=now) for organisation in topic.who_helps),
        references=tuple(reference(content, source, language) for source in topic.sources),
        related=choices(content, topic.related, language),
        measures=tuple(
            measure(content, key, language, on=day)
            for key, entry in content.measures.items()
            if topic_id in entry.topics
        ),
        warnings=tuple(warnings),
        review=words.review,
        group=group,
        for_you=tuple(map(filled.text, _own_lines((*words.details, *words.exceptions), group))),
        differs=any(GROUP.match(line) for line in words.texts()),
    )


def _for_group(words: Words, group: str | None) -> Words:
    """The words without the lines for others; as they are where the group is not known."""
    if group is None:
        return words
    kept = {part: tuple(_lines_for(getattr(words, part), group)) for part in SECTIONS}
    return words.model_copy(update=kept)


def _lines_for(lines: Iterable[str], group: str) -> Iterator[str]:
    for line in lines:
        mark = GROUP.match(line)
        if mark is None or mark[1] == group:
            yield line[mark.end() :] if mark else line


def _own_lines(lines: Iterable[str], group: str | None) -> Iterator[str]:
    for line in lines:
        mark = GROUP.match(line)
        if mark is not None and mark[1] == group:
            yield line[mark.end() :]


def contact(content: Content, organisation_id: str, language: str, *, now: datetime) -> Contact:
    """One organisation in the words of `language`, with whether it is open at `now`."""
    facts = content.organisations[organisation_id]
    words = content.organisation_words[organisation_id, language]
    return Contact(
        id=organisation_id,
        name=words.name,
        what_for=words.what_for,
        phone=facts.phone,
        phone_from_abroad=facts.phone_from_abroad,
        whatsapp=facts.whatsapp,
        email=facts.email,
        url=facts.url,
        hours=words.hours,
        is_open=is_open(facts, now=now),
        opens=_opens(facts, language, now=now),
        is_free=facts.cost == "free",
        is_anonymous=facts.anonymous == "yes",
        languages=tuple(formats.language_name(code, language) for code in facts.languages),
        note=words.note,
        is_verified=facts.verified,
    )


def is_open(organisation: Organisation, *, now: datetime) -> bool | None:
    """Whether somebody answers at `now` by Dutch time and holidays; None where the hours are not known."""
    if organisation.opening_hours is None:
        return None
    hours = OpeningHours(organisation.opening_hours, timezone=_AMSTERDAM, country="NL")
    return hours.is_open(now.astimezone(_AMSTERDAM))


def _opens(organisation: Organisation, language: str, *, now: datetime) -> str | None:
    """When a closed organisation opens again, written out; None where it is open or that is not known."""
    if is_open(organisation, now=now) is not False:
        return None
    hours = OpeningHours(organisation.opening_hours or "", timezone=_AMSTERDAM, country="NL")
    change = hours.next_change(now.astimezone(_AMSTERDAM))
    return formats.weekday_and_time(change, language) if change is not None else None


def organisation_field(organisation: Organisation, field: str) -> str | None:
    """One of `ORGANISATION_FIELDS`, or None where the organisation has none."""
    if field == "site":
        return re.sub(r"^https?://(www\.)?|/$", "", organisation.url) if organisation.url else None
    value: str | None = getattr(organisation, field)
    return value


def reference(content: Content, source_id: str, language: str) -> Reference:
    """A source with its date written out."""
    source = content.sources[source_id]
    return Reference(source.title, source.url, formats.long_date(source.checked, language))


def choices(content: Content, topics: tuple[str, ...] | list[str], language: str) -> tuple[Choice, ...]:
    """The topics as things to choose from, those that have an answer in `language`."""
    return tuple(
        Choice(topic, content.words[topic, language].button) for topic in topics if (topic, language) in content.words
    )


def measure(content: Content, measure_id: str, language: str, *, on: date) -> MeasureNote:
    """A government measure in the words of `language`, filled in for a day."""
    words = content.measure_words[measure_id, language]
    title, promised, now = (fill(content, part, language, on=on) for part in words.texts())
    return MeasureNote(measure_id, title, promised, now)


def find_measures(content: Content, text: str, language: str, *, on: date, limit: int = 3) -> tuple[MeasureNote, ...]:
    """The measures that a question is about, best first: those whose words begin like the question's; maybe none."""
    wanted = search.stems(text)
    scored = []
    for key in content.measures:
        note = measure(content, key, language, on=on)
        titled, promised = (re.findall(r"\w+", search.fold(part)) for part in (note.title, note.promised))
        score = sum(
            _TITLE_WEIGHT * any(word.startswith(stem) for word in titled)
            + any(word.startswith(stem) for word in promised)
            for stem in wanted
            if len(stem) >= _SHORTEST_STEM
        )
        scored.append((score, note))
    scored.sort(key=lambda entry: -entry[0])
    return tuple(note for score, note in scored[:limit] if score >= _TITLE_WEIGHT)


def find_sentence(answer: Answer, question: str, *, asked_for: str | None) -> str | None:
    """The sentence of an answer with the detail that a short question asks for; None where there is none.

    Args:
        question: "and if I am 19?": a sentence that names this number.
        asked_for: `amount` or `term`: a sentence with such a figure.

    """
    sentences = [
        s for text in (answer.short, *answer.steps, *answer.details, *answer.exceptions) for s in _sentences(text)
    ]
    numbers = [re.compile(rf"(?<!\d){number}(?![\d.,]*\d)") for number in re.findall(r"\d+", question)]
    for sentence in sentences:
        if numbers and all(number.search(sentence) for number in numbers):
            return sentence
    figure = _FIGURES.get(str(asked_for))
    return next((sentence for sentence in sentences if figure and figure.search(sentence)), None)


def find_line(
    content: Content, topic: str, question: str, language: str, *, on: date, group: str | None = None
) -> str | None:
    """The line of a topic's answer that answers a known question (`knowledge/questions/`), filled in.

    None where no line does: the short answer does, the line is for others than the person, or the question is not known any more.
    """
    questions = content.questions.get(topic)
    section, number = (questions.line_of(question) if questions else None) or ("short", 0)
    lines = getattr(content.words[topic, language], section) if section in SECTIONS else ()
    if number >= len(lines):
        return None
    line = next(_lines_for([lines[number]], group), None) if group else lines[number]
    return fill(content, line, language, on=on) if line else None


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+(?=[^\W\d_])", text) if part.strip()]


class _Filler:
    """Fills placeholders for one language and day and remembers which values were missing or unverified."""

    def __init__(self, content: Content, language: str, day: date) -> None:
        self._content = content
        self._language = language
        self._day = day
        spoken = content.phrases.get(language) or content.emergency[language]
        self._phrases: Mapping[str, str] = spoken.phrases
        self.missing = False
        self.doubtful = False

    def words(self, words: Words) -> Words:
        return words.model_copy(
            update={
                "title": self.text(words.title),
                "short": self.text(words.short),
                "steps": tuple(map(self.text, words.steps)),
                "details": tuple(map(self.text, words.details)),
                "exceptions": tuple(map(self.text, words.exceptions)),
            }
        )

    def text(self, text: str) -> str:
        text = GROUP.sub(lambda match: f"{self._phrases[f'group.{match[1]}']}: ", text)
        text = SAYING.sub(lambda match: self._saying(match[1]), text)
        return PLACEHOLDER.sub(lambda match: self._value(match[1], match[2]), text)

    def _saying(self, name: str) -> str:
        saying = self._content.sayings[name].root
        said = self._phrases["say"].format(text=saying[STAFF_LANGUAGE])
        return said if self._language == STAFF_LANGUAGE else f"{said} ({saying[self._language]})"

    def _value(self, name: str, forms: str | None) -> str:
        if name.startswith("org."):
            _, organisation, field = name.split(".")
            return organisation_field(self._content.organisations[organisation], field) or ""
        parameter = self._content.parameters[name]
        value = parameter.on(self._day)
        if value is None:
            self.missing = True
            return self._phrases["value.unknown"]
        if not value.verified:
            self.doubtful = True
        if forms and isinstance(value.value, Decimal):
            written = formats.counted(value.value, split_forms(forms), self._language)
        else:
            written = formats.value(ParameterKind(parameter.kind), value.value, self._language)
        return self._phrases["value.at_least"].format(value=written) if value.at_least else written


def fill(content: Content, text: str, language: str, *, on: date) -> str:
    """Any text with placeholders, filled in for a day."""
    return _Filler(content, language, on).text(text)
