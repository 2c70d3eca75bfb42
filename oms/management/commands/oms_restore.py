"""`manage.py oms_restore FILE`: a backup into an empty database."""

from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.db import DatabaseError, connection

from core.embedded import EmbeddedError, Postgres
from oms.dumps import run_program
from oms.supervisor import AlreadyRunning, RunLock


class Command(BaseCommand):
    help = "Restore FILE, written by oms_backup, into an empty database; all or nothing. The shop must be stopped."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        source: Path = options["file"]
        if not source.is_file():
            raise CommandError(f"{source} is not a file.")
        with ExitStack() as stack:
            try:
                self._start_embedded(stack)
                self._restore(source)
            except (AlreadyRunning, EmbeddedError, DatabaseError) as error:
                raise CommandError(str(error).strip()) from None
        self.stdout.write(f"Restored {source}.")

    def _start_embedded(self, stack: ExitStack) -> None:
        """The embedded server runs only beside `up`; here it is ours for the time of the restore."""
        if not settings.DATABASE_IS_EMBEDDED:
            return
        lock = RunLock(settings.OMS_DATA_DIR)
        lock.take()
        lock.tell("restoring", "")
        server = Postgres(settings.OMS_DATA_DIR, durable=True)
        stack.callback(server.stop)
        server.start()

    def _restore(self, source: Path) -> None:
        if connection.introspection.table_names():
            raise CommandError(
                "The database is not empty; nothing was changed. Restore into a new one "
                "(docs/operations.md, Backup and restore)."
            )
        connection.close()
        if not run_program("pg_restore", ["--single-transaction", "--exit-on-error", str(source)]):
            raise CommandError("pg_restore failed; its message is above. Nothing was changed.")
