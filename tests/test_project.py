"""Rules of the whole project that a reader of one file cannot see."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from rasa.shared.nlu.training_data.message import Message

from knowledge.files import load
from knowledge.importer import examples, questions
from knowledge.search import fold

ROOT = Path(__file__).parents[1]
PACKAGES = ("knowledge", "nlu", "actions", "bot")
# A package may use those to its left; `bot` puts all of them together.
MAY_IMPORT = {
    "knowledge": {"knowledge"},
    "nlu": {"nlu", "knowledge"},
    "actions": {"actions", "knowledge"},
    "bot": set(PACKAGES),
}


def python_files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_what_they_may(package: str) -> None:
    for path in python_files(package):
        wrong = (imported(path) & set(PACKAGES)) - MAY_IMPORT[package]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_only_the_settings_read_the_environment() -> None:
    reading = re.compile(r"os\.environ(?!\.setdefault)|os\.getenv")
    readers = [p for package in PACKAGES for p in python_files(package) if reading.search(p.read_text("utf-8"))]
    assert readers == []


def trained_on() -> Iterator[Message]:
    """The examples, and the questions of single lines."""
    yield from examples(ROOT / "nlu" / "examples")
    yield from questions(load()[0])


def plain_words(text: str) -> str:
    return " ".join(re.findall(r"\w+", fold(text)))


def test_no_message_to_measure_on_is_a_training_example() -> None:
    """The evaluation files stand beside the project where it is developed; their digests are kept in it."""
    digests = set((ROOT / "tests" / "nlu" / "evaluation_digests.txt").read_text("ascii").split())
    folder = ROOT / "tests" / "nlu" / "held_out"
    asked = [entry["question"] for path in folder.glob("*.yml") for entry in yaml.safe_load(path.read_text("utf-8"))]
    told = [
        json.loads(line)["text"] for path in folder.glob("*.jsonl") for line in path.read_text("utf-8").splitlines()
    ]
    held_out = {hashlib.sha256(plain_words(text).encode()).hexdigest()[:16] for text in (*asked, *told)}
    assert len(digests) > 1000
    assert len(held_out) > 500
    for example in trained_on():
        plain = plain_words(example.get("text"))
        if len(plain.split()) < 2:
            continue  # "hello" is nobody's
        digest = hashlib.sha256(plain.encode()).hexdigest()[:16]
        assert digest not in digests | held_out, f"a message to measure on is an example of {example.get('intent')}"


def test_nothing_is_skipped_or_expected_to_fail() -> None:
    marks = re.compile(r"pytest\.(?:mark\.)?(?:skip|xfail)|@unittest\.skip")
    for path in (ROOT / "tests").rglob("*.py"):
        if path != Path(__file__):
            assert not marks.search(path.read_text("utf-8")), path.name


# The order of danger among urgent kinds, and how long each may wait for staff unless a lead says otherwise.
NAMES_TOPICS = {ROOT / "nlu" / "urgency.py", ROOT / "bot" / "duty.py"}


def test_the_code_knows_no_topic_and_no_organisation() -> None:
    """Adding one is adding content: what a topic does besides its words stands in its file, who is called in helplines.yml."""
    content, _ = load()
    names = {*content.topics, *content.organisations}
    for path in (path for package in PACKAGES for path in python_files(package)):
        constants = {
            node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)
        }
        if path not in NAMES_TOPICS:
            assert not names & {value for value in constants if isinstance(value, str)}, path.name


def test_every_phrase_is_said_somewhere() -> None:
    phrases = yaml.safe_load((ROOT / "knowledge" / "phrases" / "en.yml").read_text("utf-8"))["phrases"]
    sources = [p for package in PACKAGES for p in (ROOT / package).rglob("*") if p.suffix in (".py", ".js", ".html")]
    code = "\n".join(path.read_text("utf-8") for path in sources)
    buttons = set(re.findall(r'button\("([a-z_]+)"', code)) | set(re.findall(r'"([a-z_]+)"[,)]', code))
    unsaid = [
        key
        for key in phrases
        if key not in code
        and not (key.startswith("button.") and key.split(".")[1] in buttons)
        and not key.startswith(("review.", "group."))
    ]
    assert unsaid == []


def test_every_setting_is_documented() -> None:
    from bot.settings import Settings

    example = (ROOT / ".env.example").read_text("utf-8")
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        assert re.search(rf"^#?\s?{name.upper()}=", example, re.MULTILINE), f"{name} is missing in .env.example"
        assert f"`{name.upper()}`" in page, f"{name} is missing in docs/settings.md"
        assert str(field.description) in page


def test_the_locked_versions_meet_what_the_project_declares() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = {re.split(r"[=<>~!\[ ]", line)[0].lower() for line in declared}
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE))
    assert names <= locked
    assert not {"jax", "libclang"} & locked


def test_nothing_tracked_names_a_registry_or_a_folder_of_some_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    wrong = re.compile(r"--(?:extra-)?index-url|(?<![\w/])/(?:home/\w+|root)/")
    for name in listed:
        path = ROOT / name
        if path == Path(__file__) or path.suffix in (".png", ".json") or not path.is_file():
            continue
        assert not wrong.search(path.read_text("utf-8", errors="ignore").replace("--no-emit-index-url", "")), name


def test_the_examples_are_clean() -> None:
    seen: dict[tuple[str, str], str] = {}
    for example in trained_on():
        text, label, language = example.get("text"), example.get("intent"), example.get("metadata")["language"]
        assert not re.search(r"[\[\]{}|]", text), json.dumps([language, label])
        key = (language, " ".join(fold(text).split()))
        assert seen.setdefault(key, label) == label, f"{language}: one message under {seen[key]} and {label}"


def test_there_are_enough_different_examples_in_every_language() -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for example in examples(ROOT / "nlu" / "examples"):
        counts[example.get("metadata")["language"], example.get("intent")] += 1
    content, _ = load()
    for language in content.languages:
        for label in content.topics:
            least = 60 if label.startswith("urgent.") else 40
            assert counts[language, label] >= least, (language, label, counts[language, label])
