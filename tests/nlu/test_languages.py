"""Which language: by message, with the conversation as memory."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from nlu.languages import (
    Detector,
    Identified,
    LangdetectDetector,
    LanguageIdentifier,
    LinguaDetector,
    script_of,
    shared_words,
)
from nlu.vocabulary import VocabularyModel

LANGUAGES = ("ar", "bg", "el", "en", "nl", "pl", "ru", "uk")
SHARED = ("ok", "digid", "bsn", "loonstrook", "uitzendbureau")


@pytest.fixture(scope="module")
def vocabulary() -> VocabularyModel:
    return VocabularyModel.train(LANGUAGES)


@pytest.fixture(scope="module")
def detectors(vocabulary: VocabularyModel) -> Mapping[str, Detector]:
    return {
        "lingua": LinguaDetector(LANGUAGES),
        "langdetect": LangdetectDetector(LANGUAGES),
        "vocabulary": vocabulary,
    }


@pytest.fixture(scope="module")
def identifier(vocabulary: VocabularyModel) -> LanguageIdentifier:
    return LanguageIdentifier(LANGUAGES, vocabulary, shared_words=SHARED)


@pytest.mark.parametrize("detector", ["lingua", "langdetect", "vocabulary"])
@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("My boss did not pay me last month and I don't know what to do", "en"),
        ("Mijn baas heeft mij vorige maand niet betaald en ik weet niet wat ik moet doen", "nl"),
        ("Szef nie zapłacił mi za zeszły miesiąc i nie wiem co robić", "pl"),
        ("Начальник не заплатив мені за минулий місяць і я не знаю що робити", "uk"),
        ("Начальник не заплатил мне за прошлый месяц, что делать", "ru"),
        ("Шефът не ми плати за миналия месец и не знам какво да правя", "bg"),
        ("Το αφεντικό δεν με πλήρωσε τον περασμένο μήνα", "el"),
        ("لم يدفع لي صاحب العمل راتب الشهر الماضي", "ar"),
    ],
)
def test_a_sentence_is_recognised_with_any_detector(
    detectors: Mapping[str, Detector], detector: str, text: str, language: str
) -> None:
    assert LanguageIdentifier(LANGUAGES, detectors[detector]).identify(text).code == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("pomocy mieszkanie", "pl"),
        ("moja wypłata", "pl"),
        ("mijn huis", "nl"),
        ("kak dela", "ru"),
    ],
)
def test_the_vocabulary_knows_words_without_their_script_and_marks(
    vocabulary: VocabularyModel, text: str, language: str
) -> None:
    found = vocabulary.probabilities(text)
    assert max(found, key=lambda code: found[code]) == language


@pytest.mark.parametrize(
    "text",
    ["ok", "DigiD?", "👍", "12", "https://digid.nl", "BSN", "Kerkstraat 12", "Eindhoven", "loonstrook", "Jan Kowalski"],
)
@pytest.mark.parametrize("conversation", ["en", "ru", "ar"])
def test_what_stands_in_every_language_does_not_flip_a_conversation(
    identifier: LanguageIdentifier, text: str, conversation: str
) -> None:
    assert identifier.identify(text, conversation=conversation).code == conversation


def test_a_whole_sentence_does(identifier: LanguageIdentifier) -> None:
    found = identifier.identify("Ik heb mijn loon niet gekregen, wat nu?", conversation="pl")
    assert (found.code, found.alternative) == ("nl", None)


def test_another_script_does_with_a_single_word(identifier: LanguageIdentifier) -> None:
    assert identifier.identify("помогите", conversation="en").code in {"bg", "ru", "uk"}
    assert identifier.identify("مساعدة", conversation="en").code == "ar"


def test_two_words_of_another_language_make_an_offer_and_no_change(identifier: LanguageIdentifier) -> None:
    found = identifier.identify("dzień dobry", conversation="en")
    assert (found.code, found.alternative) == ("en", "pl")


def test_dutch_words_of_the_domain_leave_the_message_its_language(identifier: LanguageIdentifier) -> None:
    assert identifier.identify("gdzie moja loonstrook z uitzendbureau", conversation=None).code == "pl"


def test_who_is_unsure_offers_the_second_likeliest(identifier: LanguageIdentifier) -> None:
    unsure: Identified = identifier.identify("water is")
    assert unsure.alternative is not None
    assert unsure.alternative != unsure.code
    assert identifier.identify("Ik heb mijn loon niet gekregen, wat nu?").alternative is None


def test_the_hint_decides_where_the_text_says_nothing(identifier: LanguageIdentifier) -> None:
    assert identifier.identify("?!", hint="uk").code == "uk"
    assert identifier.identify("?!").code == "en"


def test_latin_words_amid_another_script_are_shared() -> None:
    texts = ["къде е моят loonstrook", "няма loonstrook от uitzendbureau", "няма uitzendbureau", "where is my payslip"]
    assert shared_words(texts, ["bg", "bg", "bg", "en"]) == ("loonstrook", "uitzendbureau")


@pytest.mark.parametrize(("code", "script"), [("ru", "CYRILLIC"), ("el", "GREEK"), ("ar", "ARABIC"), ("tr", "LATIN")])
def test_the_script_of_a_language(code: str, script: str) -> None:
    assert script_of(code) == script


def test_langdetect_gives_the_same_answer_each_time() -> None:
    detector = LangdetectDetector(LANGUAGES)
    assert detector.probabilities("goede morgen") == detector.probabilities("goede morgen")
    assert detector.probabilities("12345") == {}


class SureOfArabic:
    """A detector as one is that has learnt one language of a script alone."""

    def probabilities(self, text: str) -> Mapping[str, float]:
        return {"ar": 1.0}


@pytest.mark.parametrize(
    ("text", "beyond"),
    [
        ("رئیسم سه ماهه حقوقم رو نداده چیکار کنم", "fa"),
        ("صاحب العمل لم يدفع لي راتب ثلاثة أشهر ماذا أفعل", None),
    ],
)
def test_persian_is_not_taken_for_arabic(text: str, beyond: str | None) -> None:
    wide = VocabularyModel.train((*LANGUAGES, "fa"))
    assert LanguageIdentifier(LANGUAGES, wide, SureOfArabic()).identify(text).beyond == beyond
