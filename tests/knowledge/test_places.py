"""Where is the nearest desk: names in any script, postcodes, positions."""

from __future__ import annotations

import pytest

from knowledge import places
from knowledge.files import Content


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("2511 BT", "Den Haag"),
        ("I live in Venlo", "Venlo"),
        ("w Hadze", "Den Haag"),
        ("mieszkam w Amsterdamie", "Amsterdam"),
        ("у Гаазі", "Den Haag"),
        ("Роттердам", "Rotterdam"),
        ("Den Bosch", "'s-Hertogenbosch"),
        ("5038 tilburg", "Tilburg"),
        ("eindhovn", "Eindhoven"),
    ],
)
def test_a_place_is_found(content: Content, said: str, name: str) -> None:
    found = places.find(said, content.postcode_regions)
    assert found is not None
    assert found.name == name or (name == "'s-Hertogenbosch" and "Hertogenbosch" in found.name)


@pytest.mark.parametrize("said", ["", "?", "my wage is low", "0000", "mijn loon"])
def test_what_is_no_place_is_none(content: Content, said: str) -> None:
    assert places.find(said, content.postcode_regions) is None


def test_the_nineteen_desks_are_ranked_by_distance(content: Content) -> None:
    assert len(content.desks) == 19
    venlo = places.find("Venlo", content.postcode_regions)
    assert venlo is not None
    nearest = places.nearest_desks(content.desks, venlo)
    assert [n.kilometres for n in nearest] == sorted(n.kilometres for n in nearest)
    assert nearest[0].desk.municipality == "Venlo"
    assert nearest[0].kilometres < 5
    assert "openstreetmap.org" in places.map_link(nearest[0].desk)


def test_the_distance_of_two_known_towns() -> None:
    # Amsterdam to Maastricht is about 178 km as the crow flies.
    assert places.kilometres(52.37, 4.90, 50.85, 5.69) == pytest.approx(178, abs=4)
