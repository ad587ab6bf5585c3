"""Files that people send while somebody of the staff has their conversation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from bot import attachments, cases, inbox, people, staff
from bot.attachments import MOST_BYTES, media_type_of
from bot.inbox import Incoming, Kind
from bot.service import Service
from bot.staff import Role
from tests.bot.channels.servers import MetaServer, TelegramServer, over_telegram, over_whatsapp
from tests.bot.channels.test_messengers import brought, message
from tests.patience import until

PICTURE = b"\xff\xd8\xff\xe0" + b"a payslip" * 50


def rows(service: Service, columns: str = "failure, media_type, data, conversation_id, id") -> list[Any]:
    with service.engine.connect() as connection:
        return list(connection.execute(text(f"SELECT {columns} FROM attachment")))


def with_staff(service: Service) -> int:
    """A member of staff takes the one conversation that there is."""
    now = datetime.now(UTC)

    def conversation() -> str | None:
        with service.engine.connect() as connection:
            return connection.execute(text("SELECT id FROM conversation")).scalar()

    found = until(conversation)
    with service.sessions.begin() as session:
        person = staff.add(session, "a", "a@example.org", Role.HELPER, "en", book=service.addresses, now=now).staff_id
        cases.open_case(session, found, "human", language="pl", now=now)
        case_id = session.execute(text("SELECT id FROM staff_case")).scalar_one()
        cases.claim(session, case_id, person, now=now)
        return int(case_id)


def photo(name: str) -> list[dict[str, Any]]:
    return [{"file_id": name, "file_unique_id": name, "width": 1, "height": 1}]


def test_a_picture_reaches_the_person_who_has_the_conversation_and_nobody_can_read_it_in_the_database(
    telegram: TelegramServer, start: Any, service: Service
) -> None:
    start(**over_telegram(telegram))
    telegram.say(7, "hello")
    until(lambda: telegram.sent)
    with_staff(service)
    telegram.files["f1"] = PICTURE
    telegram.say(7, photo=photo("f1"))
    until(lambda: rows(service) and rows(service)[0].data)
    (kept,) = rows(service)
    assert kept.media_type == "image/jpeg"
    assert b"payslip" not in kept.data
    assert service.addresses.read_bytes(kept.data) == PICTURE
    assert len(telegram.sent) == 1
    with service.sessions.begin() as session:
        people.forget(session, kept.conversation_id, now=datetime.now(UTC))
    assert rows(service) == []


def test_without_a_person_nothing_is_fetched_and_the_answer_is_the_honest_one(
    telegram: TelegramServer, start: Any, service: Service
) -> None:
    start(**over_telegram(telegram))
    telegram.files["f1"] = PICTURE
    telegram.say(7, photo=photo("f1"))
    until(lambda: telegram.sent)
    assert telegram.texts(7)[0].startswith("heard /cannot_read")
    assert rows(service) == []
    assert [method for method, _ in telegram.calls if method == "getFile"] == []


@pytest.mark.parametrize(
    ("sent", "failure"),
    [(b"<html><script>", "wrong_kind"), (PICTURE + bytes(MOST_BYTES), "too_large"), (None, "gone")],
    ids=["wrong_kind", "too_large", "gone"],  # not by their bytes
)
def test_what_is_too_large_or_no_picture_sound_or_document_is_not_kept(
    meta: MetaServer, start: Any, service: Service, sent: bytes | None, failure: str
) -> None:
    client = start(**over_whatsapp(meta))
    brought(client, messages=[message(1, type="text", text={"body": "hello"})])
    until(lambda: meta.sent)
    with_staff(service)
    if sent is not None:
        meta.files["m1"] = sent
    brought(client, messages=[message(2, type="document", document={"id": "m1"})])
    until(lambda: rows(service) and rows(service)[0].failure)
    assert [(row.failure, row.data) for row in rows(service)] == [(failure, None)]


def test_one_person_can_not_fill_the_disk(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "MOST_FILES", 2)
    now = datetime.now(UTC)
    with service.sessions.begin() as session:
        for name, files in (("a", 3), ("b", 1)):
            found = inbox.conversation_of(session, "telegram", name, now=now).id
            for number in range(files):
                inbox_id = inbox.accept(session, found, Incoming(str(number), Kind.BUTTON, "/cannot_read"), now=now)
                assert inbox_id is not None
                attachments.note(session, inbox_id, found, "reference", service.addresses)
    assert [row.failure for row in rows(service)] == [None, None, "too_many", None]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PICTURE, "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n0", "image/png"),
        (b"RIFF1234WEBPVP8 ", "image/webp"),
        (b"OggS0", "audio/ogg"),
        (b"%PDF-1.7", "application/pdf"),
        (b"\x00\x00\x00\x20ftypM4A ", "audio/mp4"),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"<svg xmlns=", None),
        (b"MZ\x90", None),
        (b"PK\x03\x04", None),
        (b"", None),
    ],
)
def test_what_a_file_is_its_bytes_say(data: bytes, kind: str | None) -> None:
    assert media_type_of(data) == kind
