"""One JSON object per log line on stderr, with nothing in it that names a person or opens a door."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

PHONE = re.compile(r"\b0\d{1,3}[- .]?\d{3,4}[- .]?\d{4}\b")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# PostgreSQL repeats the refused row and Django the values of a failed statement in these lines.
ROW_CONTENT = re.compile(r"^\s*(DETAIL|CONTEXT|LINE \d+):.*$", re.MULTILINE)
# Django names the path of what it refuses; below these addresses the rest of it is the key.
KEYED_PATH = re.compile(r"/(t|rider|invitation|hooks/tracking|payments/(?:webhooks|bank-feed))/[^\s?]+")


def is_turned_away(record: logging.LogRecord) -> bool:
    """Whether Django refused a request (4xx): somebody sent nonsense, and a traceback of that is of no use to us."""
    return record.name.startswith("django.") and 400 <= getattr(record, "status_code", 0) < 500


def scrub(text: str) -> str:
    """Blank the row contents of database errors, telephone numbers, mail addresses and keys in addresses of ours."""
    text = KEYED_PATH.sub(r"/\1/<key>", ROW_CONTENT.sub(r"\1: <removed>", text))
    return EMAIL.sub("<email>", PHONE.sub("<phone>", text))


class JsonFormatter(logging.Formatter):
    """Time (UTC), level, logger, message, the `data` dict a caller passed in `extra`, and a scrubbed traceback.

    What Django turned away is one WARNING line without one.
    """

    def format(self, record: logging.LogRecord) -> str:
        is_away = is_turned_away(record)
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": "WARNING" if is_away else record.levelname,
            "logger": record.name,
            "pid": record.process,
            "message": scrub(record.getMessage()),
        }
        status = getattr(record, "status_code", None)
        if status is not None:
            entry["status"] = status
        data = getattr(record, "data", None)
        if isinstance(data, dict):
            entry |= {key: scrub(value) if isinstance(value, str) else value for key, value in data.items()}
        if record.exc_info and not is_away:
            entry["traceback"] = scrub(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False, default=str)


def logging_config(level: str) -> dict[str, Any]:
    """The LOGGING setting: our loggers at `level`, libraries from WARNING up."""
    ours = ("oms", "core", "accounts", "products", "orders", "payments", "shipping", "channels")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "oms.logs.JsonFormatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        # Django's own configuration gives this logger a handler that mails; ours goes to stderr like the rest.
        "loggers": {name: {"level": level} for name in ours}
        | {"django": {"handlers": ["stderr"], "level": "WARNING", "propagate": False}},
    }
