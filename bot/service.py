"""What a running service is made of: settings, database, content and the way to load the model."""

from __future__ import annotations

import ctypes
import gc
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from bot import audit, database, inbox
from bot.addresses import AddressBook
from bot.assistant_port import AssistantPort
from bot.settings import Settings
from bot.writer import NotReadyError, Writer
from knowledge.build import build, version_of
from knowledge.database import engine_for, make_private, session_factory
from knowledge.files import Content
from knowledge.store import ContentStore, Edition
from nlu import encoder
from nlu.encoder import EncoderMissingError

LEAST_FREE_BYTES = 20 * 1024 * 1024  # on the disk of the database, to call the service ready
SHORTEST_KEY_BYTES = 16

log = structlog.get_logger()


class NoTrainedModelError(RuntimeError):
    """The models folder holds no model."""


class SecretKeyError(RuntimeError):
    """The kept key is empty or too short; every address would be looked up under a key that anybody can guess."""


@dataclass
class Service:
    """Everything that the parts of a process share."""

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    content: ContentStore
    key: bytes
    writer: Writer = field(init=False)
    addresses: AddressBook = field(init=False)
    _file: tuple[int, int] | None = field(init=False, default=None)
    _is_prepared: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.writer = Writer(self.sessions, before=self._is_the_same_file)
        self.sessions.configure(info={audit.KEYS: [audit.key_from(one) for one in self.keys]})
        self.addresses = AddressBook(self.key, self.keys[1:])

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Today's key and those before it, newest first."""
        return (self.key, *(key.get_secret_value().encode() for key in self.settings.old_secret_keys))

    @property
    def owns_database(self) -> bool:
        """Whether no other process works on this database: SQLite is for one process."""
        return self.engine.dialect.name == "sqlite"

    @property
    def is_ready(self) -> bool:
        """Whether messages can be stored: prepared, the file there, room on the disk, the last change went through."""
        path = self._path
        if not self._is_prepared or not self.writer.is_healthy:
            return False
        if path is None:
            return True
        try:
            free = os.statvfs(path.parent)
            return _identity(path) == self._file and free.f_bavail * free.f_frsize >= LEAST_FREE_BYTES
        except OSError:
            return False

    def prepare(self, content: Content, *, now: datetime) -> None:
        """Bring the tables up to date, build the content where it changed and take over what a killed process left.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database can't be reached; call it again later.

        """
        make_private(self.engine)
        database.upgrade(self.engine, audit_key=audit.key_from(self.key))
        with self.sessions.begin() as session:
            build(session, content, now=now)
            if self.owns_database:
                inbox.release_all(session)
        self.content.refresh()
        path = self._path
        self._file = _identity(path) if path is not None else None
        self._is_prepared = True

    def begin_anew(self) -> bool:
        """Let go of a database whose file has vanished or was replaced; returns whether `prepare` is needed again."""
        path = self._path
        if not self._is_prepared and path is not None:
            self.engine.dispose()  # connections stay with the file that they opened, also when another stands there now
        if not self._is_prepared or path is None:
            return not self._is_prepared
        if _identity(path) == self._file:
            return False
        log.error("database_vanished")
        self._is_prepared = False
        self.engine.dispose()
        return True

    def load_assistant(self) -> AssistantPort:
        """Load the newest model; takes as long as importing Rasa takes.

        Raises:
            NoTrainedModelError: none was trained.
            bot.assistant.NoModelError: the file is no model.

        """
        model = newest_model(self.settings.models_folder)
        with suppress(EncoderMissingError):
            encoder.find()  # first of all: while it is made it takes about 90 MB that it gives back
        from bot.assistant import Assistant  # brings TensorFlow: not before the service listens, and not for nothing

        assistant = Assistant.load(model)
        content = self.content.current().content
        topic = next(topic for topic in content.topics if not topic.startswith("urgent."))
        assistant.warm_up(content.words[topic, language].title for language in content.languages)
        # What was loaded stays: without this the collector walks over half a gigabyte of it again and again, amid answers.
        gc.collect()
        gc.freeze()
        with suppress(OSError, AttributeError):  # where the C library is another than Debian's
            ctypes.CDLL(None).malloc_trim(0)  # what loading took and gave back stays with the process otherwise: 40 MB
        return assistant

    def close(self) -> None:
        """Finish what was handed to the writer and let the database go."""
        self.writer.stop()
        self.engine.dispose()

    @cached_property
    def _path(self) -> Path | None:
        name = self.engine.url.database
        return Path(name) if self.owns_database and name and name != ":memory:" else None

    def _is_the_same_file(self) -> None:
        path = self._path
        if not self._is_prepared:
            # Nothing may be accepted into a database whose tables are not known to be there.
            raise NotReadyError("the database is not prepared")
        if path is not None and _identity(path) != self._file:
            raise NotReadyError("the database file has vanished")


def open_service(settings: Settings, content: Content | None = None) -> Service:
    """A service on the database of the settings, which need not be within reach yet.

    Args:
        content: served until the database has it; without it the database must hold content already.

    """
    engine = engine_for(settings.database_url)
    sessions = session_factory(engine)
    first = Edition(version_of(content), content) if content is not None else None
    return Service(settings, engine, sessions, ContentStore(sessions, first), secret_key(settings))


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
    """The key from the settings, or one that is made once and kept beside the database, readable by its owner only.

    Raises:
        SecretKeyError: the kept file is empty or cut short.

    """
    given = settings.secret_key.get_secret_value()
    if given:
        return given.encode()
    path = Path("var/secret_key")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_private(path, secrets.token_hex(32))
    key = path.read_bytes()
    if len(key) < SHORTEST_KEY_BYTES:
        raise SecretKeyError(
            f"{path} is empty or cut short: put the old key back, or remove the file to begin with a new one "
            "(nobody who wrote before is recognised then)"
        )
    return key


def _write_private(path: Path, text: str) -> None:
    # Under another name first: a process that is killed here leaves no half a key.
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(text, "ascii")
    draft.rename(path)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path: device and inode; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
