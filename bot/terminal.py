"""The terminal as a channel: a conversation, and answers as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from actions.reply import ListKind, Reply
from bot.assistant import Assistant
from bot.inbox import Kind, Turn
from knowledge.answers import Answer


async def converse(assistant: Assistant, screen: Console, *, debug: bool, language: str | None) -> None:
    """Talk until an empty line or the end of the input."""
    slots: dict[str, Any] = {}
    body, kind, number = "/greet", Kind.BUTTON, 0
    buttons: list[str] = []
    while body:
        turn = Turn(number, "terminal", kind, body, language, None, slots, 1)
        if debug and kind is Kind.TEXT:
            _print_debug(await assistant.parse(body, language=slots.get("language")), screen)
        outcome = await assistant.respond(turn)
        slots = dict(outcome.slots)
        buttons = [button.payload for reply in outcome.replies for button in reply.buttons]
        offset = 0
        for reply in outcome.replies:
            print_reply(reply, screen, first_button=offset + 1)
            offset += len(reply.buttons)
        try:
            said = screen.input("\n› ").strip()
        except EOFError:
            return
        number += 1
        pressed = said.isdigit() and 0 < int(said) <= len(buttons)
        body, kind = (buttons[int(said) - 1], Kind.BUTTON) if pressed else (said, Kind.TEXT)


def print_reply(reply: Reply, screen: Console, *, first_button: int = 1) -> None:
    """A reply as text; buttons get numbers."""
    screen.print()
    head: list[tuple[str | None, str | None]] = [
        (reply.notice, "dim"),
        *((f"! {warning}", "yellow") for warning in reply.warnings),
    ]
    head += [(reply.title, "bold"), (reply.text.replace("**", ""), None)]
    for line, style in head:
        if line:
            screen.print(line, style=style, highlight=False)
    for section in reply.sections:
        screen.print(f"\n{section.heading}", style="bold", highlight=False)
        for count, item in enumerate(section.items, 1):
            mark = f"{count}." if section.kind is ListKind.STEPS else "•"
            screen.print(f"  {mark} {item}".replace("**", ""), highlight=False)
    if reply.contacts:
        screen.print(f"\n{reply.contacts_heading or ''}", style="bold", highlight=False)
    for card in reply.contacts:
        screen.print(f"  {card.name}  {card.phone or card.url or ''}", style="cyan", highlight=False)
        for note in (card.what_for, *card.notes):
            screen.print(f"    {note}", highlight=False)
    for source in reply.sources:
        screen.print(f"  {source.title}, {source.checked}  {source.url or ''}", style="dim", highlight=False)
    for link in reply.links:
        screen.print(f"  {link.label}: {link.url}", style="dim", highlight=False)
    if reply.note:
        screen.print(reply.note, style="dim", highlight=False)
    if reply.question:
        screen.print(f"\n{reply.question}", style="bold", highlight=False)
    for number, button in enumerate(reply.buttons, first_button):
        screen.print(f"  [{number}] {button.label}", style="green", highlight=False, markup=False)


def print_answer(answer: Answer, phrases: Mapping[str, str], screen: Console) -> None:
    """A whole answer as editors look at it: every part, with contacts and sources."""
    screen.print(answer.title, style="bold", highlight=False)
    for warning in answer.warnings:
        screen.print(f"! {warning}", style="yellow", highlight=False)
    screen.print(answer.short, highlight=False)
    for key, items in (("steps", answer.steps), ("details", answer.details), ("exceptions", answer.exceptions)):
        if items:
            screen.print(f"\n{phrases[f'label.{key}']}", style="bold", highlight=False)
            for item in items:
                screen.print(f"  • {item}", highlight=False)
    screen.print(f"\n{phrases['label.who_helps']}", style="bold", highlight=False)
    for contact in answer.contacts:
        screen.print(f"  {contact.name}  {contact.phone or contact.url or ''}  {contact.what_for}", highlight=False)
    screen.print(f"\n{phrases['label.sources']}", style="bold", highlight=False)
    for reference in answer.references:
        checked = phrases["label.checked"].format(date=reference.checked)
        screen.print(f"  {reference.title} ({checked})  {reference.url or ''}", highlight=False)
    for measure in answer.measures:
        screen.print(f"\n{phrases['label.measures']}: {measure.title}", style="bold", highlight=False)
        screen.print(f"  {phrases['label.promised']}: {measure.promised}", highlight=False)
        screen.print(f"  {phrases['label.now']}: {measure.now}", highlight=False)


def _print_debug(parsed: dict[str, Any], screen: Console) -> None:
    language, first = parsed["language"], parsed["intent_ranking"][0]
    urgency = parsed.get("urgency")
    urgent = f" · {urgency['label']} {urgency['level']}" if urgency else ""
    screen.print(
        f"{language['code']} {language['confidence']:.2f} · {first['name']} {first['confidence']:.2f} · "
        f"{parsed['decision']}{urgent}",
        style="magenta",
        highlight=False,
    )
