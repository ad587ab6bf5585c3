"""spaCy documents of what people write: blank pipelines, rules only, no model to download.

spaCy's tokenizer takes the punctuation off a word one sign at a time and looks at the rest again, so the time grows with the
square of a run without spaces: two thousand signs take half a second. No word is that long, so long runs are cut up first.
"""

from __future__ import annotations

import re
from functools import cache

import spacy
from spacy.language import Language
from spacy.tokens import Doc

ANY_LANGUAGE = "xx"  # spaCy's own code for rules that suit no language in particular
LONGEST_RUN = 60  # characters; the longest place name of the Netherlands has 37, an address on the web may be cut
_LONG_RUN = re.compile(rf"\S{{{LONGEST_RUN}}}")


@cache
def pipeline(language: str) -> Language:
    """The blank pipeline of a language, made once a process; the general one where spaCy does not know it."""
    try:
        return spacy.blank(language)
    except ImportError:
        return spacy.blank(ANY_LANGUAGE)


def document(nlp: Language, text: str) -> Doc:
    """The tokens of a text; offsets are those of the text, but for a sign that is lost in every sixty of a run."""
    return nlp.make_doc(_LONG_RUN.sub(lambda run: run[0][:-1] + " ", text))
