"""What a running service is made of: settings, database, content and the way to load the model."""

from __future__ import annotations

import gc
import secrets
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, make_url
from sqlalchemy.orm import Session, sessionmaker

from bot.assistant_port import AssistantPort
from bot.settings import Settings
from knowledge.database import engine_for, session_factory
from knowledge.store import ContentStore


class NoTrainedModelError(RuntimeError):
    """The models folder holds no model."""


@dataclass(frozen=True)
class Service:
    """Everything that the parts of a process share."""

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    content: ContentStore
    key: bytes

    @property
    def owns_database(self) -> bool:
        """Whether no other process works on this database: SQLite is for one process."""
        return self.engine.dialect.name == "sqlite"

    def load_assistant(self) -> AssistantPort:
        """Load the newest model; takes as long as importing Rasa takes.

        Raises:
            NoTrainedModelError: none was trained.
            bot.assistant.NoModelError: the file is no model.

        """
        from bot.assistant import Assistant  # brings TensorFlow: not before the service listens

        assistant = Assistant.load(newest_model(self.settings.models_folder))
        content = self.content.current().content
        topic = next(topic for topic in content.topics if not topic.startswith("urgent."))
        assistant.warm_up(content.words[topic, language].title for language in content.languages)
        # What was loaded stays: without this the collector walks over half a gigabyte of it again and again, amid answers.
        gc.collect()
        gc.freeze()
        return assistant


def open_service(settings: Settings) -> Service:
    """Connect to the database of the settings; its tables and content must be there (`bot.database`)."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = engine_for(settings.database_url)
    sessions = session_factory(engine)
    return Service(settings, engine, sessions, ContentStore(sessions), secret_key(settings))


def newest_model(folder: Path) -> Path:
    """The model file that was written last.

    Raises:
        NoTrainedModelError: there is none.

    """
    models = sorted(folder.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)
    if not models:
        raise NoTrainedModelError(f"no model in {folder}: run 'wegwijs train'")
    return models[-1]


def secret_key(settings: Settings) -> bytes:
    """The key from the settings, or one that is made once and kept beside the database, readable by its owner only."""
    given = settings.secret_key.get_secret_value()
    if given:
        return given.encode()
    path = Path("var/secret_key")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32), "ascii")
    return path.read_bytes()
