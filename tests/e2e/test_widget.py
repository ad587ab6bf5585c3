"""The chat on another website, in a real browser: the demo's pages on one origin, the service on another, both on plain http."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from tests.bot.channels.servers import Loopback
from tests.e2e.browser import ANSWER_MS, VOICES, chromium
from tests.process import ROOT, Process

DEMO = ROOT / "docs" / "demo"
IN_THE_DEMO = "http://127.0.0.1:8000"
PHONE = {"width": 360, "height": 640}
OPEN_NAME = re.compile("Potrzebujesz pomocy|Need help|تحتاج مساعدة")
# The worst that stylesheets of real sites do to what they don't know.
RESETS = """<style>* { all: unset !important; } div, button, iframe { display: none !important; position: static !important;
  visibility: hidden !important; font-size: 3px !important; opacity: 0 !important; transform: scale(.1) !important; }
  body { display: block !important; visibility: visible !important; }
  .cover { display: block !important; position: fixed !important; inset: 0 !important; z-index: 2147483647 !important; }</style>
  <p class="cover">x</p>"""


@dataclass
class Site(Loopback):
    """A website; its pages are the demo's, changed by what a test puts into `change`."""

    service: str = ""
    change: Callable[[str], str] = field(default=str)
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(Starlette(routes=[Route("/{name}", self._serve)]))

    def page(self, name: str = "index.html", host: str = "site.test") -> str:
        return f"http://{host}:{self.port}/{name}"

    def _serve(self, request: Request) -> Response:
        path = DEMO / Path(request.path_params["name"]).name
        if path.suffix != ".html" or not path.exists():
            return FileResponse(path) if path.exists() else Response(status_code=404)
        return HTMLResponse(
            self.change(path.read_text("utf-8").replace(IN_THE_DEMO, self.service)), headers=self.headers
        )


@pytest.fixture(scope="module")
def standing() -> Iterator[Site]:
    site = Site()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def process(standing: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    running = Process(tmp_path_factory.mktemp("widget"), ALLOWED_ORIGINS=f'["http://site.test:{standing.port}"]')
    running.ready()
    yield running
    running.stop()


@pytest.fixture
def site(standing: Site, process: Process) -> Site:
    standing.service, standing.change, standing.headers = f"http://wegwijs.test:{process.port}", str, {}
    return standing


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport=PHONE, locale="en-GB")
    yield made
    made.close()


@pytest.fixture
def said(context: BrowserContext) -> list[str]:
    """What stands in the console."""
    lines: list[str] = []
    context.on("console", lambda message: lines.append(message.text))
    return lines


@pytest.fixture
def page(context: BrowserContext, said: list[str]) -> Page:
    return context.new_page()


def ours(said: list[str]) -> list[str]:
    return [line for line in said if line.startswith("Wegwijs: ")]


def opened(page: Page) -> FrameLocator:
    """Press the button; the chat in its frame."""
    page.get_by_role("button", name=OPEN_NAME).click()
    return chat(page)


def chat(page: Page) -> FrameLocator:
    frame = page.frame_locator("#wegwijs iframe")
    expect(frame.locator(".bot").first).to_be_visible(timeout=ANSWER_MS)
    return frame


def ask(frame: FrameLocator, text: str) -> None:
    frame.locator("#input").fill(text)
    frame.locator("#input").press("Enter")


def test_a_question_on_another_website_is_answered_in_the_language_of_the_tag(page: Page, site: Site) -> None:
    page.goto(site.page())
    frame = opened(page)
    expect(frame.locator("html")).to_have_attribute("lang", "pl")
    ask(frame, "minimalna stawka godzinowa")
    expect(frame.locator(".bot h2").last).to_contain_text("minimaln", ignore_case=True, timeout=ANSWER_MS)


SAFE_ONLY = "[isSecureContext, ...['subtle', 'randomUUID'].map((name) => name in crypto), 'clipboard' in navigator]"


