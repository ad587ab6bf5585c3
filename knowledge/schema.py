"""What a content file may say: one frozen model per kind of file, unknown keys refused.

Reading the files is `knowledge.files`; rules that need more than one file are `knowledge.check`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator, model_validator

Text = Annotated[str, Field(min_length=1)]
Asked = Text | Annotated[tuple[Text, ...], Field(min_length=1)]  # one question or several


class Strict(BaseModel):
    """A piece of content: immutable, and a key that the schema does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FactStatus(StrEnum):
    """Where a fact stands on the day it was researched."""

    IN_FORCE = "in_force"
    ANNOUNCED = "announced"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class Review(StrEnum):
    """Who has read a text last: nobody but us, a native speaker, or a lawyer."""

    MACHINE = "machine"
    NATIVE = "native"
    LEGAL = "legal"


class Source(Strict):
    """A page or law that facts come from; `checked` is the day somebody last compared it."""

    title: Text
    url: str | None
    kind: Literal["official", "secondary"]
    checked: date


class Fact(Strict):
    """One statement with its source and doubt, in the editors' language (English)."""

    statement: Text
    source: str | None
    status: FactStatus
    verified: bool
    valid_from: date | None = None
    valid_to: date | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _without_source_is_unverified(self) -> Fact:
        if self.source is None and self.verified:
            raise ValueError("a fact without a source cannot be verified: name the source or set verified: false")
        return self


class Topic(Strict):
    """What is true about one topic or urgent kind: `topics/<area>/<name>.yml`.

    `shows` and `asks` are what the answer does besides its words: show what the government promised, ask where the person is for
    the nearest desks. `number` is the organisation that an urgent kind names in one line, where it is not the one for danger.
    """

    topic: Text
    parameters: tuple[str, ...]
    who_helps: tuple[str, ...] = Field(min_length=1)
    related: tuple[str, ...]
    sources: tuple[str, ...] = Field(min_length=1)
    check_after_days: int = Field(gt=0)
    valid_to: date | None = None
    shows: Literal["measures"] | None = None
    asks: Literal["place"] | None = None
    number: str | None = None
    facts: tuple[Fact, ...] = Field(min_length=1)

    @property
    def area(self) -> str:
        """The part of the id before the dot: the area of the menu that the topic stands in."""
        return self.topic.split(".", 1)[0]


class Words(Strict):
    """The answer in one language, placeholders not yet filled in: `topics/<area>/<name>.<lang>.md`."""

    review: Review
    button: Text
    title: Text
    short: Text
    steps: tuple[str, ...] = Field(min_length=1)
    details: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()

    def texts(self) -> tuple[str, ...]:
        """Every text in reading order, for checks that look at all words."""
        return (self.button, self.title, self.short, *self.steps, *self.details, *self.exceptions)


class Questions(Strict):
    """What people write whom one line of an answer helps: `questions/<area>/<name>.yml`.

    The entries of a section stand in the order of its lines, each with a question or several by language (ISO 639-1); `short` holds
    those that the short answer answers, in as many entries as one likes.
    """

    short: tuple[dict[str, Asked], ...] = ()
    steps: tuple[dict[str, Asked], ...] = ()
    details: tuple[dict[str, Asked], ...] = ()
    exceptions: tuple[dict[str, Asked], ...] = ()

    def asked(self) -> Iterator[tuple[str, int, str, str]]:
        """Each question as (section, number of its line from 0, language, question)."""
        for section in type(self).model_fields:
            for number, entry in enumerate(getattr(self, section)):
                for language, asked in entry.items():
                    for question in (asked,) if isinstance(asked, str) else asked:
                        yield section, number, language, question

    def line_of(self, question: str) -> tuple[str, int] | None:
        """The section and line that a question belongs to; None where it is none of these."""
        return next(((section, number) for section, number, _, known in self.asked() if known == question), None)


class ParameterKind(StrEnum):
    """How a value is written out for a reader."""

    MONEY = "money"
    PERCENT = "percent"
    NUMBER = "number"
    DATE = "date"
    TEXT = "text"
    YEAR = "year"
    MONTH = "month"


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None


