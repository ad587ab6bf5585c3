"""What other websites get of us: the script, its question, the frame, and tickets that only the frame can open."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from bot.service import Service
from bot.settings import SettingsError, read_settings
from bot.web.app import create_app
from bot.web.shell import STATIC

SITE = "https://work.example"
MOST_BYTES = 40 * 1024


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    service.settings = service.settings.model_copy(update={"allowed_origins": (SITE,)})
    service.load_assistant = lambda: None  # type: ignore[method-assign,assignment,return-value]
    with TestClient(create_app(service)) as opened:
        yield opened


def test_the_script_is_small_and_everybody_may_include_it(client: TestClient) -> None:
    answer = client.get("/widget.js")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert len(gzip.compress(answer.content)) <= MOST_BYTES


def test_script_and_chat_together_are_small_too() -> None:
    names = ("widget.js", *(path.name for path in STATIC.glob("*.js") if path.name != "widget.js"), "chat.css")
    assert sum(len(gzip.compress((STATIC / name).read_bytes())) for name in names) <= MOST_BYTES


def test_only_allowed_websites_read_the_answer_to_the_script(client: TestClient) -> None:
    allowed = client.get("/widget.json?lang=ar", headers={"Origin": SITE})
    assert allowed.headers["access-control-allow-origin"] == SITE
    assert (allowed.json()["language"], allowed.json()["direction"]) == ("ar", "rtl")
    stranger = client.get("/widget.json", headers={"Origin": "https://stranger.example"})
    assert "access-control-allow-origin" not in stranger.headers
    assert client.get("/widget.json?lang=xx", headers={"Accept-Language": "pl"}).json()["language"] == "pl"


def test_the_frame_is_for_the_one_website_it_was_asked_for(client: TestClient) -> None:
    policy = client.get(f"/embed?site={SITE}&lang=pl").headers["content-security-policy"]
    assert policy.endswith(f"frame-ancestors {SITE}")
    assert client.get("/embed?site=https://stranger.example").status_code == 403
    assert client.get("/").headers["content-security-policy"].endswith("frame-ancestors 'none'")


def test_a_ticket_is_opened_for_the_script_of_the_frame_and_for_no_other(client: TestClient) -> None:
    ours = {"Origin": "http://testserver"}
    token = "t" * 32
    ticket = client.post("/embed/ticket", json={"value": token}, headers=ours).json()["value"]
    assert token not in ticket
    assert client.post("/embed/token", json={"value": ticket}, headers=ours).json() == {"value": token}
    for headers in ({"Origin": SITE}, {"Origin": "null"}, {}):
        assert client.post("/embed/token", json={"value": ticket}, headers=headers).status_code == 403
        assert client.post("/embed/ticket", json={"value": token}, headers=headers).status_code == 403
    assert client.post("/embed/token", json={"value": "ж" * 32}, headers=ours).status_code == 404


def test_what_holds_conversations_is_never_compressed(client: TestClient) -> None:
    begun = client.post("/api/v1/conversations").json()
    answer = client.get("/api/v1/messages", headers={"Authorization": f"Bearer {begun['token']}"})
    assert "content-encoding" not in answer.headers
    assert "content-encoding" not in client.get("/console/sign-in").headers
    assert client.get("/").headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("wrong", ["*", "example.org", "https://example.org/page", "https://a b", "https://a.b; x"])
def test_origins_that_no_browser_says_stop_the_start(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("ALLOWED_ORIGINS", f'["{wrong}"]')
    with pytest.raises(SettingsError, match="ALLOWED_ORIGINS"):
        read_settings()


def test_origins_are_compared_as_browsers_say_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_ORIGINS", '["https://Work.Example/"]')
    assert read_settings().allowed_origins == (SITE,)
