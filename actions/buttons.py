"""Buttons that stand in many places: languages by their own names, and the emergencies."""

from __future__ import annotations

from actions.reply import Button
from knowledge.files import Content


def kind_buttons(content: Content, language: str) -> tuple[Button, ...]:
    """A button for each urgent kind, in order of the content."""
    kinds = [topic for topic in content.topics if topic.startswith("urgent.")]
    labels = (
        {kind: content.words[kind, language].button for kind in kinds}
        if language in content.phrases
        else {kind: content.emergency[language].kinds[kind].button for kind in kinds}
    )
    return tuple(Button(label=labels[kind], payload=f"/{kind}") for kind in kinds)


def language_buttons(content: Content, language: str) -> tuple[Button, ...]:
    """A button with its own name for every other served language."""
    return tuple(language_button(content, code) for code in content.languages if code != language)


def language_button(content: Content, code: str) -> Button:
    """A button with a language's own name that goes on in it."""
    return Button(label=content.phrases[code].name, payload=f'/language{{"language":"{code}"}}')
