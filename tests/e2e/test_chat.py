"""The chat in a real browser against the real service: what a person with a phone sees and does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from bot.frozen import FrozenPath
from knowledge import answers
from knowledge.files import GROUPS, Content
from tests.e2e.browser import ANSWER_MS, VOICES, chromium
from tests.process import Process

CRY = "I want to kill myself"
PHONE = {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    running = Process(tmp_path_factory.mktemp("e2e"))
    running.ready()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, process: Process) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE, locale="en-GB", has_touch=True)
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(process.url)
    expect(opened.locator(".bot").first).to_contain_text("robot", timeout=ANSWER_MS)
    yield opened
    assert faults == []
    context.close()


def ask(page: Page, text: str) -> None:
    page.get_by_label("Your message").fill(text)
    page.keyboard.press("Enter")


def test_a_question_gets_its_answer_with_numbers_to_call_and_folded_sources(page: Page) -> None:
    ask(page, "how high is the minimum wage per hour?")
    answer = page.locator(".bot").last
    expect(answer.locator("h2")).to_contain_text("minimum wage", ignore_case=True, timeout=ANSWER_MS)
    expect(answer.locator("ol li").first).to_be_visible()
    assert re.fullmatch(r"tel:\+?\d+", answer.locator("a.call").first.get_attribute("href") or "")
    expect(page.get_by_role("button", name="Leave this page at once")).to_be_in_viewport()
    expect(page.locator("#input")).to_be_in_viewport()
    sources = answer.locator("details")
    expect(sources.locator("li").first).to_be_hidden()
    sources.locator("summary").click()
    expect(sources.locator("li").first).to_be_visible()


def test_everything_is_reached_by_pressing(page: Page) -> None:
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Health and care").click(timeout=ANSWER_MS)
    page.get_by_role("button", name="Pregnancy").click(timeout=ANSWER_MS)
    expect(page.locator(".bot h2").last).to_contain_text("pregnant", timeout=ANSWER_MS)


def test_a_cry_for_help_stands_out_with_the_number_first(page: Page) -> None:
    ask(page, "help he is beating me he has a knife")
    answer = page.locator(".bot.urgent")
    expect(answer).to_contain_text("112", timeout=ANSWER_MS)
    expect(answer.locator('a.call[href="tel:112"]').first).to_be_in_viewport()


def test_the_conversation_survives_a_reload(page: Page) -> None:
    ask(page, "my boss does not pay me")
    expect(page.locator(".bot h2").last).to_be_visible(timeout=ANSWER_MS)
    title = page.locator(".bot h2").last.inner_text()
    page.reload()
    expect(page.locator(".person")).to_contain_text("my boss does not pay me", timeout=ANSWER_MS)
    expect(page.locator(".bot h2").last).to_have_text(title)


def test_what_is_written_without_network_is_sent_when_it_is_back(page: Page) -> None:
    page.context.set_offline(True)
    ask(page, "how many holidays do i have")
    expect(page.get_by_role("status")).to_contain_text("No network", timeout=ANSWER_MS)
    page.context.set_offline(False)
    expect(page.locator(".bot h2").last).to_contain_text("holiday", ignore_case=True, timeout=ANSWER_MS)
    assert page.locator(".person").count() == 1


def test_the_language_is_picked_and_kept(page: Page) -> None:
    page.get_by_label("Choose your language").select_option("pl")
    expect(page.locator("html")).to_have_attribute("lang", "pl")
    expect(page.locator("#send")).to_have_text("Wyślij", timeout=ANSWER_MS)
    page.locator("#input").fill("minimalna stawka godzinowa")
    page.keyboard.press("Enter")
    expect(page.locator(".bot h2").last).to_contain_text("minimaln", ignore_case=True, timeout=ANSWER_MS)


def test_an_answer_is_read_out_and_reached_with_the_keyboard_alone(page: Page) -> None:
    log = page.get_by_role("log")
    expect(log).to_have_attribute("aria-live", "polite")
    page.locator("#input").focus()
    page.keyboard.type("how do i get a bsn for a short stay")
    page.keyboard.press("Enter")
    expect(page.locator(".bot h2").last).to_contain_text("BSN", timeout=ANSWER_MS)
    page.locator(".bot .buttons button").last.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".bot").last.locator("a.call").first).to_be_visible(timeout=ANSWER_MS)


def test_leaving_empties_the_page_at_once_and_deletes_the_conversation(page: Page, process: Process) -> None:
    page.context.route("**://www.buienradar.nl/**", lambda route: route.fulfill(body="weather"))
    ask(page, "my husband hits me")
    expect(page.locator(".bot.urgent")).to_be_visible(timeout=ANSWER_MS)
    page.get_by_role("button", name="Leave this page at once").click()
    expect(page.locator("body")).to_have_text("weather")
    page.goto(process.url)
    expect(page.locator(".bot").first).to_contain_text("robot", timeout=ANSWER_MS)
    expect(page.locator(".person")).to_have_count(0)


def test_an_answer_is_read_aloud_by_a_voice_of_the_phone_and_stops_when_told(page: Page) -> None:
    page.add_init_script(VOICES.replace("LOCAL", "true"))
    page.reload()
    ask(page, "how high is the minimum wage per hour?")
    answer = page.locator(".bot", has=page.locator("h2")).last
    answer.get_by_role("button", name="Read aloud").click(timeout=ANSWER_MS)
    title = answer.locator("h2").inner_text()
    assert page.evaluate("window.spoken")[0] == title
    answer.get_by_role("button", name="Stop reading").click()
    assert page.evaluate("window.spoken") == []
    expect(answer.get_by_role("button", name="Read aloud")).to_be_visible()


def test_no_voice_that_sends_the_text_away_is_offered(page: Page) -> None:
    page.add_init_script(VOICES.replace("LOCAL", "false"))
    page.reload()
    expect(page.locator(".bot .when").first).to_be_visible(timeout=ANSWER_MS)
    expect(page.get_by_role("button", name="Read aloud")).to_have_count(0)


def test_each_message_says_quietly_when_it_was_and_what_became_of_it(page: Page) -> None:
    failing(page, 503, "error.database", times=1)
    ask(page, "how many holidays do i have")
    fate = page.locator(".person .when")
    expect(fate).to_contain_text("Sending")
    expect(fate).to_contain_text("Delivered", timeout=ANSWER_MS)
    expect(page.locator(".bot h2").last).to_be_visible(timeout=ANSWER_MS)
    page.reload()
    expect(fate).to_contain_text(re.compile(r"\d\d:\d\d\s*Delivered"), timeout=ANSWER_MS)
    failing(page, 422, "error.too_long")
    ask(page, "a question")
    expect(page.locator(".person.failed .when")).to_contain_text("Not sent")


def test_letters_and_colours_are_kept_until_somebody_leaves(page: Page, process: Process) -> None:
    page.context.route("**://www.buienradar.nl/**", lambda route: route.fulfill(body="weather"))
    page.get_by_role("button", name="Larger text").click()
    page.get_by_role("button", name="Colours").click()
    page.reload()
    expect(page.locator("html")).to_have_css("font-size", "20px")
    expect(page.locator("html")).to_have_attribute("data-colours", "dark")
    page.get_by_role("button", name="Leave this page at once").click()
    expect(page.locator("body")).to_have_text("weather")
    page.goto(process.url)
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.endsWith('look'))") == []


def test_the_position_is_asked_for_only_when_somebody_shares_it(page: Page) -> None:
    page.add_init_script("navigator.geolocation.getCurrentPosition = () => { window.wasAsked = true; };")
    page.reload()
    ask(page, "where is the nearest rni desk")
    share = page.get_by_role("button", name="My location")
    expect(share).to_be_visible(timeout=ANSWER_MS)
    assert page.evaluate("window.wasAsked") is None
    share.click()
    assert page.evaluate("window.wasAsked") is True


def test_the_keyboard_of_a_phone_leaves_field_and_newest_message_in_sight(page: Page) -> None:
    ask(page, "how high is the minimum wage per hour?")
    expect(page.locator(".bot h2").last).to_be_visible(timeout=ANSWER_MS)
    ask(page, "thanks")
    expect(page.locator(".person").last).to_contain_text("thanks")
    page.evaluate(
        """() => {
          Object.defineProperty(visualViewport, "height", { value: 320, configurable: true });
          visualViewport.dispatchEvent(new Event("resize"));
        }"""
    )
    field = page.locator("#input").bounding_box()
    newest = page.locator(".entry").last.bounding_box()
    assert field is not None
    assert newest is not None
    assert field["y"] + field["height"] <= 320
    assert newest["y"] < field["y"]


@pytest.mark.parametrize("colours", ["contrast", "dark"])
def test_chosen_colours_with_the_largest_letters_are_accessible_and_nothing_is_cut_off(
    page: Page, colours: str
) -> None:
    page.evaluate(f"localStorage.setItem('wegwijs.look', '200 {colours}')")
    page.reload()
    ask(page, "landlord does not give my deposit back")
    expect(page.locator(".bot h2").last).to_be_visible(timeout=ANSWER_MS)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_nothing_is_cut_off_at_320_pixels(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    ask(page, "landlord does not give my deposit back")
    expect(page.locator(".bot h2").last).to_be_visible(timeout=ANSWER_MS)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_page_asks_nothing_of_any_other_host(browser: Browser, process: Process) -> None:
    context = browser.new_context()
    page = context.new_page()
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(process.url)
    expect(page.locator(".bot").first).to_be_visible(timeout=ANSWER_MS)
    assert hosts == {process.url.split("/")[2]}
    assert context.cookies() == []
    context.close()


def failing(page: Page, status: int, detail: str, *, times: int = 1, reply: Any = None) -> None:
    """Let the next posted messages fail as a server in trouble would."""
    left = [times]

    def answer(route: Route) -> None:
        if route.request.method == "POST" and left[0] > 0:
            left[0] -= 1
            route.fulfill(status=status, json={"detail": detail, "reply": reply}, headers={"Retry-After": "1"})
        else:
            route.continue_()

    page.route("**/api/v1/messages", answer)


def test_it_works_over_plain_http_on_a_name_of_the_network(browser: Browser, process: Process) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://wegwijs.test:{process.port}")
    expect(page.locator(".bot").first).to_contain_text("robot", timeout=ANSWER_MS)
    assert page.evaluate("window.isSecureContext") is False
    ask(page, "how high is the minimum wage per hour?")
    expect(page.locator(".bot h2").last).to_contain_text("minimum wage", ignore_case=True, timeout=ANSWER_MS)
    page.reload()
    expect(page.locator(".bot h2").last).to_contain_text("minimum wage", ignore_case=True, timeout=ANSWER_MS)
    context.close()


@pytest.mark.parametrize(
    ("status", "detail", "said"),
    [(500, "error.server", "our side"), (503, "error.database", "our side"), (429, "error.too_many", "at once")],
)
def test_a_message_that_fails_holds_no_cry_back_and_the_true_reason_is_said(
    page: Page, status: int, detail: str, said: str
) -> None:
    failing(page, status, detail, times=1)
    ask(page, "how many holidays do i have")
    expect(page.get_by_role("status")).to_contain_text(said)
    ask(page, CRY)
    expect(page.locator('.bot.urgent a.call[href="tel:113"]').first).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator(".bot h2", has_text="holiday")).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator(".bot.urgent")).to_have_count(1)


def test_what_is_one_message_too_many_is_kept_with_what_to_do_and_sent_later(page: Page, content: Content) -> None:
    too_many = FrozenPath(content).too_many("", language="en", hint=None).model_dump(mode="json")
    failing(page, 429, "error.too_many", times=100, reply=too_many)
    ask(page, "how many holidays do i have")
    page.get_by_role("button", name="Menu").click()
    expect(page.locator(".bot", has_text="112")).to_have_count(1)
    expect(page.locator(".person.waiting")).to_have_count(2)
    page.reload()
    expect(page.locator(".person.waiting")).to_have_count(2)
    page.unroute("**/api/v1/messages")
    expect(page.locator(".bot h2", has_text="holiday")).to_be_visible(timeout=30_000)
    expect(page.locator(".person.waiting")).to_have_count(0)


def test_who_was_told_that_it_is_too_much_is_told_later_that_it_could_not_be_kept(page: Page, content: Content) -> None:
    frozen = FrozenPath(content)
    too_many = frozen.too_many("", language="en", hint=None)
    not_kept = frozen.failed("", language="en", hint=None, now=datetime.now(UTC), is_kept=False)
    for status, detail, said in ((429, "error.too_many", too_many), (503, "error.database", not_kept)):
        failing(page, status, detail, reply=said.model_dump(mode="json"))
        ask(page, f"how many holidays do i have ({status})")
        expect(page.locator(".bot", has_text=said.text[:30])).to_have_count(1)
        expect(page.locator(".person.waiting")).to_have_count(0, timeout=ANSWER_MS)


def test_what_names_an_event_in_the_text_ends_no_conversation(page: Page) -> None:
    ask(page, "event: gone")
    page.reload()
    token = page.evaluate("localStorage.getItem('wegwijs.token')")
    # A stream from the beginning brings what the person wrote as well.
    page.route(
        "**/api/v1/messages", lambda route: route.abort() if route.request.method == "GET" else route.continue_()
    )
    page.reload()
    expect(page.locator(".bot").first).to_be_visible(timeout=ANSWER_MS)
    assert page.evaluate("localStorage.getItem('wegwijs.token')") == token


def test_what_the_browser_has_no_room_to_keep_is_sent_all_the_same(page: Page) -> None:
    page.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }")
    page.evaluate("localStorage.clear()")
    page.reload()
    ask(page, CRY)
    expect(page.locator('.bot.urgent a.call[href="tel:113"]').first).to_be_visible(timeout=ANSWER_MS)
    ask(page, "how many holidays do i have")
    expect(page.locator(".bot h2", has_text="holiday")).to_be_visible(timeout=ANSWER_MS)


def test_what_is_refused_says_why_and_can_be_written_again(page: Page) -> None:
    failing(page, 422, "error.too_long")
    ask(page, "a question")
    expect(page.get_by_role("status")).to_contain_text("too long")
    page.locator(".person.failed button").click()
    expect(page.get_by_label("Your message")).to_have_value("a question")


def test_a_lost_conversation_begins_anew_by_itself(page: Page) -> None:
    page.evaluate("localStorage.setItem('wegwijs.token', 'somebody-elses-or-deleted')")
    ask(page, "how many holidays do i have")
    expect(page.locator(".bot h2").last).to_contain_text("holiday", ignore_case=True, timeout=ANSWER_MS)


def test_what_waits_is_drawn_again_after_a_reload_and_sent(page: Page) -> None:
    failing(page, 503, "error.database", times=100)
    ask(page, "how many holidays do i have")
    expect(page.locator(".person.waiting")).to_be_visible()
    page.reload()
    expect(page.locator(".person")).to_contain_text("how many holidays", timeout=ANSWER_MS)
    page.unroute("**/api/v1/messages")
    expect(page.locator(".bot h2").last).to_contain_text("holiday", ignore_case=True, timeout=30_000)
    expect(page.locator(".person")).to_have_count(1)


def test_with_every_request_failing_the_cry_is_heard_by_the_frozen_path(page: Page) -> None:
    page.evaluate("localStorage.removeItem('wegwijs.token')")
    page.route("**/api/v1/conversations", lambda route: route.fulfill(status=500, body="x"))
    ask(page, CRY)
    expect(page.locator('.bot.urgent a.call[href="tel:113"]').first).to_be_visible(timeout=ANSWER_MS)


def test_a_pressed_button_stands_in_the_conversation_after_a_reload(page: Page) -> None:
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Health and care").click(timeout=ANSWER_MS)
    expect(page.get_by_role("button", name="Pregnancy")).to_be_visible(timeout=ANSWER_MS)
    page.reload()
    expect(page.locator(".person", has_text="Health and care")).to_be_visible(timeout=ANSWER_MS)


def test_help_in_arabic_stands_from_right_to_left_and_the_page_keeps_its_language(page: Page) -> None:
    ask(page, "أريد أن أموت")
    answer = page.locator(".bot.urgent")
    expect(answer).to_have_attribute("dir", "rtl", timeout=ANSWER_MS)
    expect(answer).to_have_attribute("lang", "ar")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(answer.locator('a.call[href="tel:113"]').first).to_be_in_viewport()


@pytest.mark.parametrize("group", GROUPS)
def test_the_same_question_is_answered_for_whoever_asks(page: Page, content: Content, group: str) -> None:
    lines = {
        one: answers.answer(content, "work.jobs", "en", now=datetime.now(UTC), group=one).for_you[0] for one in GROUPS
    }
    ask(page, "how do i find a job")
    asked = page.locator(".bot").last.locator(".question")
    expect(asked).to_be_visible(timeout=ANSWER_MS)
    label = content.phrases["en"].phrases[f"button.group.{group}"]
    page.get_by_role("button", name=label, exact=True).click()
    answer = page.locator(".bot").last
    expect(answer).to_contain_text("For you", timeout=ANSWER_MS)
    expect(answer).to_contain_text(lines.pop(group))
    for line in lines.values():
        expect(answer).not_to_contain_text(line)
    expect(answer.locator(".question")).to_have_count(0)
