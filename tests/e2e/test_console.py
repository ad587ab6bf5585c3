"""A person in the chat and a helper in the console, each in a browser of their own, against the real service."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.patience import until
from tests.process import ROOT, Process

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
PATIENCE_MS = 15_000
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("console")


def account(folder: Path, name: str, role: str, language: str) -> pyotp.TOTP:
    """Make an account as an operator does; returns its codes."""
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{folder / 'w.db'}", "SECRET_KEY": "key"}
    command = [sys.executable, "-m", "bot", "staff", "add", name, f"{name.lower()}@example.org"]
    made = subprocess.run(
        [*command, "--role", role, "--lang", language, "--password-stdin"],
        cwd=ROOT,
        env=environment,
        input=f"{PASSWORD}\n",
        text=True,
        capture_output=True,
        check=True,
    )
    return pyotp.TOTP(pyotp.parse_uri(made.stdout.splitlines()[0]).secret)


@pytest.fixture(scope="module")
def totp(folder: Path) -> pyotp.TOTP:
    return account(folder, "Ann", "lead", "en")


@pytest.fixture(scope="module")
def dutch(folder: Path) -> pyotp.TOTP:
    return account(folder, "Bea", "helper", "nl")


@pytest.fixture(scope="module")
def process(folder: Path, totp: pyotp.TOTP) -> Iterator[Process]:
    running = Process(folder)
    running.ready()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield opened
        opened.close()


def without_faults(page: Page) -> None:
    """In both themes, on a desk and on a telephone: nothing that axe finds, nothing that sticks out."""
    for scheme in ("light", "dark"):
        for width in (1440, 390):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 844})
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


def test_a_cry_in_polish_reaches_a_helper_who_takes_over_and_hands_back(
    browser: Browser, process: Process, totp: pyotp.TOTP
) -> None:
    helper = browser.new_context(locale="en-GB").new_page()
    faults: list[str] = []
    helper.on("pageerror", lambda error: faults.append(str(error)))
    helper.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    helper.goto(f"{process.url.replace('127.0.0.1', 'localhost')}/console")
    helper.get_by_label("E-mail").fill("ann@example.org")
    helper.get_by_label("Password").fill(PASSWORD)
    helper.get_by_label("Code of your app").fill(totp.now())
    helper.keyboard.press("Enter")
    expect(helper.get_by_text("Nobody is waiting.")).to_be_visible(timeout=PATIENCE_MS)

    person = browser.new_context(locale="pl-PL", viewport={"width": 390, "height": 800}).new_page()
    person.goto(process.url)
    person.locator("#input").fill("szef zabrał mi paszport")
    person.keyboard.press("Enter")
    row = helper.get_by_role("link", name="Exploitation")
    expect(row).to_be_visible(timeout=PATIENCE_MS)  # without a reload
    without_faults(helper)
    row.click()
    expect(helper.get_by_text("has not said yet")).to_be_visible()
    expect(helper.locator(".line")).to_have_count(0)
    person.get_by_role("button", name="Tak", exact=True).click()
    expect(helper.locator(".line.person", has_text="szef zabrał")).to_be_visible(timeout=PATIENCE_MS)
    expect(helper.get_by_text("has not said yet")).to_have_count(0)
    helper.get_by_role("button", name="Take this case").click()
    expect(person.locator(".bot").last).to_contain_text("z człowiekiem", timeout=PATIENCE_MS)

    expect(person.locator(".typing")).to_have_count(0)
    helper.get_by_label("Write to the person").fill("Jestem tutaj.")
    expect(person.locator(".typing")).to_be_visible(timeout=PATIENCE_MS)
    helper.keyboard.press("Control+Enter")
    expect(person.locator(".bot.staff")).to_contain_text("Jestem tutaj.", timeout=PATIENCE_MS)
    expect(person.locator(".typing")).to_have_count(0)
    person.locator("#input").fill("dziękuję, co teraz?")
    person.keyboard.press("Enter")
    expect(helper.locator(".line.person").last).to_contain_text("co teraz?", timeout=PATIENCE_MS)
    helper.get_by_label("Subject", exact=True).select_option("work.unpaid_wages")
    helper.get_by_role("button", name="Look at it first").click()
    expect(helper.locator(".preview")).to_be_visible()
    without_faults(helper)
    helper.get_by_role("button", name="Send this answer (Polish)").click()
    expect(person.locator(".bot.staff").nth(1)).to_be_visible(timeout=PATIENCE_MS)

    helper.get_by_label("How did it end?").select_option("helped")
    helper.get_by_role("button", name="Close").click()
    expect(helper.get_by_text("Nobody is waiting.")).to_be_visible(timeout=PATIENCE_MS)
    person.locator("#input").fill("ile wynosi płaca minimalna?")
    person.keyboard.press("Enter")
    expect(person.locator(".bot:not(.staff) h2").last).to_contain_text("minimaln", timeout=PATIENCE_MS)
    helper.goto(helper.url.replace("/queue", "/log"))
    expect(helper.get_by_text("The log is whole")).to_be_visible()
    without_faults(helper)
    helper.get_by_role("link", name="Duty plan").click()
    expect(helper.get_by_label("Monday")).to_have_value("09:00-17:00")
    without_faults(helper)
    assert faults == []


def test_the_same_in_dutch_by_a_helper_who_may_not_do_everything(
    browser: Browser, process: Process, dutch: pyotp.TOTP
) -> None:
    helper = browser.new_context(locale="nl-NL", viewport={"width": 1024, "height": 900}).new_page()
    faults: list[str] = []
    helper.on("pageerror", lambda error: faults.append(str(error)))
    base = process.url.replace("127.0.0.1", "localhost")
    helper.goto(f"{base}/console")
    without_faults(helper)
    helper.get_by_label("E-mail").fill("bea@example.org")
    helper.get_by_label("Wachtwoord").fill(PASSWORD)
    helper.get_by_label("Code uit je app").fill("000000")
    helper.get_by_role("button", name="Inloggen").click()
    expect(helper.get_by_role("alert")).to_contain_text("klopt niet")
    helper.get_by_label("Wachtwoord").fill(PASSWORD)
    helper.get_by_label("Code uit je app").fill(dutch.now())
    helper.keyboard.press("Enter")
    expect(helper.get_by_text("Er wacht niemand.")).to_be_visible(timeout=PATIENCE_MS)

    person = browser.new_context(locale="nl-NL", viewport={"width": 390, "height": 800}).new_page()
    person.goto(process.url)
    person.locator("#input").fill("mijn man slaat mij")
    person.keyboard.press("Enter")
    row = helper.get_by_role("link", name="Gevaar")
    expect(row).to_be_visible(timeout=PATIENCE_MS)
    row.click()
    expect(helper.get_by_text("heeft nog niet gezegd")).to_be_visible()
    person.get_by_role("button", name="Nee", exact=True).click()
    expect(helper.get_by_text("De persoon wil niet")).to_be_visible(timeout=PATIENCE_MS)
    expect(helper.locator(".line")).to_have_count(0)
    helper.get_by_role("button", name="Deze zaak oppakken").click()
    helper.get_by_label("Schrijf naar de persoon").fill("Ik ben Bea. Ben je nu veilig?")
    helper.keyboard.press("Control+Enter")
    expect(person.locator(".bot.staff")).to_contain_text("Ben je nu veilig?", timeout=PATIENCE_MS)
    person.locator("#input").fill("ja, hij is weg")
    person.keyboard.press("Enter")
    expect(helper.locator(".line.person")).to_contain_text("hij is weg", timeout=PATIENCE_MS)
    expect(helper.get_by_text("slaat mij")).to_have_count(0)
    helper.get_by_label("Notitie voor collega's").fill("Belt zelf met Veilig Thuis.")
    helper.get_by_role("button", name="Notitie bewaren").click()
    expect(helper.locator(".line.note")).to_contain_text("Belt zelf")
    without_faults(helper)
    address = helper.url
    helper.get_by_label("Hoe is het afgelopen?").select_option("referred")
    helper.get_by_role("button", name="Afsluiten").click()
    expect(helper.get_by_text("Er wacht niemand.")).to_be_visible(timeout=PATIENCE_MS)
    for forbidden in (address, f"{base}/console/log"):
        assert helper.goto(forbidden).status == 403
        expect(helper.get_by_text("Dit mag je niet. De poging staat in het logboek.")).to_be_visible()
        without_faults(helper)
    helper.get_by_role("link", name="Terug naar de wachtrij").click()
    helper.get_by_role("button", name="Uitloggen").click()
    expect(helper.get_by_label("Wachtwoord")).to_be_visible()
    assert faults == []


def test_every_other_page_has_no_faults_and_works_by_keyboard(
    browser: Browser, process: Process, totp: pyotp.TOTP
) -> None:
    lead = browser.new_context(locale="en-GB").new_page()
    lead.add_init_script(
        "window.said = []; window.Notification = class { constructor(text) { window.said.push(text); } };"
    )
    lead.add_init_script("Notification.permission = 'granted';")
    faults: list[str] = []
    lead.on("pageerror", lambda error: faults.append(str(error)))
    base = process.url.replace("127.0.0.1", "localhost")
    lead.goto(f"{base}/console")
    lead.get_by_label("E-mail").fill("ann@example.org")
    lead.get_by_label("Password").fill(PASSWORD)
    lead.get_by_label("Code of your app").fill(unused_code(totp))
    lead.keyboard.press("Enter")
    expect(lead.get_by_role("heading", name="Queue")).to_be_visible(timeout=PATIENCE_MS)
    lead.get_by_role("switch", name="Alert me").press("Space")
    lead.goto(f"{base}/console/canned/new")
    without_faults(lead)
    lead.get_by_label("Name among colleagues").fill("Safe?")
    lead.get_by_label("English").fill("Are you safe now?")
    lead.get_by_label("English").press("Tab")
    lead.get_by_role("button", name="Save").press("Enter")
    expect(lead.get_by_text("not in Polish")).to_be_visible()
    without_faults(lead)
    for path, heading in {"figures": "Figures", "undelivered": "Not delivered", "queue?show=closed": "Closed"}.items():
        lead.goto(f"{base}/console/{path}")
        expect(lead.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        without_faults(lead)

    person = browser.new_context(locale="en-GB").new_page()
    person.goto(process.url)
    person.locator("#input").fill("he has a knife and wants to kill me")
    person.keyboard.press("Enter")
    until(lambda: lead.evaluate("window.said.length") == 1)  # on a page that is not the queue
    assert lead.evaluate("window.said") == ["New case waiting"]
    lead.goto(f"{base}/console/queue")
    lead.get_by_role("link", name="Danger").press("Enter")
    lead.get_by_role("button", name="Take this case").press("Enter")
    lead.get_by_label("Write to the person").fill("I am here. ")
    lead.get_by_text("Canned replies").last.press("Enter")
    lead.get_by_role("button", name="Insert: Safe?").press("Enter")
    expect(lead.get_by_label("Write to the person")).to_have_value("I am here. Are you safe now?")
    without_faults(lead)
    lead.get_by_role("button", name="Send", exact=True).press("Enter")
    expect(person.locator(".bot.staff")).to_contain_text("Are you safe now?", timeout=PATIENCE_MS)
    assert faults == []


def unused_code(totp: pyotp.TOTP) -> str:
    """The code of the next half a minute, which is taken as well: that of now was used by the test before."""
    return totp.at(int(datetime.now(UTC).timestamp()) + totp.interval)
