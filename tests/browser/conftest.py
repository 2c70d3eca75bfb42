"""The shell on a real server and a real socket, without database: it answers from tests/browser/shell_urls.py."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

from tests.browser import shell_urls


class Silent(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def shell_server() -> Iterator[str]:
    server = ThreadedWSGIServer(("127.0.0.1", 0), Silent)
    server.daemon_threads = True
    server.set_app(get_wsgi_application())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def shell(shell_server: str, settings: Any) -> str:
    """Address of the sample shop; shell_urls.TEST decides its answers, shell_urls.SEEN remembers the questions."""
    settings.ROOT_URLCONF = "tests.browser.shell_urls"
    shell_urls.reset()
    return shell_server
