"""Cyrillic in Latin letters as people type it on a phone without a Cyrillic keyboard.

Libraries transliterate by official and reversible tables; people don't. Each letter has the one or two spellings that are
common in messages, so that a model can be shown what nobody writes down twice in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_CYRILLIC = re.compile(r"[а-яёіїєґў]", re.IGNORECASE)
_SHARED = {
    "а": "a", "б": "b", "в": "v", "д": "d", "е": "e", "ж": "zh", "з": "z", "к": "k", "л": "l", "м": "m", "н": "n",
    "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "ч": "ch", "ш": "sh", "ь": "", "ъ": "",
    "ґ": "g", "ё": "yo", "э": "e", "ы": "y", "’": "", "'": "",
}  # fmt: skip
_BY_LANGUAGE = {
    "uk": {"г": "h", "и": "y"},
    "ru": {"г": "g", "и": "i"},
    "bg": {"г": "g", "и": "i", "щ": "sht", "ъ": "a"},
}
_SPELLINGS = (
    {"й": "y", "х": "h", "ц": "c", "щ": "sch", "ю": "yu", "я": "ya", "є": "ye", "ї": "yi", "і": "i"},
    {"й": "j", "х": "kh", "ц": "ts", "щ": "shch", "ю": "ju", "я": "ja", "є": "e", "ї": "i", "і": "i"},
)


def is_cyrillic(text: str) -> bool:
    """Whether a text has Cyrillic letters."""
    return bool(_CYRILLIC.search(text))


def latin(text: str, language: str, *, spelling: int = 0) -> str:
    """The text in Latin letters.

    Args:
        text: anything; other letters stay as they are.
        language: ISO 639-1 code: "г" and "и" are spelled differently in Ukrainian and Russian.
        spelling: which of the two common spellings to take; any number, taken modulo two.

    """
    table = {**_SHARED, **_SPELLINGS[spelling % len(_SPELLINGS)], **_BY_LANGUAGE.get(language, {})}
    return "".join(table.get(letter, letter) for letter in text.lower())


def with_latin(texts: Sequence[str], labels: Sequence[str], languages: Sequence[str]) -> tuple[list[str], list[str]]:
    """Texts and labels for training: the given ones, and each Cyrillic text once more in Latin letters."""
    found = [
        (latin(text, language, spelling=number), label)
        for number, (text, label, language) in enumerate(zip(texts, labels, languages, strict=True))
        if is_cyrillic(text)
    ]
    return [*texts, *(text for text, _ in found)], [*labels, *(label for _, label in found)]