def test_everything_works_over_plain_http_and_survives_a_reload(page: Page, site: Site) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(site.page())
    frame = opened(page)
    for document in page.frames:
        assert document.evaluate(SAFE_ONLY) == [False] * 4, document.url
    ask(frame, "gdzie jest najbliższy punkt RNI?")
    frame.get_by_role("button", name="Moja lokalizacja").click(timeout=ANSWER_MS)
    expect(frame.locator("#input")).to_be_focused()  # no browser gives a position here
    ask(frame, "minimalna stawka godzinowa")
    expect(frame.locator(".bot h2").last).to_contain_text("minimaln", ignore_case=True, timeout=ANSWER_MS)
    page.reload()
    expect(chat(page).locator(".person").last).to_contain_text("minimalna stawka", timeout=ANSWER_MS)
    ask(chat(page), "ile mam dni urlopu?")
    expect(chat(page).locator(".bot h2").last).to_contain_text("urlop", ignore_case=True, timeout=ANSWER_MS)
    assert faults == []


def test_the_position_is_asked_for_only_when_somebody_shares_it(page: Page, site: Site) -> None:
    page.add_init_script("navigator.geolocation.getCurrentPosition = () => { window.wasAsked = true; };")
    page.goto(site.page())
    frame = opened(page)
    ask(frame, "gdzie jest najbliższy punkt RNI?")
    share = frame.get_by_role("button", name="Moja lokalizacja")
    expect(share).to_be_visible(timeout=ANSWER_MS)
    assert [document.evaluate("window.wasAsked") for document in page.frames] == [None, None]
    share.click()
    assert [document.evaluate("window.wasAsked") for document in page.frames] == [None, True]


def test_an_answer_is_read_aloud_and_stops_when_told(page: Page, site: Site) -> None:
    page.add_init_script(VOICES.replace("LOCAL", "true"))
    page.goto(site.page())
    frame = opened(page)
    ask(frame, "minimalna stawka godzinowa")
    answer = frame.locator(".bot", has=page.locator("h2")).last
    answer.get_by_role("button", name="Przeczytaj na głos").click(timeout=ANSWER_MS)
    inside = page.frames[1]
    assert inside.evaluate("window.spoken")[0] == answer.locator("h2").inner_text()
    answer.get_by_role("button", name="Przestań czytać").click()
    assert inside.evaluate("window.spoken") == []


def test_nothing_is_kept_and_no_frame_is_there_before_it_is_opened(
    page: Page, site: Site, context: BrowserContext
) -> None:
    page.goto(site.page())
    expect(page.get_by_role("button", name=OPEN_NAME)).to_be_visible()
    assert len(page.frames) == 1
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie.length]") == [0, 0, 0]
    opened(page)
    assert context.cookies() == []
    assert page.evaluate("localStorage.length") == 0
    assert page.evaluate("Object.keys(sessionStorage).sort().join()") in ("wegwijs.open", "wegwijs.open,wegwijs.ticket")


def test_a_website_that_is_not_allowed_shows_nothing_and_its_webmaster_is_told(
    page: Page, site: Site, said: list[str]
) -> None:
    with page.expect_console_message(lambda message: "ALLOWED_ORIGINS" in message.text):
        page.goto(site.page(host="stranger.test"))
    assert "stranger.test" in ours(said)[0]
    assert page.locator("#wegwijs").count() == 0


