"""Reads the content folder into one immutable `Content` and collects every fault with file, line and remedy.

What a single file may say is `knowledge.schema`; rules between files are `knowledge.check`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError

from knowledge.schema import (
    Desk,
    Helpline,
    Measure,
    MeasureWords,
    Organisation,
    OrganisationWords,
    Parameter,
    Questions,
    Review,
    Saying,
    Source,
    Strict,
    Text,
    Topic,
    Words,
)

CONTENT_FOLDER = Path(__file__).parent
# `{claims.years_back}`, or with the forms of the noun that agrees with the number: `{claims.years_back: rok | lata | lat}`.
PLACEHOLDER = re.compile(r"\{([a-z0-9_]+(?:\.[a-z0-9_]+)+)(?::([^{}]*))?\}")
# A sentence of the phrase book, said in the language of the staff: `{say:i_want_the_refusal_on_paper}`.
SAYING = re.compile(r"\{say:([a-z0-9_]+)\}")
STAFF_LANGUAGE = "nl"
# Whom a line is for, where rights differ: "[eu] You need no permit."
GROUPS = ("eu", "ukraine", "other")
GROUP = re.compile(rf"^\[({'|'.join(GROUPS)})\]\s*")
# When people are sent to somebody and no topic says to whom: helplines.yml.
OCCASIONS = ("danger", "person", "not_understood", "failed")
SECTIONS = ("steps", "details", "exceptions")

_Model = TypeVar("_Model", bound=BaseModel)
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Phrases(Strict):
    """What the bot itself says in one language: `phrases/<lang>.yml`. The file makes the language.

    `stop` is what people write, as a whole message, who want no more messages.
    """

    review: Review
    name: Text
    direction: Literal["ltr", "rtl"] = "ltr"
    stop: tuple[Text, ...] = Field(min_length=1)
    areas: dict[str, Text]
    phrases: dict[str, Text]


class UrgencyPatterns(Strict):
    """Phrases of one language that tell an urgent message, and those that take it back: `urgency/<lang>.yml`.

    `examples` are messages by kind that the certain phrases have to find, `everyday` messages that they must leave alone; both
    are checked (`wegwijs urgency check`). How a phrase is written: `nlu.phrases`.
    """

    certain: dict[str, tuple[Text, ...]]
    possible: dict[str, tuple[Text, ...]]
    not_now: tuple[Text, ...] = ()
    told: tuple[Text, ...] = ()
    examples: dict[str, tuple[Text, ...]] = Field(default_factory=dict)
    everyday: tuple[Text, ...] = ()


class EmergencyText(Strict):
    """The help for one urgent kind in a language that is not served otherwise: what fits one screen."""

    button: Text
    title: Text
    short: Text
    steps: tuple[Text, ...] = Field(min_length=1)

    def texts(self) -> tuple[str, ...]:
        """Everything that is read, in order."""
        return (self.title, self.short, *self.steps)


class EmergencyLanguage(Strict):
    """A language at the tier `emergency`: helpline texts and a few sentences, `emergency/<lang>.yml`.

    Its urgent phrases stand in `urgency/<lang>.yml` like everybody's. A language with a phrases file of its own is complete and
    has no file here.
    """

    review: Review
    name: Text
    direction: Literal["ltr", "rtl"] = "ltr"
    stop: tuple[Text, ...] = Field(min_length=1)
    phrases: dict[str, Text]
    kinds: dict[str, EmergencyText]


class OrganisationsFile(Strict):
    """`organisations.<lang>.yml`."""

    review: Review
    organisations: dict[str, OrganisationWords]


class MeasuresFile(Strict):
    """`measures.<lang>.yml`."""

    review: Review
    measures: dict[str, MeasureWords]


class PostcodeRegion(Strict):
    """The main town of a two-digit postcode area and its position: near enough to rank desks by distance."""

    place: Text
    lat: float = Field(ge=50.5, le=53.7)
    lon: float = Field(ge=3.2, le=7.3)


@dataclass(frozen=True, order=True)
class Fault:
    """Something wrong in a content file: where it stands, what it is and what to do.

    `severity` is `error` (the content is not served) or `warning` (it is, and an editor should look).
    """

    file: str
    line: int
    key: str
    message: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.severity}: {self.key}: {self.message}"


@dataclass(frozen=True)
class Content:
    """All content of one folder, as it stands in the files."""

    topics: Mapping[str, Topic]
    words: Mapping[tuple[str, str], Words]
    questions: Mapping[str, Questions]
    parameters: Mapping[str, Parameter]
    organisations: Mapping[str, Organisation]
    organisation_words: Mapping[tuple[str, str], OrganisationWords]
    helplines: Mapping[str, Helpline]
    sayings: Mapping[str, Saying]
    measures: Mapping[str, Measure]
    measure_words: Mapping[tuple[str, str], MeasureWords]
    sources: Mapping[str, Source]
    desks: tuple[Desk, ...]
    postcode_regions: Mapping[str, PostcodeRegion]
    phrases: Mapping[str, Phrases]
    urgency: Mapping[str, UrgencyPatterns]
    emergency: Mapping[str, EmergencyLanguage]

    def whom(self, occasion: str) -> tuple[str, ...]:
        """The organisations of one of `OCCASIONS`, the first first."""
        return self.helplines[occasion].organisations

    @property
    def desks_topics(self) -> tuple[str, ...]:
        """The topics that ask where the person is, to name the nearest desks."""
        return tuple(name for name, topic in self.topics.items() if topic.asks == "place")

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-1 codes of the languages that have a phrases file, in alphabetical order."""
        return tuple(sorted(self.phrases))

    @property
    def known_languages(self) -> tuple[str, ...]:
        """The served languages and those that are there for emergencies alone, in alphabetical order."""
        return tuple(sorted({*self.phrases, *self.emergency}))


