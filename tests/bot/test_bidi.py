"""Arabic replies: what is Dutch or a number in them keeps its order."""

from __future__ import annotations

import pytest

from actions.reply import ContactCard, ListKind, Reply, Section
from bot.bidi import LEFT_TO_RIGHT_ISOLATE as LRI
from bot.bidi import POP, isolate, isolated


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("اتصل على 0800 5115 الآن", "0800 5115"),
        ("من الخارج: +31 20 760 0 760", "+31 20 760 0 760"),
        ("مكتب التشغيل (uitzendbureau) يدفع", "uitzendbureau"),
        ("عقد fase A أو fase B", "fase A"),
        ("انظر nl.usembassy.gov/visas", "nl.usembassy.gov/visas"),
        ("**FairWork** تساعدك", "FairWork"),
    ],
)
def test_what_would_be_torn_apart_is_isolated(text: str, inside: str) -> None:
    assert f"{LRI}{inside}{POP}" in isolate(text)
    assert isolate(text).replace(LRI, "").replace(POP, "") == text


@pytest.mark.parametrize("text", ["اتصل بـ 112 فورًا", "خلال 5 أيام", "لا شيء هنا"])
def test_a_plain_number_keeps_its_order_by_itself(text: str) -> None:
    assert isolate(text) == text


def test_an_arabic_reply_is_isolated_throughout_and_its_numbers_stay_to_be_dialled() -> None:
    reply = Reply(
        language="ar",
        text="اتصل على 0800 5115",
        title="عن DigiD",
        warnings=("في uitzendbureau",),
        sections=(Section(heading="ما العمل", kind=ListKind.STEPS, items=("خذ loonstrook معك",)),),
        contacts=(ContactCard(name="FairWork", what_for="مساعدة", phone="020 760 0809", notes=("من 9:00",)),),
    )
    shown = isolated(reply)
    assert f"{LRI}0800 5115{POP}" in shown.text
    assert all(LRI in str(part) for part in (shown.title, shown.warnings[0], shown.sections[0].items[0]))
    assert shown.contacts[0].name == f"{LRI}FairWork{POP}"
    assert shown.contacts[0].phone == "020 760 0809"


def test_a_reply_from_left_to_right_is_left_alone() -> None:
    reply = Reply(language="uk", text="Телефонуйте 0800 5115")
    assert isolated(reply) is reply
