"""Rasa's rule policy, which asks only the rules of what was just said and done."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from rasa.core.policies import rule_policy
from rasa.core.policies.rule_policy import RULES, RulePolicy
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.core.constants import PREVIOUS_ACTION, USER
from rasa.shared.core.domain import State
from rasa.shared.nlu.constants import ACTION_NAME, INTENT

from nlu.components.fingerprint import digest_of

# The action before and the intent of a state; None where it has none, or says nothing of it.
_Sign = tuple[str | None, str | None]
_Index = Mapping[_Sign, list[str]]


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True)
class IndexedRulePolicy(RulePolicy):
    """`RulePolicy` with its rules in a table: it finds the same ones, and reads a few where Rasa reads all of them each turn.

    Rasa's check of a configuration knows its own class only, so `rasa train` warns that there is no rule policy. There is.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._indexed: tuple[Mapping[str, str], _Index] = {}, {}

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """The files of the algorithm, which Rasa's cache does not see."""
        return digest_of(__file__, rule_policy.__file__)

    def _get_possible_keys(self, lookup: dict[str, str], states: list[State]) -> set[str]:
        if lookup is not self.lookup.get(RULES):  # those of loops are few
            return super()._get_possible_keys(lookup, states)
        known, index = self._indexed
        if known is not lookup:
            index = _by_sign(lookup)
            self._indexed = lookup, index
        action, intent = _sign(states[-1])
        keys = (key for named in {intent, None} for key in index.get((action, named), ()))
        # A training takes out what contradicts a story after it has asked for it.
        return super()._get_possible_keys({key: lookup[key] for key in keys if key in lookup}, states)


def _by_sign(lookup: Mapping[str, str]) -> _Index:
    index: defaultdict[_Sign, list[str]] = defaultdict(list)
    for key in lookup:
        index[_sign(json.loads(key)[-1])].append(key)
    return index


def _sign(state: State) -> _Sign:
    action = state.get(PREVIOUS_ACTION, {}).get(ACTION_NAME)
    # Where a conversation begins Rasa lets every rule pass that begins there, too.
    return action, state.get(USER, {}).get(INTENT) if action else None
