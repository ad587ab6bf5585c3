"""Full-text search over the answers of one language: SQLite FTS5, PostgreSQL tsvector.

Inflected languages are met by searching word beginnings: "wypłaty" finds "wypłata". Text and query are folded the same way,
so that a person without diacritics on the phone finds the same.
"""

from __future__ import annotations

import re
import unicodedata

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

MAX_QUERY_WORDS = 24
SHORTEST_WORD = 3
_ENDING = 2  # letters taken off the end of longer words, where inflection lives

FTS5_TABLE = (
    "CREATE VIRTUAL TABLE search_index USING fts5("
    "version UNINDEXED, topic UNINDEXED, language UNINDEXED, title, body, tokenize = 'unicode61')"
)
_ALIKE = {"ł": "l", "đ": "d", "ø": "o", "ß": "ss", "ı": "i", "ґ": "г", "ة": "ه", "ى": "ي"}


class _Letters(dict[int, str]):
    """What becomes of each decomposed letter, found once: the phrases alone are a million letters to fold at each start."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        self[code] = "" if unicodedata.combining(letter) else _ALIKE.get(letter, letter)
        return self[code]


_LETTERS = _Letters()


def fold(words: str) -> str:
    """The text in lower case without diacritics; letters that people write for one another are one ("й" and "и", "ґ" and "г")."""
    lower = words.casefold()
    return lower if lower.isascii() else unicodedata.normalize("NFKD", lower).translate(_LETTERS)


def index(session: Session, version: str) -> None:
    """Bring the full-text index in line with `version`; PostgreSQL searches the table itself and needs none."""
    if _is_sqlite(session.connection()):
        session.execute(text("DELETE FROM search_index"))
        session.execute(
            text(
                "INSERT INTO search_index (version, topic, language, title, body) "
                "SELECT version, topic, language, title, body FROM search_text WHERE version = :version"
            ),
            {"version": version},
        )


def search(session: Session, query: str, language: str, *, version: str, limit: int = 3) -> list[str]:
    """Topic ids whose answers in `language` fit the query best, best first; empty where nothing fits."""
    wanted = stems(query)
    if not wanted:
        return []
    if _is_sqlite(session.connection()):
        statement = (
            "SELECT topic FROM search_index WHERE search_index MATCH :query AND language = :language "
            "AND version = :version ORDER BY bm25(search_index, 0, 0, 0, 4.0, 1.0) LIMIT :limit"
        )
        # In double quotes, so that no word of the person's is read as an operator of the query language.
        match = " OR ".join(f'"{stem}"*' for stem in wanted)
    else:
        statement = (
            "SELECT topic FROM search_text, to_tsquery('simple', :query) AS wanted WHERE language = :language "
            "AND version = :version AND to_tsvector('simple', title || ' ' || body) @@ wanted "
            "ORDER BY ts_rank(setweight(to_tsvector('simple', title), 'A') || to_tsvector('simple', body), wanted) DESC "
            "LIMIT :limit"
        )
        match = " | ".join(f"{stem}:*" for stem in wanted)
    found = session.execute(text(statement), {"query": match, "language": language, "version": version, "limit": limit})
    return [row.topic for row in found]


def stems(query: str) -> list[str]:
    """The beginnings of a query's words, folded, each once: what inflection leaves of them."""
    words = [word for word in re.findall(r"\w+", fold(query)) if len(word) >= SHORTEST_WORD]
    return list(dict.fromkeys(w[:-_ENDING] if len(w) > SHORTEST_WORD + _ENDING else w for w in words))[:MAX_QUERY_WORDS]


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"
