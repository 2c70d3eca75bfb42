"""One PostgreSQL for the whole run, one database per test worker, copied from a migrated template."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.test import TransactionTestCase

from core.broker import Valkey
from core.embedded import Postgres
from tests.infra.at_first import FirstRows

_servers: list[Postgres] = []
_first: list[FirstRows] = []


def is_controller(config: pytest.Config) -> bool:
    return not hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    if is_controller(config) and "DATABASE_URL" not in os.environ and not config.option.collectonly:
        server = Postgres(settings.OMS_DATA_DIR, durable=False)
        _servers.append(server)
        server.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    for server in _servers:
        server.stop()
        shutil.rmtree(server.layout.fallback, ignore_errors=True)
    if is_controller(config):
        shutil.rmtree(settings.OMS_DATA_DIR, ignore_errors=True)


def _name(suffix: str) -> str:
    return f"{settings.DATABASES['default']['TEST']['NAME']}_{suffix}"


TEMPLATE = _name("template")
MINE = _name(os.environ.get("PYTEST_XDIST_WORKER", "main"))


def _drop(name: str) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _copy(source: str, target: str) -> None:
    _drop(target)
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}" ENCODING \'UTF8\' STRATEGY {_strategy()}')


def _strategy() -> str:
    # Copying files needs a checkpoint, which costs nothing where fsync is off.
    return "FILE_COPY" if _servers or "PYTEST_XDIST_WORKER" in os.environ else "WAL_LOG"


def _migrate_template() -> None:
    """The first worker to come migrates; the others wait at the lock and find it done."""
    done = Path(settings.OMS_DATA_DIR) / "template.done"
    with (Path(settings.OMS_DATA_DIR) / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            return
        _copy("template0", TEMPLATE)
        _use(TEMPLATE)
        call_command("migrate", verbosity=0, interactive=False)
        connection.close()
        done.touch()


def _use(name: str) -> None:
    connection.close()
    settings.DATABASES["default"]["NAME"] = name
    connection.settings_dict["NAME"] = name


def _copy_template() -> None:
    """Looked at anew each time: PostgreSQL gathers its statistics in the template too, whenever it likes."""
    _copy(TEMPLATE, MINE)
    _first[:] = [found for found in [FirstRows.read()] if found]
    connection.close()


def restore() -> None:
    """The database of this worker as it was at first: rows written by migrations are there, ids start at 1 again."""
    connection.close()
    try:
        is_restored = bool(_first) and _first[0].restore()
    except DatabaseError:
        is_restored = False
    finally:
        connection.close()
    if not is_restored:
        _copy_template()


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker) -> Iterator[None]:
    """Replaces pytest-django's set-up, which would migrate once per worker."""
    with django_db_blocker.unblock():
        _migrate_template()
        _use(MINE)
        _copy_template()
    with pytest.MonkeyPatch.context() as patch:
        # Django empties every table after a test with real transactions; that would also take what migrations wrote.
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: restore())
        yield
    with django_db_blocker.unblock():
        connection.close()
        if not _servers and "OMS_TEST_DB" in os.environ:
            _drop(MINE)


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A broker of this worker's own, at settings.REDIS_URL; it starts with the first test that asks for it."""
    folder = Path(os.environ["OMS_TEST_BROKER_DIR"])
    server = Valkey(folder)
    folder.mkdir(mode=0o711, exist_ok=True)
    server.start()
    yield server
    server.stop()
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(server.layout.fallback)


@pytest.fixture
def no_broker(tmp_path: Path, settings) -> None:
    """settings.REDIS_URL names a socket where nobody listens."""
    settings.REDIS_URL = f"redis+socket://{tmp_path}/nobody.sock"
