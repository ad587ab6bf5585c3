"""Every command that the README shows runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
LINES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]
COMMANDS = [line for line in LINES if "wegwijs" in line and "serve" not in line]
TARGETS = [line.split()[1] for line in LINES if line.startswith("make ")]


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) >= 5
    assert {"run", "test"} <= set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_is_there(target: str) -> None:
    dry = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert dry.returncode == 0, dry.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs_as_it_stands(command: str, tmp_path: Path) -> None:
    messages = tmp_path / "messages.jsonl"
    line = {"text": "how high is the minimum wage", "lang": "en", "label": "work.minimum_wage", "kind": "topic"}
    messages.write_text(json.dumps(line) + "\n", "utf-8")
    run = command.replace("messages.jsonl", str(messages)).replace("wegwijs", f"{Path(sys.executable).parent}/wegwijs")
    if " eval " in run:
        run += f" --out {tmp_path / 'report'}"
    done = subprocess.run(run, shell=True, cwd=ROOT, input="", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr
