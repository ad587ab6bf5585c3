#!/usr/bin/env python3
"""How large the widget is and how soon it can be used on slow 3G, and its pictures: against a running service and the demo.

    ALLOWED_ORIGINS='["http://127.0.0.1:8080"]' wegwijs serve
    python3 -m http.server 8080 --bind 127.0.0.1 --directory docs/demo
    python scripts/measure_widget.py [--pictures docs]

The network is WebPageTest's "3G slow": 400 kbit/s both ways, 400 ms there and back. Every run begins with an empty cache.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

STATIC = Path(__file__).parents[1] / "bot" / "web" / "static"
SLOW_3G = {"offline": False, "latency": 400, "downloadThroughput": 400_000 / 8, "uploadThroughput": 400_000 / 8}
# A page that is changed on its way counts as one of the wide world, which may not ask this machine for anything.
FLAGS = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"]
STEPS = (("page to button", "2 s"), ("button to a first message written", "2 s"), ("button to greeting", "–"))
PHONE, DESKTOP = {"width": 375, "height": 720}, {"width": 1280, "height": 800}
PATIENCE_MS = 60_000


def on_slow_3g(browser: Browser, address: str) -> tuple[float, float, float]:
    """Seconds from the page's first bytes to the button, from pressing it to a message that is taken, and to the greeting."""
    context = browser.new_context(viewport=PHONE, locale="pl-PL")
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW_3G)
    page.goto(address, wait_until="commit")
    began = time.perf_counter()
    button = page.locator("#wegwijs .open")
    button.wait_for(timeout=PATIENCE_MS)
    to_button = time.perf_counter() - began
    began = time.perf_counter()
    button.click()
    frame = page.frame_locator("#wegwijs iframe")
    frame.locator("#input").fill("umowa", timeout=PATIENCE_MS)
    while not frame.locator(".person").count():
        frame.locator("#input").press("Enter")
    to_field = time.perf_counter() - began
    frame.locator(".bot").first.wait_for(timeout=PATIENCE_MS)
    to_greeting = time.perf_counter() - began
    context.close()
    return to_button, to_field, to_greeting


def asked(page: Page, text: str, heading: str) -> None:
    """Open the chat, ask, and wait for the answer."""
    page.locator("#wegwijs .open").click()
    frame = page.frame_locator("#wegwijs iframe")
    expect(frame.locator(".bot").first).to_be_visible(timeout=PATIENCE_MS)
    frame.locator("#input").fill(text)
    frame.locator("#input").press("Enter")
    expect(frame.locator(heading).last).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(1000)  # it scrolls to its beginning


def with_tag(attributes: str) -> Callable[[Route], None]:
    """Serves the demo's page with other attributes on the script's tag."""

    def served(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace('data-lang="pl"', attributes))

    return served


def take_pictures(browser: Browser, address: str, folder: Path) -> None:
    """Phone, desktop, and a cry for help in Arabic."""
    arabic = 'data-lang="ar" data-side="left"'
    shots = [
        ("phone", PHONE, 'data-lang="pl"', "szef mi nie płaci", ".bot h2"),
        ("desktop", DESKTOP, 'data-lang="en"', "landlord keeps my deposit", ".bot h2"),
        ("arabic", PHONE, arabic, "أريد أن أموت", ".bot.urgent"),
    ]
    for name, size, attributes, text, heading in shots:
        page = browser.new_page(viewport=size, locale="en-GB", device_scale_factor=1.5)  # type: ignore[arg-type]

        page.route("**/index.html", with_tag(attributes))
        page.goto(f"{address}/index.html")
        asked(page, text, heading)
        page.screenshot(path=folder / f"widget-{name}.png")
        page.close()


def main() -> None:
    """Print the figures as lines of the table in docs/widget.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", default="http://127.0.0.1:8080", help="where the demo is")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--pictures", type=Path, help="folder for the pictures, instead of measuring")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        if options.pictures:
            take_pictures(browser, options.site, options.pictures)
            return
        runs = [on_slow_3g(browser, f"{options.site}/index.html") for _ in range(options.runs)]
    script = len(gzip.compress((STATIC / "widget.js").read_bytes()))
    whole = script + sum(
        len(gzip.compress(path.read_bytes()))
        for path in STATIC.iterdir()
        if path.suffix in (".js", ".css") and path.name != "widget.js"
    )
    print(f"| the script, gzipped | {script / 1024:.1f} KB | 40 KB |")
    print(f"| script and chat together, gzipped | {whole / 1024:.1f} KB | – |")
    for number, (what, bar) in enumerate(STEPS):
        times = [run[number] for run in runs]
        print(
            f"| {what}, 3G slow | {statistics.median(times):.2f} s (worst of {len(runs)}: {max(times):.2f} s) | {bar} |"
        )


if __name__ == "__main__":
    main()
