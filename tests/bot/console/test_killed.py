"""The service killed while a helper writes: what was acknowledged is there afterwards, once, and the case is still theirs."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from bot import audit, sign_in, staff
from bot.service import open_service
from bot.settings import Settings
from knowledge.files import Content
from tests.bot.console.people import CRY
from tests.patience import until
from tests.process import Process

ACKNOWLEDGED = 5  # messages before the kill


def test_nothing_that_a_helper_wrote_is_lost_when_the_service_is_killed(
    tmp_path: Path, content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELS_FOLDER", str(tmp_path))  # nothing here needs the model
    settings = Settings(_env_file=None, database_url=f"sqlite:///{tmp_path / 'w.db'}", secret_key="key")
    service, now = open_service(settings, content), datetime.now(UTC)
    service.prepare(content, now=now)
    with service.sessions.begin() as session:
        made = staff.add(session, "Ann", "ann@example.org", staff.Role.HELPER, "en", book=service.addresses, now=now)
        staff.begin(session, made.staff_id, staff.hash_password("correct horse battery"), step=0, now=now)
        token = sign_in.start(session, made.staff_id, sign_in.Proof(step=1), now=now)
    service.close()
    process = Process(tmp_path)
    try:
        helper = httpx.Client(base_url=process.url, headers={"Cookie": f"__Host-staff={token}"}, timeout=30)
        person = httpx.Client(base_url=process.url, timeout=30)
        until(lambda: helper.get("/console/queue").status_code == 200)
        person.headers["Authorization"] = f"Bearer {person.post('/api/v1/conversations').json()['token']}"
        person.post("/api/v1/messages", json={"id": "message-1", "text": CRY}).raise_for_status()
        csrf = re.search(r'name="csrf" value="([^"]+)"', helper.get("/console/queue").text)[1]
        assert helper.post("/console/cases/1/claim", data={"csrf": csrf}).status_code == 303
        acknowledged: list[str] = []

        def write() -> None:
            for number in range(10_000):
                try:
                    answer = helper.post("/console/cases/1/say", data={"csrf": csrf, "text": f"word {number}."})
                except httpx.TransportError:
                    return
                if answer.status_code == 303:
                    acknowledged.append(f"word {number}.")

        writing = threading.Thread(target=write)
        writing.start()
        until(lambda: len(acknowledged) >= ACKNOWLEDGED)
        process.kill()
        writing.join()
        process.start()
        until(lambda: helper.get("/console/queue").status_code == 200)
        entries = person.get("/api/v1/messages").json()["entries"]
        heard = [entry["reply"]["text"] for entry in entries if entry["author"] == "staff"]
        assert heard[: len(acknowledged)] == acknowledged
        assert len(set(heard)) == len(heard) <= len(acknowledged) + 1  # the last may be stored and not acknowledged
        assert helper.post("/console/cases/1/say", data={"csrf": csrf, "text": "still here"}).status_code == 303
    finally:
        process.kill()
    with open_service(settings, content).sessions() as session:
        assert audit.verify(session).is_whole