_READERS: dict[str, Callable[[str], Decimal | date]] = {
    ParameterKind.MONEY: _decimal,
    ParameterKind.PERCENT: _decimal,
    ParameterKind.NUMBER: _decimal,
    ParameterKind.YEAR: _decimal,
    ParameterKind.DATE: date.fromisoformat,
    ParameterKind.MONTH: date.fromisoformat,
}


class ParameterValue(Strict):
    """A value and the days on which it holds; an open end means always, or until further notice."""

    value: date | Decimal | str
    valid_from: date | None = None
    valid_to: date | None = None
    at_least: bool = False
    source: str | None
    verified: bool
    note: str | None = None

    def holds_on(self, day: date) -> bool:
        """Whether the value is the one for `day`."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


class Parameter(Strict):
    """An amount, number or date that the words name by placeholder: `parameters/<area>.yml`."""

    describes: Text
    kind: ParameterKind
    values: tuple[ParameterValue, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _values_by_kind(cls, data: Any) -> Any:
        # A number and a date are text in JSON: only the kind tells which of them it was.
        read = _READERS.get(str(data.get("kind"))) if isinstance(data, dict) else None
        if read is None:
            return data
        values = [
            {**v, "value": read(str(v.get("value")))} if isinstance(v, dict) else v for v in data.get("values", ())
        ]
        return {**data, "values": values}

    @model_validator(mode="after")
    def _one_value_a_day(self) -> Parameter:
        for earlier, later in zip(self.values, self.values[1:], strict=False):
            if earlier.valid_to is None or later.valid_from is None or earlier.valid_to >= later.valid_from:
                raise ValueError("values must stand oldest first and not overlap: check valid_from and valid_to")
        return self

    def on(self, day: date) -> ParameterValue | None:
        """The value that holds on `day`, or None where none is known."""
        return next((value for value in self.values if value.holds_on(day)), None)


class Organisation(Strict):
    """An office or helpline: what is true of it. How it is described: `OrganisationWords`.

    One that may not be shown is kept for editors until somebody has verified how it is reached.
    """

    name: Text
    phone: str | None
    phone_from_abroad: str | None
    whatsapp: str | None
    email: str | None
    url: str | None
    opening_hours: str | None
    languages: tuple[str, ...]
    interpreter: bool
    cost: Literal["free", "local_rate", "paid", "unknown"]
    anonymous: Literal["yes", "no", "unknown"]
    area: Text
    verified: bool
    may_be_shown: bool = True
    source: str | None
    note: str | None = None


class OrganisationWords(Strict):
    """An organisation in one language: `organisations.<lang>.yml`."""

    name: Text
    what_for: Text
    hours: str | None = None
    note: str | None = None


class Helpline(Strict):
    """Whom people are sent to on one occasion where no topic says so: `helplines.yml`."""

    organisations: tuple[str, ...] = Field(min_length=1)


class Saying(RootModel[dict[str, Text]]):
    """A sentence to say to Dutch staff: in Dutch, and what it means in every other language (`sayings.yml`)."""

    model_config = ConfigDict(frozen=True)


class MeasureStep(Strict):
    """One dated step in the life of a government measure."""

    date: str = Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")
    status: Literal[
        "promised", "consultation", "adopted", "in_force", "pilot", "postponed", "announced", "ended", "unknown"
    ]
    statement: Text
    source: str | None
    verified: bool
    note: str | None = None

    @field_validator("date", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, int) else value


class Measure(Strict):
    """A measure of the letter of May 2022 with its history and the topics it bears on: `measures.yml`."""

    topics: tuple[str, ...] = Field(min_length=1)
    promised: str
    timeline: tuple[MeasureStep, ...] = Field(min_length=1)


class MeasureWords(Strict):
    """A measure in one language: `measures.<lang>.yml`."""

    title: Text
    promised: Text
    now: Text

    def texts(self) -> tuple[str, ...]:
        """Every text in reading order."""
        return (self.title, self.promised, self.now)


class Desk(Strict):
    """An RNI desk: `rni_desks.yml`. Positions are WGS 84 degrees."""

    id: Text
    municipality: Text
    office: Text
    street_address: Text
    postcode: str = Field(pattern=r"^\d{4} [A-Z]{2}$")
    city: Text
    lat: float = Field(ge=50.5, le=53.7)
    lon: float = Field(ge=3.2, le=7.3)
    phone: Text
    url: Text
    source: str | None
    verified: bool
    note: str | None = None
