"""Settings of the test run: `oms.settings` with a data folder of its own, so that a running shop is never touched."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

# Where Python may not leave its bytecode beside the sources (in a container, say), each of the hundreds of processes
# that tests start would compile half the packages anew: it is kept where `make clean` and git know it.
if sys.dont_write_bytecode:
    sys.dont_write_bytecode = False
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(Path(__file__).parents[1] / ".pytest_cache/bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from core import embedded  # noqa: E402

os.environ["OMS_ENV"] = "test"
os.environ.pop("OMS_PROCESSES", None)
# Playwright's sync API keeps an event loop in the main thread; the ORM would refuse to work beside it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

worker = os.environ.get("PYTEST_XDIST_WORKER")
if worker is None:
    folder = Path(tempfile.mkdtemp(prefix="oms-test-"))
    folder.chmod(0o711)
    # Also when the run ends before pytest is configured.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "static").mkdir()
    os.environ["OMS_DATA_DIR"] = str(folder)
os.environ["OMS_TEST_BROKER_DIR"] = str(Path(os.environ["OMS_DATA_DIR"]) / f"broker-{worker or 'main'}")
os.environ["REDIS_URL"] = embedded.broker_url(Path(os.environ["OMS_TEST_BROKER_DIR"]))

from oms.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["tests.infra.passwords.QuickHasher"]
