"""Which language: by message, with the conversation as memory."""

from __future__ import annotations

import pytest

from nlu.languages import DETECTORS, LangdetectDetector, LanguageIdentifier, LinguaDetector

LANGUAGES = ("en", "nl", "pl", "uk")


@pytest.fixture(scope="module", params=sorted(DETECTORS))
def identifier(request: pytest.FixtureRequest) -> LanguageIdentifier:
    return LanguageIdentifier(LANGUAGES, DETECTORS[request.param](LANGUAGES))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("My boss did not pay me last month and I don't know what to do", "en"),
        ("Mijn baas heeft mij vorige maand niet betaald en ik weet niet wat ik moet doen", "nl"),
        ("Szef nie zapłacił mi za zeszły miesiąc i nie wiem co robić", "pl"),
        ("Начальник не заплатив мені за минулий місяць і я не знаю що робити", "uk"),
    ],
)
def test_a_sentence_is_recognised_with_either_detector(
    identifier: LanguageIdentifier, text: str, language: str
) -> None:
    assert identifier.identify(text).code == language


@pytest.mark.parametrize("text", ["ok", "DigiD?", "👍", "12", "https://digid.nl", "BSN"])
def test_a_word_of_every_language_does_not_flip_a_conversation(text: str) -> None:
    identifier = LanguageIdentifier(LANGUAGES, LinguaDetector(LANGUAGES))
    assert identifier.identify(text, conversation="pl").code == "pl"


def test_a_whole_sentence_does() -> None:
    identifier = LanguageIdentifier(LANGUAGES, LinguaDetector(LANGUAGES))
    assert identifier.identify("Ik heb mijn loon niet gekregen, wat nu?", conversation="pl").code == "nl"


def test_the_hint_decides_where_the_text_says_nothing() -> None:
    identifier = LanguageIdentifier(LANGUAGES, LinguaDetector(LANGUAGES))
    assert identifier.identify("?!", hint="uk").code == "uk"
    assert identifier.identify("?!").code == "en"


def test_langdetect_gives_the_same_answer_each_time() -> None:
    detector = LangdetectDetector(LANGUAGES)
    assert detector.probabilities("goede morgen") == detector.probabilities("goede morgen")
    assert detector.probabilities("12345") == {}
