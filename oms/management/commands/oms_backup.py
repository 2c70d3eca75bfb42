"""`manage.py oms_backup FILE`: the whole database in one file, while the shop runs."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from core.embedded import EmbeddedError
from oms.dumps import run_program


class Command(BaseCommand):
    help = "Write the database to FILE in PostgreSQL's custom format (restore it with oms_restore)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = options["file"]
        if target.exists():
            raise CommandError(f"{target} exists; choose another name.")
        partial = target.with_name(target.name + ".partial")
        try:
            # Names and addresses of buyers are in it: nobody else may read it.
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                done = run_program("pg_dump", ["--format=custom"], output=out)
        except (EmbeddedError, OSError) as error:
            raise CommandError(str(error)) from None
        if not done:
            partial.unlink()
            raise CommandError("pg_dump failed; its message is above. Nothing was written.")
        partial.rename(target)
        self.stdout.write(f"Wrote {target} ({target.stat().st_size:,} bytes).")
