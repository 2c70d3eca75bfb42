"""Run a Python command beside a throw-away PostgreSQL: `python -m oms.with_postgres manage.py migrate --check`."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from core.embedded import Postgres


def main(args: list[str]) -> int:
    """Exit status of the command. With DATABASE_URL set nothing is started."""
    if os.environ.get("DATABASE_URL"):
        return subprocess.run([sys.executable, *args], check=False).returncode
    folder = Path(tempfile.mkdtemp(prefix="oms-once-"))
    folder.chmod(0o711)
    server = Postgres(folder, durable=False)
    try:
        server.start()
        env = os.environ | {"DATABASE_URL": server.url()}
        return subprocess.run([sys.executable, *args], env=env, check=False).returncode
    finally:
        server.stop()
        shutil.rmtree(server.layout.fallback, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