def test_the_frame_opens_on_no_website_but_the_one_it_was_made_for(page: Page, site: Site, process: Process) -> None:
    allowed = site.page("").rstrip("/")
    site.change = lambda html: html.replace(
        "<main>", f'<main><iframe src="{site.service}/embed?site={allowed}"></iframe>'
    )
    page.goto(site.page(host="stranger.test"))
    expect(page.locator("iframe")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert page.frame_locator("iframe").locator("#input").count() == 0
    assert page.request.get(f"{process.url}/embed?site=https://stranger.example").status == 403


def test_two_tags_make_one_widget(page: Page, site: Site, said: list[str]) -> None:
    tag = f'<script src="{site.service}/widget.js" async></script>'
    site.change = lambda html: html.replace("</body>", tag + "</body>")
    page.goto(site.page())
    expect(page.get_by_role("button", name=OPEN_NAME)).to_have_count(1)
    page.wait_for_load_state("networkidle")
    assert page.locator("#wegwijs").count() == 1
    assert any("twice" in line for line in ours(said))


def test_resets_covers_and_a_strict_policy_of_the_site_do_not_break_it(page: Page, site: Site) -> None:
    tag = '<script nonce="n1" src='
    site.change = lambda html: html.replace("<script src=", tag).replace("</body>", RESETS + "</body>")
    site.headers = {
        "Content-Security-Policy": f"default-src 'none'; script-src 'nonce-n1'; style-src 'unsafe-inline'; "
        f"connect-src {site.service}; frame-src {site.service}"
    }
    page.goto(site.page())
    button = page.get_by_role("button", name=OPEN_NAME)
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    assert button.evaluate("element => getComputedStyle(element).fontSize") == "16px"
    ask(opened(page), "płaca minimalna")
    expect(chat(page).locator(".person")).to_be_in_viewport(timeout=ANSWER_MS)


def test_no_style_of_ours_needs_a_policy_of_the_site(page: Page, site: Site, said: list[str]) -> None:
    site.change = lambda html: html.replace("<script src=", '<script nonce="n1" src=')
    site.headers = {
        "Content-Security-Policy": f"default-src 'none'; script-src 'nonce-n1'; style-src 'self'; "
        f"connect-src {site.service}; frame-src {site.service}; require-trusted-types-for 'script'"
    }
    page.goto(site.page())
    opened(page)
    assert page.locator("#wegwijs .panel").evaluate("element => getComputedStyle(element).position") == "fixed"
    assert [line for line in said if "Content Security Policy" in line and "favicon" not in line] == []


def test_leaving_empties_the_website_and_goes_to_the_weather(page: Page, site: Site, context: BrowserContext) -> None:
    context.route("**://www.buienradar.nl/**", lambda route: route.fulfill(body="weather"))
    page.goto(site.page())
    frame = opened(page)
    ask(frame, "mój mąż mnie bije")
    expect(frame.locator(".bot.urgent")).to_be_visible(timeout=ANSWER_MS)
    frame.locator("#leave").click()
    expect(page.locator("body")).to_have_text("weather")
    page.goto(site.page())
    expect(page.get_by_role("button", name=OPEN_NAME)).to_be_visible()
    frame = opened(page)
    expect(frame.locator(".person")).to_have_count(0)


def test_a_word_from_any_other_window_is_not_heard(page: Page, site: Site) -> None:
    page.goto(site.page())
    frame = opened(page)
    page.evaluate("window.postMessage({wegwijs: 'leave'}, '*')")
    page.evaluate("window.postMessage({wegwijs: 'close'}, '*')")
    ask(frame, "dzień dobry")
    expect(frame.locator(".person")).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator("#wegwijs .panel")).to_be_visible()


def test_the_open_chat_is_open_on_the_next_page_with_what_was_said(page: Page, site: Site) -> None:
    page.goto(site.page())
    ask(opened(page), "czynsz za pokój")
    expect(chat(page).locator(".bot h2").last).to_be_visible(timeout=ANSWER_MS)
    page.goto(site.page("living.html"))
    expect(chat(page).locator(".person")).to_contain_text("czynsz za pokój", timeout=ANSWER_MS)
    page.get_by_role("button", name="Zamknij czat").click()
    page.goto(site.page())
    expect(page.get_by_role("button", name=OPEN_NAME)).to_be_visible()
    expect(page.locator("#wegwijs iframe")).to_have_count(0)


