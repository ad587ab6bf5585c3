"""Names and figures in a message: places, countries, sectors (gazetteers), amounts and dates (patterns).

Gazetteers are matched on spaCy tokens without case and diacritics: place names of GeoNames in every script and in the cases
of each language, countries of Babel in every served language, sectors from `nlu/gazetteers/sectors.yml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from babel import Locale
from spacy.language import Language

from knowledge import places
from knowledge.search import fold
from nlu.documents import document

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
    """Place, country and sector names, found on the tokens of one spaCy pipeline."""

    def __init__(self, nlp: Language, languages: Iterable[str]) -> None:
        self._nlp = nlp
        self._names: dict[tuple[str, ...], tuple[str, str]] = {}
        self._add("sector", _sectors())
        self._add("country", _countries(languages))
        self._add("place", {name: place.name for name, place in places.names().items()})
        self._longest = max(map(len, self._names))

    def find(self, text: str) -> list[Entity]:
        """The names in a text, longest first where two overlap, in order of appearance."""
        doc = document(self._nlp, text)
        folded = [fold(token.text) for token in doc]
        taken: set[int] = set()
        found = []
        for size in range(self._longest, 0, -1):
            for start in range(len(doc) - size + 1):
                words = range(start, start + size)
                entity = self._names.get(tuple(folded[start : start + size])) if taken.isdisjoint(words) else None
                if entity is not None:
                    taken.update(words)
                    span = doc[start : start + size]
                    found.append(Entity(*entity, span.start_char, span.end_char))
        for token in doc:
            if token.i not in taken and token.text[0].isalpha() and (place := places.inflected(token.text)):
                found.append(Entity("place", place.name, token.idx, token.idx + len(token)))
        return sorted(found, key=lambda entity: entity.start)

    def _add(self, kind: str, names: Mapping[str, str]) -> None:
        for name, value in names.items():
            if len(name) >= SHORTEST_NAME:
                self._names[tuple(fold(token.text) for token in self._nlp.make_doc(name))] = (kind, value)


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
