"""A database of its own for what needs no shop around it: PostgreSQL alone, migrated, in a kept folder."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg2

from bench.shop import ROOT, database_alone, environment
from core.embedded import Postgres

FOLDER = ROOT / "var" / "bench-scratch"


@contextlib.contextmanager
def scratch(folder: Path = FOLDER, *, copy: str = "") -> Iterator[dict[str, str]]:
    """The environment of a process that works in the database, for the length of a block.

    `copy` names a database that is made of the empty one for this block alone.
    """
    with database_alone(folder, "measuring") as server:
        env = environment(folder) | {"DJANGO_SETTINGS_MODULE": "oms.settings"}
        if copy:
            _make(server, copy)
            env |= {"DATABASE_URL": server.url(copy)}
        yield env


def _make(server: Postgres, name: str) -> None:
    with contextlib.closing(psycopg2.connect(server.url("postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE oms')
