"""Runs PostgreSQL's dump and restore programs against the configured database."""

import os
import subprocess
from typing import IO

from django.db import connection

from core.embedded import client_program


def run_program(name: str, arguments: list[str], *, output: IO[bytes] | None = None) -> bool:
    """Run `pg_dump` or `pg_restore` with the log-in of the settings; tells whether it succeeded. Raises EmbeddedError.

    The password travels in the environment: an argument could be read by every user of the machine.
    """
    login, secrets = connection.client.settings_to_cmd_args_env(connection.settings_dict, [])
    command = [client_program(name), *login[1:-1], f"--dbname={login[-1]}", "--no-owner", *arguments]
    return subprocess.run(command, stdout=output, env=os.environ | (secrets or {}), check=False).returncode == 0
