"""Logs: one readable line in a terminal, one JSON object elsewhere, always with the request's id."""

import logging
import os
import sys
import time
from contextvars import ContextVar
from typing import Final, TextIO

from pythonjsonlogger.json import JsonFormatter

from api.settings import Settings

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_STANDARD_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}
# What these libraries say at level info repeats what we log ourselves, or belongs to nobody.
_QUIET: Final = (
    *("alembic", "amqp", "asyncio", "circus", "httpcore2", "httpx2", "kombu", "uvicorn.access"),
    *("celery.app.trace", "celery.beat", "celery.worker.strategy"),  # several lines for each task
)
ROLE: Final = "PAPERFEED_CHILD_ROLE"  # in the environment of a supervised process: its name in the log
# The text of a credential never reaches a log, even if somebody passes it as a field.
_SECRET_FIELDS: Final = frozenset(
    {"token", "authorization", "secret", "secret_key", "password", "email", "mail", "recipient", "cookie", "body"}
)
_SECRET_FOLDERS: Final = ("/feeds/private/", "/sign-in/", "/digest/")  # what follows is a credential


def loggable_path(path: str) -> str:
    """Return a path as logs may know it."""
    folder = next((folder for folder in _SECRET_FOLDERS if path.startswith(folder)), None)
    return path if folder is None else f"{folder}..."


def configure_logging(settings: Settings, role: str, *, stream: TextIO | None = None) -> None:
    """Send this process's logs to its standard error, formatted for whoever reads them there.

    `up` may have given this process a more telling role than its program knows.
    """
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    handler.addFilter(_ContextFilter(os.environ.get(ROLE, role)))
    handler.setFormatter(_json_formatter() if _wants_json(settings, target) else TextFormatter())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    if settings.log_level != "debug":
        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


class TextFormatter(logging.Formatter):
    """Time, level, message, then the fields as key=value; a traceback follows on its own lines."""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = " ".join(f"{key}={_shown(value)}" for key, value in _fields_of(record).items() if key != "role")
        line = f"{clock} {record.levelname.lower():<7} {record.getMessage()}"
        line = f"{line}  {fields}" if fields else line
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return line


class _ContextFilter(logging.Filter):
    """Adds the process's role and the request's id; removes fields that could hold a secret."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self.role = role

    def filter(self, record: logging.LogRecord) -> bool:
        record.role = self.role
        current = request_id.get()
        if current is not None and not hasattr(record, "request_id"):
            record.request_id = current
        for name in _SECRET_FIELDS & vars(record).keys():
            setattr(record, name, "(hidden)")
        return True


def _json_formatter() -> JsonFormatter:
    return JsonFormatter(
        "{levelname}{name}{message}",
        style="{",
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp="time",
        json_ensure_ascii=False,
        reserved_attrs=sorted(_STANDARD_FIELDS),
    )


def _wants_json(settings: Settings, stream: TextIO) -> bool:
    if settings.log_format == "auto":
        return not stream.isatty()
    return settings.log_format == "json"


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD_FIELDS}


def _shown(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f'"{text}"' if " " in text else text
