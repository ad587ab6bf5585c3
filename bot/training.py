"""Training the model when nothing matches: the name of a model file carries the digest of all that it was made from."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from nlu import encoder

ROOT = Path(__file__).parents[1]
# What a model depends on; Rasa's own cache would miss files that components read themselves.
INPUTS = (
    "config.yml",
    "domain.yml",
    "data/**/*.yml",
    "nlu/**/*.py",
    "nlu/**/*.yml",
    "nlu/*.npz",
    "knowledge/phrases/*.yml",
    "knowledge/emergency/*.yml",
    "knowledge/urgency/*.yml",
    "knowledge/importer.py",
    "knowledge/search.py",
    "knowledge/questions/*/*.yml",
    "knowledge/topics/*/*.yml",
    "requirements.lock",
)
DIGEST_LENGTH = 12
WITHOUT_ENCODER = "-words"  # in the name of a model that was trained where the encoder is missing
ENCODING = "nlu.components.topics"  # tells how many messages are encoded
TELLING = ("rasa.engine.training.hooks", ENCODING)


def input_digest(root: Path = ROOT) -> str:
    """The digest of everything a model is trained from. Of a topic only that it exists counts, not what it says."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in INPUTS for path in root.glob(pattern)}):
        digest.update(path.relative_to(root).as_posix().encode())
        if "topics" not in path.parts:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:DIGEST_LENGTH]


def model_name() -> str:
    """The name of the model that fits the inputs and this machine: with the encoder where it can be used, without it elsewhere."""
    try:
        encoder.find()
    except encoder.EncoderMissingError:
        return f"wegwijs-{input_digest()}{WITHOUT_ENCODER}"
    return f"wegwijs-{input_digest()}"


def train_model(models: Path, *, force: bool, say: Callable[[str], None]) -> tuple[Path, bool]:
    """Train unless a matching model is there.

    Returns:
        The model file and whether it was trained now.

    """
    name = model_name()
    path = models / f"{name}.tar.gz"
    if path.exists() and not force:
        path.touch()  # the newest model is the one that is served
        return path, False
    result = _train(models, name, force=force, say=say)
    if result.model is None:
        raise RuntimeError(f"Rasa trained no model (code {result.code})")
    return Path(result.model), True


def _train(models: Path, name: str, *, force: bool, say: Callable[[str], None]) -> Any:
    say("Training the model: reading Rasa and the examples…")
    os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from rasa.model_training import train

    steps = _Steps(say)
    loggers = [logging.getLogger(name) for name in TELLING]
    for logger in loggers:
        logger.addHandler(steps)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    try:
        # Rasa draws bars of its own on standard error, thousands of lines where that is a file.
        with redirect_stderr(StringIO()):
            return train(
                domain=str(ROOT / "domain.yml"),
                config=str(ROOT / "config.yml"),
                training_files=[str(ROOT / "data")],
                output=str(models),
                fixed_model_name=name,
                force_training=force,
            )
    finally:
        for logger in loggers:
            logger.removeHandler(steps)
            logger.propagate = True


class _Steps(logging.Handler):
    """Says which part of the model Rasa begins to train or takes from its cache, and how far the encoder is."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one step."""
        step = re.search(r"(Starting to train|Restored) component '(\w+)'", record.getMessage())
        if step:
            self._say(f"Training the model: {step[2]}{'' if step[1].startswith('Start') else ' (as before)'}…")
        elif record.name == ENCODING:
            self._say(f"Training the model: {record.getMessage()}…")