def topic_file(topic: str) -> str:
    """The file of a topic's facts, below the content folder."""
    return f"topics/{topic.replace('.', '/')}.yml"


def words_file(topic: str, language: str) -> str:
    """The file of a topic's words in one language, below the content folder."""
    return f"topics/{topic.replace('.', '/')}.{language}.md"


def questions_file(topic: str) -> str:
    """The file of what people ask that a line of a topic's answer answers, below the content folder."""
    return f"questions/{topic.replace('.', '/')}.yml"


def placeholders(*texts: str) -> set[str]:
    """The ids that the texts name in curly brackets, such as `minimum_wage.hourly_21`."""
    return {name for text in texts for name, _ in PLACEHOLDER.findall(text)}


def sayings(*texts: str) -> set[str]:
    """The sentences of the phrase book that the texts name."""
    return {name for text in texts for name in SAYING.findall(text)}


def plural_forms(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The ids with forms of a noun behind them, and these forms in the order of `knowledge.formats.plural_categories`."""
    for name, forms in PLACEHOLDER.findall(text):
        if forms:
            yield name, split_forms(forms)


def split_forms(forms: str) -> tuple[str, ...]:
    """What stands behind the colon of a placeholder, taken apart."""
    return tuple(form.strip() for form in forms.split("|"))


def load(folder: Path = CONTENT_FOLDER) -> tuple[Content, list[Fault]]:
    """Read every content file below `folder`.

    Returns:
        The content of all files that could be read, and the faults of those that could not, in file order.

    """
    reader = _Reader(folder)
    content = Content(
        topics={topic.topic: topic for topic in reader.topics()},
        words=dict(reader.words()),
        questions=dict(reader.questions()),
        parameters=dict(reader.parameters()),
        organisations=reader.mapping("organisations.yml", Organisation),
        organisation_words=dict(reader.by_language("organisations", OrganisationsFile)),
        helplines=reader.mapping("helplines.yml", Helpline),
        sayings=reader.mapping("sayings.yml", Saying),
        measures=reader.mapping("measures.yml", Measure, under="measures"),
        measure_words=dict(reader.by_language("measures", MeasuresFile)),
        sources=reader.mapping("sources.yml", Source),
        desks=tuple(reader.sequence("rni_desks.yml", Desk, under="desks")),
        postcode_regions=reader.mapping("postcode_regions.yml", PostcodeRegion),
        phrases=dict(reader.per_language_file("phrases", Phrases)),
        urgency=dict(reader.per_language_file("urgency", UrgencyPatterns)),
        emergency=dict(reader.per_language_file("emergency", EmergencyLanguage)),
    )
    return content, sorted(reader.faults)


class _Reader:
    """Reads files one by one and keeps the faults, so that one report names them all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: list[Fault] = []

    def topics(self) -> Iterator[Topic]:
        for path in sorted(self.folder.glob("topics/*/*.yml")):
            topic = self._model(path, Topic)
            if topic is None:
                continue
            expected = f"{path.parent.name}.{path.stem}"
            if topic.topic != expected:
                self._fault(path, ("topic",), f"is {topic.topic!r}, but the file's place makes it {expected!r}")
            yield topic

    def words(self) -> Iterator[tuple[tuple[str, str], Words]]:
        for path in sorted(self.folder.glob("topics/*/*.md")):
            name, _, language = path.stem.partition(".")
            try:
                fields = parse_markdown(path.read_text("utf-8"))
            except ValueError as error:
                self.faults.append(Fault(self._name(path), 1, "file", str(error)))
                continue
            try:
                yield (f"{path.parent.name}.{name}", language), Words.model_validate(fields)
            except ValidationError as error:
                for fault in error.errors():
                    key = ".".join(str(part) for part in fault["loc"])
                    self.faults.append(Fault(self._name(path), 1, key, fault["msg"]))

    def questions(self) -> Iterator[tuple[str, Questions]]:
        for path in sorted(self.folder.glob("questions/*/*.yml")):
            questions = self._model(path, Questions)
            if questions is not None:
                yield f"{path.parent.name}.{path.stem}", questions

    def parameters(self) -> Iterator[tuple[str, Parameter]]:
        seen: dict[str, Path] = {}
        for path in sorted(self.folder.glob("parameters/*.yml")):
            for key, parameter in self.mapping(path.relative_to(self.folder), Parameter).items():
                if key in seen:
                    self._fault(path, (key,), f"stands in {seen[key].name} already: keep one of the two")
                seen[key] = path
                yield key, parameter

    def by_language(self, stem: str, model: type[Any]) -> Iterator[tuple[tuple[str, str], Any]]:
        """Entries of `<stem>.<lang>.yml`, keyed by id and language."""
        for path in sorted(self.folder.glob(f"{stem}.*.yml")):
            language = path.name.split(".")[1]
            file = self._model(path, model)
            if file is not None:
                for key, entry in getattr(file, stem).items():
                    yield (key, language), entry

    def per_language_file(self, subfolder: str, model: type[_Model]) -> Iterator[tuple[str, _Model]]:
        for path in sorted(self.folder.glob(f"{subfolder}/*.yml")):
            entry = self._model(path, model)
            if entry is not None:
                yield path.stem, entry

    def mapping(self, name: str | Path, model: type[_Model], *, under: str | None = None) -> dict[str, _Model]:
        path = self.folder / name
        data = self._yaml(path)
        entries = data.get(under, {}) if under else data
        found = {key: self._validate(path, model, value, (under, key)) for key, value in entries.items()}
        return {str(key): value for key, value in found.items() if value is not None}

    def sequence(self, name: str, model: type[_Model], *, under: str) -> Iterator[_Model]:
        path = self.folder / name
        for number, value in enumerate(self._yaml(path).get(under, [])):
            entry = self._validate(path, model, value, (under, number))
            if entry is not None:
                yield entry

    def _model(self, path: Path, model: type[_Model]) -> _Model | None:
        return self._validate(path, model, self._yaml(path), ())

    def _validate(
        self, path: Path, model: type[_Model], value: object, under: tuple[str | int | None, ...]
    ) -> _Model | None:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for fault in error.errors():
                location = tuple(part for part in (*under, *fault["loc"]) if part is not None)
                self._fault(path, location, fault["msg"])
            return None

    def _yaml(self, path: Path) -> dict[str, Any]:
        if not path.exists():
            self.faults.append(Fault(self._name(path), 1, "file", "is missing: every content folder needs it"))
            return {}
        try:
            data = yaml.load(path.read_text("utf-8"), Loader=_Loader)  # noqa: S506 (a safe loader, in C)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.faults.append(Fault(self._name(path), line, "file", f"is not YAML: {error.problem}"))
            return {}
        return data if isinstance(data, dict) else {}

    def _fault(self, path: Path, location: tuple[str | int, ...], message: str) -> None:
        key = ".".join(str(part) for part in location) or "file"
        self.faults.append(Fault(self._name(path), line_of(path, location), key, message))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def line_of(path: Path, location: tuple[str | int, ...]) -> int:
    """The line (from 1) on which the YAML value at `location` starts; that of its nearest parent where it is missing."""
    node = yaml.compose(path.read_text("utf-8"), Loader=_Loader)
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            child = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if child is None:
                break
            line, node = child[0].start_mark.line + 1, child[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def parse_markdown(text: str) -> dict[str, Any]:
    """Take an answer file apart into the fields of `Words`.

    Args:
        text: front matter between `---` lines, `# title`, the short answer, then `## steps|details|exceptions` as lists.

    Raises:
        ValueError: the text has no front matter, no title, or a section that is none of the three.

    """
    match = re.match(r"\A---\n(.*?)\n---\n(.*)\Z", text, re.DOTALL)
    if match is None:
        raise ValueError("has no front matter: start the file with ---, review: and button:, and --- again")
    front = yaml.load(match[1], Loader=_Loader) or {}  # noqa: S506 (a safe loader, in C)
    head, *sections = re.split(r"^## +", match[2], flags=re.MULTILINE)
    title = re.match(r"\s*# +(.+)\n", head)
    if title is None:
        raise ValueError("has no title: the first line after the front matter is '# title'")
    fields: dict[str, Any] = {**front, "title": title[1].strip(), "short": head[title.end() :].strip()}
    for section in sections:
        name, _, body = section.partition("\n")
        if name.strip() not in SECTIONS:
            raise ValueError(f"has a section '## {name.strip()}': only {', '.join(SECTIONS)} are shown")
        fields[name.strip()] = tuple(_list_items(body))
    return fields


def _list_items(body: str) -> Iterator[str]:
    item: list[str] = []
    for line in body.splitlines():
        start = re.match(r"\s*(?:[-*]|\d+\.)\s+(.*)", line)
        if start:
            if item:
                yield " ".join(item)
            item = [start[1].strip()]
        elif line.strip():
            item.append(line.strip())
    if item:
        yield " ".join(item)
