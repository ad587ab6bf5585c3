"""Entities, commands, decision, evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import spacy

from nlu import commands
from nlu.decision import Decision, decide
from nlu.entities import Gazetteers, figures
from nlu.evaluation import LabelledMessage, LabelledMessageError, calibration_error, read_messages, score
from nlu.evaluation_report import write_report
from nlu.topics import Guess, TopicModel
from nlu.urgency import Level, Urgency


@pytest.fixture(scope="module")
def gazetteers() -> Gazetteers:
    return Gazetteers(spacy.blank("xx"), ("en", "nl", "pl", "uk"))


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("I work in Venlo", "place", "Venlo"),
        ("mieszkam w Rotterdamie koło Den Haag", "place", "Den Haag"),
        ("jestem z kraju: Polska", "country", "PL"),
        ("я в Роттердам", "place", "Rotterdam"),
    ],
)
def test_names_are_found(gazetteers: Gazetteers, text: str, kind: str, value: str) -> None:
    assert (kind, value) in [(entity.kind, entity.value) for entity in gazetteers.find(text)]


def test_words_of_every_day_are_no_places(gazetteers: Gazetteers) -> None:
    found = gazetteers.find("mijn loon is te laag en ik wil meer uren")
    assert [entity for entity in found if entity.kind == "place"] == []


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("they took € 1.234,50 of me", "amount", "1234.50"),
        ("130 euro a week", "amount", "130"),
        ("since 3-4-2026", "date", "2026-04-03"),
        ("on 2026-01-31", "date", "2026-01-31"),
        ("500 євро", "amount", "500"),
    ],
)
def test_figures(text: str, kind: str, value: str) -> None:
    assert (kind, value) in [(entity.kind, entity.value) for entity in figures(text)]


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("Tell me more please", "more"),
        ("kto może pomóc?", "who_helps"),
        ("wat is de bron", "sources"),
        ("по-українськи", "change_language"),
        ("English please", "change_language"),
        ("my boss is dutch", None),
    ],
)
def test_commands(text: str, intent: str | None) -> None:
    assert commands.load().intent(text) == intent


def test_the_language_that_is_asked_for() -> None:
    loaded = commands.load()
    assert loaded.language("can we speak Polish?") == "pl"
    assert loaded.language("in het Nederlands graag") == "nl"
    assert loaded.language("what is the wage") is None


def guesses(*pairs: tuple[str, float]) -> list[Guess]:
    return [Guess(label, confidence) for label, confidence in pairs]


@pytest.mark.parametrize(
    ("ranking", "urgency", "decision"),
    [
        (guesses(("care.gp", 0.9), ("care.insurance", 0.1)), None, Decision.ANSWER),
        (guesses(("care.gp", 0.3), ("care.insurance", 0.28), ("work.sick", 0.2)), None, Decision.CLARIFY),
        (guesses(("out_of_scope", 0.8), ("care.gp", 0.1)), None, Decision.FALLBACK),
        (guesses(("care.gp", 0.05), ("work.sick", 0.04)), None, Decision.FALLBACK),
        (guesses(("care.gp", 0.9)), Urgency("urgent.medical", Level.CERTAIN), Decision.URGENT),
        (guesses(("care.gp", 0.9)), Urgency("urgent.medical", Level.POSSIBLE), Decision.ANSWER),
    ],
)
def test_the_decision(ranking: list[Guess], urgency: Urgency | None, decision: Decision) -> None:
    assert decide(ranking, urgency) is decision


def test_of_two_subjects_with_a_sentence_each_one_is_answered_and_nobody_is_asked_back() -> None:
    ranking = guesses(("care.gp", 0.39), ("work.unpaid_wages", 0.25))
    assert decide(ranking, None) is Decision.CLARIFY
    assert decide(ranking, None, is_about_two=True) is Decision.ANSWER
    assert decide(ranking, Urgency("urgent.medical", Level.CERTAIN), is_about_two=True) is Decision.URGENT
    assert decide(guesses(("out_of_scope", 0.39)), None, is_about_two=True) is Decision.FALLBACK


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("my rent is too high. i need a doctor", True),
        ("my rent is too high, i need a doctor", False),
        ("my rent is too high. since may. you know", False),
    ],
)
def test_two_subjects_stand_apart_where_each_has_a_sentence(text: str, other: bool) -> None:
    words = {
        "care.gp": "i need a doctor",
        "housing.rent": "my rent is too high",
        "work.sick": "i am ill and can not work",
    }
    texts = [f"{text} {number}" for text in words.values() for number in range(9)]
    model = TopicModel.train(texts, [label for label in words for _ in range(9)])
    found = model.other_subject(text, model.rank(text))
    assert (found is not None and found.is_apart) == other


def result(label: str, *, confidence: float = 0.9, urgency: str | None = None, language: str = "en") -> dict:
    ranking = [{"label": label, "confidence": confidence}]
    level = {"label": "urgent.danger", "level": urgency} if urgency else None
    decision = "urgent" if urgency == "certain" else "answer"
    return {
        "label": label,
        "confidence": confidence,
        "ranking": ranking,
        "urgency": level,
        "language": language,
        "decision": decision,
    }


MESSAGES = [
    LabelledMessage("a", "en", "care.gp", "topic", "f", 1),
    LabelledMessage("b b", "en", "work.sick", "topic", "f", 2),
    LabelledMessage("c", "en", "urgent.danger", "urgent", "f", 3),
    LabelledMessage("d", "en", "work.hours", "near_miss", "f", 4),
    LabelledMessage("e", "en", "out_of_scope", "service", "f", 5),
]
RESULTS = [
    result("care.gp"),
    result("care.gp"),
    result("urgent.danger", urgency="possible"),
    result("work.hours", urgency="certain"),
    result("care.gp", language="nl"),
]


def test_the_figures_of_an_evaluation(tmp_path: Path) -> None:
    scores = score(MESSAGES, RESULTS)
    assert scores.top1 == pytest.approx(2 / 3)
    assert scores.urgent_recall == 1
    assert scores.false_certain_near == 1
    assert scores.false_certain_ordinary == 0
    assert scores.language == pytest.approx(0.8)
    assert scores.out_of_scope_answered == 1
    assert calibration_error(list(zip(MESSAGES[:2], RESULTS[:2], strict=True))) == pytest.approx(0.4)
    write_report(MESSAGES, RESULTS, tmp_path)
    assert {"report.html", "confusion.png"} <= {path.name for path in tmp_path.iterdir()}


def test_a_wrong_line_of_an_evaluation_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text(json.dumps({"text": "a", "lang": "en", "label": "x", "kind": "topic"}) + '\n{"text": 1\n', "utf-8")
    with pytest.raises(LabelledMessageError, match=r"e\.jsonl:2"):
        read_messages([path])
