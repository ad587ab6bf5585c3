"""First answers are short enough for a phone: `scripts/measure_screens.py` draws each of them in Chromium."""

from __future__ import annotations

import importlib.util
import shutil
import statistics
import sys
from types import ModuleType

import pytest
from playwright.sync_api import sync_playwright

from knowledge.files import Content
from tests.conftest import NOW, ROOT

MEDIAN, LONGEST = 1.3, 2.0


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("measure_screens", ROOT / "scripts" / "measure_screens.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_first_answer_takes_about_one_screen_and_never_more_than_two(script: ModuleType, content: Content) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        found = list(script.measure(browser.new_page(viewport=script.SCREEN), content, now=NOW))
        browser.close()
    assert len(found) == len(content.topics) * len(content.languages)
    assert [(one.topic, one.language) for one in found if one.screens > LONGEST] == []
    assert statistics.median(one.screens for one in found) <= MEDIAN
    assert min(one.screens for one in found) > 0
