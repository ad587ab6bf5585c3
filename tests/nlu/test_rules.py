"""The rule policy with its rules in a table: the same rules as Rasa's own finds, and only a few of them read."""

from __future__ import annotations

import asyncio
import json
from itertools import product
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from rasa.core.policies.rule_policy import RULES, RulePolicy
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource

from actions.content import use_store
from bot.assistant import Assistant
from bot.inbox import Kind, Turn
from knowledge.files import Content
from knowledge.store import in_memory
from nlu.components.rules import IndexedRulePolicy
from tests.conftest import ROOT

LISTEN, GREET = {"action_name": "action_listen"}, {"action_name": "action_greet"}
# States that no rule of ours has: beginnings, without an intent, texts instead of actions and intents, slots.
STATES: tuple[dict[str, Any], ...] = (
    {},
    {"user": {"intent": "greet"}},
    {"prev_action": LISTEN},
    {"prev_action": LISTEN, "user": {"intent": "greet"}},
    {"prev_action": LISTEN, "user": {"intent": "thank"}},
    {"prev_action": LISTEN, "user": {"text": "hello"}},
    {"prev_action": LISTEN, "user": {"intent": "greet"}, "slots": {"language": "en"}},
    {"prev_action": LISTEN, "slots": {"language": "en"}},
    {"prev_action": LISTEN, "slots": {"language": "should_not_be_set"}},
    {"prev_action": GREET, "user": {"intent": "greet"}},
    {"prev_action": {"action_text": "Hello."}, "user": {"intent": "greet"}},
)


@pytest.fixture(scope="module")
def policy(assistant: Assistant) -> IndexedRulePolicy:
    nodes = assistant._agent.processor.graph_runner._instantiated_nodes.values()
    return next(node._component for node in nodes if isinstance(node._component, IndexedRulePolicy))


@pytest.fixture
def made_up(tmp_path_factory: pytest.TempPathFactory) -> IndexedRulePolicy:
    conversations = [*([state] for state in STATES), *map(list, product(STATES, STATES))]
    lookup = {RULES: {json.dumps(states): f"action_{number}" for number, states in enumerate(conversations)}}
    storage = LocalModelStorage(tmp_path_factory.mktemp("policy"))
    config = IndexedRulePolicy.get_default_config()
    context = ExecutionContext(GraphSchema({}))
    return IndexedRulePolicy(config, storage, Resource("policy"), context, lookup=lookup)


def found(policy: IndexedRulePolicy, states: list[dict]) -> set[str]:
    return policy._get_possible_keys(policy.lookup[RULES], states)


def found_by_rasa(policy: IndexedRulePolicy, states: list[dict]) -> set[str]:
    return RulePolicy._get_possible_keys(policy, policy.lookup[RULES], states)


def test_finds_the_rules_of_ours_that_rasa_finds(policy: IndexedRulePolicy) -> None:
    known = [json.loads(key) for key in policy.lookup[RULES]]
    assert all(found(policy, states) for states in known)
    assert [found(policy, states) for states in known] == [found_by_rasa(policy, states) for states in known]


def test_finds_what_rasa_finds_among_rules_of_any_kind(made_up: IndexedRulePolicy) -> None:
    for key in made_up.lookup[RULES]:
        states = json.loads(key)
        assert found(made_up, states) == found_by_rasa(made_up, states), states


def test_reads_only_the_rules_of_what_was_said(policy: IndexedRulePolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Mock(return_value=False)
    monkeypatch.setattr(policy, "_is_rule_applicable", read)
    found(policy, json.loads(next(key for key in policy.lookup[RULES] if "work.hours" in key)))
    assert 0 < read.call_count < len(policy.lookup[RULES]) / 10


def test_a_rule_that_a_training_takes_out_is_not_found_any_more(made_up: IndexedRulePolicy) -> None:
    states = [{"prev_action": LISTEN, "user": {"intent": "greet"}}]
    assert json.dumps(states) in found(made_up, states)
    made_up.lookup[RULES].pop(json.dumps(states))
    assert json.dumps(states) not in found(made_up, states)


def test_every_rule_ends_with_its_first_action(policy: IndexedRulePolicy) -> None:
    # Our actions end the turn themselves: a second one would never be taken.
    later = {action for key, action in policy.lookup[RULES].items() if len(json.loads(key)) > 1}
    assert later == {"action_listen"}


def test_the_action_of_the_lost_is_one_of_the_domain(assistant: Assistant) -> None:
    # Rasa's own check of this does not look at a policy that is derived from its own.
    (policy,) = yaml.safe_load((ROOT / "config.yml").read_text("utf-8"))["policies"]
    assert policy["core_fallback_action_name"] in assistant._agent.domain.action_names_or_texts


@pytest.mark.parametrize(("button", "asked"), [("/work.hours", 1), ("/thank", 2)])
def test_an_answer_ends_the_turn_without_asking_the_rules_again(
    assistant: Assistant,
    policy: IndexedRulePolicy,
    content: Content,
    monkeypatch: pytest.MonkeyPatch,
    button: str,
    asked: int,
) -> None:
    use_store(in_memory(content))
    predict = Mock(wraps=policy._predict)
    monkeypatch.setattr(policy, "_predict", predict)
    outcome = asyncio.run(assistant.respond(Turn(1, "x", Kind.BUTTON, button, "en", None, {}, 1)))
    assert len(outcome.replies) == 1
    assert predict.call_count == asked
