"""Training the model when nothing matches: the name of a model file carries the digest of all that it was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What a model depends on; Rasa's own cache would miss files that components read themselves.
INPUTS = (
    "config.yml",
    "domain.yml",
    "data/**/*.yml",
    "nlu/**/*.py",
    "nlu/**/*.yml",
    "knowledge/phrases/*.yml",
    "knowledge/emergency/*.yml",
    "knowledge/urgency/*.yml",
    "knowledge/importer.py",
    "knowledge/search.py",
    "knowledge/topics/*/*.yml",
    "requirements.lock",
)
DIGEST_LENGTH = 12


def input_digest(root: Path = ROOT) -> str:
    """The digest of everything a model is trained from. Of a topic only that it exists counts, not what it says."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in INPUTS for path in root.glob(pattern)}):
        digest.update(path.relative_to(root).as_posix().encode())
        if "topics" not in path.parts:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:DIGEST_LENGTH]


def train_model(models: Path, *, force: bool, say: Callable[[str], None]) -> tuple[Path, bool]:
    """Train unless a matching model is there.

    Returns:
        The model file and whether it was trained now.

    """
    name = f"wegwijs-{input_digest()}"
    path = models / f"{name}.tar.gz"
    if path.exists() and not force:
        path.touch()  # the newest model is the one that is served
        return path, False
    say("Training the model; this takes one to two minutes…")
    from rasa.model_training import train

    result = train(
        domain=str(ROOT / "domain.yml"),
        config=str(ROOT / "config.yml"),
        training_files=[str(ROOT / "data")],
        output=str(models),
        fixed_model_name=name,
        force_training=force,
    )
    if result.model is None:
        raise RuntimeError(f"Rasa trained no model (code {result.code})")
    return Path(result.model), True
