"""The Rasa agent inside this process: one turn in, replies and new slots out. Loaded behind the running web application.

A conversation is stored as its slots alone: Rasa would otherwise deserialise every event since the beginning on each message,
and an answer would cost more the longer somebody talks.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from rasa.core.actions.action import RemoteAction
from rasa.core.agent import Agent
from rasa.core.channels.channel import OutputChannel, UserMessage
from rasa.core.tracker_store import TrackerStore
from rasa.engine.constants import PLACEHOLDER_MESSAGE, PLACEHOLDER_TRACKER
from rasa.shared.core.constants import ACTION_LISTEN_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, BotUttered, Event, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa_sdk.executor import ActionExecutor
from threadpoolctl import threadpool_limits

from actions.content import store
from actions.reply import Button, Reply
from bot.assistant_port import OFFERED, Outcome, Understood, offered_by
from bot.inbox import Kind, Turn
from nlu.urgency import Level

# Rasa checks what an action server on another machine sends against a JSON schema, and that schema against its own, on every
# call: 75 of 80 ms a turn. Ours come from rasa_sdk in this process, which builds them by the same types.
RemoteAction._validate_action_result = lambda _self, _result: True

KEPT_SLOTS = ("language", "native", "language_asked", "topic", "group", "asked", "lost", "greeted")
# Intents that are no button: what the model makes of a text, and Rasa's own.
NO_BUTTONS = frozenset(
    {
        "clarify",
        "nlu_fallback",
        "language_not_yet",
        "gone",
        "out_of_scope",
        "restart",
        "back",
        "session_start",
        "EXTERNAL",
    }
)
_BEFORE_TEXT = re.compile(r"^[\s/\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")


class NoModelError(RuntimeError):
    """There is no trained model, or it cannot be loaded: train one with `wegwijs train`."""


_turn_slots: ContextVar[Mapping[str, Any]] = ContextVar("turn_slots")
_turn_tracker: ContextVar[list[DialogueStateTracker]] = ContextVar("turn_tracker")


class Assistant:
    """A loaded model that takes turns."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._buttons = frozenset(agent.domain.intents) - NO_BUTTONS if agent.domain else frozenset()

    @classmethod
    def load(cls, model: Path) -> Assistant:
        """Load a model file.

        Raises:
            NoModelError: there is no such file, or it is no whole model.

        """
        if not model.is_file():
            raise NoModelError(f"no model at {model}: run 'wegwijs train'")
        # A message is a few thousand multiplications: spreading them over cores costs more than it saves, and the web server
        # needs the other core.
        threadpool_limits(1)
        store = _TurnTrackerStore(Domain.empty())
        agent = Agent.load(model, action_endpoint=_ActionsHere(), tracker_store=store)
        if agent.processor is None:
            raise NoModelError(f"{model} could not be loaded: run 'wegwijs train'")
        return cls(agent)

    def warm_up(self, questions: Iterable[str]) -> None:
        """Answer questions of nobody: what the libraries do once a language would make the first person wait a second."""
        for question in questions:
            asyncio.run(self.respond(Turn(0, "warm-up", Kind.TEXT, question, None, None, {}, 1)))

    async def parse(self, text: str, *, language: str | None = None, hint: str | None = None) -> dict[str, Any]:
        """What the model makes of a text, as the conversation would: language, entities, ranking, urgency, decision."""
        message = UserMessage(text, metadata={"language": language, "hint": hint})
        return dict(await self._agent.processor.parse_message(message))

    def parse_all(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """What the model makes of many texts, each on its own; one run of the graph, which costs as much as a message does."""
        return self._parse([UserMessage(text, metadata={}) for text in texts])

    async def read(self, turns: Sequence[Turn]) -> list[Turn]:
        """The turns, with what the model makes of their texts: in one run of the graph, and on all cores where it must think."""
        messages = [self._message(turn) for turn in turns]
        texts = [message for message in messages if not message.text.startswith("/")]
        parsed = iter(self._parse(texts) if texts else ())
        return [
            turn if message.text.startswith("/") else replace(turn, parsed=next(parsed))
            for turn, message in zip(turns, messages, strict=True)
        ]

    async def respond(self, turn: Turn) -> Outcome:
        """Take one turn. Says nothing where an action failed; the caller has words for that."""
        given = _with_hint(turn)
        _turn_slots.set(given)
        saved: list[DialogueStateTracker] = []
        _turn_tracker.set(saved)
        await self._agent.handle_message(self._message(turn))
        tracker = saved[-1]
        language = str(tracker.get_slot("language") or "en")
        said = tuple(_reply(event, language) for event in tracker.events if isinstance(event, BotUttered))
        slots = {name: tracker.get_slot(name) for name in KEPT_SLOTS}
        if not _was_set_now(tracker, "asked"):
            # A question that this turn did not put again is not open any more: "yes" a day later says nothing.
            slots["asked"] = None
        if given is not turn.slots and not _was_set_now(tracker, "language"):
            slots["language"] = None  # a hint is no choice: what the person writes first decides
        slots[OFFERED] = offered_by(said)
        return Outcome(said, slots, _understood(tracker.latest_message))

    def _parse(self, messages: Sequence[UserMessage]) -> list[dict[str, Any]]:
        processor = self._agent.processor
        results = processor.graph_runner.run(
            inputs={PLACEHOLDER_MESSAGE: messages, PLACEHOLDER_TRACKER: DialogueStateTracker.from_events("", [])},
            targets=[processor.model_metadata.nlu_target],
        )
        return [
            {"entities": [], **message.as_dict(only_output_properties=True)}
            for message in results[processor.model_metadata.nlu_target]
        ]

    def _message(self, turn: Turn) -> UserMessage:
        metadata = {
            "language": turn.slots.get("native") or turn.slots.get("language") or turn.language,
            "hint": turn.hint,
            "asked": turn.slots.get("asked"),
            "topic": turn.slots.get("topic"),
        }
        text, parsed = self._text_of(turn), dict(turn.parsed) if turn.parsed is not None else None
        return UserMessage(text, _Nowhere(), turn.conversation_id, metadata=metadata, parse_data=parsed)

    def _text_of(self, turn: Turn) -> str:
        """What Rasa reads: the text, or an intent where a button was pressed."""
        if turn.kind is Kind.LOCATION:
            lat, _, lon = turn.body.partition(",")
            return f"/location{json.dumps({'latitude': lat, 'longitude': lon})}"
        if turn.kind is Kind.BUTTON:
            return self._pressed(turn.body)
        offered = turn.slots.get(OFFERED) or ()
        number = turn.body.strip().rstrip(".)")
        if number.isascii() and number.isdigit() and 0 < int(number) <= len(offered):
            return self._pressed(str(offered[int(number) - 1]))
        # A typed slash is text, not a button: only channels may send intents.
        return _BEFORE_TEXT.sub("", turn.body) or "?"

    def _pressed(self, payload: str) -> str:
        """The payload where it is a button of this version, and the intent `gone` where it is not (any more)."""
        intent, brace, fields = payload.removeprefix("/").partition("{")
        try:
            entities = json.loads(brace + fields) if brace else {}
        except ValueError:
            return "/gone"
        is_known = intent in self._buttons and all(isinstance(value, str) for value in entities.values())
        return payload if is_known else "/gone"


def _understood(message: UserUttered | None) -> Understood | None:
    """What a text was taken for; None for a button, which says so itself."""
    parsed = (message.parse_data if message is not None else None) or {}
    decision, ranking = parsed.get("decision"), parsed.get("intent_ranking") or ()
    if decision is None or not ranking:
        return None
    likeliest, intent, urgency = ranking[0], parsed["intent"], parsed.get("urgency") or {}
    possible = urgency["label"] if urgency.get("level") == Level.POSSIBLE else None
    # In doubt the intent names no topic; where a command or an emergency was seen, a rule decided and its 1.0 is no measure.
    by_model = intent["name"] in ("clarify", "nlu_fallback") or all(
        intent[part] == likeliest[part] for part in ("name", "confidence")
    )
    label, confidence = (likeliest["name"], round(likeliest["confidence"], 3)) if by_model else (intent["name"], None)
    return Understood(label, confidence, str(decision), possible)


def _with_hint(turn: Turn) -> Mapping[str, Any]:
    """The turn's slots; somebody who begins by pressing or sharing, which has no language, is spoken to as their phone is set."""
    is_wordless = turn.kind is not Kind.TEXT and not (turn.slots.get("language") or turn.language)
    if not is_wordless or turn.hint not in store().current().content.languages:
        return turn.slots
    return {**turn.slots, "language": turn.hint}


def _was_set_now(tracker: DialogueStateTracker, slot: str) -> bool:
    for event in reversed(tracker.events):
        if isinstance(event, UserUttered):
            return False
        if isinstance(event, SlotSet) and event.key == slot:
            return True
    return False


def _reply(event: BotUttered, language: str) -> Reply:
    data = event.data or {}
    if data.get("custom"):
        return Reply.model_validate(data["custom"])
    buttons = [Button(label=button["title"], payload=button["payload"]) for button in data.get("buttons") or ()]
    return Reply(language=language, text=event.text or "", buttons=tuple(buttons))


class _ActionsHere:
    """Stands where Rasa expects the address of an action server and runs the actions in this process."""

    url = "in-process"
    # Rasa then sends the domain only to actions that ask for it; none of ours does.
    kwargs: ClassVar[dict[str, Any]] = {"enable_selective_domain": True}

    def __init__(self) -> None:
        self._executor = ActionExecutor()
        self._executor.register_package("actions")

    async def request(self, *, json: dict[str, Any], **_: Any) -> dict[str, Any] | None:
        """Run one action call and give back its events and responses."""
        return await self._executor.run(json)


class _Nowhere(OutputChannel):
    """Rasa sends its messages here; we take them from the tracker instead, as data and all at once."""

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:
        """Send nothing."""


class _TurnTrackerStore(TrackerStore):
    """Makes a conversation out of the turn's slots and hands the result back to the turn; stores nothing itself."""

    async def retrieve(self, sender_id: str) -> DialogueStateTracker:
        """A conversation that is listening, with the slots of the turn."""
        slots = _turn_slots.get()
        events: list[Event] = [SlotSet(name, value) for name, value in slots.items() if name in KEPT_SLOTS]
        events.append(ActionExecuted(ACTION_LISTEN_NAME))
        return DialogueStateTracker.from_events(sender_id, events, self.domain.slots, domain=self.domain)

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Hand the conversation to the turn."""
        _turn_tracker.get().append(tracker)

    async def keys(self) -> list[str]:
        """None: conversations live in the database."""
        return []
