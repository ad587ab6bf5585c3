"""Rasa's rule policy, which asks only the rules of what was just said and done."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from rasa.core.policies.rule_policy import RulePolicy
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.core.constants import PREVIOUS_ACTION, USER
from rasa.shared.core.domain import State
from rasa.shared.nlu.constants import ACTION_NAME, INTENT

# The action before and the intent of a state; None where it has none, or says nothing of it.
_Sign = tuple[str | None, str | None]


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True)
class IndexedRulePolicy(RulePolicy):
    """`RulePolicy` with its rules in a table: it finds the same ones, and reads a few where Rasa reads all of them each turn."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._indexed: Mapping[str, str] = {}
        self._index: dict[_Sign, list[str]] = {}

    def _get_possible_keys(self, lookup: dict[str, str], states: list[State]) -> set[str]:
        # Each training and each model has lookups of its own, which are not changed once they are asked.
        if lookup is not self._indexed:
            self._index = _by_sign(lookup)
            self._indexed = lookup
        action, intent = _sign(states[-1])
        keys = (key for named in {intent, None} for key in self._index.get((action, named), ()))
        return super()._get_possible_keys({key: lookup[key] for key in keys}, states)


def _by_sign(lookup: Mapping[str, str]) -> dict[_Sign, list[str]]:
    index: defaultdict[_Sign, list[str]] = defaultdict(list)
    for key in lookup:
        index[_sign(json.loads(key)[-1])].append(key)
    return dict(index)


def _sign(state: State) -> _Sign:
    action = state.get(PREVIOUS_ACTION, {}).get(ACTION_NAME)
    # Where a conversation begins Rasa lets every rule pass that begins there, too.
    return action, state.get(USER, {}).get(INTENT) if action else None
