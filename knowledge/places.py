"""Places in the Netherlands by name in any script, by postcode, and the RNI desks nearest to one.

Names come from GeoNames (`scripts/update_places.py`), postcode areas from `postcode_regions.yml`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import asin, cos, radians, sin, sqrt
from pathlib import Path

from rapidfuzz import fuzz, process

from knowledge.files import PostcodeRegion
from knowledge.schema import Desk
from knowledge.search import fold

EARTH_RADIUS_KM = 6371.0
LONGEST_NAME_WORDS = 4
SHORTEST_ALTERNATIVE = 5  # letters: "Loon" is another name of a village, and the Dutch word for wage
# Of names that change so much in the cases of Slavic languages that likeness does not find them.
CASE_FORMS = dict.fromkeys(("haga", "hadze", "hagi", "гаага", "гаазі", "гааги", "гааге"), "den haag")
SHORTEST_FUZZY = 5  # letters: shorter names have too many neighbours
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
    for name, lat, lon, alternatives in rows:
        place = Place("Den Haag" if name == "The Hague" else name, lat, lon)
        found.setdefault(fold(name), place)
        for spelling in alternatives:
            if len(spelling) >= SHORTEST_ALTERNATIVE:
                found.setdefault(fold(spelling), place)
    for form, name in CASE_FORMS.items():
        found[form] = found[name]
    return found


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
