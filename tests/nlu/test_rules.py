"""The rule policy with its rules in a table: the same rules as Rasa's own finds, and only a few of them read."""

from __future__ import annotations

import asyncio
import json

import pytest
from rasa.core.policies.rule_policy import RULES, RulePolicy

from actions.content import use_store
from bot.assistant import Assistant
from bot.inbox import Kind, Turn
from knowledge.files import Content
from knowledge.store import in_memory
from nlu.components.rules import IndexedRulePolicy


@pytest.fixture(scope="module")
def policy(assistant: Assistant) -> IndexedRulePolicy:
    nodes = assistant._agent.processor.graph_runner._instantiated_nodes.values()
    return next(node._component for node in nodes if isinstance(node._component, IndexedRulePolicy))


def states_of(policy: IndexedRulePolicy) -> list[list[dict]]:
    known = [json.loads(key) for key in policy.lookup[RULES]]
    unknown = [
        [{}],
        [{"prev_action": {"action_name": "action_listen"}}],
        [{"prev_action": {"action_name": "action_listen"}, "user": {"intent": "nothing.of_ours"}}],
        [{"prev_action": {"action_name": "action_nobody"}, "user": {"intent": "greet"}}],
    ]
    return [*known, *unknown]


def test_finds_the_rules_that_rasa_finds(policy: IndexedRulePolicy) -> None:
    lookup = policy.lookup[RULES]
    found = [policy._get_possible_keys(lookup, states) for states in states_of(policy)]
    assert found == [RulePolicy._get_possible_keys(policy, lookup, states) for states in states_of(policy)]
    assert sum(map(bool, found)) >= len(lookup)


def test_reads_only_the_rules_of_what_was_said(policy: IndexedRulePolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    lookup = policy.lookup[RULES]
    read = []
    monkeypatch.setattr(policy, "_is_rule_applicable", lambda *state: bool(read.append(state)))
    policy._get_possible_keys(lookup, json.loads(next(key for key in lookup if "work.hours" in key)))
    assert 0 < len(read) < len(lookup) / 10


def test_reads_another_table_of_rules_when_it_is_given_one(policy: IndexedRulePolicy) -> None:
    key = json.dumps([{"prev_action": {"action_name": "action_listen"}, "user": {"intent": "greet"}}])
    assert policy._get_possible_keys({key: "action_menu"}, json.loads(key)) == {key}
    assert key not in policy._get_possible_keys({}, json.loads(key))


def test_an_answer_ends_the_turn_without_asking_the_rules_again(
    assistant: Assistant, policy: IndexedRulePolicy, content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_store(in_memory(content))
    asked = []
    predict = policy._predict
    monkeypatch.setattr(policy, "_predict", lambda *of: [asked.append(of), predict(*of)][1])
    outcome = asyncio.run(assistant.respond(Turn(1, "x", Kind.BUTTON, "/work.hours", "en", None, {}, 1)))
    assert outcome.replies[0].topic == "work.hours"
    assert len(asked) == 1
