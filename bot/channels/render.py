"""A reply as the text of a messenger: one message that fits a phone, split at its sections where it has to be.

Text is built of plain lines with `**bold**`; each channel turns that into its own markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from actions.reply import ListKind, Reply

_BOLD = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)


def blocks(reply: Reply) -> list[str]:
    """The parts of a reply in reading order; in danger the numbers come before the words."""
    found = [*(f"⚠️ {warning}" for warning in reply.warnings), reply.notice]
    found.append(f"**{reply.title}**" if reply.title else None)
    if reply.is_urgent:
        found.append("\n".join(f"📞 **{c.phone}** {c.name}" for c in reply.contacts if c.phone))
    found.append(reply.text)
    for section in reply.sections:
        marks = (f"{n}." if section.kind is ListKind.STEPS else "•" for n in range(1, len(section.items) + 1))
        lines = "\n".join(f"{mark} {item}" for mark, item in zip(marks, section.items, strict=True))
        found.append(f"**{section.heading}**\n{lines}")
    if not reply.is_urgent:
        found += _contacts(reply)
    found += [f"{link.label}: {link.url}" for link in reply.links]
    found += [f"🔗 {source.title}, {source.checked}" for source in reply.sources[:1]]
    found += [reply.note, reply.question]
    return [block for block in found if block]


def split(parts: list[str], limit: int) -> list[str]:
    """Messages of at most `limit` characters: whole blocks together, a block that is too long at its lines, never cut."""
    messages: list[str] = []
    for part in _short_enough(parts, limit):
        if messages and len(messages[-1]) + 2 + len(part) <= limit:
            messages[-1] += f"\n\n{part}"
        else:
            messages.append(part)
    return messages


def with_bold(text: str, *, escape: Callable[[str], str], mark: Callable[[str], str]) -> str:
    """The text with `**bold**` in a channel's own markup; what stands between is escaped."""
    pieces = _BOLD.split(text)
    return "".join(mark(escape(piece)) if index % 2 else escape(piece) for index, piece in enumerate(pieces))


def shortened(label: str, limit: int) -> str:
    """A label of at most `limit` characters, with an ellipsis where it was longer."""
    return label if len(label) <= limit else f"{label[: limit - 1].rstrip()}…"


def _contacts(reply: Reply) -> Iterator[str]:
    for card in reply.contacts:
        reach = " · ".join(way for way in (card.phone, card.url) if way)
        notes = card.notes[0] if card.notes else ""
        yield "\n".join(line for line in (f"**{card.name}** {reach}".strip(), card.what_for, notes) if line)


def _short_enough(parts: list[str], limit: int) -> Iterator[str]:
    for part in parts:
        if len(part) <= limit:
            yield part
            continue
        lines = [
            line[start : start + limit] for line in part.split("\n") for start in range(0, max(len(line), 1), limit)
        ]
        piece = ""
        for line in lines:
            if piece and len(piece) + 1 + len(line) > limit:
                yield piece
                piece = line
            else:
                piece = f"{piece}\n{line}" if piece else line
        yield piece
