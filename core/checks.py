"""System checks, and what `manage.py up` refuses to start with."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

OLDEST_POSTGRES = 15
SECRET_KEY_LENGTH = 50


@register()
def check_production(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Settings that a production shop must not run with."""
    if not settings.PRODUCTION:
        return []
    found = {
        "core.E001": settings.DEBUG and "DEBUG is on.",
        "core.E002": (settings.SECRET_KEY == settings.OPEN_SECRET_KEY or len(settings.SECRET_KEY) < SECRET_KEY_LENGTH)
        and f"OMS_SECRET_KEY is the demo key or shorter than {SECRET_KEY_LENGTH} characters.",
        "core.E003": (not settings.ALLOWED_HOSTS or "*" in settings.ALLOWED_HOSTS)
        and "OMS_ALLOWED_HOSTS must name the hosts of the shop.",
        "core.E004": settings.DATABASE_IS_EMBEDDED
        and "DATABASE_URL is not set; the embedded server is for one machine.",
        "core.E005": settings.BROKER_IS_EMBEDDED and "REDIS_URL is not set; the embedded server is for one machine.",
    }
    return [Error(message, id=code) for code, message in found.items() if message]


@register(Tags.database)
def check_database(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """PostgreSQL 15 or later, UTF-8, and a collation that knows Hangul."""
    return [Error(message, id=code) for alias in databases or () for code, message in _database_faults(alias)]


def startup_faults() -> list[str]:
    """Sentences on why this shop must not start; empty when it may. Raises DatabaseError when nothing answers."""
    messages = check_production(None) + check_database(databases=["default"])
    return [str(message.msg) for message in messages]


def _database_faults(alias: str) -> list[tuple[str, str]]:
    connection = connections[alias]
    if connection.vendor != "postgresql":
        return [("core.E010", "The database must be PostgreSQL.")]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'), "
            "'가' ~ '^[[:alpha:]]$', EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')"
        )
        version, encoding, knows_hangul, has_trigrams = cursor.fetchone()
        if has_trigrams and knows_hangul:
            cursor.execute("SELECT cardinality(show_trgm('가나다')) > 0")
            (knows_hangul,) = cursor.fetchone()
    found = []
    if version < OLDEST_POSTGRES:
        found.append(("core.E011", f"PostgreSQL {version} is too old; {OLDEST_POSTGRES} or later is needed."))
    if encoding != "UTF8" or not knows_hangul:
        found.append(
            (
                "core.E012",
                "The database does not know Hangul, Korean search would find nothing. Create it anew: "
                "CREATE DATABASE oms TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'.",
            )
        )
    return found
