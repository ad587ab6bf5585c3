"""Cyrillic and Greek in Latin letters as people type them on a phone without such a keyboard.

Libraries transliterate by official and reversible tables; people don't. Each letter has the one or two spellings that are
common in messages, so that a model can be shown what nobody writes down twice in the same way. Arabic is not here: its
script leaves out the vowels that people type in Latin letters, so only examples teach that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from zlib import crc32

from knowledge.search import fold

_OTHER_SCRIPT = re.compile(r"[а-яёіїєґўα-ωάέήίόύώ]", re.IGNORECASE)
_SHARED = {
    "а": "a", "б": "b", "в": "v", "д": "d", "е": "e", "ж": "zh", "з": "z", "к": "k", "л": "l", "м": "m", "н": "n",
    "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "ч": "ch", "ш": "sh", "ь": "", "ъ": "",
    "ґ": "g", "ё": "yo", "э": "e", "ы": "y", "’": "", "'": "",
    "α": "a", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "ι": "i", "κ": "k", "λ": "l", "μ": "m", "ν": "n", "ο": "o",
    "π": "p", "ρ": "r", "σ": "s", "ς": "s", "τ": "t", "φ": "f", "ψ": "ps", "θ": "th",
}  # fmt: skip
_BY_LANGUAGE = {
    "uk": {"г": "h", "и": "y"},
    "ru": {"г": "g", "и": "i"},
    "bg": {"г": "g", "и": "i"},
}
_SPELLINGS = (
    {
        "й": "y", "х": "h", "ц": "c", "щ": "sch", "ю": "yu", "я": "ya", "є": "ye", "ї": "yi", "і": "i",
        "β": "v", "η": "i", "ξ": "ks", "υ": "y", "χ": "x", "ω": "o",
    },
    {
        "й": "j", "х": "kh", "ц": "ts", "щ": "shch", "ю": "ju", "я": "ja", "є": "e", "ї": "i", "і": "i",
        "β": "b", "η": "h", "ξ": "x", "υ": "u", "χ": "h", "ω": "w",
    },
)  # fmt: skip
# Bulgarians take digits and keys that look or sound alike ("shlyokavitsa").
_BULGARIAN = (
    {"щ": "sht", "ъ": "a", "ч": "ch", "ш": "sh", "я": "ya", "ю": "yu", "ж": "j"},
    {"щ": "6t", "ъ": "y", "ч": "4", "ш": "6", "я": "q", "ю": "iu", "ж": "zh"},
)


def is_other_script(text: str) -> bool:
    """Whether a text has Cyrillic or Greek letters."""
    return bool(_OTHER_SCRIPT.search(text))


def latin(text: str, language: str, *, spelling: int = 0) -> str:
    """The text in Latin letters.

    Args:
        text: anything; other letters stay as they are.
        language: ISO 639-1 code: "г" and "и" are spelled differently in Ukrainian and Russian.
        spelling: which of the two common spellings to take; any number, taken modulo two.

    """
    way = spelling % len(_SPELLINGS)
    table = {**_SHARED, **_SPELLINGS[way], **_BY_LANGUAGE.get(language, {})}
    if language == "bg":
        table |= _BULGARIAN[way]
    written = fold(text) if language == "el" else text.lower()
    return "".join(table.get(letter, letter) for letter in written)


def with_latin(texts: Sequence[str], labels: Sequence[str], languages: Sequence[str]) -> tuple[list[str], list[str]]:
    """Texts and labels for training: the given ones, and each Cyrillic or Greek text once more in Latin letters.

    Which spelling a text gets hangs on nothing but itself: one example more leaves all others, and their encodings, as they are.
    """
    found = [
        (latin(text, language, spelling=crc32(text.encode())), label)
        for text, label, language in zip(texts, labels, languages, strict=True)
        if is_other_script(text)
    ]
    return [*texts, *(text for text, _ in found)], [*labels, *(label for _, label in found)]