def test_it_is_opened_and_closed_with_the_keyboard_and_the_focus_comes_back(page: Page, site: Site) -> None:
    page.goto(site.page())
    button = page.get_by_role("button", name=OPEN_NAME)
    expect(button).to_have_attribute("aria-expanded", "false")
    button.focus()
    page.keyboard.press("Enter")
    frame = chat(page)
    expect(frame.locator("#input")).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    expect(page.locator("#wegwijs .panel")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(frame.locator("#input")).to_be_focused()
    page.get_by_role("button", name="Zamknij czat").press("Escape")
    expect(button).to_be_focused()


def test_the_keyboard_of_a_phone_hides_neither_the_newest_message_nor_the_field(page: Page, site: Site) -> None:
    page.goto(site.page())
    frame = opened(page)
    ask(frame, "ile wynosi płaca minimalna?")
    expect(frame.locator(".bot h2").last).to_be_visible(timeout=ANSWER_MS)
    ask(frame, "dziękuję")
    expect(frame.locator(".person").last).to_have_text(re.compile("dziękuję"))
    # What a keyboard does: the page stays as it is, less of it is seen.
    page.evaluate(
        """() => {
          Object.defineProperty(visualViewport, "height", { value: 300, configurable: true });
          visualViewport.dispatchEvent(new Event("resize"));
        }"""
    )
    field = frame.locator("#input").bounding_box()
    assert field is not None
    assert field["y"] + field["height"] <= 300
    newest = frame.locator(".entry").last
    page.wait_for_function(
        "() => document.querySelector('#wegwijs').shadowRoot.querySelector('.panel').clientHeight <= 300"
    )
    expect(newest).to_be_in_viewport()


def test_after_a_time_in_the_background_what_is_new_appears(page: Page, site: Site, process: Process) -> None:
    # The stream of a phone that slept: nobody says that it is dead.
    page.route("**/api/v1/events*", lambda route: None)
    page.goto(site.page())
    with page.expect_request("**/api/v1/messages") as request:
        page.get_by_role("button", name=OPEN_NAME).click()
    frame = page.frame_locator("#wegwijs iframe")
    headers = {"Authorization": request.value.headers["authorization"]}

    def write(text: str) -> None:
        body = {"id": f"elsewhere-{text}", "text": text}
        assert page.request.post(f"{process.url}/api/v1/messages", headers=headers, data=body).status == 202

    page.unroute("**/api/v1/events*")
    page.frames[1].evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(frame.locator(".bot")).to_have_count(1, timeout=ANSWER_MS)
    for text in ("ile mam dni urlopu?", "minimalna stawka godzinowa"):
        drawn = frame.locator(".bot").count()
        write(text)
        expect(frame.locator(".bot")).not_to_have_count(drawn, timeout=ANSWER_MS)


@pytest.mark.parametrize(
    ("attributes", "warned"),
    [
        ('data-lang="xx"', 'data-lang="xx" is no language'),
        ('data-side="top"', "data-side"),
        ('data-colour="red"', "data-colour is not known"),
        ('data-lang="ar" data-side="left"', None),
    ],
)
def test_wrong_attributes_are_said_in_the_console_and_the_chat_is_there_all_the_same(
    page: Page, site: Site, said: list[str], attributes: str, warned: str | None
) -> None:
    site.change = lambda html: html.replace('data-lang="pl"', attributes)
    page.goto(site.page())
    expect(page.get_by_role("button", name=OPEN_NAME)).to_be_visible()
    assert (warned is None) == (ours(said) == [])
    assert warned is None or warned in ours(said)[0]


def test_a_language_of_emergencies_from_right_to_left_keeps_its_direction(page: Page, site: Site) -> None:
    site.change = lambda html: html.replace('data-lang="pl"', 'data-lang="ar" data-side="left"')
    page.goto(site.page())
    frame = opened(page)
    expect(frame.locator("html")).to_have_attribute("dir", "rtl")
    expect(frame.locator("#send")).to_have_text("أرسل")
    expect(frame.locator("#language")).to_have_value("ar")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["pl", "ar"])
def test_site_button_and_open_chat_are_accessible(page: Page, site: Site, scheme: str, language: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    site.change = lambda html: html.replace('data-lang="pl"', f'data-lang="{language}"')
    page.goto(site.page())
    expect(page.get_by_role("button", name=OPEN_NAME)).to_be_visible()
    closed = Axe().run(page)
    assert closed.violations_count == 0, closed.generate_report()
    frame = opened(page)
    ask(frame, "kaucja za pokój")
    expect(frame.locator(".bot h2").last).to_be_visible(timeout=ANSWER_MS)
    shown = Axe().run(page)
    assert shown.violations_count == 0, shown.generate_report()
    assert page.frames[1].evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
