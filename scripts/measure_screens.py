"""How many phone screens the first answer of each topic takes, in every language, in Chromium at 390 × 844.

`python scripts/measure_screens.py` prints the longest answers and, for each language, the median and the longest. The reply is what
somebody gets who has not talked to the bot before, drawn by the page's own script and style.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, Route, sync_playwright
from rasa_sdk import Tracker
from rich.console import Console
from rich.table import Table

from actions.answer import first_answer
from actions.context import Context
from actions.emergency import help_for
from actions.reply import Reply
from knowledge.files import Content, load

STATIC = Path(__file__).parents[1] / "bot" / "web" / "static"
SCREEN = {"width": 390, "height": 844}
URGENT = "urgent."
PAGE = """<!doctype html><link rel="stylesheet" href="/static/chat.css">
<div class="chat"><div class="log" id="log"></div></div>
<script type="module">
import { renderReply } from "/static/reply.js";
window.draw = (reply, texts) => {
  const drawn = renderReply(reply, texts, { direction: "auto", press() {}, shareLocation() {} });
  document.getElementById("log").replaceChildren(drawn);
  return drawn.getBoundingClientRect().height;
};
</script>"""
TYPES = {".css": "text/css", ".js": "text/javascript"}


@dataclass(frozen=True)
class Measured:
    """One answer and its height in screens."""

    topic: str
    language: str
    screens: float


def first_reply(content: Content, topic: str, language: str, *, now: datetime) -> Reply:
    """What somebody is answered who has said nothing before."""
    if topic.startswith(URGENT):
        return help_for(content, (topic,), language, now=now)
    nothing_said = {"intent": {"name": topic}, "text": "", "entities": []}
    tracker = Tracker("measure", {}, nothing_said, [], False, None, {}, "action_listen")
    return first_answer(Context(tracker, content, language, now), topic, group=None)[0]


def measure(page: Page, content: Content, *, now: datetime) -> Iterator[Measured]:
    """Draw every answer once; `page` has to be of the size of a phone."""
    page.route("**/*", _serve)
    page.goto("http://wegwijs.test/")
    page.wait_for_function("() => Boolean(window.draw)")
    for language in content.languages:
        texts = dict(content.phrases[language].phrases)
        for topic in content.topics:
            reply = first_reply(content, topic, language, now=now).model_dump(mode="json")
            height = page.evaluate("([reply, texts]) => draw(reply, texts)", [reply, texts])
            yield Measured(topic, language, height / SCREEN["height"])


def _serve(route: Route) -> None:
    path = STATIC / Path(route.request.url).name
    if path.suffix in TYPES:
        route.fulfill(body=path.read_text("utf-8"), content_type=TYPES[path.suffix])
    else:
        route.fulfill(body=PAGE, content_type="text/html")


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--longest", type=int, default=15, help="how many of the longest answers to list")
    parser.add_argument("--json", type=Path, help="write every answer's screens to this file")
    asked = parser.parse_args()
    content, _ = load()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        found = list(measure(browser.new_page(viewport=SCREEN), content, now=datetime.now(UTC)))
        browser.close()
    if asked.json:
        asked.json.write_text(json.dumps({f"{one.topic}.{one.language}": round(one.screens, 2) for one in found}))
    screen = Console()
    longest = Table("topic", "language", "screens")
    for one in sorted(found, key=lambda one: -one.screens)[: asked.longest]:
        longest.add_row(one.topic, one.language, f"{one.screens:.2f}")
    summary = Table("language", "median", "longest", "over 1.3", "over 2")
    for language in (*content.languages, "all"):
        screens = [one.screens for one in found if language in (one.language, "all")]
        over = (sum(height > bar for height in screens) for bar in (1.3, 2))
        summary.add_row(language, f"{statistics.median(screens):.2f}", f"{max(screens):.2f}", *map(str, over))
    screen.print(longest, summary)


if __name__ == "__main__":
    main()
