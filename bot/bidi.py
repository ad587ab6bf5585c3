"""Right-to-left replies: Dutch words, phone numbers and addresses inside them keep their own order.

Without marks a phone shows the groups of "0800 5115" in Arabic text from right to left, which is another number. The marks are
Unicode's isolates (UAX 9), which every channel's apps understand; browsers too, so one text serves all.
"""

from __future__ import annotations

import re

from babel import Locale

from actions.reply import ContactCard, Reply, Section, SourceNote

LEFT_TO_RIGHT_ISOLATE = "\N{LEFT-TO-RIGHT ISOLATE}"
POP = "\N{POP DIRECTIONAL ISOLATE}"
# From a Latin letter, digit or plus to the last of them before other writing: "fase A", "+31 20 760 0 760", "x.nl/y?z=1".
_LATIN = r"A-Za-z\u00c0-\u024f0-9"
_RUN = re.compile(rf"\+?[{_LATIN}](?:[{_LATIN} .,:/@&+?=_#%'’–-]*[{_LATIN}])?")


def isolated(reply: Reply) -> Reply:
    """The reply as any channel may show it: unchanged in a language that is written from left to right."""
    if Locale.parse(reply.language).text_direction != "rtl":
        return reply
    return reply.model_copy(
        update={
            "text": isolate(reply.text),
            "notice": _maybe(reply.notice),
            "title": _maybe(reply.title),
            "note": _maybe(reply.note),
            "warnings": tuple(map(isolate, reply.warnings)),
            "sections": tuple(map(_section, reply.sections)),
            "contacts_heading": _maybe(reply.contacts_heading),
            "contacts": tuple(map(_card, reply.contacts)),
            "sources": tuple(map(_source, reply.sources)),
        }
    )


def isolate(text: str) -> str:
    """The text with every stretch of Latin writing isolated that would otherwise be torn apart.

    A number without spaces or signs keeps its order by itself and is left alone.
    """
    return _RUN.sub(lambda run: run[0] if run[0].isdigit() else f"{LEFT_TO_RIGHT_ISOLATE}{run[0]}{POP}", text)


def _maybe(text: str | None) -> str | None:
    return isolate(text) if text is not None else None


def _section(section: Section) -> Section:
    update: dict[str, object] = {"heading": isolate(section.heading), "items": tuple(map(isolate, section.items))}
    return section.model_copy(update=update)


def _card(card: ContactCard) -> ContactCard:
    # The number to press and the address to open are shown on their own; the channel gives them their direction.
    return card.model_copy(
        update={
            "name": isolate(card.name),
            "what_for": isolate(card.what_for),
            "notes": tuple(map(isolate, card.notes)),
        }
    )


def _source(source: SourceNote) -> SourceNote:
    return source.model_copy(update={"title": isolate(source.title), "checked": isolate(source.checked)})
