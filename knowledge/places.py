"""Places in the Netherlands by name in any script, by postcode, and the RNI desks nearest to one.

Names come from GeoNames (`scripts/update_places.py`), postcode areas from `postcode_regions.yml`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from math import asin, cos, radians, sin, sqrt
from pathlib import Path

import yaml
from rapidfuzz import fuzz, process

from knowledge.files import PostcodeRegion
from knowledge.schema import Desk
from knowledge.search import fold

EARTH_RADIUS_KM = 6371.0
LONGEST_NAME_WORDS = 4
SHORTEST_ALTERNATIVE = 5  # letters: "Loon" is another name of a village, and the Dutch word for wage
LARGEST = 3  # towns that are meant also by a name of four letters: "Haga", "Χάγη"
SHORTEST_FUZZY = 5  # letters: shorter names have too many neighbours
LONGEST_ENDING = 4
FUZZY_SCORE = 78  # of 100; "amsterdamie" ↔ "amsterdam"
POSTCODE = re.compile(r"\b([1-9]\d)\d{2}\s?(?:[a-z]{2})?\b", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """A position with the name to show; degrees of WGS 84."""

    name: str
    lat: float
    lon: float


@dataclass(frozen=True)
class NearbyDesk:
    """A desk and how far it is, in kilometres as the crow flies."""

    desk: Desk
    kilometres: float


@cache
def names() -> Mapping[str, Place]:
    """Every known name of a Dutch place, folded, with the place; the larger place where two share a name."""
    found: dict[str, Place] = {}
    rows = json.loads((Path(__file__).parent / "places.json").read_text("utf-8"))
    for rank, (name, lat, lon, alternatives) in enumerate(rows):
        shortest = SHORTEST_ALTERNATIVE - 1 if rank < LARGEST else SHORTEST_ALTERNATIVE
        place = Place("Den Haag" if name == "The Hague" else name, lat, lon)
        found.setdefault(fold(name), place)
        for spelling in alternatives:
            if len(spelling) >= shortest:
                found.setdefault(fold(spelling), place)
    return found


@cache
def _largest() -> tuple[Place, ...]:
    return tuple(dict.fromkeys(names().values()))[:LARGEST]


@cache
def _inflections() -> tuple[Mapping[str, frozenset[str]], tuple[str, ...]]:
    """Endings with what may have stood in their place, and prefixes, of all languages together."""
    data = yaml.safe_load((Path(__file__).parent / "place_endings.yml").read_text("utf-8"))
    endings: dict[str, set[str]] = {}
    for language in data["endings"].values():
        for ending, originals in language.items():
            endings.setdefault(fold(ending), set()).update(map(fold, originals))
    return {ending: frozenset(found) for ending, found in endings.items()}, tuple(chain(*data["prefixes"].values()))


def inflected(word: str) -> Place | None:
    """The place whose name a word is in some case, such as "Hadze" or "Rotterdam'da"; None where it is none.

    Args:
        word: a word, or several where the last one has the ending.

    """
    folded = re.sub(r"['’]", "", fold(word))
    known = names()
    endings, prefixes = _inflections()
    for length in range(1, LONGEST_ENDING + 1):
        stem = folded[:-length]
        for original in endings.get(folded[-length:], ()):
            name = stem + original
            # Of the villages with four letters a form is too often some other word ("beste" is not "Best").
            if name in known and (len(name) >= SHORTEST_ALTERNATIVE or known[name] in _largest()):
                return known[name]
    for prefix in prefixes:
        if folded.startswith(prefix) and folded.removeprefix(prefix) in known:
            return known[folded.removeprefix(prefix)]
    return None


def find(text: str, regions: Mapping[str, PostcodeRegion]) -> Place | None:
    """The place that a text names by postcode or name, in any script and with a case ending; None where there is none.

    Args:
        text: what the person wrote, such as "2511 BT", "near Venlo" or "w Hadze".
        regions: postcode areas by their first two digits.

    """
    postcode = POSTCODE.search(text)
    if postcode and (region := regions.get(postcode[1])):
        return Place(region.place, region.lat, region.lon)
    words = re.findall(r"[\w'’-]+", fold(text))
    known = names()
    for size in range(LONGEST_NAME_WORDS, 0, -1):
        for start in range(len(words) - size + 1):
            name = " ".join(words[start : start + size])
            if len(name) > 2 and name in known:
                return known[name]
    for word in words:
        if place := inflected(word):
            return place
    best: tuple[float, Place] | None = None
    for word in words:
        if len(word) < SHORTEST_FUZZY:
            continue
        match = process.extractOne(word, known.keys(), scorer=fuzz.ratio, score_cutoff=FUZZY_SCORE)
        if match and match[0][0] == word[0] and (best is None or match[1] > best[0]):
            best = (match[1], known[match[0]])
    return best[1] if best else None


def nearest_desks(desks: Sequence[Desk], place: Place, *, count: int = 3) -> tuple[NearbyDesk, ...]:
    """The desks nearest to a place, nearest first."""
    ranked = sorted(
        (NearbyDesk(desk, kilometres(place.lat, place.lon, desk.lat, desk.lon)) for desk in desks),
        key=lambda nearby: nearby.kilometres,
    )
    return tuple(ranked[:count])


def kilometres(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """The great-circle distance between two points in degrees (haversine)."""
    north, east = radians(lat2 - lat1), radians(lon2 - lon1)
    chord = sin(north / 2) ** 2 + cos(radians(lat1)) * cos(radians(lat2)) * sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(chord))


def map_link(desk: Desk) -> str:
    """An OpenStreetMap link that shows the desk on a map: works without an app or account."""
    return f"https://www.openstreetmap.org/?mlat={desk.lat}&mlon={desk.lon}#map=16/{desk.lat}/{desk.lon}"
