"""What people sent, as staff get it out of a case: to save, and never to be shown or run in the page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from bot import attachments
from bot.inbox import Incoming, Kind, accept
from bot.models import Attachment, Case
from bot.service import Service
from tests.bot.console.conftest import browser_of
from tests.bot.console.people import Person, case_of, decide, do, log_of

PICTURE = b"\x89PNG\r\n\x1a\n" + b"payslip"


def sent(sessions: sessionmaker[Session], service: Service) -> int:
    """The person sent a picture, and it was fetched; returns its id."""
    with sessions.begin() as session:
        conversation_id = str(session.query(Case).one().conversation_id)
        incoming = Incoming("picture-1", Kind.BUTTON, "/cannot_read")
        inbox_id = accept(session, conversation_id, incoming, now=datetime.now(UTC))
        assert inbox_id is not None
        attachments.note(session, inbox_id, conversation_id, "reference", service.addresses)
        session.flush()
        kept = session.query(Attachment).one()
        kept.media_type, kept.data = "image/png", service.addresses.seal_bytes(PICTURE)
        return kept.id


def test_the_owner_saves_a_file_which_the_browser_may_neither_show_nor_run(
    app: Any, enter: Callable[..., TestClient], sessions: sessionmaker[Session], service: Service
) -> None:
    Person(app).write("I want to kill myself")
    case_id, owner, other = case_of(sessions), enter("owner"), enter("other")
    do(owner, case_id, "claim")
    address = f"/console/cases/{case_id}/files/{sent(sessions, service)}"
    assert owner.get(address).status_code == 404  # what was sent before the helper's first word needs the person's yes
    decide(sessions)
    assert address in owner.get(f"/console/cases/{case_id}").text
    assert "/cannot_read" not in owner.get(f"/console/cases/{case_id}").text
    saved = owner.get(address)
    assert saved.content == PICTURE
    assert saved.headers["content-disposition"].startswith("attachment;")
    assert saved.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in saved.headers["content-security-policy"]
    assert "no-store" in saved.headers["cache-control"]
    assert log_of(sessions)[-1] == "file_read"
    assert other.get(address).status_code == 403
    assert browser_of(app).get(address, follow_redirects=False).status_code != 200
    assert owner.get(f"/console/cases/{case_id}/files/999").status_code == 404


def test_a_file_goes_with_the_conversation(
    app: Any, enter: Callable[..., TestClient], sessions: sessionmaker[Session], service: Service
) -> None:
    person = Person(app)
    person.write("I want to kill myself")
    do(enter("owner"), case_of(sessions), "claim")
    sent(sessions, service)
    person.delete()
    with sessions() as session:
        assert session.query(Attachment).count() == 0
