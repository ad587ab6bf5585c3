"""Logging: one JSON line an event, with fields instead of sentences and never a text, name, number or address of a
person.
"""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.types import EventDict, Processor

# Rasa's own loggers write message texts at debug level, and TensorFlow's write walls of text: both are kept to
# warnings,
# in which neither quotes a message.
QUIET = (
    "alembic",
    "rasa",
    "rasa_sdk",
    "tensorflow",
    "absl",
    "matplotlib",
    "apscheduler",
    "sanic",
    "asyncio",
    "httpx",
    "telegram",
    "uvicorn.access",
    "sse_starlette",
    "sqlalchemy",
)


def configure(level: str) -> None:
    """Set logging up for a process: JSON on standard error from `level` upwards."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[Processor] = [_exception_without_values, structlog.processors.JSONRenderer(ensure_ascii=False)]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=number, force=True)
    # Warnings of libraries are for developers: they would only hide what an operator has to see.
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def _exception_without_values(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Keep where an exception came from, not what it says: its message may quote what a person wrote."""
    info = event.pop("exc_info", None)
    if info:
        error = info[1] if isinstance(info, tuple) else info if isinstance(info, BaseException) else sys.exc_info()[1]
        if error is not None:
            frames = []
            trace = error.__traceback__
            while trace is not None:
                frames.append(f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}")
                trace = trace.tb_next
            event["error"] = type(error).__name__
            event["trace"] = frames[-8:]
    return event
