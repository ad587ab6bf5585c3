"""Telegram and WhatsApp against servers on loopback: what comes in is answered once, in order, and what fails is tried again."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from starlette.responses import PlainTextResponse

from actions.reply import Reply
from bot import dead_letters, outbox
from bot.assistant_port import Outcome
from bot.channels.telegram import webhook_secret
from bot.conversations import utc_now
from bot.inbox import Turn
from bot.models import Conversation
from bot.service import Service
from bot.settings import SettingsError, read_settings
from tests.bot.channels.servers import (
    SECRET,
    MetaServer,
    TelegramServer,
    no_json,
    over_telegram,
    over_whatsapp,
    refused,
)
from tests.conftest import locked
from tests.patience import until

CRY = "I want to kill myself"


def test_a_message_is_answered_as_html_with_buttons(telegram: TelegramServer, start: Any) -> None:
    start(**over_telegram(telegram))
    telegram.say(7, "hello there")
    until(lambda: telegram.sent)
    (sent,) = telegram.sent
    assert sent["text"] == "heard hello there &lt;b&gt;&amp;"
    assert sent["parse_mode"] == "HTML"
    assert sent["reply_markup"]["inline_keyboard"][0][0] == {"text": "Menu", "callback_data": "/menu"}
    assert "sendChatAction" not in {method for method, _ in telegram.calls}  # nobody is writing: it is a robot
    commands = [fields for method, fields in telegram.calls if method == "setMyCommands"]
    assert {fields.get("language_code") for fields in commands} == {None, "en", "nl", "pl", "uk"}
    described = [fields["description"] for method, fields in telegram.calls if method == "setMyDescription"]
    assert len(described) == len(commands)
    assert "robot" in described[0]


class Stranger:
    """An assistant that has not greeted anybody."""

    async def respond(self, turn: Turn) -> Outcome:
        return Outcome((Reply(language="pl", text=f"heard {turn.body}"),), dict(turn.slots))


def test_who_speaks_is_said_with_the_first_answer_and_after_a_number(
    telegram: TelegramServer, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Service, "load_assistant", lambda self: Stranger())
    client = start(**over_telegram(telegram))
    for number, said in enumerate((CRY, "one", "two"), 1):
        telegram.say(7, said)
        until(lambda number=number: len(telegram.sent) == number)
    assert [("robot" in said) for said in telegram.texts(7)] == [False, True, False]
    assert telegram.texts(7)[1].startswith("Jestem Wegwijs, robot")
    token = client.post("/api/v1/conversations").json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    client.post("/api/v1/messages", json={"id": "message-1", "text": "hello"}, headers=headers)
    until(lambda: "heard hello" in client.get("/api/v1/messages", headers=headers).text)
    assert "robot" not in client.get("/api/v1/messages", headers=headers).text  # the page says so at its top


def test_a_cry_gets_its_number_at_once_and_once(telegram: TelegramServer, start: Any) -> None:
    start(**over_telegram(telegram))
    telegram.say(7, CRY)
    until(lambda: telegram.sent)
    assert "113" in telegram.texts(7)[0]
    telegram.say(7, "thanks")
    until(lambda: len(telegram.sent) > 1)
    assert telegram.texts(7)[1].startswith("heard thanks")


def test_a_cry_gets_its_number_with_the_database_locked_and_is_stored_later_without_a_second(
    telegram: TelegramServer, start: Any, service: Service
) -> None:
    start(**over_telegram(telegram))
    until(lambda: any(method == "getUpdates" for method, _ in telegram.calls))
    with locked(service):
        telegram.say(7, CRY)
        until(lambda: telegram.sent)
        time.sleep(6)  # the store gives up and Telegram brings the update again
    telegram.say(7, "later")
    until(lambda: any("heard later" in sent for sent in telegram.texts(7)))
    assert sum("113" in sent for sent in telegram.texts(7)) == 1


def test_a_cry_behind_a_message_that_cannot_be_stored_gets_its_number_once(
    telegram: TelegramServer, start: Any, service: Service
) -> None:
    start(**over_telegram(telegram))
    until(lambda: any(method == "getUpdates" for method, _ in telegram.calls))
    with locked(service):
        telegram.say(8, "hello")
        telegram.say(7, CRY)
        until(lambda: telegram.texts(7))
        assert not telegram.texts(8)
    telegram.say(7, "later")
    until(lambda: any("heard later" in sent for sent in telegram.texts(7)) and telegram.texts(8))
    assert sum("113" in sent for sent in telegram.texts(7)) == 1


def test_what_came_during_a_restart_is_answered_and_nothing_twice(telegram: TelegramServer, start: Any) -> None:
    start(**over_telegram(telegram))
    telegram.say(7, "one")
    until(lambda: len(telegram.sent) == 1)
    start.stop()
    telegram.say(7, "two")
    start(**over_telegram(telegram))
    until(lambda: len(telegram.sent) == 2)
    assert [sent.split()[1] for sent in telegram.texts(7)] == ["one", "two"]


def test_flood_control_of_one_person_holds_up_nobody_else_and_order_is_kept(
    telegram: TelegramServer, start: Any
) -> None:
    start(**over_telegram(telegram))
    flood = {"description": "Too Many Requests: retry after 2", "parameters": {"retry_after": 2}}
    telegram.answers.append((429, flood))
    telegram.say(7, "first")
    until(lambda: not telegram.answers)
    telegram.say(7, "second")
    telegram.say(8, "other")
    until(lambda: telegram.texts(8), 1.9)
    assert telegram.texts(7) == []
    until(lambda: len(telegram.texts(7)) == 2)
    assert [sent.split()[1] for sent in telegram.texts(7)] == ["first", "second"]


@pytest.mark.parametrize(
    ("code", "description", "reason"),
    [
        (403, "Forbidden: bot was blocked by the user", "blocked"),
        (403, "Forbidden: user is deactivated", "blocked"),
        (400, "Bad Request: chat not found", "no_such_chat"),
    ],
)
def test_who_blocked_the_bot_or_has_gone_is_left_alone(
    telegram: TelegramServer, start: Any, service: Service, code: int, description: str, reason: str
) -> None:
    start(**over_telegram(telegram))
    telegram.answers.append((code, {"description": description}))
    telegram.say(7, "hello")

    def failure() -> str | None:
        with service.engine.connect() as connection:
            return connection.execute(text("SELECT failure FROM outbox")).scalar()

    until(failure)
    assert failure() == reason
    assert telegram.sent == []


@pytest.mark.parametrize(
    ("more", "heard"),
    [
        ({"voice": {"file_id": "a", "file_unique_id": "b", "duration": 3}}, "/cannot_read"),
        ({"sticker": {"file_id": "a", "file_unique_id": "b", "type": "regular", "width": 1, "height": 1,
                      "is_animated": False, "is_video": False}}, "/cannot_read"),
        ({"contact": {"phone_number": "+31612345678", "first_name": "x"}}, "/cannot_read"),
        ({"dice": {"emoji": "x", "value": 1}}, "/cannot_read"),
        ({"video_note": {"file_id": "a", "file_unique_id": "b", "length": 1, "duration": 1}}, "/cannot_read"),
        ({"photo": [{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}], "caption": "my payslip"}, "my payslip"),
        ({"location": {"latitude": 51.4, "longitude": 6.2}}, "51.4,6.2"),
        ({"text": "/start housing-deposit"}, "/housing.deposit"),
        ({"text": "/start pl"}, '/language{"language":"pl"}'),
        ({"text": "/start <script>"}, "/greet"),
        ({"text": "/menu@wegwijs_bot"}, "/menu"),
        ({"text": "/help"}, "/menu"),
        ({"text": "/emergency"}, '/area{"area":"urgent"}'),
    ],
)  # fmt: skip
def test_every_kind_of_message_has_its_way(telegram: TelegramServer, start: Any, more: dict, heard: str) -> None:
    start(**over_telegram(telegram))
    telegram.say(7, **more)
    until(lambda: telegram.sent)
    assert telegram.texts(7)[0].startswith(f"heard {heard}".replace("<", "&lt;").replace('"', "&quot;"))


def test_edits_and_joins_are_not_answered_and_a_group_is_spoken_to_once(telegram: TelegramServer, start: Any) -> None:
    start(**over_telegram(telegram))
    chat = {"id": 7, "type": "private"}
    telegram.push(edited_message={"message_id": 1, "date": 1, "edit_date": 2, "chat": chat, "text": "edited"})
    telegram.say(7, new_chat_title="x")
    telegram.say(-5, "hello all", chat_type="supergroup")
    telegram.say(-5, "again", chat_type="supergroup")
    telegram.say(7, "last")
    until(lambda: telegram.texts(7) and telegram.texts(-5))
    assert [sent.split()[1] for sent in telegram.texts(7)] == ["last"]
    assert telegram.texts(-5) == ["heard /group &lt;b&gt;&amp;"]


def test_a_pressed_button_is_answered_and_shows_what_was_chosen(telegram: TelegramServer, start: Any) -> None:
    start(**over_telegram(telegram))
    keyboard = {
        "inline_keyboard": [[{"text": "Menu", "callback_data": "/menu"}], [{"text": "Pay", "callback_data": "/p"}]]
    }
    chat = {"id": 7, "type": "private"}
    message = {"message_id": 3, "date": 1_764_000_000, "chat": chat, "text": "x", "reply_markup": keyboard}
    telegram.press(7, "/menu", message)
    until(lambda: telegram.sent)
    assert telegram.texts(7)[0].startswith("heard /menu")
    until(lambda: any(method == "editMessageReplyMarkup" for method, _ in telegram.calls))
    edited = next(fields for method, fields in telegram.calls if method == "editMessageReplyMarkup")
    labels = [row[0]["text"] for row in edited["reply_markup"]["inline_keyboard"]]
    assert labels == ["✓ Menu", "Pay"]


@pytest.mark.parametrize("shown", [{"date": 1_764_000_000, "text": "x"}, {"date": 0}], ids=["old", "out of reach"])
def test_a_button_of_long_ago_is_answered_and_its_query_that_ran_out_is_no_error(
    telegram: TelegramServer, start: Any, shown: dict[str, Any]
) -> None:
    telegram.refusals["answerCallbackQuery"] = "Bad Request: query is too old and response timeout expired"
    start(**over_telegram(telegram))
    telegram.press(7, "/menu", {"message_id": 3, "chat": {"id": 7, "type": "private"}, **shown})
    until(lambda: telegram.sent)
    telegram.say(7, "next")
    until(lambda: len(telegram.sent) == 2)
    assert [said.split()[1] for said in telegram.texts(7)] == ["/menu", "next"]


def test_a_webhook_needs_its_secret_and_a_whole_update(telegram: TelegramServer, start: Any) -> None:
    client = start(**over_telegram(telegram), public_url="https://wegwijs.example")
    until(lambda: any(method == "setWebhook" for method, _ in telegram.calls))
    hook = next(fields for method, fields in telegram.calls if method == "setWebhook")
    assert hook["url"] == "https://wegwijs.example/webhooks/telegram"
    headers = {"X-Telegram-Bot-Api-Secret-Token": webhook_secret(b"key of the tests")}
    assert hook["secret_token"] == headers["X-Telegram-Bot-Api-Secret-Token"]
    chat = {"id": 7, "type": "private"}
    update = {"update_id": 1, "message": {"message_id": 1, "date": 1, "chat": chat, "text": "hello"}}
    assert client.post("/webhooks/telegram", json=update).status_code == 403
    not_ascii = {"X-Telegram-Bot-Api-Secret-Token": "é".encode()}
    assert client.post("/webhooks/telegram", json=update, headers=not_ascii).status_code == 403
    for body in (b"x", b"[]", b"{}", b"null"):
        assert client.post("/webhooks/telegram", content=body, headers=headers).status_code == 400, body
    for _ in range(3):
        assert client.post("/webhooks/telegram", json=update, headers=headers).status_code == 200
    until(lambda: telegram.sent)
    time.sleep(0.3)
    assert len(telegram.sent) == 1


def test_addresses_are_not_readable_in_the_database(telegram: TelegramServer, start: Any, service: Service) -> None:
    start(**over_telegram(telegram))
    telegram.say(987654321, "hello")
    until(lambda: telegram.sent)
    with service.engine.connect() as connection:
        row = connection.execute(text("SELECT address, address_hash FROM conversation")).one()
    assert "987654321" not in " ".join(map(str, row))


# --- WhatsApp ---------------------------------------------------------------------------------------


def brought(client: TestClient, *, signed: bool = True, **value: Any) -> int:
    body = json.dumps({"entry": [{"changes": [{"value": value}]}]}, ensure_ascii=False).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest() if signed else "0" * 64
    headers = {"X-Hub-Signature-256": f"sha256={signature}"}
    return client.post("/webhooks/whatsapp", content=body, headers=headers).status_code


def message(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"wamid.{number}", "from": "31612345678", "timestamp": "1", **more}


def test_a_cry_behind_a_message_of_a_batch_that_cannot_be_stored_gets_its_number(
    meta: MetaServer, start: Any, service: Service
) -> None:
    client = start(**over_whatsapp(meta))
    batch = [message(1, type="text", text={"body": "hello"}), message(2, type="text", text={"body": CRY})]
    batch[1]["from"] = "31687654321"
    with locked(service):
        assert brought(client, messages=batch) == 503
        until(lambda: any("113" in str(sent) for sent in meta.sent))
    assert brought(client, messages=batch) == 200
    until(lambda: len(meta.sent) > 1)
    assert sum("113" in str(sent) for sent in meta.sent) == 1


def test_meta_checks_the_address(meta: MetaServer, start: Any) -> None:
    client = start(**over_whatsapp(meta))
    query = {"hub.mode": "subscribe", "hub.verify_token": "verify-me", "hub.challenge": "42"}
    assert client.get("/webhooks/whatsapp", params=query).text == "42"
    for wrong in ("no", "é"):
        assert client.get("/webhooks/whatsapp", params={**query, "hub.verify_token": wrong}).status_code == 403


def test_a_message_is_answered_once_and_read(meta: MetaServer, start: Any) -> None:
    client = start(**over_whatsapp(meta))
    hello = message(1, type="text", text={"body": "zażółć 👍"})
    assert brought(client, signed=False, messages=[hello]) == 403
    for _ in range(3):
        assert brought(client, messages=[hello]) == 200
    until(lambda: meta.sent)
    time.sleep(0.3)
    (sent,) = meta.sent
    assert sent["to"] == "31612345678"
    assert sent["interactive"]["type"] == "button"
    assert sent["interactive"]["body"]["text"] == "heard zażółć 👍 <b>&"
    assert sent["interactive"]["action"]["buttons"][0]["reply"] == {"id": "/menu", "title": "Menu"}
    until(lambda: meta.receipts)
    assert {receipt["message_id"] for receipt in meta.receipts} == {"wamid.1"}
    assert not any("typing_indicator" in receipt for receipt in meta.receipts)  # nobody is writing: it is a robot


@pytest.mark.parametrize(
    ("more", "heard"),
    [
        ({"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "/menu"}}}, "/menu"),
        ({"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "/care.gp"}}}, "/care.gp"),
        ({"type": "location", "location": {"latitude": 51.4, "longitude": 6.2}}, "51.4,6.2"),
        ({"type": "audio", "audio": {"id": "1"}}, "/cannot_read"),
        ({"type": "image", "image": {"id": "1", "caption": "my payslip"}}, "my payslip"),
        ({"type": "sticker", "sticker": {"id": "1"}}, "/cannot_read"),
        ({"type": "contacts", "contacts": []}, "/cannot_read"),
    ],
)
def test_every_kind_of_whatsapp_message_has_its_way(meta: MetaServer, start: Any, more: dict, heard: str) -> None:
    client = start(**over_whatsapp(meta))
    assert brought(client, messages=[message(1, **more)]) == 200
    until(lambda: meta.sent)
    assert meta.sent[0]["interactive"]["body"]["text"].startswith(f"heard {heard}")


def test_a_cry_on_whatsapp_gets_its_number_at_once(meta: MetaServer, start: Any) -> None:
    client = start(**over_whatsapp(meta))
    brought(client, messages=[message(1, type="text", text={"body": CRY})])
    assert len(meta.sent) == 1
    assert "113" in json.dumps(meta.sent[0])


@pytest.mark.parametrize("fails", [False, True])
def test_a_cry_that_is_brought_twice_at_the_same_moment_gets_one_number_and_never_none(
    meta: MetaServer, start: Any, fails: bool
) -> None:
    client = start(**over_whatsapp(meta))
    meta.seconds = 0.5  # so that the second delivery comes while the first is being helped
    if fails:
        meta.answers.append(no_json())
    cry = message(1, type="text", text={"body": CRY})
    with ThreadPoolExecutor() as threads:
        codes = list(threads.map(lambda _: brought(client, messages=[cry]), range(3)))
    assert codes == [200] * 3
    brought(client, messages=[message(2, type="text", text={"body": "later"})])
    until(lambda: "heard later" in json.dumps(meta.sent))
    assert sum("113" in json.dumps(sent) for sent in meta.sent) == 1


def test_a_cry_that_is_brought_again_after_a_restart_gets_no_second_number(meta: MetaServer, start: Any) -> None:
    client = start(**over_whatsapp(meta))
    cry = message(1, type="text", text={"body": CRY})
    assert brought(client, messages=[cry]) == 200
    start.stop()
    client = start(**over_whatsapp(meta))
    assert brought(client, messages=[cry]) == 200
    assert sum("113" in json.dumps(sent) for sent in meta.sent) == 1


def test_a_cry_is_stored_whatever_is_wrong_with_the_sending(meta: MetaServer, start: Any, service: Service) -> None:
    client = start(**over_whatsapp(meta))
    meta.answers.append(PlainTextResponse("[]"))  # nothing that Meta says
    assert brought(client, messages=[message(1, type="text", text={"body": CRY})]) == 200
    until(lambda: "113" in json.dumps(meta.sent))


def test_people_without_a_visible_number_are_people_too(meta: MetaServer, start: Any) -> None:
    client = start(**over_whatsapp(meta))
    anonymous = {"id": "wamid.1", "from_user_id": "US.12345", "type": "text", "text": {"body": "hello"}}
    assert brought(client, messages=[anonymous]) == 200
    until(lambda: meta.sent)
    assert meta.sent[0]["recipient"] == "US.12345"


def test_what_meta_does_not_take_is_tried_again_or_given_up(meta: MetaServer, start: Any, service: Service) -> None:
    client = start(**over_whatsapp(meta))
    meta.answers += [no_json(), refused(130429, 429, **{"retry-after": "1"}), refused(131026)]
    brought(client, messages=[message(1, type="text", text={"body": "one"})])

    def failure() -> str | None:
        with service.engine.connect() as connection:
            return connection.execute(text("SELECT failure FROM outbox")).scalar()

    until(failure, 20)
    assert failure() == "code_131026"
    assert meta.sent == []


def test_after_a_day_only_a_template_goes_out_and_it_tells_nothing(meta: MetaServer, start: Any) -> None:
    client = start(**over_whatsapp(meta))
    meta.answers.append(refused(131047))
    brought(client, messages=[message(1, type="text", text={"body": "my secret"})])
    until(lambda: meta.sent)
    assert meta.sent[0]["type"] == "template"
    assert "secret" not in json.dumps(meta.sent)


def test_what_a_template_told_of_goes_out_when_the_person_writes_and_is_told_of_once(
    meta: MetaServer, start: Any, service: Service
) -> None:
    client = start(**over_whatsapp(meta))
    meta.answers.append(refused(131047))
    brought(client, messages=[message(1, type="text", text={"body": "first"})])
    until(lambda: meta.sent)

    def waiting() -> int:
        with service.engine.connect() as connection:
            return connection.execute(text("SELECT count(*) FROM outbox WHERE failure = 'window_closed'")).scalar() or 0

    until(waiting)
    with service.sessions.begin() as session:
        conversation = session.query(Conversation).one().id
        outbox.store_word(session, conversation, Reply(language="en", text="by staff"), now=utc_now())
    until(lambda: waiting() == 2)
    assert [sent["type"] for sent in meta.sent] == ["template"]
    brought(client, messages=[message(2, type="text", text={"body": "ok"})])
    until(lambda: len(meta.sent) == 4)
    assert [place for sent in meta.sent[1:] for place in ("first", "by staff", "ok") if place in json.dumps(sent)] == [
        "first",
        "by staff",
        "ok",
    ]


def test_stop_brings_nothing_that_waited_for_the_person_to_write_nor_lets_staff_bring_it(
    meta: MetaServer, start: Any, service: Service
) -> None:
    client = start(**over_whatsapp(meta))
    meta.answers.append(refused(131047))
    brought(client, messages=[message(1, type="text", text={"body": "first"})])
    until(lambda: meta.sent)
    brought(client, messages=[message(2, type="text", text={"body": "stop"}, timestamp="2")])
    brought(client, messages=[message(0, type="text", text={"body": "from before"})])  # written a second earlier
    until(lambda: "only write when you do" in json.dumps(meta.sent))
    with service.sessions.begin() as session:
        (dead,) = dead_letters.dead_letters(session)
        assert dead.reason == outbox.STOPPED
        assert not dead_letters.try_again(session, dead.id, "staff", now=utc_now())
    brought(client, messages=[message(3, type="text", text={"body": "last"}, timestamp="3")])
    until(lambda: "heard last" in json.dumps(meta.sent))
    assert len(meta.sent) == 3  # the template, the receipt, the answer


def test_statuses_come_in_any_order_and_never_step_back(meta: MetaServer, start: Any, service: Service) -> None:
    client = start(**over_whatsapp(meta))
    brought(client, messages=[message(1, type="text", text={"body": "one"})])

    def state() -> str | None:
        with service.engine.connect() as connection:
            return connection.execute(text("SELECT state FROM outbox")).scalar()

    until(lambda: state() == "sent")
    for status in ("read", "delivered", "sent"):
        assert brought(client, statuses=[{"id": "wamid.out1", "status": status}]) == 200
    assert state() == "read"
    assert brought(client, statuses=[{"id": ["x"], "status": {}}]) == 200  # nobody's message
    assert state() == "read"


# https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/system
CHANGED = {"type": "user_changed_number", "wa_id": "31699999999", "body": "x changed from a to b"}
WITH_ID = {**CHANGED, "user_id": "NL.2", "previous_user_id": "NL.1"}
ONLY_ID = {"type": "user_changed_user_id", "user_id": "NL.2", "previous_user_id": "NL.1", "body": "x"}
NUMBER = "31612345678"


@pytest.mark.parametrize(
    ("first", "change", "then", "reached"),
    [
        # before there were ids
        ({"from": NUMBER}, CHANGED, {"from": "31699999999"}, {"to": "31699999999"}),
        # known by the number, and from now on by both
        ({"from": NUMBER}, {**WITH_ID}, {"from": "31699999999", "from_user_id": "NL.2"}, {"recipient": "NL.2"}),
        ({"from": NUMBER, "from_user_id": "NL.1"}, WITH_ID, {"from_user_id": "NL.2"}, {"recipient": "NL.2"}),
        # the number is never told
        ({"from_user_id": "NL.1"}, ONLY_ID, {"from_user_id": "NL.2"}, {"recipient": "NL.2"}),
        # nothing changes but that they have a name now, and hide the number
        ({"from": NUMBER, "from_user_id": "NL.1"}, None, {"from_user_id": "NL.1"}, {"recipient": "NL.1"}),
        ({"from": NUMBER}, None, {"from": NUMBER, "from_user_id": "NL.1"}, {"recipient": "NL.1"}),
    ],
)
def test_who_changes_their_number_or_hides_it_keeps_the_conversation(
    meta: MetaServer, start: Any, service: Service, first: dict, change: dict | None, then: dict, reached: dict
) -> None:
    client = start(**over_whatsapp(meta))
    said = {"type": "text", "text": {"body": "hello"}}
    assert brought(client, messages=[{"id": "wamid.1", **first, **said}]) == 200
    until(lambda: len(meta.sent) == 1)
    if change is not None:
        who = {"from": NUMBER} if "wa_id" in change else {}
        assert brought(client, messages=[{"id": "wamid.2", **who, "type": "system", "system": change}]) == 200
    assert brought(client, messages=[{"id": "wamid.3", **then, **said}]) == 200
    until(lambda: len(meta.sent) == 2)
    assert {key: meta.sent[1].get(key) for key in ("to", "recipient") if key in meta.sent[1]} == reached
    with service.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM conversation")).scalar() == 1


def test_whoever_is_given_somebody_elses_number_begins_anew(meta: MetaServer, start: Any, service: Service) -> None:
    client = start(**over_whatsapp(meta))
    said = {"type": "text", "text": {"body": "hello"}}
    for number, who in enumerate(("NL.1", "NL.9")):
        assert brought(client, messages=[{"id": f"wamid.{number}", "from": NUMBER, "from_user_id": who, **said}]) == 200
    until(lambda: {sent["recipient"] for sent in meta.sent} == {"NL.1", "NL.9"})
    with service.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM conversation")).scalar() == 2


def test_an_edit_on_whatsapp_is_judged_and_otherwise_not_answered(meta: MetaServer, start: Any) -> None:
    client = start(**over_whatsapp(meta))

    def edit(number: int, **said: Any) -> dict[str, Any]:
        return message(number, type="edit", edit={"original_message_id": "wamid.0", "message": said})

    brought(client, messages=[edit(1, type="text", text={"body": "where is my payslip"})])
    brought(client, messages=[edit(2, type="image", image={"id": "m", "caption": CRY})])
    brought(client, messages=[edit(3, type="image", image={"id": "m"}), message(4, type="text", text={"body": "last"})])
    until(lambda: "heard last" in json.dumps(meta.sent))
    assert "113" in json.dumps(meta.sent[0])
    assert [json.dumps(sent).count("heard") for sent in meta.sent].count(1) == 1


def test_one_message_that_can_not_be_read_keeps_no_other_waiting(meta: MetaServer, start: Any) -> None:
    client = start(**over_whatsapp(meta))
    new = message(1, type="interactive", interactive={"type": "nfm_reply", "nfm_reply": {"response_json": "{}"}})
    broken = message(2, type="location", location={"latitude": "north"})
    late = message(3, type="text", text={"body": "hello"}, timestamp="soon")
    assert brought(client, messages=[new, broken, late], statuses=[{}]) == 200
    until(lambda: meta.sent)
    assert "heard hello" in json.dumps(meta.sent)


def test_reactions_and_what_is_taken_back_say_nothing(meta: MetaServer, start: Any) -> None:
    client = start(**over_whatsapp(meta))
    reaction = message(1, type="reaction", reaction={"message_id": "wamid.0", "emoji": "👍"})
    taken_back = message(2, type="revoke", revoke={"original_message_id": "wamid.0"})
    assert brought(client, messages=[reaction, taken_back, message(3, type="text", text={"body": "last"})]) == 200
    until(lambda: meta.sent)
    assert ["heard last" in json.dumps(sent) for sent in meta.sent] == [True]


def test_nobody_is_spoken_to_in_a_whatsapp_group(meta: MetaServer, start: Any) -> None:
    client = start(**over_whatsapp(meta))
    said = {"type": "text", "text": {"body": "hello all"}}
    assert (
        brought(client, messages=[message(1, group_id="G", **said), message(2, type="text", text={"body": "alone"})])
        == 200
    )
    until(lambda: meta.sent)
    assert [json.dumps(sent).count("alone") for sent in meta.sent] == [1]


def test_a_number_that_has_a_conversation_of_its_own_is_left_alone(
    meta: MetaServer, start: Any, service: Service
) -> None:
    client = start(**over_whatsapp(meta))
    said = {"type": "text", "text": {"body": "hello"}}
    for number, sender in enumerate(("31612345678", "31699999999")):
        brought(client, messages=[{"id": f"wamid.{number}", "from": sender, **said}])
    assert brought(client, messages=[message(5, type="system", system=CHANGED)]) == 200
    with service.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM conversation")).scalar() == 2


def test_a_stop_waits_for_what_is_being_sent(telegram: TelegramServer, start: Any) -> None:
    telegram.seconds = 1.0
    start(**over_telegram(telegram))
    telegram.say(7, "one")
    until(lambda: len(telegram.sent) == 1)
    start.stop()  # it has gone, and the answer to that is still to come
    telegram.seconds = 0.0
    start(**over_telegram(telegram))
    telegram.say(7, "two")
    until(lambda: len(telegram.sent) == 2, seconds=20)
    assert len(set(telegram.texts(7))) == 2


def test_people_are_known_under_the_next_secret_key(telegram: TelegramServer, start: Any, service: Service) -> None:
    client = start(**over_telegram(telegram), secret_key="the first key, long enough")
    token = client.post("/api/v1/conversations").json()["token"]
    telegram.say(7, "one")
    until(lambda: len(telegram.sent) == 1)
    start.stop()
    keys = {"secret_key": "the second key, long enough", "old_secret_keys": ("the first key, long enough",)}
    client = start(**over_telegram(telegram), **keys)
    telegram.say(7, "two")
    until(lambda: len(telegram.sent) == 2)
    with service.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM conversation WHERE channel = 'telegram'")).scalar() == 1
    headers = {"Authorization": f"Bearer {token}"}
    body = {"id": "message-1", "text": "hello"}
    assert client.post("/api/v1/messages", json=body, headers=headers).status_code == 202
    assert client.get("/api/v1/messages", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b"{}", b'{"entry": 1}', b'{"entry": [{"changes": [{"value": {"messages": [{}]}}]}]}']
)
def test_a_webhook_that_is_none_is_refused(meta: MetaServer, start: Any, body: bytes) -> None:
    client = start(**over_whatsapp(meta))
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={signature}"}
    assert client.post("/webhooks/whatsapp", content=body, headers=headers).status_code == 400


def test_a_channel_without_its_token_has_no_webhook(start: Any) -> None:
    client = start()
    assert client.post("/webhooks/whatsapp", content=b"{}").status_code == 404
    assert client.post("/webhooks/telegram", content=b"{}").status_code == 404


def test_half_set_channels_stop_the_start_with_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATSAPP_TOKEN", "a-secret-token")
    with pytest.raises(SettingsError) as raised:
        read_settings()
    assert "WHATSAPP_PHONE_ID" in str(raised.value)
    assert "a-secret-token" not in str(raised.value)
