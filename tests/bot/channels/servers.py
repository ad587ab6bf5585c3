"""Telegram's and Meta's servers on loopback: they take what the real ones take, and say what a test tells them to say."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import deque
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.process import free_port

TOKEN = "123456:test-token"
SECRET = "app-secret"


def over_telegram(server: Loopback) -> dict[str, Any]:
    return {"telegram_bot_token": TOKEN, "telegram_api_url": server.url}


def over_whatsapp(server: Loopback) -> dict[str, Any]:
    return {
        "whatsapp_token": "meta-token",
        "whatsapp_phone_id": "555",
        "whatsapp_app_secret": SECRET,
        "whatsapp_verify_token": "verify-me",
        "whatsapp_api_url": f"{server.url}/v21.0",
        "public_url": "https://wegwijs.example",
    }


class Loopback:
    """A web application in a thread of its own."""

    def __init__(self, app: Starlette) -> None:
        self.port = free_port()
        config = uvicorn.Config(app, port=self.port, log_level="critical", ws="none", loop="asyncio")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


class TelegramServer(Loopback):
    """The Bot API: hands out updates until they are confirmed, records what is sent."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: deque[tuple[int, dict[str, Any]]] = deque()  # to the next sendMessage calls, instead of success
        self.refusals: dict[str, str] = {}  # by method, what is wrong with each call
        self._next = 1
        self.files: dict[str, bytes] = {}
        self.seconds = 0.0  # that it takes to answer what it was sent
        self.flood_every = 0  # every how many messages one is refused as too many
        self._asked = 0
        routes = [
            Route("/bot{token}/{method}", self._call, methods=["POST", "GET"]),
            Route("/file/bot{token}/{name}", lambda request: Response(self.files[request.path_params["name"]])),
        ]
        super().__init__(Starlette(routes=routes))

    def say(self, chat: int, text: str | None = None, **more: Any) -> None:
        message = {
            "message_id": self._next,
            "date": 1_764_000_000,
            "chat": {"id": chat, "type": more.pop("chat_type", "private")},
            "from": {"id": chat, "is_bot": False, "first_name": "x", "language_code": more.pop("code", "pl")},
            **({"text": text} if text is not None else {}),
            **more,
        }
        self.push(message=message)

    def press(self, chat: int, data: str, message: dict[str, Any]) -> None:
        query = {
            "id": str(self._next),
            "from": {"id": chat, "is_bot": False, "first_name": "x"},
            "chat_instance": "1",
            "data": data,
            "message": message,
        }
        self.push(callback_query=query)

    def push(self, times: int = 1, **update: Any) -> None:
        self.updates += [{"update_id": 1000 + self._next, **update}] * times
        self._next += 1

    def texts(self, chat: int) -> list[str]:
        return [message["text"] for message in list(self.sent) if int(message["chat_id"]) == chat]

    async def _call(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode(), keep_blank_values=True)
        fields = {key: _json(values[0]) for key, values in form.items()}
        method = request.path_params["method"]
        self.calls.append((method, fields))
        if request.path_params["token"] != TOKEN:
            return JSONResponse({"ok": False, "error_code": 401, "description": "Unauthorized"}, 401)
        if method in self.refusals:
            return JSONResponse({"ok": False, "error_code": 400, "description": self.refusals[method]}, 400)
        if method == "getUpdates":
            return JSONResponse({"ok": True, "result": await self._waiting(int(fields.get("offset") or 0))})
        if method == "getFile":
            if fields["file_id"] not in self.files:
                return JSONResponse(
                    {"ok": False, "error_code": 400, "description": "Bad Request: file is too big"}, 400
                )
            found = {"file_id": "f", "file_unique_id": "u", "file_path": fields["file_id"]}
            return JSONResponse({"ok": True, "result": found})
        if method == "sendMessage":
            self._asked += 1
            if self.flood_every and self._asked % self.flood_every == 0:
                flood = {"description": "Too Many Requests: retry after 2", "parameters": {"retry_after": 2}}
                return JSONResponse({"ok": False, "error_code": 429, **flood}, 429)
            if self.answers:
                code, body = self.answers.popleft()
                return JSONResponse({"ok": False, "error_code": code, **body}, code)
            self.sent.append(fields)
            chat = {"id": int(fields["chat_id"]), "type": "private"}
            message = {"message_id": 5000 + len(self.sent), "date": 1_764_000_000, "chat": chat, "text": fields["text"]}
            await asyncio.sleep(self.seconds)
            return JSONResponse({"ok": True, "result": message})
        return JSONResponse({"ok": True, "result": True})

    async def _waiting(self, offset: int) -> list[dict[str, Any]]:
        while self.updates and self.updates[0]["update_id"] < offset:
            self.updates.pop(0)  # in place: tests add to it from another thread
        for _ in range(20):
            if self.updates:
                break
            await asyncio.sleep(0.05)
        return list(self.updates)


class MetaServer(Loopback):
    """The Cloud API: records what is sent, and refuses what Meta refuses.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/messages (text, interactive reply buttons, lists) and
    https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids (`recipient`).
    """

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.receipts: list[dict[str, Any]] = []
        self.answers: deque[Response] = deque()
        self.seconds = 0.0  # that it takes to answer
        self.files: dict[str, bytes] = {}
        routes = [
            Route("/v21.0/{phone}/messages", self._messages, methods=["POST"]),
            Route("/v21.0/{name}", self._file),
            Route("/files/{name}", self._bytes),
        ]
        super().__init__(Starlette(routes=routes))

    def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self.files:
            return JSONResponse({"error": {"code": 100}}, 404)
        return JSONResponse({"url": f"{self.url}/files/{name}", "mime_type": "text/html"})

    def _bytes(self, request: Request) -> Response:
        if request.headers["authorization"] != "Bearer meta-token":
            return Response(status_code=401)
        return Response(self.files[request.path_params["name"]])

    async def _messages(self, request: Request) -> Response:
        body = await request.json()
        if request.headers["authorization"] != "Bearer meta-token":
            return JSONResponse({"error": {"code": 190}}, 401)
        if body.get("status") == "read":
            self.receipts.append(body)
            return JSONResponse({"success": True})
        await asyncio.sleep(self.seconds)
        if self.answers:
            return self.answers.popleft()
        if not is_as_published(body):
            return refused(100)
        self.sent.append(body)
        return JSONResponse({"messages": [{"id": f"wamid.out{len(self.sent)}"}]})


NUMBER, SCOPED_ID = re.compile(r"\+?\d{5,15}"), re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")


def is_as_published(body: dict[str, Any]) -> bool:
    """Whether Meta takes a message: whom it is for, its kind, and the sizes of its parts."""
    to, recipient = body.get("to"), body.get("recipient")
    is_for_somebody = (to is None) != (recipient is None) and (
        NUMBER.fullmatch(to or "") or SCOPED_ID.fullmatch(recipient or "")
    )
    if body.get("messaging_product") != "whatsapp" or body.get("recipient_type") != "individual" or not is_for_somebody:
        return False
    if body["type"] == "text":
        return _fits(body["text"]["body"], 4096)
    if body["type"] == "template":
        return _fits(body["template"]["name"], 512) and _fits(body["template"]["language"]["code"], 8)
    shown = body["interactive"]
    action, is_right = shown["action"], _fits(shown["body"]["text"], 1024)
    if shown["type"] == "button":
        replies = [button["reply"] for button in action["buttons"]]
        fit = all(_fits(reply["id"], 256) and _fits(reply["title"], 20) for reply in replies)
        return (
            is_right and fit and 1 <= len(replies) <= 3 and len({reply["title"] for reply in replies}) == len(replies)
        )
    if shown["type"] == "list":
        rows = [row for section in action["sections"] for row in section["rows"]]
        fit = all(_fits(r["id"], 200) and _fits(r["title"], 24) and len(r.get("description", "")) <= 72 for r in rows)
        return is_right and fit and 1 <= len(rows) <= 10 and _fits(action["button"], 20)
    return is_right and action == {"name": "send_location"} and shown["type"] == "location_request_message"


def _fits(text: object, most: int) -> bool:
    return isinstance(text, str) and 1 <= len(text) <= most


def refused(code: int, status: int = 400, **headers: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": "x"}}, status, headers or None)


def no_json() -> Response:
    return PlainTextResponse("<html>bad gateway", 502)


def _json(value: Any) -> Any:
    try:
        return json.loads(value)
    except (ValueError, TypeError):
        return value
