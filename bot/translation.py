"""Machine translation for staff, by a LibreTranslate server of one's own. Optional: the original is always shown and kept.

The server is asked for texts and told nothing else. What it answers is kept beside the message and goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx
import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.models import InboxMessage, Translation
from knowledge.database import insert_or_ignore

PATIENCE = httpx.Timeout(20, connect=3)  # seconds: a small server takes a second a sentence
DETECT = "auto"  # the server finds the language out

log = structlog.get_logger()


class TranslationError(RuntimeError):
    """There is no translation; `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Translator:
    """A LibreTranslate server.

    Args:
        url: where it is, such as http://127.0.0.1:5000.
        key: for servers that want one.

    """

    url: str
    key: str = ""

    async def translate(self, texts: Sequence[str], source: str | None, target: str) -> list[str]:
        """The texts in another language, in order.

        Args:
            source: their language; None where it is not known.

        Raises:
            TranslationError: the server did not answer, or with something else.

        """
        asked = {"q": list(texts), "source": source or DETECT, "target": target, "format": "text"}
        if self.key:
            asked["api_key"] = self.key
        try:
            async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as client:
                answer = await client.post(f"{self.url}/translate", json=asked)
            found = _texts_of(answer, len(texts))
        except httpx.HTTPError as error:
            raise _failed(type(error).__name__) from None
        except TranslationError as error:
            raise _failed(error.reason) from None
        return found


def keep(session: Session, language: str, found: Mapping[int, str], originals: Mapping[int, str]) -> None:
    """Keep translations; not that of a message that was deleted meanwhile."""
    there = dict(
        session.execute(select(InboxMessage.id, InboxMessage.body).where(InboxMessage.id.in_(found))).tuples().all()
    )
    for inbox_id, body in found.items():
        if there.get(inbox_id) == originals[inbox_id]:
            insert_or_ignore(session, Translation, inbox_id=inbox_id, language=language, body=body)


def _texts_of(answer: httpx.Response, count: int) -> list[str]:
    if answer.status_code != httpx.codes.OK:
        raise TranslationError(f"http_{answer.status_code}")
    try:
        found = answer.json()["translatedText"]
    except (ValueError, TypeError, KeyError):
        raise TranslationError("no_translation") from None
    if not isinstance(found, list) or len(found) != count or not all(isinstance(one, str) for one in found):
        raise TranslationError("no_translation")
    return found


def _failed(reason: str) -> TranslationError:
    log.warning("translation_failed", reason=reason)
    return TranslationError(reason)
