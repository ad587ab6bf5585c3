"""Translation by a LibreTranslate server, on loopback: the original stays, and a failing server costs one line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot import translation
from bot.models import AuditEntry, Translation
from bot.service import Service
from bot.settings import Settings, SettingsError, read_settings
from knowledge.files import Content
from tests.bot.channels.servers import Loopback
from tests.bot.console.people import CRY, Person, case_of, decide, do, log_of
from tests.patience import until

Enter = Callable[..., TestClient]
KEY = "key of the translator"


class LibreTranslate(Loopback):
    """Puts the language before each text, as a translation; or says what a test tells it to."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.says: Response | None = None
        self.goes_on = threading.Event()
        self.goes_on.set()
        super().__init__(Starlette(routes=[Route("/translate", self._translate, methods=["POST"])]))

    async def _translate(self, request: Request) -> Response:
        asked = await request.json()
        self.asked.append(asked)
        if not self.goes_on.is_set():
            await request.receive()  # nothing is said until the client goes away
        return self.says or JSONResponse({"translatedText": [f"{asked['target']}: {text}" for text in asked["q"]]})


@pytest.fixture
def server(service: Service) -> Iterator[LibreTranslate]:
    started = LibreTranslate()
    changes = {"libretranslate_url": started.url, "libretranslate_api_key": KEY}
    service.settings = Settings(
        _env_file=None, database_url=str(service.engine.url), secret_key="key of the tests", **changes
    )
    yield started
    started.stop()


@pytest.fixture
def dutch(enter: Enter, person: Person, sessions: sessionmaker[Session]) -> TestClient:
    """A helper who reads Dutch, with the case of somebody who writes English."""
    browser = enter("ann", language="nl")
    decide(sessions)
    do(browser, case_of(sessions), "claim")
    return browser


def test_what_the_person_wrote_is_read_in_ones_own_language_under_the_original(
    server: LibreTranslate, dutch: TestClient, person: Person, sessions: sessionmaker[Session]
) -> None:
    case = case_of(sessions)
    person.write("they took <my> passport")
    until(lambda: "Vertaal 2 berichten" in dutch.get(f"/console/cases/{case}").text)
    do(dutch, case, "translate")
    page = dutch.get(f"/console/cases/{case}").text
    assert page.count("Door een computer vertaald") == 2
    assert "nl: they took &lt;my&gt; passport" in page
    assert page.index(">they took &lt;my&gt; passport") < page.index("nl: they took")
    assert "Vertaal 2" not in page
    do(dutch, case, "translate")
    assert server.asked == [
        {"q": [CRY, "they took <my> passport"], "source": "en", "target": "nl", "format": "text", "api_key": KEY}
    ]
    person.delete()
    with sessions() as session:
        assert session.query(Translation).count() == 0


def test_what_one_writes_is_translated_to_be_looked_at_and_sent_with_the_original(
    server: LibreTranslate, dutch: TestClient, person: Person, sessions: sessionmaker[Session], content: Content
) -> None:
    case = case_of(sessions)
    page = do(dutch, case, "draft", text="Ben je veilig?").text
    assert ">en: Ben je veilig?</textarea>" in page
    assert 'name="original" value="Ben je veilig?"' in page
    assert person.hears()[-1][0] == "bot"
    do(dutch, case, "say", text="Are you safe?", original="Ben je veilig?")
    said = content.phrases["en"].phrases["staff.translated"]
    assert person.hears()[-1] == ("staff", f"Are you safe?\n\n{said}\nBen je veilig?")
    with sessions() as session:
        entry = session.query(AuditEntry).filter_by(action="message_sent").one()
        assert entry.details["translated"]


@pytest.mark.parametrize(
    "says",
    [
        JSONResponse({"error": "unsupported"}, 400),
        JSONResponse({"error": "slow down"}, 429),
        PlainTextResponse("<html>", 502),
        PlainTextResponse("no JSON"),
        JSONResponse(["no object"]),
        JSONResponse({"translatedText": "one where a list was asked"}),
        JSONResponse({"translatedText": ["one", "too many"]}),
        JSONResponse({"translatedText": [7]}),
    ],
)
def test_a_failing_server_costs_one_line_and_nothing_that_was_written(
    server: LibreTranslate,
    dutch: TestClient,
    person: Person,
    sessions: sessionmaker[Session],
    says: Response,
    capsys: pytest.CaptureFixture[str],
) -> None:
    case, server.says = case_of(sessions), says
    for answer in (do(dutch, case, "translate"), do(dutch, case, "draft", text="Ben je veilig?")):
        assert answer.status_code == 200
        assert answer.text.count("De vertaling kwam niet.") == 1
        assert CRY in answer.text
    assert ">Ben je veilig?</textarea>" in answer.text
    assert do(dutch, case, "say", text="hello").status_code == 200
    logged = capsys.readouterr().out
    assert "translation_failed" in logged
    assert CRY not in logged
    assert "veilig" not in logged


def test_a_server_that_is_away_or_silent_costs_one_line_too(
    server: LibreTranslate,
    dutch: TestClient,
    sessions: sessionmaker[Session],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = case_of(sessions)
    monkeypatch.setattr(translation, "PATIENCE", 0.3)
    server.goes_on.clear()
    assert "De vertaling kwam niet." in do(dutch, case, "translate").text
    server.stop()
    assert "De vertaling kwam niet." in do(dutch, case, "translate").text


def test_without_a_server_the_console_says_so_and_works(
    dutch: TestClient, person: Person, sessions: sessionmaker[Session]
) -> None:
    case = case_of(sessions)
    page = dutch.get(f"/console/cases/{case}").text
    assert "Hier is geen vertaling ingesteld" in page
    assert "Vertaal 1" not in page
    assert do(dutch, case, "translate").status_code == 404
    assert do(dutch, case, "say", text="hello").status_code == 200
    assert person.hears()[-1] == ("staff", "hello")


def test_nobody_translates_the_case_of_another(
    server: LibreTranslate, enter: Enter, dutch: TestClient, sessions: sessionmaker[Session]
) -> None:
    bob = enter("bob")
    for deed in ("translate", "draft"):
        assert do(bob, case_of(sessions), deed, text="x").status_code == 403
    assert server.asked == []
    assert log_of(sessions).count("refused") == 2


def test_a_translation_of_what_was_deleted_meanwhile_is_not_kept(
    person: Person, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        translation.keep(session, "nl", {1: "iets"}, {1: "something else"})
        translation.keep(session, "nl", {99: "iets"}, {99: "something"})
        assert session.query(Translation).count() == 0


def test_the_setting_is_an_address() -> None:
    assert read_settings(libretranslate_url="http://127.0.0.1:5000/").libretranslate_url == "http://127.0.0.1:5000"
    with pytest.raises(SettingsError, match="LIBRETRANSLATE_URL"):
        read_settings(libretranslate_url="127.0.0.1:5000")
