"""How many cries are still certain with one typing mistake in them, by the phrases alone.

    python -m scripts.typos [messages.jsonl ...]

Takes the cries and everyday messages stored beside the phrases, and labelled messages where files are named. Each gets one mistake
of each kind in a word of four letters or more, the same in every run.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from knowledge.files import load
from nlu.evaluation import read_messages
from nlu.urgency import Level, PhraseRules, rules_of

KINDS = ("wrong", "missing", "doubled", "swapped", "no space")
SHORTEST = 4  # letters of a word that gets a mistake
ROWS = (
    "qwertyuiop asdfghjkl zxcvbnm",
    "йцукенгшщзхї фівапролджє ячсмитьбю",  # Ukrainian; what Russian has elsewhere follows
    "йцукенгшщзхъ фывапролджэ ячсмитьбю",
    "явертъуиопшщ асдфгхйкл зьцжбнм",  # Bulgarian, phonetic
    "ςερτυθιοπ ασδφγηξκλ ζχψωβνμ",
    "ضصثقفغعهخحجد شسيبلاتنمكط ئءؤرلاىةوزظ",
)


def mistyped(text: str, kind: str, chance: random.Random) -> str | None:
    """The text with one mistake of a kind in one of its longer words; None where it has no place for one."""
    words = text.split()
    if kind == "no space":
        places = [i for i in range(len(words) - 1) if words[i].isalpha() and words[i + 1].isalpha()]
        if not places:
            return None
        at = chance.choice(places)
        return " ".join([*words[:at], words[at] + words[at + 1], *words[at + 2 :]])
    places = [i for i, word in enumerate(words) if len(word) >= SHORTEST and word.isalpha()]
    if not places:
        return None
    at = chance.choice(places)
    words[at] = _MAKE[kind](words[at], chance)
    return " ".join(words)


def _wrong(word: str, chance: random.Random) -> str:
    at = chance.randrange(len(word))
    beside = [key for rows in ROWS for row in rows.split() for key in _beside(row, word[at].lower())]
    return word[:at] + chance.choice(beside or [word[at] * 2]) + word[at + 1 :]


def _beside(row: str, letter: str) -> str:
    at = row.find(letter)
    return "" if at < 0 else row[max(0, at - 1) : at] + row[at + 1 : at + 2]


def _missing(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word))
    return word[:at] + word[at + 1 :]


def _doubled(word: str, chance: random.Random) -> str:
    at = chance.randrange(len(word))
    return word[:at] + word[at] + word[at:]


def _swapped(word: str, chance: random.Random) -> str:
    places = [i for i in range(len(word) - 1) if word[i] != word[i + 1]]
    at = chance.choice(places) if places else 0
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


_MAKE = {"wrong": _wrong, "missing": _missing, "doubled": _doubled, "swapped": _swapped}


def certain(rules: PhraseRules, texts: list[str], kinds: tuple[str, ...] = KINDS) -> Iterator[tuple[str, int, int]]:
    """By kind of mistake, and before them without any: how many texts got it, and how many of these are certain."""
    for kind in ("none", *kinds):
        chance = random.Random(f"{kind} 1")  # the same mistakes in every run
        made = [mistyped(text, kind, chance) if kind != "none" else text for text in texts]
        found = [rules.find(text) for text in made if text is not None]
        yield kind, len(found), sum(one is not None and one.level is Level.CERTAIN for one in found)


def _print(name: str, counts: Iterator[tuple[str, int, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    cells = []
    for kind, number, sure in counts:
        cells.append(f"{sure / number:.3f} ({sure} of {number})" if number else "–")
        if kind != "none":
            total.update(number=number, sure=sure)
    cells.append(f"{total['sure'] / total['number']:.3f}" if total else "–")
    print("|", name, "|", " | ".join(cells), "|")
    return total


def main(files: list[Path]) -> None:
    """Print two tables in Markdown."""
    content = load()[0]
    rules = rules_of(content.urgency)
    print("| cries |", " | ".join(("no mistake", *KINDS, "one mistake")), "|")
    for language, entry in content.urgency.items():
        _print(language, certain(rules, [text for texts in entry.examples.values() for text in texts]))
    _print("all", certain(rules, [t for e in content.urgency.values() for ts in e.examples.values() for t in ts]))
    print("| not urgent |", " | ".join(("no mistake", *KINDS, "one mistake")), "|")
    _print("everyday", certain(rules, [t for e in content.urgency.values() for t in e.everyday]))
    if files:
        messages = read_messages(files)
        _print("labelled urgent", certain(rules, [m.text for m in messages if m.kind == "urgent"]))
        _print("labelled others", certain(rules, [m.text for m in messages if m.kind != "urgent"]))


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
