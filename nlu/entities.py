"""Names and figures in a message: places, countries, sectors (gazetteers), amounts and dates (patterns).

Gazetteers are matched on spaCy tokens by their lower-case form: place names of GeoNames in every script, countries of
Babel in every served language, sectors from `nlu/gazetteers/sectors.yml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from babel import Locale
from spacy.language import Language
from spacy.matcher import PhraseMatcher

from knowledge import places

SECTORS_FILE = Path(__file__).parent / "gazetteers" / "sectors.yml"
AMOUNT = re.compile(
    r"(?:€|\beur(?:o|os)?\b)\s?(\d[\d.,]*)|\b(\d[\d.,]*)\s?(?:€|eur(?:o|os)?\b|евро|євро)", re.IGNORECASE
)
DATE = re.compile(r"\b(\d{1,2})[-./](\d{1,2})(?:[-./](\d{2,4}))?\b|\b(\d{4})-(\d{2})-(\d{2})\b")
SHORTEST_NAME = 3  # letters: shorter place names ("Ee", "Ik") are words of every day


@dataclass(frozen=True)
class Entity:
    """A stretch of text and what it stands for; `start` and `end` are character offsets."""

    kind: str
    value: str
    start: int
    end: int


class Gazetteers:
    """Place, country and sector names as phrases of one spaCy pipeline."""

    def __init__(self, nlp: Language, languages: Iterable[str]) -> None:
        self._nlp = nlp
        self._matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
        self._values: dict[tuple[str, str], str] = {}
        self._add("place", {name: place.name for name, place in places.names().items()})
        self._add("country", _countries(languages))
        self._add("sector", _sectors())

    def find(self, text: str) -> list[Entity]:
        """The names in a text, longest first where two overlap, in order of appearance."""
        doc = self._nlp.make_doc(text)
        spans = sorted(self._matcher(doc, as_spans=True), key=lambda span: (-len(span), span.start))
        taken: set[int] = set()
        found = []
        for span in spans:
            if taken.isdisjoint(range(span.start, span.end)):
                taken.update(range(span.start, span.end))
                value = self._values[span.label_, span.text.lower()]
                found.append(Entity(span.label_, value, span.start_char, span.end_char))
        return sorted(found, key=lambda entity: entity.start)

    def _add(self, kind: str, names: Mapping[str, str]) -> None:
        wanted = {name.lower(): value for name, value in names.items() if len(name) >= SHORTEST_NAME}
        self._values.update({(kind, name): value for name, value in wanted.items()})
        self._matcher.add(kind, [self._nlp.make_doc(name) for name in wanted])


def figures(text: str) -> Iterator[Entity]:
    """Amounts in euros and dates written in digits; amounts as "1400.50", dates as ISO where the year is given."""
    for match in AMOUNT.finditer(text):
        yield Entity("amount", _number(match[1] or match[2]), match.start(), match.end())
    for match in DATE.finditer(text):
        yield Entity("date", _iso(match), match.start(), match.end())


def _number(written: str) -> str:
    # In the Netherlands the point parts thousands and the comma decimals; a point before two digits is a foreign decimal.
    plain = written.rstrip(".,")
    whole, mark, decimals = max((plain.rpartition(","), plain.rpartition(".")), key=lambda parts: len(parts[0]))
    if mark and len(decimals) != 3:
        return f"{re.sub(r'[.,]', '', whole)}.{decimals}"
    return re.sub(r"[.,]", "", plain)


def _iso(match: re.Match[str]) -> str:
    if match[4]:
        return match[0]
    day, month, year = match[1], match[2], match[3]
    if not year:
        return f"{int(day)}-{int(month)}"
    return f"{int(year) + 2000 if len(year) == 2 else int(year)}-{int(month):02}-{int(day):02}"


def _countries(languages: Iterable[str]) -> dict[str, str]:
    return {
        name: code
        for language in languages
        for code, name in Locale.parse(language).territories.items()
        if len(code) == 2 and code.isalpha()
    }


def _sectors() -> dict[str, str]:
    sectors = yaml.safe_load(SECTORS_FILE.read_text("utf-8"))
    return {name: sector for sector, names in sectors.items() for name in names}
