"""Tokens by spaCy's blank pipeline of the message's language: rules only, no model to download."""

from __future__ import annotations

from typing import Any

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.tokenizers.tokenizer import Token, Tokenizer
from rasa.shared.nlu.constants import METADATA
from rasa.shared.nlu.training_data.message import Message

from nlu.documents import ANY_LANGUAGE, document, pipeline


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_TOKENIZER, is_trainable=False)
class BlankSpacyTokenizer(Tokenizer):
    """Splits text into words as its language does."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Rasa's own settings of a tokenizer, all off: intents are not split."""
        return {"intent_tokenization_flag": False, "intent_split_symbol": "_", "token_pattern": None}

    def tokenize(self, message: Message, attribute: str) -> list[Token]:
        """The tokens of one attribute; the language is the one found before, or the example's own."""
        found = message.get("language") or message.get(METADATA) or {}
        nlp = pipeline(found.get("code") or found.get("language") or ANY_LANGUAGE)
        doc = document(nlp, str(message.get(attribute)))
        return [Token(token.text, token.idx) for token in doc if not token.is_space]
