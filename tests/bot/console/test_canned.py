"""Canned replies: editors and leads write them, helpers insert them in the person's language, and a gap is seen."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from bot.staff import Role
from tests.bot.console.people import Person, case_of, do, log_of, send

Enter = Callable[..., TestClient]
WORDS = {"text.en": "Are you <safe> now?", "text.nl": "Ben je nu veilig?", "text.pl": "Czy jesteś teraz bezpieczny?"}


def test_an_editor_writes_a_reply_and_sees_which_language_is_missing(
    enter: Enter, sessions: sessionmaker[Session]
) -> None:
    editor = enter("ed", Role.EDITOR)
    assert editor.get("/console").url.path == "/console/canned"
    send(editor, "/console/canned/new", name="Safe?", **WORDS)
    page = editor.get("/console/canned").text
    assert re.findall(r"not in (\w+)", page) == ["Ukrainian"]
    which = re.search(r"/console/canned/(\d+)", page)[1]
    assert "Are you &lt;safe&gt; now?" in editor.get(f"/console/canned/{which}").text
    send(editor, f"/console/canned/{which}", name="Safe", **{**WORDS, "text.uk": "Ви зараз у безпеці?", "text.nl": ""})
    assert re.findall(r"not in (\w+)", editor.get("/console/canned").text) == ["Dutch"]
    send(editor, f"/console/canned/{which}/remove")
    assert "There are none yet." in editor.get("/console/canned").text
    for path in (which, f"{which}/remove", "x/remove", "9" * 30):
        assert send(editor, f"/console/canned/{path}", name="a", **WORDS).status_code == 404, path
    assert editor.get("/console/canned/9").status_code == 404
    assert [one for one in log_of(sessions) if one.startswith("canned")] == ["canned_saved"] * 2 + ["canned_removed"]


@pytest.mark.parametrize(
    "fields", [{"name": "", **WORDS}, {"name": "a"}, {"name": "a" * 81, **WORDS}, {"name": "a", "text.en": "x" * 2001}]
)
def test_what_can_t_be_kept_comes_back_as_it_was_written(enter: Enter, fields: dict[str, str]) -> None:
    lead = enter("lead", Role.LEAD)
    answer = send(lead, "/console/canned/new", **fields)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    for said in fields.values():
        assert said.replace("<", "&lt;").replace(">", "&gt;") in answer.text


def test_a_helper_inserts_it_and_may_not_change_it(
    enter: Enter, person: Person, sessions: sessionmaker[Session]
) -> None:
    lead, ann, case = enter("lead", Role.LEAD), enter("ann"), case_of(sessions)
    send(lead, "/console/canned/new", name="Safe", **WORDS)
    send(lead, "/console/canned/new", name="Only Polish", **{"text.pl": "Tak"})
    do(ann, case, "claim")
    page = ann.get(f"/console/cases/{case}").text
    assert re.findall(r'data-insert="([^"]+)"', page) == ["Are you &lt;safe&gt; now?"]
    assert "not in English" in page
    which = re.search(r'name="insert" value="(\d+)"', page)[1]
    assert ">Are you &lt;safe&gt; now?</textarea>" in ann.get(f"/console/cases/{case}?insert={which}").text
    assert ann.get("/console/canned").status_code == 403
    assert send(ann, "/console/canned/new", name="a", **WORDS).status_code == 403
    assert send(ann, f"/console/canned/{which}/remove").status_code == 403
