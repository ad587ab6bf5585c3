"""What the chat window itself says, as the page and the API hand it out."""

from __future__ import annotations

from typing import Any

from knowledge.files import Content

REFERENCE = "en"
NEUTRAL_PAGE = (
    "https://www.buienradar.nl/"  # where "leave this page at once" goes: the weather, which nobody wonders about
)
SHOWN = (
    "web.",
    "error.",
    "button.",
    "label.",
    "page.",
    "urgent.possible",
)  # beginnings of the phrases that the page says


def page_texts(content: Content, language: str) -> dict[str, Any]:
    """The texts of one known language, its direction, and the names of all languages.

    A language that is there for emergencies only has the words of the chat in English but for the few of its own.
    """
    own = content.phrases.get(language) or content.emergency[language]
    phrases = {**content.phrases[REFERENCE].phrases, **own.phrases}
    names: dict[str, dict[str, str]] = {}
    for code in content.known_languages:
        entry = content.phrases.get(code) or content.emergency[code]
        names[code] = {"name": entry.name, "direction": entry.direction}
    return {
        "language": language,
        "direction": own.direction,
        "texts": {key: text for key, text in phrases.items() if key.startswith(SHOWN)},
        "languages": names,
        "served": list(content.languages),
        "leave_to": NEUTRAL_PAGE,
    }
