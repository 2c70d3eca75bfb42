"""Settings of the test run: `oms.settings` with a data folder of its own, so that a running shop is never touched."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from core import embedded

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
